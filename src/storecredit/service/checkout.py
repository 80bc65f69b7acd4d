"""A checkout: the payment of one order on its way, step by step (T5, T6)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, Unpack, final

from storecredit.errors import InvalidTender, PaymentStepRefused, UnknownLot
from storecredit.ledger import ExpiredRestore, Expiry, LotId, require_text
from storecredit.ledger.arguments import one_of, texts
from storecredit.policies.purchase import Returned, as_returned
from storecredit.service._checkout_desk import Desk, Stamp, require_step_key
from storecredit.service._refund_desk import RefundDesk, RefundTerms
from storecredit.service.about import About
from storecredit.storage.protocols import UnitOfWork
from storecredit.tenders import (
    TRANSITIONS,
    AlreadyPaid,
    Answer,
    Charge,
    ChargeFact,
    Earned,
    ExternalRefund,
    Payment,
    PaymentPlan,
    PaymentRecord,
    PaymentState,
    PaymentStep,
    RefundPlan,
    RefundRequest,
    RefundRules,
    Stranded,
    plan_refund,
)
from storecredit.values import AnyMoney, Balance, Money, Period

_RULES: Final = RefundRules()


@final
class Checkout:
    """
    The payment of one order.

    `StoreCredit.begin_checkout` and `StoreCredit.checkout` make it. Every step is one transaction
    over the record of the payment and all accounts that pay; it may be repeated, come from two
    triggers, or be cut off by a crash: it happens once. What is stored decides, never what this
    object has seen: any process may go on with `StoreCredit.checkout(order)`.
    """

    def __init__(self, desk: Desk, record: PaymentRecord) -> None:
        self._desk: Final = desk
        self._record = record

    def __repr__(self) -> str:
        return f"Checkout({self.order!r}, {self.state.value})"

    # Seeing

    @property
    def order(self) -> str:
        """The id of the order."""
        return self._desk.order

    @property
    def record(self) -> PaymentRecord:
        """The record as this object has seen it last; `reload` looks again."""
        return self._record

    @property
    def state(self) -> PaymentState:
        """Where the payment is in its life."""
        return self._record.state

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What the host still has to charge, by tender and unit; charges on their way count."""
        return self._record.outstanding

    @property
    def pending(self) -> tuple[ChargeFact, ...]:
        """The charges of which nobody knows yet whether they were made: ask the processor."""
        return self._record.pending

    @property
    def paid_already(self) -> tuple[AlreadyPaid, ...]:
        """The confirmed charges, as tenders for the next plan (T2)."""
        return self._record.paid_already

    @property
    def stranded(self) -> tuple[Stranded, ...]:
        """What of confirmed charges pays for nothing: give it back, then tell `give_back`."""
        return self._record.stranded

    @property
    def refunds_due(self) -> tuple[ExternalRefund, ...]:
        """What the host has to give back through external tenders, with keys, and is not settled."""
        return self._record.refunds_due

    @property
    def payment(self) -> Payment:
        """What is captured, and what has been returned of it."""
        return self._record.payment

    def reload(self) -> PaymentRecord:
        """Look again at what is stored, and return it."""
        self._record = self._desk.read()
        return self._record

    # Paying

    def replan(
        self,
        plan: PaymentPlan,
        *,
        key: str,
        lapses: Period | datetime | None = None,
        spender: str | None = None,
        **about: Unpack[About],
    ) -> PaymentRecord:
        """
        Go on with a new plan of the order: the cart has changed, or a hold was lost.

        What the order holds already stays held as far as the new plan takes it, also where a lot
        has expired since; the rest is released, and what is missing is held, in one step (A6).

        Args:
            plan: Made with the accounts as they are now, and with `paid_already` among the tenders.

            key: Names this plan; the same again changes nothing.

            lapses: When holds lapse; None leaves old ones as they are.

            spender: Who spends, where an account lists its people (A9).

            about: See `About`; reference and channel are the plan's.

        Raises:
            InvalidTender: *plan* is no plan.
            InvalidKey, InvalidText, NaiveInstant: The request.
            ForeignPlan: The plan is of another merchant or order.
            PaymentStepRepeated: The key names another plan.
            PaymentStepRefused: Something is captured already.
            ChargePending: Nobody knows yet whether a charge was made.
            PlanIncomplete: The plan leaves something unpaid.
            PlanOutdated: An account has moved on since the plan was made.
            LotCannotGive: A lot has expired since the plan was made.
            AccountFrozen, AccountClosed, ChannelRequired, ChannelNotDeclared, SpenderNotListed,
            InsufficientCredit, InvalidTerms, HoldTooLong: As a hold.
        """
        stamp = Stamp.of(require_plan(plan), key, about)
        self._record = self._desk.begin(plan, stamp, lapses=lapses, spender=spender, new=False)
        return self._record

    def charge(self, tender: str, *, key: str, amount: AnyMoney | None = None) -> Money:
        """
        Record that the host is about to charge an external tender, and return the amount.

        Ask the processor under the same *key*: whatever happens in between, the charge is known,
        and its answer can be looked up.

        Args:
            tender: The external tender.

            key: Names this attempt; another attempt, after a failure, has another key.

            amount: None for all that is outstanding, in the one unit in which something is.

        Raises:
            InvalidKey: The key.
            UnknownTender: The plan has no such tender.
            InvalidTender: No amount is given, and nothing is outstanding, or in several units; or the
                tender is none that the host charges.
            PaymentStepRepeated: The key names another charge.
            PaymentStepRefused: Nothing is held, or the payment is over.
            ChargeExceedsDue: More than is outstanding.
        """
        require_step_key(key)
        given = None if amount is None else Money.coerce(amount)

        def take(record: PaymentRecord) -> PaymentRecord:
            wanted = given if given is not None else _amount_of(record, tender, key)
            return record.charge(tender, wanted, key=key)

        self._record = self._desk.step(lambda _, record: take(record))
        return next(each.amount for each in self._record.charges if each.id == key)

    def settle_charge(self, key: str, answer: Answer | str) -> PaymentRecord:
        """
        Record what the processor says about a charge: confirmed or failed, however late.

        Raises:
            InvalidTerms: There is no such answer.
            UnknownPaymentStep: No charge has that key.
            PaymentStepRepeated: It has said otherwise before.
        """
        said = one_of(Answer, "answer", answer)
        self._record = self._desk.step(lambda _, record: record.settle_charge(key, said))
        return self._record

    def give_back(self, key: str, total: AnyMoney) -> PaymentRecord:
        """
        Record that the host has given back what of the charge *key* pays for nothing.

        Args:
            key: The key of the charge: `Stranded.charge`.

            total: What has been given back of it in all: `Stranded.total`. A repeat says the same,
                and changes nothing.

        Raises:
            ArgumentRefused, InvalidTender: *total* is no money, or nothing or less.
            UnknownPaymentStep: No charge has that key.
            UnitMismatch: The charge is in another unit.
            GivesBackTooMuch: More than was given back so far and is stranded now.
        """
        found = Money.coerce(total)
        self._record = self._desk.step(lambda _, record: record.give_back(key, found))
        return self._record

    def capture(self, lines: Iterable[str], *, key: str, **about: Unpack[About]) -> PaymentRecord:
        """
        Spend what pays *lines*, with a shipment for example; what pays the others stays held.

        Raises:
            InvalidTerms: *lines* are no list of texts.
            InvalidKey, InvalidText, NaiveInstant: The request.
            UnknownOrderLine: The order has no such line.
            PaymentStepRepeated: The key names another capture, or a line is captured already.
            PaymentStepRefused: Nothing is held, or the payment is over.
            ChargeOutstanding: A charge that the lines need is not confirmed.
            PaymentHoldLost: A hold has lapsed; where nothing is captured yet, plan again.
        """
        wanted = texts("lines", lines)
        stamp = Stamp.of(self._record.plan, key, about)
        return self._captured(stamp, lambda record: record.capture(wanted, key=key))

    def complete(self, *, key: str, **about: Unpack[About]) -> PaymentRecord:
        """
        Spend everything that is still held: the order is paid.

        Raises:
            InvalidKey, InvalidText, NaiveInstant: The request.
            PaymentStepRepeated: The key names a capture of other lines.
            PaymentStepRefused: Nothing is held, or the payment was cancelled.
            ChargeOutstanding: A charge is not confirmed.
            PaymentHoldLost: A hold has lapsed; where nothing is captured yet, plan again.
        """
        stamp = Stamp.of(self._record.plan, key, about)
        return self._captured(stamp, lambda record: record.complete(key=key))

    def cancel(self, *, key: str, **about: Unpack[About]) -> PaymentRecord:
        """
        Release everything that is still held. What was captured stays so: refund it.

        A charge that is confirmed, now or later, is `stranded`: give it back. The order may be
        planned and begun again.

        Raises:
            InvalidKey, InvalidText, NaiveInstant: The request.
            PaymentStepRefused: Everything is captured: refund it.
        """
        stamp = Stamp.of(self._record.plan, key, about)

        def change(tx: UnitOfWork, record: PaymentRecord) -> PaymentRecord:
            after = record.cancel(key=key)
            if after.holds != record.holds:
                self._desk.release_all(tx, record, stamp, "cancel")
            return after

        self._record = self._desk.step(change)
        return self._record

    # Refunding

    def plan_refund(
        self,
        request: RefundRequest,
        *,
        rules: RefundRules = _RULES,
        unspent: Mapping[str, AnyMoney | Balance] | None = None,
        earned: Earned | None = None,
    ) -> RefundPlan:
        """
        Plan how a refund of what is captured goes back, as stored now. Nothing happens.

        What open refund cases have taken is left to them (P5).

        Raises:
            UnknownPayment: The payment is gone.
            PaymentStepRefused: Nothing is captured.
            ReservedByCase: It would be possible only with what an open refund case has taken.
            As `storecredit.tenders.plan_refund`.
        """
        record = self.reload()
        _require(record, PaymentStep.REFUND)

        def planning(payment: Payment) -> RefundPlan:
            return plan_refund(payment, request, rules=rules, unspent=unspent, earned=earned)

        return RefundDesk(self._desk).plan(record, planning)

    def refund(
        self,
        plan: RefundPlan,
        *,
        key: str,
        holder: str | None = None,
        expires: Expiry = None,
        expired: ExpiredRestore | str | None = None,
        returned: Iterable[Returned] | Returned | None = None,
        earned_lot: LotId | str | None = None,
        gift_cards: Mapping[str, LotId | str | None] | None = None,
        **about: Unpack[About],
    ) -> PaymentRecord:
        """
        Carry a refund out: credit goes back to its lots at once, or becomes new credit.

        What external tenders have to give back is in `refunds_due` afterwards, each with a key for
        the processor, and stays reserved until `settle_refund`.

        Args:
            plan: From `plan_refund`.

            key: Names this refund; the same again changes nothing.

            holder: Who gets new credit; None for the holder of the first credit that paid, or that
                was to pay.

            expires: When new credit expires.

            expired: Where value goes whose lot has expired; None for the merchant's rule (A7).

            returned: What comes back of the purchase that earned points by `StoreCredit.earn`: the
                same as `StoreCredit.earned` was told for the plan. The points go in the same step,
                and the record of the earning says so; actor and reason are required (P4, A10).
                What is spent since the plan was made is missing by the rule that gave the points.

            earned_lot: The lot of points that the order earned by nothing the library knows, where
                the plan takes any back. They are revoked of it, or of what a merger has made of it,
                in the same step; actor and reason are required (A8, A10).

            gift_cards: By line, the lot of a bought gift card that is refunded: it is closed in
                the same step; actor and reason are required (A7, A10). None for a card that
                another system keeps, or that an earlier refund has closed.

            about: See `About`; reference and channel are the plan's.

        Raises:
            InvalidTender: *plan* is no plan of a refund.
            InvalidKey, InvalidText, NaiveInstant, InvalidTerms: The request.
            UnknownLot: A lot is named by something that is none of this merchant's.
            ForeignPlan: The plan is of another merchant or order.
            PaymentStepRepeated: The key names another refund.
            PaymentStepRefused: Nothing is captured.
            RefundExceedsPaid, QuantityExceedsRest: The plan was made before another refund.
            InvalidTender: The lot of a gift card is not named; or it is said by neither or both of
                *returned* and *earned_lot* which points go, or by the wrong one.
            KeyReused: A repeat says that something else is *returned*.
            GiftCardChanged: A gift card was used since the plan was made.
            UnknownGrant: There is something *returned*, and the order never earned.
            InvalidOrder: More of the purchase comes back than is kept, or there is no such line.
            EarnedChanged: Other points went since the plan was made, or it was made with others.
            ReasonAndActorRequired: Points or gift cards are to be taken, and nobody answers for it.
            LotHeld, LotClosed, LotExhausted, LotNotCashable: As `revoke` and `refund_bought`.
            AccountFrozen, AccountClosed: An account takes nothing in.
            CeilingReached, ExpiryTooEarly: As `issue`, for new credit.
            ReservedByCase: An open refund case has taken what the refund gives back (P5).
            RefundNeedsHolder: There is new credit, and nobody to give it to.
        """
        if not isinstance(plan, RefundPlan):
            raise InvalidTender("plan", plan, "a RefundPlan, from plan_refund()")
        stamp = Stamp.of(self._record.plan, key, about)
        terms = RefundTerms(
            holder=None if holder is None else require_text("holder", holder),
            expires=expires,
            expired=None if expired is None else one_of(ExpiredRestore, "expired", expired),
            returned=None if returned is None else as_returned(returned),
            earned_lot=None if earned_lot is None else self._lot(earned_lot),
            gift_cards={
                line: None if lot is None else self._lot(lot) for line, lot in _cards(gift_cards)
            },
        )
        self._record = RefundDesk(self._desk).refund(plan, stamp, terms)
        return self._record

    def settle_refund(self, key: str, tender: str, answer: Answer | str) -> PaymentRecord:
        """
        Record what the processor says about the part of a refund that goes through *tender*.

        What failed is free again, to be planned and refunded under another key.

        Raises:
            InvalidTerms: There is no such answer.
            UnknownPaymentStep: No refund has that key.
            UnknownTender: The refund has no part for that tender.
            PaymentStepRepeated: It has said otherwise before.
        """
        said = one_of(Answer, "answer", answer)
        self._record = self._desk.step(lambda _, record: record.settle_refund(key, tender, said))
        return self._record

    def _captured(
        self, stamp: Stamp, take: Callable[[PaymentRecord], PaymentRecord]
    ) -> PaymentRecord:
        self._see(self._desk.capture(stamp, take, when_lost=self._see))
        return self._record

    def _see(self, record: PaymentRecord) -> None:
        self._record = record

    def _lot(self, lot: str) -> LotId:
        self._desk.door._account_of(lot, UnknownLot)
        return LotId(lot)


