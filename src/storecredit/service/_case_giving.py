"""What a refund case gives and takes back, in the transaction of its step (P2, P3, P5, A7, A8)."""

import hashlib
from collections.abc import Iterable
from typing import Final, final

import attrs

from storecredit.claims import RANDOM_BYTES, claim_id, code_holder, make_code
from storecredit.errors import (
    CaseNeedsHolder,
    InvalidReturn,
)
from storecredit.ledger import (
    AccountId,
    Command,
    Context,
    EntryId,
    ExpiredRestore,
    Expiry,
    Funding,
    LotId,
    Reclaim,
    Restore,
    Shortfall,
    account_id,
    account_of,
    request_of,
    unit_of,
)
from storecredit.policies import CreditLot, RefundDecision, Returned
from storecredit.refunds import CaseRecord, GivenCredit, Redemption, StepBy
from storecredit.refunds.from_payment import refund_key_of, refund_plan_of
from storecredit.service._case_limits import CaseLimits, kept
from storecredit.service._checkout_desk import Desk, Stamp
from storecredit.service._claiming import Claiming
from storecredit.service._door import Asked
from storecredit.service._earned_desk import Back, EarnedDesk
from storecredit.service._giving import Grant
from storecredit.service._grant_desk import Carried, GrantDesk
from storecredit.service._refund_desk import RefundDesk, RefundTerms
from storecredit.service.codes import IssuedCode
from storecredit.service.receipts import Receipt
from storecredit.storage.protocols import UnitOfWork
from storecredit.tenders import (
    Destination,
    ExternalRefund,
    PaymentRecord,
    RefundPlan,
    TenderKind,
)
from storecredit.tenders.payment import refund_key
from storecredit.values import Balance, Money, Period

CASE_KIND: Final = "refund-case"
"""The kind of the records that refund cases are kept in (S11)."""
NO_CHECKOUT: Final = "external"
"""The tender of an external refund where no checkout knows the tenders."""
_DIGITS: Final = 24


@final
@attrs.frozen(kw_only=True)
class CaseTerms:
    """What a step leaves to whoever takes it."""

    expired: ExpiredRestore | None = None
    """Where value goes whose lot has expired; None for the merchant's rule (A7)."""
    shortfall: Shortfall = Shortfall.UP_TO
    """What to do about credit that is to be taken back and was spent (A8)."""
    expires: Expiry = None
    """When credit in place of a failed external refund expires."""
    returned: tuple[Returned, ...] | None = None
    """What comes back of the purchase, for its points to go; None where they go otherwise (P4)."""


