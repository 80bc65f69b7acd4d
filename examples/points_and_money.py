"""Points beside money: earned per order, pending until returns are over, converted, stated as a liability."""

from datetime import UTC, date, datetime, timedelta

from storecredit import (
    CustomUnit,
    ExchangeRate,
    Merchant,
    Money,
    Period,
    Rounding,
    StoreCredit,
)
from storecredit.storage import MemoryStorage
from storecredit.values import CostBasis, liability

POINTS = CustomUnit("PTS", 0, name="Points", cost_basis=CostBasis(1000, Money.of("8.00", "USD")))
RETURN_WINDOW = Period(days=30)


class Calendar:
    """The clock of this story."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def earn(credit: StoreCredit, holder: str, order: str, paid: Money) -> None:
    """Give one point for each whole dollar, to count when the order can no longer be returned."""
    whole_dollars = paid.minor // 100
    if whole_dollars:
        credit.issue(
            holder,
            Money.of(whole_dollars, POINTS),
            funding="earned",
            effective=RETURN_WINDOW,
            expires=Period(years=2, round_up_to="year"),
            reference=order,
            key=f"{order}/points",
        )


def main() -> None:
    clock = Calendar()
    credit = StoreCredit(
        MemoryStorage(), merchant=Merchant(id="acme", units=(POINTS,)), clock=clock
    )
    for order, paid in (("order-1", "349.90"), ("order-2", "720.00"), ("order-3", "0.50")):
        earn(credit, "c-17", order, Money.of(paid, "USD"))
    account = credit.account("c-17", "PTS")
    print(f"on the day:   {account.available}, pending {account.pending}")

    clock.now += timedelta(days=30)
    account = credit.account("c-17", "PTS")
    print(f"a month on:   {account.available}, pending {account.pending}")
    worth = liability(account.available, rounding=Rounding.HALF_UP)
    print(f"liability:    {worth}")

    rate = ExchangeRate.equating(
        Money.of(1000, POINTS), Money.of("8.00", "USD"), on=date(2026, 4, 1)
    )
    done = credit.convert(
        "c-17", Money.of(500, POINTS), rate, rounding=Rounding.DOWN, key="convert-1"
    )
    print(f"converted:    {done.sent.amount} to {done.received.amount}")
    print(f"wallet:       {credit.wallet('c-17').available}")
    lot = credit.account("c-17", "USD").lots[0]
    print(f"the new lot:  {lot.terms.funding}, expires {lot.terms.expires_at:%Y-%m-%d}")
    print("verified:    ", credit.verify().ok)


if __name__ == "__main__":
    main()