def require_plan(plan: object) -> PaymentPlan:
    """
    Return *plan* if it is one.

    Raises:
        InvalidTender: It is not.
    """
    if not isinstance(plan, PaymentPlan):
        raise InvalidTender("plan", plan, "a PaymentPlan, from plan_payment()")
    return plan


def _cards(
    gift_cards: Mapping[str, LotId | str | None] | None,
) -> Iterable[tuple[str, str | None]]:
    if gift_cards is None:
        return ()
    if not isinstance(gift_cards, Mapping):
        raise InvalidTender("gift_cards", gift_cards, "lots by line")
    return gift_cards.items()


def _amount_of(record: PaymentRecord, tender: str, key: str) -> Money:
    """Return what is outstanding of *tender*, or what the charge *key* was about."""
    known = next((each.amount for each in record.charges if each.id == key), None)
    if known is not None:
        return known
    record.require_tender(tender)
    found = [each.amount for each in record.outstanding if each.tender == tender]
    if not found:
        _require(record, PaymentStep.CHARGE)
        raise InvalidTender(
            "outstanding", "nothing", "something: charges that are on their way count as made"
        )
    if len(found) > 1:
        several = ", ".join(map(str, found))
        raise InvalidTender("outstanding", several, "in one unit, or an amount has to be given")
    return found[0]


def _require(record: PaymentRecord, step: PaymentStep) -> None:
    """
    Require that the state of the payment allows *step*.

    Raises:
        PaymentStepRefused: It does not.
    """
    allowed = tuple(each.value for each in TRANSITIONS[record.state])
    if step not in allowed:
        raise PaymentStepRefused(record.plan.order, step.value, record.state.value, allowed)
