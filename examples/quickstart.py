"""The six lines of the README, on a file in a temporary folder, and what they leave behind."""

import tempfile
from pathlib import Path

from storecredit import Money, StoreCredit
from storecredit.storage import SQLiteStorage


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        storage = SQLiteStorage(Path(folder) / "shop.db")
        credit = StoreCredit(storage, merchant="acme")

        credit.issue(
            "c-17",
            Money.of("50.00", "USD"),
            funding="refund",
            reference="return 1001",
            key="return-1001",
        )
        hold = credit.hold(
            "c-17", Money.of("30.00", "USD"), reference="order 1002", key="order-1002/hold"
        )
        credit.capture(hold.hold_id, reference="order 1002", key="order-1002/capture")

        print("available", credit.wallet("c-17").available)
        for line in credit.statement("c-17", "USD"):
            print(
                f"{line.kind:<8} {line.change.decimal:>7} {line.balance.decimal:>7}  {line.reference}"
            )
        print("verified", credit.verify().ok)
        storage.close()


if __name__ == "__main__":
    main()
