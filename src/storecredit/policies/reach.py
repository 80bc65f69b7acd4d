"""What can never happen: rules that earlier ones always forestall, bonuses and limits without use."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Final, final

import attrs

from storecredit.errors import PolicyProblem
from storecredit.policies.limits import Limit, LimitOn
from storecredit.policies.regions import (
    Among,
    Fact,
    Region,
    TooManySteps,
    World,
    facts_of,
)
from storecredit.policies.rule import OfferKind, RefundRule, Topic
from storecredit.policies.window_order import never_ends_later
from storecredit.tenders import LineKind
from storecredit.values import Unit

MOST_STEPS: Final = 500_000
"""How many regions are made for the rules of one policy; beyond it nothing more is reported."""
MOST_STEPS_OF_A_RULE: Final = 50_000
"""How many regions are made for one rule; beyond it nothing is reported of it."""
_MOST_NAMED: Final = 5
_CREDITABLE: Final = Among("kind", frozenset({LineKind.GOODS, LineKind.TAX}))


@final
@attrs.frozen(kw_only=True)
class Reach:
    """For each rule and topic, where it decides: what earlier rules leave of where it holds."""

    names: tuple[str, ...]
    topics: tuple[tuple[str, ...], ...]
    """What each rule decides."""
    facts: tuple[tuple[Fact, ...], ...]
    """When each rule holds."""
    world: World

    @classmethod
    def of(cls, rules: Sequence[RefundRule], *, reasons: Sequence[str] | None = None) -> "Reach":
        """Prepare the rules of returns; *reasons* are all that there are, or None for any."""
        return cls(
            names=tuple(rule.id for rule in rules),
            topics=tuple(rule.topics for rule in rules),
            facts=tuple(facts_of(rule.when, unit=rule.unit) for rule in rules),
            world=World(reasons=reasons, most_steps=MOST_STEPS),
        )

    def holds(self, place: int) -> Region | None:
        """
        Return where the rule at *place* holds, or None where it never does.

        Raises:
            TooManySteps: It would take too long to tell.
        """
        return Region(world=self.world).where_all(self.facts[place])

    def earlier(self, place: int, holds: Region) -> Mapping[str, tuple[int, ...]]:
        """
        Return, by topic, the places of the earlier rules that decide it for some of what *holds*.

        Raises:
            TooManySteps: It would take too long to tell.
        """
        wanted = self.topics[place]
        found: dict[str, list[int]] = {topic: [] for topic in wanted}
        # What always holds decides all that comes after it.
        closed: dict[str, tuple[int, ...]] = {}
        for other in range(place):
            shared = [
                topic for topic in self.topics[other] if topic in found and topic not in closed
            ]
            if not self.facts[other]:
                closed |= dict.fromkeys(shared, (other,))
            elif shared and holds.overlaps(self.facts[other]):
                for topic in shared:
                    found[topic].append(other)
            if len(closed) == len(wanted):
                break
        return {topic: closed.get(topic, tuple(found[topic])) for topic in wanted}

    def left(self, holds: Region, earlier: Sequence[int]) -> list[Region]:
        """
        Return what the rules at the places *earlier* leave of *holds*.

        Raises:
            TooManySteps: It would take too long to tell.
        """
        rest = [holds]
        for other in earlier:
            rest = [piece for each in rest for piece in each.without(self.facts[other])]
            if not rest:
                break
        return rest

    def needed(self, holds: Region, earlier: Sequence[int]) -> list[int]:
        """Return as few of *earlier*, which together leave nothing, as do so; the first first."""
        found = list(earlier)
        try:
            for other in reversed(earlier):
                fewer = [each for each in found if each != other]
                if not self.left(holds, fewer):
                    found = fewer
        except TooManySteps:
            pass  # more than needed, and true
        return found


def never_used(
    rules: Sequence[RefundRule], *, reasons: Sequence[str] | None = None
) -> Iterator[PolicyProblem]:
    """
    Yield each rule that never decides anything, or never something that it names (P1).

    A rule is never used if earlier rules, together, decide all that it names wherever it holds;
    a bonus also if no rule offers credit where it is decided. Nothing is said of what only the
    calendar can tell, nor beyond `MOST_STEPS` for all, and `MOST_STEPS_OF_A_RULE`.

    Args:
        rules: In order.

        reasons: All reasons that there are; None for any.
    """
    reach = Reach.of(rules, reasons=reasons)
    for place in range(len(rules)):
        reach.world.allow(MOST_STEPS_OF_A_RULE)
        try:
            found = tuple(_problems_of(reach, rules, place))
        except TooManySteps:
            continue
        yield from found


def _problems_of(reach: Reach, rules: Sequence[RefundRule], place: int) -> Iterator[PolicyProblem]:
    left = yield from forestalled(reach, place)
    if gives_bonus(rules[place]) and not _is_for_credit(reach, rules, place, left):
        yield PolicyProblem(
            f"rules[{place}].bonus",
            rules[place].id,
            "its bonus is never given: no rule offers credit where this one decides; offer credit, "
            "or leave it out",
        )


def forestalled(
    reach: Reach, place: int
) -> Generator[PolicyProblem, None, Mapping[str, list[Region]]]:
    """
    Yield what the rule at *place* never decides; return, by topic, where it decides something.

    Raises:
        TooManySteps: It would take too long to tell.
    """
    name, topics, holds = reach.names[place], reach.topics[place], reach.holds(place)
    if holds is None:
        yield PolicyProblem(f"rules[{place}].when", name, "its conditions never hold together")
        return {}
    told: dict[tuple[int, ...], list[Region]] = {}
    decided_by: dict[str, list[int]] = {}
    left: dict[str, list[Region]] = {}
    for topic, earlier in reach.earlier(place, holds).items():
        if earlier not in told:
            told[earlier] = reach.left(holds, earlier)
        if told[earlier]:
            left[topic] = told[earlier]
        else:
            decided_by[topic] = reach.needed(holds, earlier)
    if len(decided_by) == len(topics):
        places = sorted({other for others in decided_by.values() for other in others})
        yield PolicyProblem(
            f"rules[{place}]",
            name,
            f"it is never used: wherever it holds, {_decide(reach, places)} first; put it before, "
            "or leave it out",
        )
        return left
    for topic, others in decided_by.items():
        yield PolicyProblem(
            f"rules[{place}].{topic}",
            name,
            f"its {topic} is never used: wherever the rule holds, {_decide(reach, others)} it "
            "first; put the rule before, or leave it out",
        )
    return left


def gives_bonus(rule: RefundRule) -> bool:
    """Tell whether the rule gives a bonus that is more than nothing."""
    bonus = rule.bonus
    if bonus is None or (bonus.at_most is not None and bonus.at_most.is_zero):
        return False
    return bonus.percent > 0 or (bonus.fixed is not None and bonus.fixed.is_positive)


def _is_for_credit(
    reach: Reach, rules: Sequence[RefundRule], bonus: int, left: Mapping[str, list[Region]]
) -> bool:
    """Tell whether some rule offers credit where the rule at *bonus* decides the bonus, if it does."""
    regions = left.get(Topic.BONUS)
    if regions is None:
        return True
    rest = [piece for each in regions if (piece := each.where(_CREDITABLE)) is not None]
    if left.get(Topic.OFFER) is regions and OfferKind.CREDIT in (rules[bonus].offer or ()):
        return bool(rest)  # it does so itself: as most rules with a bonus
    for place, rule in enumerate(rules):
        if rule.offer is None:
            continue
        if OfferKind.CREDIT not in rule.offer:
            rest = [piece for each in rest for piece in each.without(reach.facts[place])]
        elif any(each.overlaps(reach.facts[place]) for each in rest):
            return True
    return False


def _decide(reach: Reach, places: Sequence[int]) -> str:
    """Return the rules at those places and what they do, as the middle of a sentence."""
    names = [ascii(reach.names[place]) for place in places]
    if len(names) == 1:
        return f"{names[0]} decides"
    if len(names) > _MOST_NAMED:
        names = [*names[:_MOST_NAMED], f"{len(names) - _MOST_NAMED} more"]
    return f"{', '.join(names[:-1])} and {names[-1]} together decide"


def never_binding(limits: Sequence[Limit], rules: Sequence[RefundRule]) -> Iterator[PolicyProblem]:
    """
    Yield each limit that nothing can ever go over (P1).

    A limit on the bonus where no rule gives one, or none in its currency; and one that allows more
    in a shorter time than another on the same.
    """
    units = [rule.unit for rule in rules if gives_bonus(rule)]
    for place, limit in enumerate(limits):
        if limit.on is LimitOn.BONUS and not _counts_any(limit, units):
            which = (
                "a bonus"
                if not units or limit.amount is None
                else (f"a bonus in {limit.amount.unit.code}")
            )
            yield PolicyProblem(
                f"limits[{place}]", limit.id, f"it never binds: no rule gives {which}; leave it out"
            )
            continue
        for order, other in enumerate(limits):
            # Of two that say the same, the later is one too many.
            is_twin = order > place and _binds_sooner(limit, other)
            if other is not limit and not is_twin and _binds_sooner(other, limit):
                yield PolicyProblem(
                    f"limits[{place}]",
                    limit.id,
                    f"it never binds: {other.id!a} allows no more in at least that time; leave one "
                    "out",
                )
                break


def _counts_any(limit: Limit, units: Sequence[Unit | None]) -> bool:
    if limit.count is not None:
        return bool(units)
    return any(
        unit is None or (limit.amount is not None and unit == limit.amount.unit) for unit in units
    )


def _binds_sooner(other: Limit, limit: Limit) -> bool:
    """Tell whether *other* is gone over whenever *limit* is."""
    if (other.per, other.on, other.over) != (limit.per, limit.on, limit.over):
        return False
    if not never_ends_later(limit.period, other.period):
        return False
    if limit.amount is not None and (
        other.amount is None
        or other.amount.unit != limit.amount.unit
        or other.amount > limit.amount
    ):
        return False
    return limit.count is None or (other.count is not None and other.count <= limit.count)
