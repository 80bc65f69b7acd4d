"""The holder of a code's account: a name that the library makes, and nobody else may (A15)."""

from typing import Final

from storecredit.errors import InvalidText

CODE_HOLDER: Final = "~code:"
"""What the holder of every code's account begins with."""


def code_holder(name: str) -> str:
    """Return the holder of the account whose bearer is the code *name*."""
    return CODE_HOLDER + name


def is_code_holder(holder: str) -> bool:
    """Tell whether *holder* is the bearer of a code, and no registered customer."""
    return holder.startswith(CODE_HOLDER)


def require_registered(field: str, holder: str) -> str:
    """
    Return *holder* if it may be a registered one.

    Raises:
        InvalidText: It begins with ``~code:``.
    """
    if is_code_holder(holder):
        problem = "is the bearer of a claim code, and a registered holder is needed here"
        raise InvalidText(field, holder, problem)
    return holder
