"""The limits of a refund case: checked, and counted, in the transaction that gives (P3)."""

from typing import Final, final

from storecredit.errors import ApprovalNeeded, LimitReached
from storecredit.ledger import Funding
from storecredit.policies import Limit, LimitOn, LimitPer, RefundDecision
from storecredit.refunds import CaseRecord, StepBy, TallyBook
from storecredit.refunds.tallies import over_limits
from storecredit.service._claiming import Claiming
from storecredit.service._tally_records import (
    Counted,
    binding_refunds,
    hold_still,
    put_tally,
    read_tally,
)
from storecredit.storage.protocols import Reader, UnitOfWork
from storecredit.values import Money

_Book = tuple[Counted, int, TallyBook]
"""What a tally counts, and its version and content as they were read."""


@final
class CaseLimits:
    """Checks and counts what one step of one case gives under the limits of its decision."""

    def __init__(self, door: Claiming, case: str, by: StepBy) -> None:
        self._door: Final = door
        self._case: Final = case
        self._by: Final = by

    def hold_still(self, tx: UnitOfWork, decision: RefundDecision) -> None:
        """Let nobody rename or merge the holder whom a limit counts; before accounts are locked."""
        holder = decision.request.holder
        if holder is not None and any(each.per is LimitPer.HOLDER for each in decision.limits):
            hold_still(self._door, tx, holder)

    def check_and_count(self, tx: UnitOfWork, case: CaseRecord, final_: RefundDecision) -> None:
        """
        Check the limits of the decision against what was done meanwhile, and count it (P3).

        Raises:
            LimitReached: One that refuses, or cuts a bonus, has less left.
            ApprovalNeeded: One asks for the approval of somebody else.
        """
        decision = case.decision
        books = self._books(tx, decision)
        tallies = [book.tally(limit, self._by.at, without=case.id) for limit, (_, _, book) in books]
        to_approve, others = over_limits(decision, final_.offer, tallies)
        if others:
            raise LimitReached(case.id, others)
        if to_approve and not case.approved_by:
            raise ApprovalNeeded(case.id, to_approve, None)
        # Of credit that was given at once before, some may not have been taken back.
        self._count(tx, books, dict(final_.offer.counted), stands=kept(case))

    def count_again(self, tx: UnitOfWork, case: CaseRecord, counted: dict[LimitOn, Money]) -> None:
        """Count what is left of what was counted before; what no period holds any more is over."""
        books = [
            each
            for each in self._books(tx, case.decision)
            if any(tallied.case == case.id for tallied in each[1][2].entries)
        ]
        self._count(tx, books, counted, stands=dict(case.decision.offer.counted))

    def _books(self, tx: Reader, decision: RefundDecision) -> list[tuple[Limit, _Book]]:
        """Return the books of the limits that bind: each is read once, and counted as it was read."""
        found = []
        for limit, counted in binding_refunds(
            self._door,
            tx,
            decision.policy.name,
            decision.limits,
            holder=decision.request.holder,
            agent=decision.agent,
        ):
            version, book = read_tally(tx, self._door.merchant.id, TallyBook, counted)
            found.append((limit, (counted, version, book)))
        return found

    def _count(
        self,
        tx: UnitOfWork,
        books: list[tuple[Limit, _Book]],
        counted: dict[LimitOn, Money],
        *,
        stands: dict[LimitOn, Money],
    ) -> None:
        """Count; whoever has counted since the books were read makes this step begin anew."""
        for limit, (of, version, book) in books:
            of_limit, before = counted[limit.on], stands[limit.on]
            after = book.count(limit, self._case, of_limit, self._by.at, stands=before)
            if after != book:
                put_tally(tx, self._door.merchant.id, of, after, version=version + 1)


def kept(case: CaseRecord) -> dict[LimitOn, Money]:
    """Return what limits go on counting of a case that was denied: what could not be taken back."""
    unit = case.decision.request.unit
    standing = Money.total([each.standing for each in case.given], unit)
    bonus = [e.standing for e in case.given if e.funding is Funding.PROMOTIONAL]
    return {
        LimitOn.REFUND: standing,
        LimitOn.CREDIT: standing,
        LimitOn.BONUS: Money.total(bonus, unit),
    }