@final
class CaseGiving:
    """
    Gives and takes back what one step of one case means.

    The keys of its entries are the library's own, made of the case and the round: however often
    and by whomever a step is repeated, the ledger knows what it has done (A12).
    """

    def __init__(self, door: Claiming, case: str, by: StepBy, context: Context) -> None:
        self._door: Final = door
        self._merchant: Final = door.merchant.id
        self._digest: Final = hashlib.sha256(case.encode()).hexdigest()[:_DIGITS]
        self._case: Final = case
        self._by: Final = by
        self._context: Final = context
        self._limits: Final = CaseLimits(door, case, by)
        self.code: IssuedCode | None = None
        """The claim code that a guest got in this very step; it is shown once (A15)."""

    # All at once

    def complete(self, tx: UnitOfWork, case: CaseRecord, terms: CaseTerms) -> CaseRecord:
        """Give everything that *case* comes to, less what was given before."""
        final_ = case.final
        points = None if terms.returned is None else self._points(case)
        self._lock(tx, case, set() if points is None else points.accounts(tx))
        if points is not None and terms.returned is not None:
            back = Back(f"~case:{case.id}", terms.returned)
            points.take(tx, back, lambda command: self._asked(command, self._key("points")))
        if case.gives_at_once and case.given:
            # It was checked when it was given, and counts in the period of that time.
            self._limits.count_again(tx, case, dict(final_.offer.counted))
        else:
            self._limits.check_and_count(tx, case, final_)
        if case.is_of_checkout:
            instructions = self._through_payment(tx, case, final_, terms)
        else:
            self._restore(tx, case, final_, terms)
            instructions = _without_payment(case, final_)
        return self.settle_credit(tx, case, final_.lots, terms).with_refunds(instructions)

    def at_once(self, tx: UnitOfWork, case: CaseRecord, terms: CaseTerms) -> CaseRecord:
        """Give the credit of *case* before its goods are back."""
        self._lock(tx, case)
        self._limits.check_and_count(tx, case, case.final)
        return self.settle_credit(tx, case, case.final.lots, terms)

    def take_back(self, tx: UnitOfWork, case: CaseRecord, terms: CaseTerms) -> CaseRecord:
        """Take back what was given before the goods were back."""
        if not any(each.standing.is_positive for each in case.given):
            return case
        self._lock(tx, case)
        after = self.settle_credit(tx, case, (), terms)
        self._limits.count_again(tx, case, kept(after))
        return after

    # Credit

    def settle_credit(
        self,
        tx: UnitOfWork,
        case: CaseRecord,
        lots: tuple[CreditLot, ...],
        terms: CaseTerms,
    ) -> CaseRecord:
        """Let the holder have exactly *lots* by this case: issue what is missing, take the rest."""
        wanted = {(lot.funding, lot.expires): lot.amount for lot in lots}
        found = list[GivenCredit]()
        for lot in case.given:
            target = wanted.get((lot.funding, lot.expires))
            standing = lot.standing
            keep = standing - standing if target is None else min(standing, target)
            if keep < standing:
                found.append(self._reclaim(tx, case, lot, standing - keep, terms))
            if target is not None:
                wanted[lot.funding, lot.expires] = target - keep
        missing = {key: amount for key, amount in wanted.items() if amount.is_positive}
        if missing:
            holder = self._holder(case, Balance.of(*missing.values()))
            for number, ((funding, expires), amount) in enumerate(missing.items()):
                key = self._key(f"give:{case.rounds}:{case.state}:{number}")
                found.append(self._issue(tx, holder, amount, funding, expires=expires, key=key))
        return case.with_given(found)

    def redirect(self, tx: UnitOfWork, case: CaseRecord, key: str, terms: CaseTerms) -> CaseRecord:
        """Give credit in place of an external refund that has failed."""
        refund = case.refund(key)
        self._lock(tx, case)
        funding = Funding.REFUND
        if case.is_of_checkout:
            funding = self._redirect_in_payment(tx, case, refund.tender)
        holder = self._holder(case, Balance.of(refund.amount))
        number = [each.key for each in case.refunds].index(key)
        given = self._issue(
            tx,
            holder,
            refund.amount,
            funding,
            expires=terms.expires,
            key=self._key(f"redirect:{number}"),
        )
        return case.with_redirected(key, given)

    def _holder(self, case: CaseRecord, amount: Balance) -> str | None:
        """Return who gets credit; None for whoever will have a code."""
        if case.credit_holder is None and self._door._claims is None:
            raise CaseNeedsHolder(case.id, amount)
        return case.credit_holder

    def _issue(
        self,
        tx: UnitOfWork,
        holder: str | None,
        amount: Money,
        funding: Funding,
        *,
        expires: Expiry,
        key: str,
    ) -> GivenCredit:
        """Issue a lot to *holder*, or to the bearer of one code."""
        door = self._door
        if holder is None:
            receipt = self._issue_to_code(tx, amount, funding, expires=expires, key=key)
        else:
            grant = Grant(holder=holder, amount=amount, funding=funding, key=key, expires=expires)
            asked = self._asked(door._issue(grant), key)
            loaded = door._load_for(tx, holder, amount.unit, asked)
            receipt = door._do(tx, loaded, asked)
        return GivenCredit(
            lot=receipt.lot_id,
            funding=funding,
            expires=expires if isinstance(expires, Period) else None,
            amount=amount,
            withheld=receipt.withheld if receipt.withheld.is_positive else None,
        )

    def _issue_to_code(
        self, tx: UnitOfWork, amount: Money, funding: Funding, *, expires: Expiry, key: str
    ) -> Receipt:
        """Issue a lot to a guest: the first one makes the code, the others go to its account."""
        door = self._door
        known = self.code
        holder = code_holder(claim_id(self._merchant, key)) if known is None else known.claim.holder
        grant = Grant(holder=holder, amount=amount, funding=funding, key=key, expires=expires)
        asked = self._asked(door._issue(grant), key)
        if known is not None:
            receipt = door._do(tx, door._load_for(tx, holder, amount.unit, asked), asked)
            self.code = attrs.evolve(known, worth=known.worth + receipt.amount)
            return receipt
        rules = door._claim_rules("refund a guest by a code")
        code = make_code(door._random_bytes(RANDOM_BYTES))
        digest = rules.keys.digest(self._merchant, code)
        claim, receipt = door._issue_or_find(tx, grant, asked, None, digest)
        terms = [move.terms for move in receipt.moves if move.terms is not None]
        self.code = IssuedCode(
            claim=claim,
            code=code,
            worth=receipt.amount,
            expires_at=terms[0].expires_at,
            receipt=receipt,
        )
        return receipt

    def _reclaim(
        self, tx: UnitOfWork, case: CaseRecord, lot: GivenCredit, amount: Money, terms: CaseTerms
    ) -> GivenCredit:
        """Take *amount* of a lot back, by the rule that was named for what is spent (A8)."""
        desk = GrantDesk(self._door, CASE_KIND, self._case)
        carried = desk.now(tx, LotId(lot.lot))
        command = Reclaim(
            lot=carried.granted.id,
            amount=amount,
            shortfall=terms.shortfall,
            carried=carried.names,
            spent=self._spent(tx, lot, carried),
        )
        number = [each.lot for each in case.given].index(lot.lot)
        asked = self._asked(command, self._key(f"take:{case.rounds}:{case.state}:{number}"))
        receipt = desk.do(tx, carried.account.id, asked)
        return attrs.evolve(
            lot,
            taken=_more(lot.taken, receipt.amount),
            short=_more(lot.short, receipt.shortfall),
            owed=_more(lot.owed, receipt.on_limit),
        )

    def _spent(self, tx: UnitOfWork, lot: GivenCredit, carried: Carried) -> int:
        """
        Return how much of a lot is spent and was never claimed, in minor units.

        What the case itself has taken is known to it: lots that a merger or a restore has made, and
        that are used up by now, are not among those that carry the value.
        """
        given = lot.standing.minor + (0 if lot.owed is None else lot.owed.minor)
        claimed = 0 if lot.short is None else lot.short.minor
        left = sum(each.remaining for each in carried.lots)
        by_case = given - claimed - left - self._expired(tx, carried)
        return max(min(by_case, carried.spent - claimed), 0)

    def _expired(self, tx: UnitOfWork, carried: Carried) -> int:
        """Return what has expired of a lot, and of all lots that it became when it was merged."""
        lots = {each.id: each for each in (carried.granted, *carried.lots)}
        name: AccountId | None = account_of(carried.granted.id)
        while name is not None and name != carried.account.id:
            name = self._door._by_id(tx, name).merged_into
            whole = None if name is None else tx.whole(self._merchant, name)
            every = () if whole is None else whole.lots.values()
            lots |= {each.id: each for each in every if each.origin in lots}
        return sum(each.expired for each in lots.values())

    # Money and what credit paid, where a checkout knows the tenders

    def _through_payment(
        self, tx: UnitOfWork, case: CaseRecord, final_: RefundDecision, terms: CaseTerms
    ) -> tuple[ExternalRefund, ...]:
        stamp = self._stamp(case, refund_key_of(case.id))
        desk = Desk(self._door, stamp.order)

        def change(tx: UnitOfWork, record: PaymentRecord) -> PaymentRecord:
            plan = refund_plan_of(final_, record.payment, case.shares, case.fractions)
            return RefundDesk(desk).give_back(
                tx, record, plan, stamp, RefundTerms(expired=terms.expired)
            )

        returned = desk.step_in(tx, change).returned(stamp.key)
        return () if returned is None else returned.instructions

    def _redirect_in_payment(self, tx: UnitOfWork, case: CaseRecord, tender: str) -> Funding:
        """Record that what failed to go back to *tender* becomes credit; return its funding."""
        key = refund_key_of(case.id)
        stamp = self._stamp(case, f"{key}/{tender}")
        desk = Desk(self._door, stamp.order)
        found = list[Funding]()

        def change(tx: UnitOfWork, record: PaymentRecord) -> PaymentRecord:
            is_coupon = record.payment.tender(tender).kind is TenderKind.COUPON
            funding = Funding.PROMOTIONAL if is_coupon else Funding.REFUND
            found.append(funding)
            returned = record.returned(key)
            parts = () if returned is None else returned.parts
            failed = tuple(
                attrs.evolve(part, to=Destination.CREDIT, funding=funding)
                for part in parts
                if part.tender == tender and part.to is Destination.TENDER
            )
            payment = record.payment
            plan = RefundPlan(order=payment.order, merchant=payment.merchant, parts=failed)
            return RefundDesk(desk).give_back(tx, record, plan, stamp, RefundTerms())

        desk.step_in(tx, change)
        return found[-1]

    def _stamp(self, case: CaseRecord, key: str) -> Stamp:
        order = case.decision.request.order
        return Stamp(order=str(order), key=key, context=self._context, at=self._by.at)

    # What credit paid, where the host names what redeemed it

    def _restore(
        self, tx: UnitOfWork, case: CaseRecord, final_: RefundDecision, terms: CaseTerms
    ) -> None:
        for number, (entry, amount) in enumerate(back_of(final_, case.redemptions).items()):
            command = Restore(redemption=EntryId(entry), amount=amount, expired=terms.expired)
            asked = self._asked(command, self._key(f"restore:{number}"))
            self._door._restore_in(tx, command, asked)

    # Below

    def _points(self, case: CaseRecord) -> EarnedDesk:
        """Return the desk of the points that the order earned."""
        order = case.decision.request.order
        if order is None:
            raise InvalidReturn("returned", "given", "left out: the request names no order")
        return EarnedDesk(self._door, order)

    def _lock(self, tx: UnitOfWork, case: CaseRecord, others: Iterable[AccountId] = ()) -> None:
        """Lock the accounts that are known to change, *others* too, in their order (S1)."""
        self._limits.hold_still(tx, case.decision)
        found = {*others, *(account_of(each.lot) for each in case.given)}
        found |= {account_of(each.entry) for each in case.redemptions}
        found |= {account_of(each.lot) for each in case.shares if each.lot is not None}
        holder = case.credit_holder
        wallet = None if holder is None else tx.wallet(self._merchant, holder)
        if wallet is not None:
            survivor = self._door._surviving(tx, wallet).id
            found.add(account_id(survivor, case.decision.request.unit.code))
        tx.lock(sorted(found))

    def _key(self, what: str) -> str:
        return f"~case:{self._digest}:{what}"

    def _asked(self, command: Command, key: str) -> Asked:
        return Asked(command, key, self._context, request_of(command), self._by.at)


