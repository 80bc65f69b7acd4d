"""The desk of a refund: what goes back to lots, new credit, and what is taken back, all at once."""

from collections.abc import Mapping
from typing import Final, final

import attrs

from storecredit.errors import GiftCardChanged, InvalidTender, RefundNeedsHolder, UnknownLot
from storecredit.ledger import (
    AccountId,
    ExpiredRestore,
    Expiry,
    Funding,
    LotId,
    RefundBought,
    Restore,
    Revoke,
    account_of,
    entry_id,
)
from storecredit.service._checkout_desk import Desk, Stamp, capture_key
from storecredit.service._door import Asked
from storecredit.service._giving import Grant
from storecredit.service.receipts import Receipt
from storecredit.storage.protocols import UnitOfWork
from storecredit.tenders import Destination, LineKind, PaymentRecord, RefundPlan, TenderKind
from storecredit.tenders.carrying import restores_of
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
    """The lot of the points that the order earned, for what is taken back."""
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
                self._issue(tx, after, plan, stamp, terms)
            return after

        return self._desk.step(change)

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
        if after is not record:
            _require_named(record, plan, terms)
            tx.lock(sorted(self._accounts(after, terms)))
            self._take_gift_cards(tx, plan, stamp, terms)
            self._take_earned(tx, plan, stamp, terms)
            self._restore(tx, after, stamp, terms)
        return after

    def _accounts(self, record: PaymentRecord, terms: RefundTerms) -> set[AccountId]:
        """Return the accounts that are known to be changed, to be locked in their order (S1)."""
        lots = [lot for lot in (*terms.gift_cards.values(), terms.earned_lot) if lot is not None]
        paid = [each.tender.account for each in restores_of(record, record.returns[-1].id)]
        return {*map(account_of, lots), *(AccountId(each) for each in paid if each is not None)}

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
        """Take back the points that the order earned, as far as the plan found them (T6, A8)."""
        amount = _reached(plan)
        if amount is not None and terms.earned_lot is not None:
            command = Revoke(lot=terms.earned_lot, amount=amount)
            self._on_lot(tx, terms.earned_lot, stamp.asked(command, "earned"))

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


def _require_named(record: PaymentRecord, plan: RefundPlan, terms: RefundTerms) -> None:
    """
    Require that nothing is paid back that its holder could still spend (A7, A8).

    Raises:
        InvalidTender: The lot of a gift card, or of earned points, is not named.
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
    if _reached(plan) is not None and terms.earned_lot is None:
        raise InvalidTender("earned_lot", None, "the lot of the points that the plan takes back")
