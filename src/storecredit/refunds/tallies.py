"""Tallies: what was done under a limit, case by case, so that no period holds too much (P3, S11)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, final

import attrs

from storecredit.policies import Limit, LimitOn, LimitPer, Offer, Over, RefundDecision, Tally
from storecredit.policies.offer import Standing
from storecredit.tenders.json_form import read_form, write_form
from storecredit.values import Money


@final
@attrs.frozen(kw_only=True)
class Tallied:
    """What one case has counted, or a part of it."""

    case: str
    at: datetime
    amount: Money


@final
@attrs.frozen(kw_only=True)
class TallyBook:
    """What was done under one limit of one policy, for one holder or agent; kept as a record."""

    entries: tuple[Tallied, ...] = ()

    def tally(self, limit: Limit, at: datetime, *, without: str | None = None) -> Tally:
        """
        Return what counts in the period of *limit* that ends at *at*.

        Amounts in another unit than the limit's count as times, and not as an amount.

        Args:
            limit: The limit.

            at: Now.

            without: A case that does not count: the one that is being looked at.
        """
        begins = limit.begins(at)
        counting = [each for each in self.entries if each.at > begins and each.case != without]
        amount = None
        if limit.amount is not None:
            unit = limit.amount.unit
            amounts = [each.amount for each in counting if each.amount.unit == unit]
            amount = Money.total(amounts, unit)
        return Tally(limit=limit.id, amount=amount, count=len({each.case for each in counting}))

    def count(
        self,
        limit: Limit,
        case: str,
        amount: Money,
        at: datetime,
        *,
        stands: Money | None = None,
    ) -> "TallyBook":
        """
        Let *case* count with *amount* in all, or not at all with nothing; forget what is over.

        What it has counted already counts from its own time on, what is more from *at* on; of less,
        the last goes first. What is over of a case is known as long as something of it is not.

        Args:
            limit: The limit.

            case: The case.

            amount: What it comes to.

            at: Now.

            stands: What it came to before. What of that the book does not know is over, and was
                forgotten: it is not counted again.
        """
        known = sum(each.amount.minor for each in self.entries if each.case == case)
        if stands is not None and stands.minor > known:
            over = Money.of_minor(stands.minor - known, stands.unit)
            amount = max(amount - over, amount - amount)
        begins = limit.begins(at)
        counting = {each.case for each in self.entries if each.at > begins} - {case}
        kept = [each for each in self.entries if each.case in counting]
        left = amount
        for each in self.entries:
            is_mine = each.case == case and each.amount.unit == amount.unit
            if is_mine and left.is_positive:
                kept.append(attrs.evolve(each, amount=min(each.amount, left)))
                left -= kept[-1].amount
        if left.is_positive:
            kept.append(Tallied(case=case, at=at, amount=left))
        return attrs.evolve(self, entries=tuple(kept))

    def with_all(self, other: "TallyBook") -> "TallyBook":
        """Return the book of both, in the order of time: of holders who are one now (A17)."""
        entries = sorted((*self.entries, *other.entries), key=lambda tallied: tallied.at)
        return attrs.evolve(self, entries=tuple(entries))

    def to_json(self) -> dict[str, Any]:
        """Return the book as JSON data, for the storage's records (S11)."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "TallyBook":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)


def binding(
    limits: Iterable[Limit], *, holder: str | None, agent: str | None
) -> tuple[tuple[Limit, str], ...]:
    """Return the limits that bind whoever is here, each with whose doing it counts."""
    subjects = {LimitPer.HOLDER: holder, LimitPer.AGENT: agent}
    found = [(limit, subjects[limit.per]) for limit in limits]
    return tuple((limit, subject) for limit, subject in found if subject is not None)


def over_limits(
    decision: RefundDecision, offer: Offer, tallies: Iterable[Tally]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """
    Return the limits that *offer* goes over: those that ask for approval, and the others.

    Args:
        decision: What was decided; its limits are those of the policy that decided.

        offer: What is given of it.

        tallies: What was done by others meanwhile.
    """
    standing = Standing(
        limits=decision.limits,
        tallies={tally.limit: tally for tally in tallies},
        agent=decision.agent,
        holder=decision.request.holder,
    )
    counted = offer.counted
    return (
        _over(standing, counted, [Over.APPROVE]),
        _over(standing, counted, [Over.REFUSE, Over.CUT]),
    )


def _over(
    standing: Standing, counted: Mapping[LimitOn, Money], what: Iterable[Over]
) -> tuple[str, ...]:
    return tuple(
        limit.id
        for on, amount in counted.items()
        for over in what
        for limit in standing.in_force(on, over)
        if standing.is_over(limit, amount)
    )
