"""The desk of a refund: what goes back to lots, new credit, and what is taken back, all at once."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, final

import attrs

from storecredit.errors import (
    EarnedChanged,
    GiftCardChanged,
    InvalidTender,
    KeyReused,
    QuantityExceedsRest,
    RefundExceedsPaid,
    RefundNeedsHolder,
    ReservedByCase,
    UnknownGrant,
    UnknownLot,
)
from storecredit.ledger import (
    AccountId,
    Command,
    ExpiredRestore,
    Expiry,
    Funding,
    LotId,
    Reclaim,
    RefundBought,
    Restore,
    Revoke,
    account_of,
    entry_id,
)
from storecredit.policies.granted import Earning
from storecredit.policies.purchase import Returned
from storecredit.refunds.from_payment import reserving, with_reserved
from storecredit.service._checkout_desk import Desk, Stamp, capture_key
from storecredit.service._door import Asked
from storecredit.service._earned_desk import EARNING, Back, EarnedDesk
from storecredit.service._giving import Grant
from storecredit.service._grant_desk import Carried, GrantDesk
from storecredit.service._taken_pieces import taken_of
from storecredit.service.receipts import Receipt
from storecredit.storage.protocols import UnitOfWork
from storecredit.tenders import (
    Destination,
    LineKind,
    Payment,
    PaymentRecord,
    RefundPlan,
    TenderKind,
)
from storecredit.tenders.carrying import restores_of
from storecredit.tenders.rest import require_left
from storecredit.values import Balance, Money


@final
@attrs.frozen(kw_only=True)
class RefundTerms:
    """What a refund plan leaves to whoever carries it out."""

    holder: str | None = None
    """Who gets new credit; None for the holder of the first credit that paid."""
    expires: Expiry = None
    """When new credit expires."""
    expired: ExpiredRestore | None = None
    """Where value goes whose lot has expired; None for the merchant's rule (A7)."""
    earned_lot: LotId | None = None
    """The lot of points that the order earned by no decision, for what is taken back."""
    returned: tuple[Returned, ...] | None = None
    """What comes back of the purchase, where its points are on record; None for nothing of it."""
    gift_cards: Mapping[str, LotId | None] = attrs.field(factory=dict)
    """By line, the lot of a bought gift card that is refunded; None where another system keeps it."""


