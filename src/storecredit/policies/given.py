"""What the fields of a refund policy accept, each by its name, and what would be right (P1)."""

import enum
from collections.abc import Iterable, Mapping
from typing import TypeVar

from storecredit.errors import InvalidTerms
from storecredit.ledger.arguments import one_of, texts
from storecredit.values import Money, Period

_E = TypeVar("_E", bound=enum.StrEnum)
_T = TypeVar("_T")
_Texts = Iterable[str] | None


def listed_texts(field: str, values: _Texts) -> tuple[str, ...] | None:
    """
    Accept a list of texts, not empty and without repeats, or None.

    Raises:
        InvalidTerms: Another thing, nothing in the list, or a text twice.
        InvalidText: A text that cannot be kept.
    """
    if values is None:
        return None
    found = texts(field, values)
    if not found:
        raise InvalidTerms(field, [], "a list with something in it, or left out")
    if len(set(found)) < len(found):
        raise InvalidTerms(field, list(found), "a list that names each thing once")
    return found


def listed_members(
    field: str, kind: type[_E], values: Iterable[_E | str] | None
) -> tuple[_E, ...] | None:
    """
    Accept a list of members of *kind*, or of their names, as `listed_texts`; or None.

    Raises:
        InvalidTerms: As `listed_texts`, or there is no such member.
    """
    found = listed_texts(field, values)
    return None if found is None else tuple(one_of(kind, field, value) for value in found)


def tuple_of(field: str, kind: type[_T], values: Iterable[_T]) -> tuple[_T, ...]:
    """
    Accept a list of values of *kind*, which may be empty.

    Raises:
        InvalidTerms: Another thing.
    """
    given: object = values
    found = None
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping):
        found = tuple(given)
    if found is None or not all(isinstance(value, kind) for value in found):
        raise InvalidTerms(field, values, f"a list of {kind.__name__}")
    return found


def require_part(field: str, value: object, kind: type) -> None:
    """
    Refuse what is no *kind*: a part of a policy that would only fail when it decides.

    Raises:
        InvalidTerms: It is something else.
    """
    if not isinstance(value, kind):
        raise InvalidTerms(field, value, f"a {kind.__name__}")


def true_or_false(field: str, value: object) -> bool | None:
    """
    Accept a truth, or None.

    Raises:
        InvalidTerms: Another thing.
    """
    if value is None or isinstance(value, bool):
        return value
    raise InvalidTerms(field, value, "true or false")


def not_negative(field: str, value: object) -> Money | None:
    """
    Accept an amount of nothing or more, or None.

    Raises:
        InvalidTerms: Another thing.
    """
    if value is None or (isinstance(value, Money) and not value.is_negative):
        return value
    raise InvalidTerms(field, value, 'an amount of nothing or more, as "EUR 5.00"')


def period_or_none(field: str, value: object) -> Period | None:
    """
    Accept a period, or None.

    Raises:
        InvalidTerms: Another thing.
    """
    if value is None or isinstance(value, Period):
        return value
    raise InvalidTerms(field, value, 'a period, as "P30D"')


def whole_number(field: str, value: object) -> int:
    """
    Accept a whole number from 0 up.

    Raises:
        InvalidTerms: Another thing.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidTerms(field, value, "a whole number from 0 up")
    return value


# By the names of the fields, so that messages and type checkers know them


def merchants(values: _Texts) -> tuple[str, ...] | None:
    """Accept merchants of record, or None for any."""
    return listed_texts("merchants", values)


def channels(values: _Texts) -> tuple[str, ...] | None:
    """Accept channels, or None for any."""
    return listed_texts("channels", values)


def jurisdictions(values: _Texts) -> tuple[str, ...] | None:
    """Accept jurisdictions, or None for any."""
    return listed_texts("jurisdictions", values)


def segments(values: _Texts) -> tuple[str, ...] | None:
    """Accept groups of customers, or None for any."""
    return listed_texts("segments", values)


def categories(values: _Texts) -> tuple[str, ...] | None:
    """Accept categories of goods, or None for any."""
    return listed_texts("categories", values)


def reasons(values: _Texts) -> tuple[str, ...] | None:
    """Accept reasons of returns, or None for any."""
    return listed_texts("reasons", values)


def within(value: Period | None) -> Period | None:
    """Accept a window, or None."""
    return period_or_none("within", value)


def after(value: Period | None) -> Period | None:
    """Accept the window that is over, or None."""
    return period_or_none("after", value)


def expires(value: Period | None) -> Period | None:
    """Accept how long credit lives, or None for ever."""
    return period_or_none("expires", value)


def bonus_expires(value: Period | None) -> Period | None:
    """Accept how long a bonus lives, or None."""
    return period_or_none("bonus_expires", value)


def at_least(value: Money | None) -> Money | None:
    """Accept the least amount, or None."""
    return not_negative("at_least", value)


def below(value: Money | None) -> Money | None:
    """Accept the amount that is not reached, or None."""
    return not_negative("below", value)


def fixed(value: Money | None) -> Money | None:
    """Accept a fixed amount, or None."""
    return not_negative("fixed", value)


def at_most(value: Money | None) -> Money | None:
    """Accept a highest amount, or None."""
    return not_negative("at_most", value)


def amount(value: Money | None) -> Money | None:
    """Accept an amount, or None."""
    return not_negative("amount", value)


def count(value: int) -> int:
    """Accept a number of decisions."""
    return whole_number("count", value)


def count_or_none(value: int | None) -> int | None:
    """Accept a number of decisions, or None."""
    return None if value is None else whole_number("count", value)