def references_of(case: CaseRecord) -> dict[str, str]:
    """Return what a case is found by."""
    named = {
        "state": case.state.value,
        "order": case.decision.request.order,
        "holder": case.credit_holder,
    }
    return {name: value for name, value in named.items() if value is not None}


def _more(before: Money | None, amount: Money) -> Money | None:
    """Return both together, or None for nothing."""
    total = amount if before is None else before + amount
    return total if total.is_positive else None


def require_redemptions(decision: RefundDecision, entries: dict[tuple[str, str], str]) -> None:
    """
    Require that somebody says what redeemed all the credit that is to be restored.

    Raises:
        InvalidReturn: The redemption of a line, in a unit, is missing.
    """
    for line in decision.offer.lines:
        for amount in line.restored:
            if (line.line, amount.unit.code) not in entries:
                raise InvalidReturn(
                    f"redemptions of {line.line}",
                    None,
                    f"the entry that redeemed {amount}: {amount.unit.code} is restored to it",
                )


def back_of(decision: RefundDecision, redemptions: tuple[Redemption, ...]) -> dict[str, Money]:
    """Return what goes back to what each entry took, for all lines together."""
    entries = {(each.line, unit_of(account_of(each.entry))): each.entry for each in redemptions}
    back: dict[str, Money] = {}
    for line in decision.offer.lines:
        for amount in line.restored:
            entry = entries[line.line, amount.unit.code]
            back[entry] = back[entry] + amount if entry in back else amount
    return back


def _without_payment(case: CaseRecord, final_: RefundDecision) -> tuple[ExternalRefund, ...]:
    """Return what the host has to give back by the way the order was paid."""
    amount = final_.tenders
    if not amount.is_positive:
        return ()
    key = refund_key_of(case.id)
    return (ExternalRefund(NO_CHECKOUT, amount, refund_key(key, NO_CHECKOUT, amount), key),)
