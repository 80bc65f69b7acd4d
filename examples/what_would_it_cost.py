"""
"What would 110 % credit instead of cash cost us?", asked of a year of orders that are made up here.

Each offer turns every refund into credit of so many percent of it, with an expiry or without, and
replays the same orders through the real ledger. Whoever has a history of their own writes it with
the same six columns and reads that instead.
"""

import csv
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storecredit import Money, Rounding
from storecredit.replay import Totals, read_generic, replay_history
from storecredit.storage import MemoryStorage

COLUMNS = ("id", "kind", "customer", "at", "amount", "currency")
OFFERS = ((100, None), (110, None), (110, 90), (120, 30))

Row = tuple[str, str, str, datetime, Money]


def made_up_year(*, customers: int = 60, seed: int = 7) -> list[Row]:
    """Orders through 2025, of which every sixth or so comes back in part within a month."""
    chance = random.Random(seed)
    rows: list[Row] = []
    for number in range(customers * 9):
        customer = f"c-{chance.randrange(customers)}"
        at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(525_000))
        worth = Money.of_minor(chance.randrange(800, 16_000), "EUR")
        rows.append((f"order-{number}", "order", customer, at, worth))
        if chance.randrange(6) == 0:
            part = worth.percentage(chance.choice((25, 50, 100)), rounding=Rounding.HALF_UP)
            later = at + timedelta(hours=chance.randrange(24, 720))
            rows.append((f"return-{number}", "refund", customer, later, part))
    return sorted(rows, key=lambda row: row[3])


def what_if(rows: list[Row], percent: int, expires_days: int | None, folder: Path) -> Totals:
    """Replay the year with refunds of *percent* as credit."""
    file = folder / "history.csv"
    with file.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(COLUMNS)
        for number, kind, customer, at, worth in rows:
            offered = percent if kind == "refund" else 100
            value = worth.percentage(offered, rounding=Rounding.HALF_UP)
            writer.writerow((number, kind, customer, at.isoformat(), value.decimal, "EUR"))
    return replay_history(read_generic([file]), MemoryStorage(), expires_days=expires_days)


def main() -> None:
    rows = made_up_year()
    cash = Money.total((worth for _, kind, _, _, worth in rows if kind == "refund"), "EUR")
    print(f"{len(rows)} events; refunded in cash, all of it leaves at once: {cash}\n")
    print("offer   expires      issued    redeemed     expired  still owed  reconciled")
    with tempfile.TemporaryDirectory() as folder:
        for percent, days in OFFERS:
            totals = what_if(rows, percent, days, Path(folder))
            amounts = (totals.issued, totals.redeemed, totals.expired, totals.outstanding)
            columns = "".join(f"{Money.of_minor(each, 'EUR').decimal:>12}" for each in amounts)
            expiry = "never" if days is None else f"{days} days"
            print(f"{percent} %   {expiry:<8}{columns}  {'yes' if totals.verified else 'NO'}")


if __name__ == "__main__":
    main()
