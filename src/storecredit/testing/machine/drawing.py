"""Drawing from small sets: the few kinds of choices that every strategy of the machine is made of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

_T = TypeVar("_T")


@cache
def _places(count: int) -> st.SearchStrategy[int]:
    # Kept, because making and checking a strategy costs more than drawing from it.
    return st.integers(0, count - 1)


def pick(draw: st.DrawFn, options: Sequence[_T]) -> _T:
    """Pick one of *options*, each as likely as the others; the first is the simplest."""
    return options[draw(_places(len(options)))]


def once_in(draw: st.DrawFn, times: int) -> bool:
    """Tell, once in so many *times*, that something unusual is to be asked for."""
    return draw(_places(times)) == times - 1


def up_to(draw: st.DrawFn, most: int) -> int:
    """Draw a whole number from 1 to *most*."""
    return draw(_places(most)) + 1
