"""A case: everything that decides how what is due in one unit is paid (T2, T3)."""

from collections.abc import Mapping
from typing import Final, final

import attrs

from storecredit.ledger.flow import Flow
from storecredit.ledger.lot import Lot
from storecredit.ledger.terms import Funding, Limits, Line
from storecredit.tenders.lines import LineKind, OrderLine
from storecredit.tenders.price import PayingRate
from storecredit.tenders.purse import Purse
from storecredit.tenders.reasons import Why
from storecredit.tenders.rules import NOT_GIFT_CARDS, CreditRule
from storecredit.tenders.tender import AlreadyPaid, Coupon, Credit, External, Tender
from storecredit.values import MAX_MINOR, Unit

_ANY_KIND: Final = frozenset(LineKind)
_NOT_TAX: Final = _ANY_KIND - {LineKind.TAX}


@final
@attrs.define(eq=False)
class Source:
    """One thing that can pay: a lot, a holder's limit, a coupon, what was paid already."""

    place: int
    """The tender's position among the tenders."""
    allowed: list[int]
    """The lines it may pay, by position."""
    most: int
    """What it can pay, in minor units of the unit that is due."""
    lot: Lot | None = None
    points: int = 0
    """What it has, in minor units of its own unit, where a frozen rate applies."""
    reduces: bool = False
    """Whether it lowers the price instead of paying (T4)."""


@final
@attrs.define(eq=False, kw_only=True)
class World:
    """What is the same for every unit and every choice of prices."""

    lines: tuple[OrderLine, ...]
    ledger_lines: list[Line]
    """The lines as limits of lots see them."""
    tenders: tuple[Tender, ...]
    purses: Mapping[int, Purse]
    """By the position of the tender."""
    rules: Mapping[Unit, CreditRule]
    channel: str | None
    as_discount: frozenset[Funding]
    """The fundings that tax sees as a discount (A11)."""
    reduced: Mapping[tuple[int, str], int]
    """What price reductions of an earlier plan took already, by tender and lot."""
    reductions_are_fixed: bool


