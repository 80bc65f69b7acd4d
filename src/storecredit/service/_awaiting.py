"""Verbs that are awaited: each is the verb of the same name, run where its waiting blocks nobody."""

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from storecredit.storage.protocols import AsyncStorage

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Plain = TypeVar("_Plain")


class Awaiting:
    """Something plain, and the storage that its verbs are to be run by."""

    def __init__(self, plain: Any, storage: AsyncStorage) -> None:
        self._plain: Final = plain
        self._storage: Final = storage


_Own = TypeVar("_Own", bound=Awaiting)


def awaits(
    verb: Callable[Concatenate[_Plain, _P], _T],
) -> Callable[[Callable[[_Own], None]], Callable[Concatenate[_Own, _P], Coroutine[Any, Any, _T]]]:
    """Replace the method below by *verb*, awaited: same arguments, same result, same errors."""

    def replaced(
        named: Callable[[_Own], None],
    ) -> Callable[Concatenate[_Own, _P], Coroutine[Any, Any, _T]]:
        @functools.wraps(verb)
        async def call(own: _Own, /, *args: _P.args, **more: _P.kwargs) -> _T:
            return await own._storage.run(lambda: verb(own._plain, *args, **more))

        call.__qualname__ = named.__qualname__
        return call

    return replaced


def iterates(
    verb: Callable[Concatenate[_Plain, _P], Iterable[_T]],
) -> Callable[[Callable[[_Own], None]], Callable[Concatenate[_Own, _P], AsyncIterator[_T]]]:
    """Replace the method below by what *verb* yields, for an ``async for``."""

    def replaced(
        named: Callable[[_Own], None],
    ) -> Callable[Concatenate[_Own, _P], AsyncIterator[_T]]:
        @functools.wraps(verb)
        async def call(own: _Own, /, *args: _P.args, **more: _P.kwargs) -> AsyncIterator[_T]:
            run, end = own._storage.run, object()
            found = await run(lambda: iter(verb(own._plain, *args, **more)))
            try:
                while (each := await run(lambda: next(found, end))) is not end:
                    yield each  # type: ignore[misc]  # not the end
            finally:
                if (close := getattr(found, "close", None)) is not None:
                    await run(close)

        call.__qualname__ = named.__qualname__
        return call

    return replaced
