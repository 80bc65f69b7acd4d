"""The story that `storecredit demo` tells: half a year of one customer's credit, in six chapters."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, final

import attrs

from storecredit.ledger import Funding, Merchant
from storecredit.replay import SettableClock
from storecredit.service import Receipt, StoreCredit, Sweep
from storecredit.storage import Storage
from storecredit.values import Balance, CustomUnit, Money, Period

POINTS: Final = CustomUnit("PTS", 0, name="Points")
MERCHANT: Final = Merchant(id="demo", units=(POINTS,))
CUSTOMER: Final = "c-17"
BEGIN: Final = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


@final
@attrs.frozen
class Chapter:
    """What has happened, for the reader: a heading, sentences, and the instant at the end."""

    title: str
    sentences: tuple[str, ...]
    at: datetime


@final
class Story:
    """
    The story while it is told: the service it runs on, and the receipts it has so far.

    Nothing here is staged: every sentence is written from the receipt of a command.
    """

    def __init__(self, storage: Storage) -> None:
        self.clock: Final = SettableClock(BEGIN)
        self.credit: Final = StoreCredit(storage, MERCHANT, clock=self.clock)
        self._payments: Final[list[Receipt]] = []
        self.issued: Balance = Balance.of()
        self.redeemed: Balance = Balance.of()
        self.restored: Balance = Balance.of()
        self.expired: Balance = Balance.of()

    def chapters(self) -> Iterator[Chapter]:
        """Let it happen, chapter by chapter."""
        yield self._a_refund_becomes_credit()
        yield self._a_second_currency_and_points()
        yield from self._a_hybrid_purchase()
        yield self._an_expiry()
        yield self._a_return()

    def _a_refund_becomes_credit(self) -> Chapter:
        receipt = self._issue("80.00", "USD", Funding.REFUND, Period(months=12), "return 1001")
        again = self.credit.issue(
            CUSTOMER,
            receipt.amount,
            funding=Funding.REFUND,
            expires=Period(months=12),
            reference="return 1001",
            key="return-1001",
        )
        answer = "the first answer again" if again.replayed else "a SECOND lot"
        return self._told(
            "A refund becomes credit",
            f"Order 1001 comes back, and {CUSTOMER} takes store credit instead of money:"
            f" {receipt.amount}, good for twelve months.",
            f"The shop's job runs twice; the second time, the key return-1001 gets {answer}.",
        )

    def _a_second_currency_and_points(self) -> Chapter:
        self._at(2026, 1, 12)
        late = self._issue("25.00", "EUR", Funding.GOODWILL, Period(days=30), "parcel 88")
        earned = self._issue("2500", "PTS", Funding.EARNED, None, "order 1001")
        return self._told(
            "A second currency, and points beside it",
            f"A parcel to Lyon is late: {late.amount} of goodwill, good for thirty days.",
            f"An order has earned {earned.amount}. Units are never mixed, and never summed.",
        )

    def _a_hybrid_purchase(self) -> Iterator[Chapter]:
        self._at(2026, 1, 20)
        total = Money.of("120.00", "USD")
        credit = self._hold("60.00", "USD", "order-1002/hold-credit")
        points = self._hold("1500", "PTS", "order-1002/hold-points")
        worth = Money.of("15.00", "USD")
        card = total - credit.amount - worth
        yield self._told(
            "A hybrid purchase: hold",
            f"Order 1002 costs {total}: {credit.amount} of credit, {points.amount} (the shop takes"
            f" them for {worth}), and {card} by card.",
            "Credit and points are held while the bank is asked: no other tab can spend them.",
        )
        self._at(2026, 1, 20, minute=5)
        for hold in (credit, points):
            key = f"{hold.entry.key}/capture"
            done = self.credit.capture(hold.hold_id, reference="order 1002", key=key)
            self._payments.append(done)
            self.redeemed += Balance.of(done.amount)
        yield self._told(
            "The card goes through: capture",
            "Both holds are captured. Had the card failed, both would have been released.",
        )

    def _an_expiry(self) -> Chapter:
        self._at(2026, 3, 1)
        sweep: Sweep = self.credit.expire_due()
        self.expired += sweep.amount
        return self._told(
            "An expiry",
            "Nobody spent the goodwill. It was worth nothing from 11 February 10:00 on, with or"
            " without a sweep.",
            f"The sweep of 1 March writes it down, effective at that instant: {sweep.amount}.",
        )

    def _a_return(self) -> Chapter:
        self._at(2026, 3, 10)
        receipt = self.credit.restore(
            self._payments[0].entry_id,
            amount=Money.of("35.00", "USD"),
            reference="return 1002",
            key="return-1002",
        )
        self.restored += Balance.of(receipt.amount)
        return self._told(
            "A restore after a return",
            "A lamp of order 1002 comes back. Credit paid for it, so credit comes back:"
            f" {receipt.amount}, into the lot that it came from, with its old expiry.",
            "No more than that order took can ever come back, however many returns there are.",
        )

    def _issue(
        self, amount: str, code: str, funding: Funding, expires: Period | None, why: str
    ) -> Receipt:
        receipt = self.credit.issue(
            CUSTOMER,
            Money.of(amount, MERCHANT.unit(code)),
            funding=funding,
            expires=expires,
            reference=why,
            key=why.replace(" ", "-"),
        )
        self.issued += Balance.of(receipt.amount)
        return receipt

    def _hold(self, amount: str, unit: str, key: str) -> Receipt:
        money = Money.of(amount, MERCHANT.unit(unit))
        return self.credit.hold(CUSTOMER, money, reference="order 1002", key=key)

    def _at(self, year: int, month: int, day: int, *, minute: int = 0) -> None:
        self.clock.set(datetime(year, month, day, 10, minute, tzinfo=UTC))

    def _told(self, title: str, *sentences: str) -> Chapter:
        return Chapter(title, sentences, self.clock())
