"""Rules that never decide, because an earlier one holds wherever they do (P1)."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

import attrs

from storecredit.errors import InvalidTerms
from storecredit.policies.gift import Basis, Circumstances, Gift, OncePer
from storecredit.values import Money, Unit


class Named(Protocol):
    """Something with an id."""

    @property
    def id(self) -> str:
        """Its id."""
        ...


_Rule = TypeVar("_Rule", bound=Named)
_ANY: frozenset[Unit | None] = frozenset()


def require_reached(
    rules: Sequence[_Rule],
    covers: Callable[[_Rule, _Rule], bool],
    parts: Callable[[_Rule, Sequence[_Rule]], Iterable[_Rule]],
) -> None:
    """
    Require that no rule is covered by earlier ones, one or several together.

    Args:
        rules: In order.

        covers: Whether the first of two decides wherever the second would.

        parts: A rule as parts of it, such that each of these earlier rules decides in all of a part
            or in none.

    Raises:
        InvalidTerms: One is, and would never decide.
    """
    for place, later in enumerate(rules):
        earlier = rules[:place]
        alone = next((each.id for each in earlier if covers(each, later)), None)
        names = [alone] if alone is not None else _together(earlier, parts(later, earlier), covers)
        if names:
            who = (
                names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} together"
            )
            decide = "decides" if len(names) == 1 else "decide"
            raise InvalidTerms(
                "rules", later.id, f"a rule that is reached: {who} {decide} wherever it holds"
            )


def _together(
    earlier: Sequence[_Rule], parts: Iterable[_Rule], covers: Callable[[_Rule, _Rule], bool]
) -> list[str]:
    """Return the rules that cover all *parts* together, or none where they leave one."""
    found = dict[str, None]()
    for part in parts:
        by = next((each.id for each in earlier if covers(each, part)), None)
        if by is None:
            return []
        found[by] = None
    return list(found)


def singles(values: Sequence[str] | None) -> list[tuple[str, ...] | None]:
    """Return one of *values* at a time: whoever is in one of them may be in no other."""
    return [None] if values is None else [(value,) for value in values]


def pieces(when: Circumstances, others: Sequence[Circumstances]) -> Iterator[Circumstances]:
    """Yield *when* as parts of it, so that each of *others* holds in all of a part or in none."""
    ends = [(when.at_least, when.below)]
    known = when.below if when.at_least is None else when.at_least
    if known is not None:
        limits = (limit for each in others for limit in (each.at_least, each.below))
        cuts = {limit for limit in limits if limit is not None and limit.unit == known.unit}
        inner = sorted(
            cut
            for cut in cuts
            if (when.at_least is None or cut > when.at_least)
            and (when.below is None or cut < when.below)
        )
        edges = [when.at_least, *inner, when.below]
        ends = list(itertools.pairwise(edges))
    for (at_least, below), segments, channels in itertools.product(
        ends, singles(when.segments), singles(when.channels)
    ):
        yield attrs.evolve(
            when, at_least=at_least, below=below, segments=segments, channels=channels
        )


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


def require_one_unit(gifts: Sequence[Gift | None], when: Circumstances) -> None:
    """
    Require that what *gifts* are a part of can be in the currencies of their most, and of *when*.

    Raises:
        InvalidTerms: Two currencies are asked of one total: the rule could never decide.
    """
    for basis, units in _units(gifts, when).items():
        named = sorted(unit.code for unit in units if unit is not None)
        if len(named) > 1:
            asked = " and ".join(named)
            raise InvalidTerms("at_most", asked, f"in the one currency that the {basis} is in")


def always_known(
    gifts: Iterable[Gift | None], when: Circumstances, theirs: Sequence[Gift | None]
) -> bool:
    """
    Tell whether what *gifts* come to is known wherever *when* holds and *theirs* are known.

    A part of an order or its shipping is known where that is, and is in the currency of the most.
    """
    units = _units(theirs, when)
    return all(
        gift is None
        or gift.amount is not None
        or (bool(units[gift.of]) and (gift.at_most is None or gift.at_most.unit in units[gift.of]))
        for gift in gifts
    )


def _units(
    gifts: Sequence[Gift | None], when: Circumstances
) -> dict[Basis, frozenset[Unit | None]]:
    """Return the currencies that each total has to be in; None is any, and nothing unknown."""
    found = dict.fromkeys(Basis, _ANY)
    bounds = [limit for limit in (when.at_least, when.below) if limit is not None]
    for basis, most in [
        *((Basis.ORDER, limit) for limit in bounds),
        *((gift.of, gift.at_most) for gift in gifts if gift is not None and gift.amount is None),
    ]:
        found[basis] |= {None if most is None else most.unit}
    return found


def subject_known(earlier: OncePer, later: OncePer) -> bool:
    """Tell whether what *earlier* counts once is known wherever that of *later* is."""
    return earlier in (OncePer.OCCASION, OncePer.HOLDER, later)


def _is_least(narrow: Money | None, wide: Money | None) -> bool:
    return wide is None or (narrow is not None and narrow.unit == wide.unit and narrow >= wide)


def _is_most(narrow: Money | None, wide: Money | None) -> bool:
    return wide is None or (narrow is not None and narrow.unit == wide.unit and narrow <= wide)
