"""What was given by decisions: the records by which everything is given once (P4, A12, S11)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, final

import attrs

from storecredit.policies.earning import EarnDecision
from storecredit.policies.gift import GrantCeiling
from storecredit.policies.grant_decision import GrantDecision
from storecredit.policies.purchase import Purchase, Returned
from storecredit.policies.top_up import TopUpDecision, TopUpRefund
from storecredit.tenders import LineAmount
from storecredit.tenders.json_form import read_form, write_form
from storecredit.values import Money


@final
@attrs.frozen(kw_only=True)
class GivenLot:
    """One lot of a decision, as it was issued. given + withheld is what was decided."""

    holder: str
    given: Money
    withheld: Money
    """What a ceiling kept back: of the policy, or of the merchant's accounts (A11)."""
    entry: str | None = None
    """The entry that issued it; None where nothing was left to issue."""
    lot: str | None = None
    ceiling: str | None = None
    """The ceiling of the policy that kept something back, if one did."""


@final
@attrs.frozen(kw_only=True)
class Granted:
    """A decision to give, as it was carried out."""

    decision: GrantDecision
    lots: tuple[GivenLot, ...] = ()
    """In the order of the decision's lots."""
    replayed: bool = attrs.field(default=False, eq=False)
    """Whether it had been carried out before: this is the answer to that."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return write_form(attrs.evolve(self, replayed=False))

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "Granted":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)


@final
@attrs.frozen(kw_only=True)
class Removal:
    """Points that went because something came back."""

    key: str
    """The host's; ``~refund:`` and the key of a refund of the checkout, ``~case:`` and a case's id."""
    returned: tuple[Returned, ...]
    points: Money | None = None
    """How many were due to go; None for none."""
    short: Money | None = None
    """How many of them were spent already, and are missing or owed by the rule (A8)."""
    entry: str | None = None
    """The entry that took them; None where none were due to go."""


@final
@attrs.frozen(kw_only=True)
class Earning:
    """What an order earned, and what went again."""

    decision: EarnDecision
    given: Money | None = None
    """The points that were given: a ceiling of the merchant's may have kept some back (A11)."""
    entry: str | None = None
    """The entry that issued the points; None where there were none."""
    lot: str | None = None
    removals: tuple[Removal, ...] = ()
    replayed: bool = attrs.field(default=False, eq=False)
    """Whether what was asked had been done before."""

    @property
    def kept(self) -> Purchase:
        """What is kept of the purchase."""
        returned = [each for removal in self.removals for each in removal.returned]
        return self.decision.purchase.less(returned)

    @property
    def points(self) -> Money | None:
        """The points that were given; None for none."""
        return self.decision.points if self.given is None else self.given

    @property
    def removed(self) -> Money | None:
        """The points that went, those that were missing included; None where none were given."""
        return self._sum([removal.points for removal in self.removals])

    @property
    def short(self) -> Money | None:
        """How many of them were missing, because they were spent."""
        return self._sum([removal.short for removal in self.removals])

    def _sum(self, amounts: Iterable[Money | None]) -> Money | None:
        points = self.points
        if points is None:
            return None
        return Money.total([each for each in amounts if each is not None], points.unit)

    def going(self, returned: Iterable[Returned]) -> tuple[LineAmount, ...]:
        """
        Return, line by line, the points that are due to go once *returned* has come back, too.

        Raises:
            InvalidOrder: More comes back than is kept, or there is no such line.
        """
        kept, gone, decided = self.kept, self.removed, self.decision.points
        if gone is not None and decided is not None and self.points is not None:
            # What was kept back need not go.
            gone += decided - self.points
        return self.decision.going(kept, kept.less(returned), removed=gone)

    def removal(self, key: str) -> Removal | None:
        """Return what the return with that key removed, or None."""
        return next((each for each in self.removals if each.key == key), None)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return write_form(attrs.evolve(self, replayed=False))

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "Earning":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)


@final
@attrs.frozen(kw_only=True)
class ToppedUp:
    """A payment, as it was credited, and what was given back of it."""

    decision: TopUpDecision
    """As it was carried out: without a bonus, where a ceiling was reached."""
    lots: tuple[GivenLot, ...] = ()
    """What was paid for; then the bonus, if there was one."""
    refund: TopUpRefund | None = None
    replayed: bool = attrs.field(default=False, eq=False)
    """Whether what was asked had been done before."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return write_form(attrs.evolve(self, replayed=False))

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "ToppedUp":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)


@final
@attrs.frozen
class Gave:
    """One gift that a ceiling counts."""

    at: datetime
    amount: Money


@final
@attrs.frozen(kw_only=True)
class GrantTally:
    """What was given under one ceiling, for one holder or by one agent, in its period."""

    gifts: tuple[Gave, ...] = ()

    def room(self, ceiling: GrantCeiling, at: datetime) -> tuple[Money | None, int | None]:
        """Return the amount and the number that are left at *at*; None where there is no end."""
        inside = self._inside(ceiling, at)
        amount, count = ceiling.amount, ceiling.count
        if amount is not None:
            used = [each.amount for each in inside if each.amount.unit == amount.unit]
            amount = max(amount - Money.total(used, amount.unit), Money.zero(amount.unit))
        return amount, None if count is None else max(count - len(inside), 0)

    def plus(self, ceiling: GrantCeiling, at: datetime, amount: Money) -> "GrantTally":
        """Return the tally with one more gift, and without those that count no longer."""
        return GrantTally(gifts=(*self._inside(ceiling, at), Gave(at, amount)))

    def with_all(self, other: "GrantTally") -> "GrantTally":
        """Return the tally of both, in the order of time: of holders who are one now (A17)."""
        gifts = sorted((*self.gifts, *other.gifts), key=lambda gave: gave.at)
        return GrantTally(gifts=tuple(gifts))

    def _inside(self, ceiling: GrantCeiling, at: datetime) -> tuple[Gave, ...]:
        since = ceiling.counts_from(at)
        return tuple(each for each in self.gifts if each.at > since)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "GrantTally":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)