@final
class Case:
    """
    What is due in one unit, line by line, and the sources that may pay it, in the order of use.

    What was paid already comes first, then lots that lower prices, then the tenders in order; of an
    account, its lots in the order of use, then what its holder may come to owe.
    """

    def __init__(
        self,
        world: World,
        unit: Unit,
        due: list[int],
        used: Mapping[tuple[int, str | None], int],
        order_due: Mapping[Unit, int],
    ) -> None:
        self.world: Final = world
        self.unit: Final = unit
        self.due: Final = due
        """What each line is due in the unit, in minor units."""
        self.used: Final = used
        """What earlier cases took, by tender and lot, in the unit of the tender."""
        self.order_due: Final = order_due
        """What the whole order is due, by unit."""
        self.caps: Final[dict[int, int]] = {}
        """By tender, the most that it may pay here, in minor units of the unit that is due."""
        self.shared: Final[dict[Unit, int]] = {}
        """By unit of credit, the most that all its accounts may pay here together."""
        self.unused: Final[list[tuple[int, Lot, Why]]] = []
        """By tender, the lots that may pay nothing here, and why."""
        self.barred: Final[dict[int, Why]] = {}
        """Tenders that a rule keeps out."""
        self._places: Final[dict[tuple[frozenset[LineKind], Limits | None], list[int]]] = {}
        self.sources: Final = self._gather()
        self.externals: Final = [
            (place, tender)
            for place, tender in enumerate(world.tenders)
            if isinstance(tender, External) and tender.takes(unit)
        ]

    def rate(self, place: int) -> PayingRate | None:
        """Return the rate at which the tender at *place* pays here; None in the unit itself."""
        tender = self.world.tenders[place]
        if isinstance(tender, Credit) and tender.account.unit != self.unit:
            return tender.rate
        return None

    def step(self, place: int) -> int:
        """Return the multiple that the tender at *place* pays, in minor units of its own unit."""
        purse = self.world.purses.get(place)
        rule = None if purse is None else self.world.rules.get(purse.tender.account.unit)
        return 1 if rule is None else rule.step

    def used_of(self, unit: Unit) -> int:
        """Return what earlier cases took of all accounts in *unit*."""
        return sum(
            amount
            for (place, _), amount in self.used.items()
            if self.world.purses[place].tender.account.unit == unit
        )

    def budget(self, place: int) -> int:
        """Return how much the tender at *place* may still give, in minor units of its own unit."""
        purse = self.world.purses[place]
        taken = sum(amount for (of, _), amount in self.used.items() if of == place)
        up_to = purse.tender.up_to
        return MAX_MINOR if up_to is None else max(up_to.minor - taken, 0)

    # Gathering

    def _gather(self) -> list[Source]:
        found = list[Source]()
        for place, tender in enumerate(self.world.tenders):
            if isinstance(tender, AlreadyPaid) and tender.amount.unit == self.unit:
                found.append(Source(place, self._lines_for(_ANY_KIND), tender.amount.minor))
        paying = list[Source]()
        reducing = list[Source]()
        for place, tender in enumerate(self.world.tenders):
            if isinstance(tender, Coupon):
                if tender.amount.unit == self.unit:
                    allowed = self._lines_for(tender.kinds)
                    paying.append(Source(place, allowed, tender.amount.minor))
            elif isinstance(tender, Credit):
                self._add_credit(self.world.purses[place], paying, reducing)
        return [*found, *reducing, *paying]

    def _add_credit(self, purse: Purse, paying: list[Source], reducing: list[Source]) -> None:
        tender = purse.tender
        own = tender.account.unit
        rate = tender.rate if own != self.unit else None
        if own != self.unit and (rate is None or rate.pays != self.unit):
            return
        rule = self.world.rules.get(own)
        kinds = NOT_GIFT_CARDS if rule is None else rule.kinds
        if rule is not None and (why := self._kept_out(purse, rule)):
            self.barred[purse.place] = why
            return
        self._cap(purse, rule, kinds, rate)
        before = 0
        for lot, has in purse.lots:
            key = (purse.place, lot.id)
            free = has - self.used.get(key, 0) - self.world.reduced.get(key, 0)
            reduces = lot.terms.funding in self.world.as_discount
            if free <= 0 or (reduces and (rate is not None or self.world.reductions_are_fixed)):
                continue
            source = self._source(purse, lot, rate, kinds & _NOT_TAX if reduces else kinds)
            if source is None:
                continue
            most = free
            if rate is not None:
                source.points = free
                most = rate.worth(before + free) - rate.worth(before)
                before += free
            source.most = min(source.most, most)
            source.reduces = reduces
            (reducing if reduces else paying).append(source)
        self._add_limit(purse, kinds, rate, paying)

    def _add_limit(
        self,
        purse: Purse,
        kinds: frozenset[LineKind],
        rate: PayingRate | None,
        paying: list[Source],
    ) -> None:
        """Let the holder come to owe, last of all, or keep back what is owed too much (A9)."""
        line = purse.line - self.used.get((purse.place, None), 0)
        if line > 0 and rate is None:
            paying.append(Source(purse.place, self._lines_for(kinds), line))
        elif line < 0:
            taken = sum(amount for (of, _), amount in self.used.items() if of == purse.place)
            reach = max(self._reach(purse) + purse.line - taken, 0)
            within = reach if rate is None else rate.worth(reach)
            self.caps[purse.place] = min(self.caps.get(purse.place, within), within)

    def _reach(self, purse: Purse) -> int:
        """Return what the account could give if nothing was owed: its limited lots where they may."""
        free = sum(free for lot, free in purse.lots if lot.terms.limits is None)
        if purse.tender.account.unit != self.unit:
            return free
        flow = Flow(self.due)
        for lot, most in purse.lots:
            source = None if lot.terms.limits is None else self._source(purse, lot, None, _ANY_KIND)
            if source is not None:
                free += flow.send(source.allowed, min(source.most, most))
        return free

    def _source(
        self, purse: Purse, lot: Lot, rate: PayingRate | None, kinds: frozenset[LineKind]
    ) -> Source | None:
        """Return *lot* as a source, whatever it has, or None where its limits keep it out."""
        limits = lot.terms.limits
        why = None if limits is None else self._refusal(limits, rate)
        allowed = self._lines_for(kinds, limits)
        if why is None and not allowed:
            why = Why.NO_ELIGIBLE_LINE if any(self.due) else Why.NOTHING_DUE
        if why is not None:
            self.unused.append((purse.place, lot, why))
            return None
        most = MAX_MINOR
        if limits is not None and limits.share_percent is not None:
            within = sum(self.due[line] for line in self._lines_for(_ANY_KIND, limits))
            most = within * limits.share_percent // 100
        return Source(purse.place, allowed, most, lot)

    def _refusal(self, limits: Limits, rate: PayingRate | None) -> Why | None:
        if limits.channels and self.world.channel not in limits.channels:
            return Why.CHANNEL
        minimum = limits.minimum_order
        if minimum is not None:
            least = minimum if rate is None else rate.worth(minimum)
            if sum(self.due) < least:
                return Why.MINIMUM_ORDER
        return None

    def _kept_out(self, purse: Purse, rule: CreditRule) -> Why | None:
        if rule.minimum_balance is not None and purse.spendable < rule.minimum_balance.minor:
            return Why.MINIMUM_BALANCE
        minimum = rule.minimum_order
        if minimum is not None and self.order_due.get(minimum.unit, 0) < minimum.minor:
            return Why.MINIMUM_ORDER
        return None

    def _cap(
        self,
        purse: Purse,
        rule: CreditRule | None,
        kinds: frozenset[LineKind],
        rate: PayingRate | None,
    ) -> None:
        """Note the most that the tender, and all credit of its unit, may pay here."""
        if purse.tender.up_to is not None:
            budget = self.budget(purse.place)
            self.caps[purse.place] = budget if rate is None else rate.worth(budget)
        own = purse.tender.account.unit
        if rule is None or own in self.shared:
            return
        most = list[int]()
        if rule.at_most is not None:
            left = max(rule.at_most.minor - self.used_of(own), 0)
            most.append(left if rate is None else rate.worth(left))
        if rule.share_percent is not None:
            within = sum(self.due[line] for line in self._lines_for(kinds))
            most.append(within * rule.share_percent // 100)
        if most:
            self.shared[own] = min(most)

    def _lines_for(self, kinds: frozenset[LineKind], limits: Limits | None = None) -> list[int]:
        """Return the lines of *kinds* within *limits* on which anything is due: one list for each."""
        key = (kinds, limits)
        found = self._places.get(key)
        if found is None:
            due = self.due
            found = [
                place
                for place, line in enumerate(self.world.lines)
                if due[place] and line.kind in kinds
            ]
            if limits is not None:
                lines = self.world.ledger_lines
                found = [place for place in found if limits.allows_line(lines[place])]
            self._places[key] = found
        return found
