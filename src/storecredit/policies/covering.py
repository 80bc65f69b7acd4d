"""Rules that never decide, because an earlier one holds wherever they do (P1)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from storecredit.errors import InvalidTerms
from storecredit.policies.gift import Basis, Circumstances, Gift, OncePer
from storecredit.values import Money


class Named(Protocol):
    """Something with an id."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


_Rule = TypeVar("_Rule", bound=Named)


def require_reached(rules: Sequence[_Rule], covers: Callable[[_Rule, _Rule], bool]) -> None:
    """
    Require that no rule is covered by an earlier one.

    What several rules cover only together is not found.

    Raises:
        InvalidTerms: One is, and would never decide.
    """
    for place, later in enumerate(rules):
        for earlier in rules[:place]:
            if covers(earlier, later):
                expected = f"a rule that is reached: {earlier.id} decides wherever it holds"
                raise InvalidTerms("rules", later.id, expected)


def within(narrow: Sequence[str] | None, wide: Sequence[str] | None) -> bool:
    """Tell whether whoever is in one of *narrow* is in one of *wide*; None is everybody."""
    return wide is None or (narrow is not None and set(narrow) <= set(wide))


def implies(narrow: Circumstances, wide: Circumstances) -> bool:
    """Tell whether *wide* holds wherever *narrow* does."""
    return (
        _is_least(narrow.at_least, wide.at_least)
        and _is_most(narrow.below, wide.below)
        and within(narrow.segments, wide.segments)
        and within(narrow.channels, wide.channels)
        and (
            wide.days_late is None
            or (narrow.days_late is not None and narrow.days_late >= wide.days_late)
        )
    )


def always_known(gifts: Iterable[Gift | None], when: Circumstances) -> bool:
    """Tell whether what *gifts* come to is known wherever *when* holds."""
    has_total = when.at_least is not None or when.below is not None
    return all(
        gift is None
        or gift.amount is not None
        or (gift.of is Basis.ORDER and gift.at_most is None and has_total)
        for gift in gifts
    )


def subject_known(earlier: OncePer, later: OncePer) -> bool:
    """Tell whether what *earlier* counts once is known wherever that of *later* is."""
    return earlier in (OncePer.OCCASION, OncePer.HOLDER, later)


def _is_least(narrow: Money | None, wide: Money | None) -> bool:
    return wide is None or (narrow is not None and narrow.unit == wide.unit and narrow >= wide)


def _is_most(narrow: Money | None, wide: Money | None) -> bool:
    return wide is None or (narrow is not None and narrow.unit == wide.unit and narrow <= wide)
