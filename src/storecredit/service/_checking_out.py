"""The verbs of a checkout: plan how an order is paid, begin, and go on with what was begun (T2, T5)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Unpack

from storecredit.claims import is_code_holder
from storecredit.errors import UnknownPayment
from storecredit.ledger import Funding, require_text
from storecredit.ledger.arguments import one_of
from storecredit.service._checkout_desk import KIND, Desk, Stamp
from storecredit.service._giving import Giving
from storecredit.service.about import About
from storecredit.service.checkout import Checkout, require_plan
from storecredit.tenders import (
    Aim,
    Credit,
    CreditRule,
    Order,
    PayingRate,
    PaymentPlan,
    PaymentRecord,
    PaymentState,
    PlanPart,
    Tender,
    TenderKind,
    plan_payment,
)
from storecredit.values import AnyMoney, Period, Unit

_PAGE = 200


class CheckingOut(Giving):
    """Plan, begin, and go on."""

    def tender(
        self,
        name: str,
        holder: str,
        unit: str | Unit,
        *,
        up_to: AnyMoney | None = None,
        rate: PayingRate | None = None,
    ) -> Credit:
        """
        Return what *holder* has in *unit* as a tender, as it is stored now.

        The plan remembers the version of the account, and is refused once it has moved on (T2).

        Args:
            name: The id of the tender, for plans and refunds.

            holder: Whose account; one that does not exist pays nothing. The bearer of a claim code,
                as `open_code` names it, is a tender of the kind ``code``.

            unit: A currency code, or a unit of the merchant's.

            up_to: The most that the customer wants to use.

            rate: At which it pays what is due in another unit (T1).

        Raises:
            InvalidText: The name or the holder.
            UnknownCurrency: The unit.
            InvalidTender: An amount or a rate that cannot be.
        """
        require_text("holder", holder)
        known = self._unit(unit)
        most = None if up_to is None else self._money(up_to)
        with self.storage.snapshot() as reader:
            account = self._look(reader, holder, known)
        kind = TenderKind.CODE if is_code_holder(holder) else TenderKind.CREDIT
        return Credit(name, account, up_to=most, rate=rate, kind=kind)

    def plan_payment(
        self,
        order: Order,
        tenders: Iterable[Tender] | Tender,
        *,
        at: datetime | None = None,
        channel: str | None = None,
        prices: Mapping[str, int] | Aim | str | None = None,
        rules: Iterable[CreditRule] = (),
        as_discount: Iterable[Funding | str] = (),
        reductions: Iterable[PlanPart] = (),
        spender: str | None = None,
    ) -> PaymentPlan:
        """
        Plan how *order* is paid, by this merchant's rules and clock. Nothing happens.

        Args:
            order: What is to be paid.

            tenders: What may pay, in the order of use; credit from `tender`.

            at: The instant that decides which lots count; None for now.

            The others are those of `storecredit.tenders.plan_payment`.

        Raises:
            As `storecredit.tenders.plan_payment`.
        """
        return plan_payment(
            order,
            tenders,
            merchant=self.merchant,
            at=self._instant(None) if at is None else at,
            channel=channel,
            prices=prices,
            rules=rules,
            as_discount=as_discount,
            reductions=reductions,
            spender=spender,
        )

    def begin_checkout(
        self,
        plan: PaymentPlan,
        *,
        key: str,
        lapses: Period | datetime | None = None,
        spender: str | None = None,
        **about: Unpack[About],
    ) -> Checkout:
        """
        Hold every credit part of *plan*, across all accounts, in one transaction (T5).

        Exactly what the plan takes of each lot is held, or nothing: an account that has moved on
        since the plan was made is a refusal. The order's payment is kept as a record; one that
        was begun before goes on with this plan, as `Checkout.replan` does.

        Args:
            plan: From `plan_payment`.

            key: Names this plan of the order: the same again returns the checkout as it is by
                then.

            lapses: How long, or until when, the holds live; None for the merchant's default.

            spender: Who spends, where an account lists its people (A9).

            about: See `About`; reference and channel are the plan's.

        Raises:
            As `Checkout.replan`.
        """
        desk = Desk(self, require_plan(plan).order)
        stamp = Stamp.of(plan, key, about)
        record = desk.begin(plan, stamp, lapses=lapses, spender=spender, new=True)
        return Checkout(desk, record)

    def checkout(self, order: str) -> Checkout:
        """
        Return the checkout of *order*, in whatever state it is: after a crash for example.

        Raises:
            InvalidText: The order's id.
            UnknownPayment: Nobody has begun to pay that order.
        """
        desk = Desk(self, require_text("order", order))
        return Checkout(desk, desk.read())

    def find_checkout(self, order: str) -> Checkout | None:
        """
        Return the checkout of *order*, or None where nobody has begun to pay it.

        Raises:
            InvalidText: The order's id.
        """
        try:
            return self.checkout(order)
        except UnknownPayment:
            return None

    def checkouts(self, *, state: PaymentState | str | None = None) -> Iterator[Checkout]:
        """
        Yield all checkouts, or those in one state, by order id: to look after what was left lying.

        Raises:
            InvalidTerms: There is no such state.
        """
        wanted = None if state is None else one_of(PaymentState, "state", state)
        reference = None if wanted is None else ("state", wanted.value)
        after = ""
        while True:
            with self.storage.snapshot() as reader:
                rows = reader.records(
                    self.merchant.id, KIND, reference=reference, after=after, limit=_PAGE
                )
            for row in rows:
                yield Checkout(Desk(self, row.id), PaymentRecord.from_json(row.body))
            if len(rows) < _PAGE:
                return
            after = rows[-1].id
