"""What the fields of earning, granting and top-up rules accept, and how they say what would be right."""

from collections.abc import Iterable
from decimal import Decimal

from storecredit.errors import InvalidTerms
from storecredit.ledger.arguments import texts
from storecredit.policies.given import listed_texts
from storecredit.values import MAX_MINOR, Money, Period


def any_texts(field: str, values: Iterable[str]) -> tuple[str, ...]:
    """
    Accept a list of texts without repeats, which may be empty.

    Raises:
        InvalidTerms: Another thing, or a text twice.
        InvalidText: A text that cannot be kept.
    """
    found = texts(field, values)
    if len(set(found)) < len(found):
        raise InvalidTerms(field, list(found), "a list that names each thing once")
    return found


def segments_or_none(values: Iterable[str] | None) -> tuple[str, ...] | None:
    """Accept groups of customers, or None for all."""
    return listed_texts("segments", values)


def channels_or_none(values: Iterable[str] | None) -> tuple[str, ...] | None:
    """Accept channels, or None for all."""
    return listed_texts("channels", values)


def categories_or_none(values: Iterable[str] | None) -> tuple[str, ...] | None:
    """Accept categories of goods, or None for all."""
    return listed_texts("categories", values)


def amount_above(field: str, value: object) -> Money:
    """
    Accept an amount above nothing.

    Raises:
        InvalidTerms: Another thing.
    """
    if not isinstance(value, Money) or not value.is_positive:
        raise InvalidTerms(field, value, 'an amount above nothing, as "EUR 5.00"')
    return value


def amount_above_or_none(field: str, value: object) -> Money | None:
    """Accept an amount above nothing, or None."""
    return None if value is None else amount_above(field, value)


def count_from_one(field: str, value: object) -> int:
    """
    Accept a whole number from 1 up.

    Raises:
        InvalidTerms: Another thing.
    """
    if type(value) is not int or not 1 <= value <= MAX_MINOR:
        raise InvalidTerms(field, value, "a whole number from 1 up")
    return value


def count_or_none(field: str, value: object) -> int | None:
    """Accept a whole number from 1 up, or None."""
    return None if value is None else count_from_one(field, value)


def a_period(field: str, value: object) -> Period:
    """
    Accept a period.

    Raises:
        InvalidTerms: Another thing.
    """
    if not isinstance(value, Period):
        raise InvalidTerms(field, value, 'a period, as "P30D"')
    return value


def period_or_none(field: str, value: object) -> Period | None:
    """Accept a period, or None."""
    return None if value is None else a_period(field, value)


def expires_or_none(value: object) -> Period | None:
    """Accept how long value lives, or None for ever."""
    return period_or_none("expires", value)


def number_up_to(field: str, value: object, highest: Decimal) -> Decimal:
    """
    Accept a number from 0 to *highest*, written exactly.

    Raises:
        InvalidTerms: Another thing, a float for one.
    """
    expected = f'a number from 0 to {highest}, as 2 or "1.5"'
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidTerms(field, value, expected)
    found = Decimal(value)
    if not found.is_finite() or not 0 <= found <= highest:
        raise InvalidTerms(field, value, expected)
    return found


def require_kind(field: str, kind: type, value: object, expected: str) -> None:
    """
    Require that *value* is of the class that it is said to be.

    Raises:
        InvalidTerms: Another thing, such as the section that a policy has not got.
    """
    if not isinstance(value, kind):
        raise InvalidTerms(field, value, expected)


def require_ids(field: str, ids: list[str]) -> None:
    """
    Require that there is a rule, and that each has an id of its own.

    Raises:
        InvalidTerms: None, or an id twice.
    """
    if not ids:
        raise InvalidTerms(field, [], "one rule at least")
    require_once(ids)


def require_once(ids: list[str]) -> None:
    """
    Require that no id is given twice.

    Raises:
        InvalidTerms: One is.
    """
    for place, each in enumerate(ids):
        if each in ids[:place]:
            raise InvalidTerms("id", each, "given once in a policy")
