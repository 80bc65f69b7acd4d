"""
Regions: the requests that conditions describe, and what is left of them without others.

A region is a conjunction of facts, each about one thing that conditions look at. Taking the facts
of a rule out of a region leaves several regions, of which no two overlap: so it is told, exactly,
whether rules together cover another. Windows are compared where their order is certain; where it
is up to the calendar, a region is taken to be possible.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, final

import attrs

from storecredit.policies.asking import Condition
from storecredit.policies.when import Since, When, Who
from storecredit.policies.window_order import never_ends_later
from storecredit.tenders import LineKind
from storecredit.values import Period, Unit


@final
@attrs.frozen(cache_hash=True)
class Known:
    """There is a day to count from: what is not delivered yet, with a receipt, is so new."""

    since: Since


@final
@attrs.frozen(cache_hash=True)
class Late:
    """The window of the period, since then, is over."""

    since: Since
    period: Period


RECEIPT: Final = "receipt"
GIFT: Final = "is_gift"
GUEST: Final = "guest"
FINAL_SALE: Final = "final_sale"
UNIT: Final = "unit"
AMOUNT: Final = "amount"

Atom = str | Known | Late
"""Something that is true or not."""


@final
@attrs.frozen
class Among:
    """The merchant, unit, kind, reason ... is one of these; None stands for one that is unknown."""

    of: str
    values: frozenset[object]
    holds: bool = True


@final
@attrs.frozen
class Truth:
    """An atom is true."""

    atom: Atom
    holds: bool = True


@final
@attrs.frozen
class InGroups:
    """The holder is in one of these groups at least."""

    groups: frozenset[str]
    holds: bool = True


@final
@attrs.frozen
class AtLeast:
    """The amount, in minor units of the unit that the region has, or the number is so much or more."""

    of: str
    least: int
    holds: bool = True


Fact = Among | Truth | InGroups | AtLeast


def facts_of(when: When, *, unit: Unit | None = None) -> tuple[Fact, ...]:
    """
    Return what has to be so where *when* holds, as facts.

    Args:
        when: The conditions.

        unit: The currency that a rule is for, if it names amounts.
    """
    named = {
        "merchant": when.merchants,
        "channel": when.channels,
        "jurisdiction": when.jurisdictions,
        "kind": when.kinds,
        "category": when.categories,
        "reason": when.reasons,
        "condition": when.conditions,
    }
    facts: list[Fact] = [
        Among(of, frozenset(values)) for of, values in named.items() if values is not None
    ]
    if when.segments is not None:
        facts.append(InGroups(frozenset(when.segments)))
    if when.holder is not None:
        facts.append(Truth(GUEST, when.holder is Who.GUEST))
    truths = {GIFT: when.gift, RECEIPT: when.receipt, FINAL_SALE: when.final_sale}
    facts += [Truth(atom, holds) for atom, holds in truths.items() if holds is not None]
    for period, late in ((when.within, False), (when.after, True)):
        if period is not None:
            facts += [Truth(Known(when.since)), Truth(Late(when.since, period), late)]
    limits = [limit for limit in (when.at_least, when.below) if limit is not None]
    if unit is not None or limits:
        facts.append(Among(UNIT, frozenset({unit or limits[0].unit})))
    if when.at_least is not None:
        facts.append(AtLeast(AMOUNT, when.at_least.minor))
    if when.below is not None:
        facts.append(AtLeast(AMOUNT, when.below.minor, holds=False))
    return tuple(facts)


@final
class TooManySteps(Exception):
    """More regions than there may be: nothing is said."""


@final
class World:
    """What there can be: closed lists, and which facts follow from which. Counts its steps."""

    def __init__(self, *, reasons: Iterable[str] | None = None, most_steps: int) -> None:
        self.steps: int = most_steps
        self._allowed: int = most_steps
        self._left: int = most_steps
        self._closed: Final[dict[str, frozenset[object]]] = {
            "kind": frozenset(LineKind),
            "condition": frozenset({*Condition, None}),
        }
        if reasons is not None:
            self._closed["reason"] = frozenset({*reasons, None})
        self._follows: Final[dict[tuple[Atom, Atom], bool]] = {}

    def is_possible(self, of: str, among: frozenset[object], *, out_of: bool) -> bool:
        """Tell whether something is among these, or *out_of* them."""
        closed = self._closed.get(of)
        if out_of:
            return closed is None or not closed <= among
        return bool(among) and (closed is None or not closed.isdisjoint(among))

    def closed(self, of: str) -> frozenset[object] | None:
        """Return all that there is of it, or None where there is no end."""
        return self._closed.get(of)

    def follows(self, then: Atom, given: Atom) -> bool:
        """Tell whether *then* is true wherever *given* is."""
        pair = (then, given)
        found = self._follows.get(pair)
        if found is None:
            found = self._follows[pair] = _follows(then, given)
        return found

    def allow(self, steps: int) -> None:
        """Begin to count again, up to so many regions, and never more than there were left."""
        self._left -= self._allowed - self.steps
        self._allowed = self.steps = min(steps, self._left)

    def step(self) -> None:
        """
        Count one region.

        Raises:
            TooManySteps: There were too many.
        """
        self.steps -= 1
        if self.steps < 0:
            raise TooManySteps


def _follows(then: Atom, given: Atom) -> bool:
    if isinstance(then, Known):
        return given == RECEIPT and then.since is Since.DELIVERY
    if isinstance(then, Late) and isinstance(given, Late):
        # Nothing is delivered before it is bought; and what is late is late for shorter windows.
        return (then.since is given.since or given.since is Since.DELIVERY) and never_ends_later(
            then.period, given.period
        )
    return False


_NOTHING: Final[Mapping[str, tuple[frozenset[object], bool]]] = MappingProxyType({})
_NO_TRUTHS: Final[Mapping[Atom, bool]] = MappingProxyType({})
_NO_SPANS: Final[Mapping[str, tuple[int, int | None]]] = MappingProxyType({})


@final
@attrs.frozen(kw_only=True)
class Region:
    """Requests, each with one line, for which all of these facts hold; there are some."""

    world: World
    named: Mapping[str, tuple[frozenset[object], bool]] = _NOTHING
    """By what is named: the values, and whether it is none of them rather than one."""
    groups: frozenset[frozenset[str]] = frozenset()
    """One group at least of each of these."""
    no_groups: frozenset[str] = frozenset()
    truths: Mapping[Atom, bool] = _NO_TRUTHS
    spans: Mapping[str, tuple[int, int | None]] = _NO_SPANS
    """By what is counted: the least that it is, and the first that is too much."""

    def where(self, fact: Fact) -> "Region | None":
        """Return the part of the region where *fact* holds, or None where it never does."""
        self.world.step()
        if isinstance(fact, Among):
            return self._named(fact)
        if isinstance(fact, Truth):
            return self._with_truth(fact)
        if isinstance(fact, InGroups):
            return self._in_groups(fact)
        return self._counted(fact)

    def where_all(self, facts: Iterable[Fact]) -> "Region | None":
        """Return the part of the region where all *facts* hold, or None."""
        found: Region | None = self
        for fact in facts:
            if found is None:
                return None
            found = found.where(fact)
        return found

    def overlaps(self, facts: Iterable[Fact]) -> bool:
        """Tell whether all *facts* hold for some of the region."""
        for fact in facts:
            if isinstance(fact, Among) and (known := self.named.get(fact.of)) is not None:
                values, out_of = known
                if not out_of and values.isdisjoint(fact.values):
                    self.world.step()
                    return False
        return self.where_all(facts) is not None

    def without(self, facts: Iterable[Fact]) -> "list[Region]":
        """Return the regions that are left where not all *facts* hold; none overlaps another."""
        left = []
        rest = self
        for fact in facts:
            inside = rest.where(fact)
            if inside is None:
                return [self]
            other = rest.where(attrs.evolve(fact, holds=not fact.holds))
            if other is not None:
                left.append(other)
            rest = inside
        return left

    def _named(self, fact: Among) -> "Region | None":
        values, out_of = fact.values, not fact.holds
        if (before := self.named.get(fact.of)) is not None:
            known, known_out = before
            if known_out:
                values = known | values if out_of else values - known
            else:
                values = known - values if out_of else known & values
                out_of = False
        if not self.world.is_possible(fact.of, values, out_of=out_of):
            return None
        return self._but(named={**self.named, fact.of: (values, out_of)})

    def _counted(self, fact: AtLeast) -> "Region | None":
        low, high = self.spans.get(fact.of, (0, None))
        if fact.holds:
            low = max(low, fact.least)
        else:
            high = fact.least if high is None else min(high, fact.least)
        if high is not None and high <= low:
            return None
        return self._but(spans={**self.spans, fact.of: (low, high)})

    def _in_groups(self, fact: InGroups) -> "Region | None":
        if fact.holds:
            groups, none = self.groups | {fact.groups}, self.no_groups
        else:
            groups, none = self.groups, self.no_groups | fact.groups
        if any(group <= none for group in groups):
            return None
        return self._but(groups=groups, no_groups=none)

    def _with_truth(self, fact: Truth) -> "Region | None":
        known = self.truths.get(fact.atom)
        if known is not None:
            return self if known is fact.holds else None
        for atom, holds in self.truths.items():
            if fact.holds and not holds and self.world.follows(atom, fact.atom):
                return None
            if holds and not fact.holds and self.world.follows(fact.atom, atom):
                return None
        return self._but(truths={**self.truths, fact.atom: fact.holds})

    def _but(
        self,
        *,
        named: Mapping[str, tuple[frozenset[object], bool]] | None = None,
        groups: frozenset[frozenset[str]] | None = None,
        no_groups: frozenset[str] | None = None,
        truths: Mapping[Atom, bool] | None = None,
        spans: Mapping[str, tuple[int, int | None]] | None = None,
    ) -> "Region":
        """Return the same region with other parts: what `attrs.evolve` does, in half the time."""
        return Region(
            world=self.world,
            named=self.named if named is None else named,
            groups=self.groups if groups is None else groups,
            no_groups=self.no_groups if no_groups is None else no_groups,
            truths=self.truths if truths is None else truths,
            spans=self.spans if spans is None else spans,
        )