@final
class RefundDesk:
    """Carries out the refunds of one order's payment."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk

    def refund(self, plan: RefundPlan, stamp: Stamp, terms: RefundTerms) -> PaymentRecord:
        """Record the refund, and let everything that the ledger has to do happen with it."""

        def change(tx: UnitOfWork, record: PaymentRecord) -> PaymentRecord:
            after = self.give_back(tx, record, plan, stamp, terms)
            if after is not record:
                self._require_unreserved(tx, record, after)
                self._issue(tx, after, plan, stamp, terms)
            return after

        return self._desk.step(change)

    def plan(self, record: PaymentRecord, planning: Callable[[Payment], RefundPlan]) -> RefundPlan:
        """
        Plan a refund of what no open refund case has taken.

        Raises:
            ReservedByCase: It would only be possible with that.
            As *planning*.
        """
        door = self._desk.door
        with door.storage.snapshot() as reader:
            _, order = taken_of(reader, door.merchant.id, record.plan.order)
        payment = record.payment
        try:
            return planning(with_reserved(payment, order.taken))
        except (QuantityExceedsRest, RefundExceedsPaid):
            planning(payment)
            raise ReservedByCase(payment.order, reserving(payment, order.taken)) from None

    def _require_unreserved(
        self, tx: UnitOfWork, before: PaymentRecord, after: PaymentRecord
    ) -> None:
        """
        Require that the last refund leaves what open refund cases have taken (P5).

        Raises:
            ReservedByCase: It does not.
        """
        _, order = taken_of(tx, self._desk.door.merchant.id, after.plan.order)
        try:
            require_left(with_reserved(before.payment, order.taken), after.returns[-1])
        except (QuantityExceedsRest, RefundExceedsPaid):
            cases = reserving(before.payment, order.taken)
            raise ReservedByCase(after.plan.order, cases) from None

    def give_back(
        self,
        tx: UnitOfWork,
        record: PaymentRecord,
        plan: RefundPlan,
        stamp: Stamp,
        terms: RefundTerms,
    ) -> PaymentRecord:
        """Record the refund, and let the ledger do all of it but to issue new credit."""
        after = record.refund(plan, key=stamp.key)
        if after is record and terms.returned is not None:
            self._require_same_return(tx, plan, stamp.key, terms.returned)
        if after is not record:
            earned = EarnedDesk(self._desk.door, plan.order)
            asks = bool(plan.taken_back) or terms.returned is not None
            version, earning = earned.read(tx) if asks else (0, None)
            _require_named(record, plan, terms, earning)
            if earning is not None and earning.lot is not None and terms.earned_lot is not None:
                _require_apart(terms.earned_lot, earned.now(tx, LotId(earning.lot)))
            tx.lock(sorted(self._accounts(tx, after, terms, earning)))
            self._take_gift_cards(tx, plan, stamp, terms)
            if terms.returned is None:
                self._take_earned(tx, plan, stamp, terms)
            elif earning is None:
                raise UnknownGrant(EARNING, plan.order)
            else:
                _require_due(plan, earning, terms.returned)
                back = Back(f"~refund:{stamp.key}", terms.returned)
                then = earned.remove(
                    tx, earning, back, partial(stamp.asked, what="earned"), settled=plan.missing
                )
                earned.put(tx, then, version=version + 1)
            self._restore(tx, after, stamp, terms)
        return after

    def _accounts(
        self, tx: UnitOfWork, record: PaymentRecord, terms: RefundTerms, earning: Earning | None
    ) -> set[AccountId]:
        """Return the accounts that are known to be changed, to be locked in their order (S1)."""
        cards = [lot for lot in terms.gift_cards.values() if lot is not None]
        paid = [each.tender.account for each in restores_of(record, record.returns[-1].id)]
        points = terms.earned_lot
        if terms.returned is not None and earning is not None and earning.lot is not None:
            points = LotId(earning.lot)
        found = {*map(account_of, cards), *(AccountId(each) for each in paid if each is not None)}
        if points is not None:
            found.add(EarnedDesk(self._desk.door, record.plan.order).account(tx, points))
        return found

    def _restore(
        self, tx: UnitOfWork, record: PaymentRecord, stamp: Stamp, terms: RefundTerms
    ) -> None:
        """Give value back to the lots that paid, of the entries that captured it (A7)."""
        places = {tender.id: place for place, tender in enumerate(record.plan.tenders)}
        for number, each in enumerate(restores_of(record, stamp.key)):
            captured = capture_key(record.plan.order, places[each.tender.id], each.capture)
            command = Restore(
                redemption=entry_id(AccountId(str(each.tender.account)), captured),
                draws=each.draws,
                expired=terms.expired,
            )
            self._desk.door._restore_in(tx, command, stamp.asked(command, f"restore:{number}"))

    def _issue(
        self,
        tx: UnitOfWork,
        record: PaymentRecord,
        plan: RefundPlan,
        stamp: Stamp,
        terms: RefundTerms,
    ) -> None:
        """Issue what a tender could not take back, and goodwill beyond what was paid."""
        new: dict[Funding, list[Money]] = {}
        for part in plan.parts:
            if part.to is Destination.CREDIT and part.funding is not None:
                new.setdefault(part.funding, []).append(part.amount)
        if plan.goodwill:
            new.setdefault(Funding.GOODWILL, []).extend(plan.goodwill)
        if not new:
            return
        holder = terms.holder or self._holder(tx, record)
        if holder is None:
            every = [amount for amounts in new.values() for amount in amounts]
            raise RefundNeedsHolder(record.plan.order, Balance.of(*every))
        for funding, amounts in new.items():
            for amount in Balance.of(*amounts):
                self._issue_one(tx, holder, amount, funding, stamp=stamp, terms=terms)

    def _issue_one(
        self,
        tx: UnitOfWork,
        holder: str,
        amount: Money,
        funding: Funding,
        *,
        stamp: Stamp,
        terms: RefundTerms,
    ) -> None:
        door = self._desk.door
        grant = Grant(
            holder=holder, amount=amount, funding=funding, key=stamp.key, expires=terms.expires
        )
        asked = stamp.asked(door._issue(grant), f"credit:{funding.value}")
        door._do(tx, door._load_for(tx, holder, amount.unit, asked), asked)

    def _holder(self, tx: UnitOfWork, record: PaymentRecord) -> str | None:
        """Return whose credit paid first; where none did, whose was to pay."""
        paid = {part.tender for part in record.payment.parts}
        for tender in sorted(record.plan.tenders, key=lambda tender: tender.id not in paid):
            if tender.kind is TenderKind.CREDIT and tender.account is not None:
                door = self._desk.door
                account = tx.account_by_id(door.merchant.id, AccountId(tender.account))
                if account is not None:
                    return door._survivor(tx, account).holder
        return None

    def _take_earned(
        self, tx: UnitOfWork, plan: RefundPlan, stamp: Stamp, terms: RefundTerms
    ) -> None:
        """Take points back of the lot that is named, as far as the plan found them (T6, A8)."""
        amount, lot = _reached(plan), terms.earned_lot
        if amount is None or lot is None:
            return
        carried = EarnedDesk(self._desk.door, plan.order).now(tx, lot)
        command: Command = Revoke(lot=lot, amount=amount)
        if carried.account.id != account_of(lot):
            # The holder was merged into another, who has them now (A17).
            spent = GrantDesk(self._desk.door, EARNING, plan.order).spent(tx, carried)
            command = Reclaim(lot=lot, amount=amount, carried=carried.names, spent=spent)
        asked = stamp.asked(command, "earned")
        self._desk.do(tx, carried.account.id, asked, unknown=UnknownLot(lot))

    def _require_same_return(
        self, tx: UnitOfWork, plan: RefundPlan, key: str, returned: tuple[Returned, ...]
    ) -> None:
        """
        Require that a repeat says that the same comes back as the first time (A12).

        Raises:
            KeyReused: It says otherwise.
        """
        _, earning = EarnedDesk(self._desk.door, plan.order).read(tx)
        removal = None if earning is None else earning.removal(f"~refund:{key}")
        first = None if removal is None else removal.returned
        if first != returned:
            raise KeyReused(key, "returned", first, returned)

    def _on_lot(self, tx: UnitOfWork, lot: LotId, asked: Asked) -> Receipt:
        return self._desk.do(tx, account_of(lot), asked, unknown=UnknownLot(lot))

    def _take_gift_cards(
        self, tx: UnitOfWork, plan: RefundPlan, stamp: Stamp, terms: RefundTerms
    ) -> None:
        """Close the bought gift cards that are refunded, so that nobody spends them (A7)."""
        for number, (line, lot) in enumerate(sorted(terms.gift_cards.items())):
            if lot is None:
                continue
            planned = Balance.of(*(part.covers for part in plan.parts if part.line == line))
            asked = stamp.asked(RefundBought(lot=lot), f"card:{number}")
            receipt = self._on_lot(tx, lot, asked)
            if planned[receipt.amount.unit] != receipt.amount:
                raise GiftCardChanged(
                    plan.order, line, planned[receipt.amount.unit], receipt.amount
                )


_BY_RECORD: Final = "what comes back: the order's points are kept on record by it"


def _reached(plan: RefundPlan) -> Money | None:
    """Return how many of the earned points the plan takes back, or None for none."""
    if not plan.taken_back:
        return None
    amount = plan.taken_back[0].amount
    for each in plan.taken_back[1:]:
        amount += each.amount
    if plan.missing is not None:
        amount -= plan.missing
    return amount if amount.is_positive else None


def _require_named(
    record: PaymentRecord, plan: RefundPlan, terms: RefundTerms, earning: Earning | None
) -> None:
    """
    Require that nothing is paid back that its holder could still spend (A7, A8).

    Raises:
        InvalidTender: The lot of a gift card, or of earned points, is not named; or the points are
            on the record of an earning, and it is not said what comes back.
    """
    cards = [line.id for line in record.plan.lines if line.kind is LineKind.GIFT_CARD]
    back = {part.line for part in plan.parts}
    for line in cards:
        if line in back and line not in terms.gift_cards:
            raise InvalidTender(
                "gift_cards",
                sorted(terms.gift_cards),
                f"with the lot of the gift card of line {line!r}, or None where it is kept elsewhere",
            )
    if terms.returned is not None and terms.earned_lot is not None:
        raise InvalidTender("earned_lot", terms.earned_lot, "None where returned is given")
    if terms.returned is None and plan.taken_back and earning is not None:
        # Points that it has not given may be taken of their own lot.
        if terms.earned_lot is None:
            raise InvalidTender("returned", None, _BY_RECORD)
    elif terms.returned is None and _reached(plan) is not None and terms.earned_lot is None:
        raise InvalidTender("earned_lot", None, "the lot of the points that the plan takes back")


def _require_apart(lot: LotId, earned: Carried) -> None:
    """
    Require that *lot* holds none of the points that are worked through their record alone.

    Raises:
        InvalidTender: It does.
    """
    if lot in {earned.granted.id, *earned.names}:
        raise InvalidTender("returned", None, _BY_RECORD)


def _require_due(plan: RefundPlan, earning: Earning, returned: tuple[Returned, ...]) -> None:
    """
    Require that a refund was planned with the points that are due to go with it (P4, T6).

    Raises:
        InvalidOrder: More comes back than is kept of the purchase, or there is no such line.
        EarnedChanged: Others went since, or it was planned with others.
    """
    planned = Balance.of(*(each.amount for each in plan.taken_back))
    due = Balance.of(*(each.amount for each in earning.going(returned)))
    if planned != due:
        raise EarnedChanged(plan.order, planned, due)
