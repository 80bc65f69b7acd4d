"""Statements as drivers take them: compiled once for a dialect, run as often as needed."""

import copy
import itertools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, final

import attrs
from sqlalchemy import ClauseElement, Dialect, LargeBinary

from storecredit.storage.sql._rows import Row

_POSITIONAL: Final[Mapping[str, str]] = MappingProxyType({"pyformat": "format", "named": "qmark"})
"""Ways of writing placeholders by position, for drivers that are used by name otherwise."""

_numbers: Final = itertools.count(1)


@final
@attrs.define(eq=False)
class Statement:
    """
    One statement in the words of one driver.

    Parameters are given in the order of the names that it was compiled with.
    """

    sql: str
    order: tuple[int, ...] | None
    """Which parameter each placeholder stands for, where that is not one after the other."""
    constants: Row
    """Parameters that follow those that are given."""
    reads: bool
    """Whether it answers with rows."""
    placeholders: bool
    """Whether it has any: some drivers look for them as soon as parameters are given."""
    prepares: bool = True
    """Whether connections that keep prepared statements keep it; what begins and ends, never."""
    takes_bytes: bool = False
    """Whether a parameter is bytes: some drivers are told so."""
    number: int = attrs.field(factory=lambda: next(_numbers))
    """Names it on connections that keep prepared statements."""
    decoders: tuple[tuple[int, Callable[[bytes], Any]], ...] | None = None
    """How each column of its rows is read, once that is known."""

    def ordered(self, parameters: Row) -> Row:
        """Return *parameters* as the placeholders want them."""
        if self.order is None:
            return parameters
        given = (*parameters, *self.constants)
        return tuple([given[at] for at in self.order])


def positional(dialect: Dialect, *, paramstyle: str | None = None) -> Dialect:
    """Return a copy of *dialect* whose placeholders are positions."""
    found = copy.copy(dialect)
    style = paramstyle or dialect.paramstyle
    found.paramstyle = _POSITIONAL.get(style, style)
    found.positional = True
    found.identifier_preparer = found.preparer(found)
    return found


def compiled(element: ClauseElement, names: tuple[str, ...], dialect: Dialect) -> Statement:
    """
    Compile *element* for *dialect*, which has positional placeholders.

    Args:
        element: A Core expression; its parameters are ``bindparam`` s.

        names: Its parameters, in the order in which they will be given.
    """
    made: Any = element.compile(dialect=dialect)
    wanted: list[str] = list(made.positiontup or ())
    # Some dialects add parameters of their own, an offset of zero for one.
    own = [name for name in dict.fromkeys(wanted) if name not in names]
    constants = tuple(made.params[name] for name in own)
    every = (*names, *own)
    order = tuple(every.index(name) for name in wanted)
    return Statement(
        str(made),
        None if order == tuple(range(len(names))) else order,
        constants,
        reads=bool(getattr(element, "is_select", False)),
        placeholders=bool(order),
        takes_bytes=any(isinstance(made.binds[name].type, LargeBinary) for name in wanted),
    )


def verb(sql: str, *, reads: bool = False) -> Statement:
    """Return a statement without parameters, such as ``COMMIT``."""
    return Statement(sql, None, (), reads=reads, placeholders=False, prepares=False)
