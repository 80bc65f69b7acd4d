"""
What a shop runs at night: the sweep, the lapses, and a verification against yesterday's anchors.

Only the verification matters for safety: expiry and lapses hold without any job. The anchors are
written to a file of their own; in a shop that file lies where the ledger's writers cannot write.
"""

import json
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from storecredit import Money, Period, StoreCredit
from storecredit.service import Anchor
from storecredit.storage import SQLiteStorage


def nightly(credit: StoreCredit, anchors: Path) -> bool:
    """Sweep, verify against the anchors of last night, and write those of tonight."""
    swept = credit.expire_due()
    print(f"  expired: {swept.lots} lots in {swept.accounts} accounts, {swept.amount}")
    lapsed = credit.release_lapsed()
    print(f"  lapsed:  {lapsed.accounts} accounts, {lapsed.amount}")
    checked = credit.verify(anchors=read_anchors(anchors))
    print(f"  checked: {checked.accounts} accounts, {checked.entries} entries, ok: {checked.ok}")
    for problem in checked.problems:
        print(f"  PROBLEM: {problem.what}")
    if checked.ok:
        write_anchors(anchors, credit.heads())
    return checked.ok


def write_anchors(path: Path, anchors: dict[str, Anchor]) -> None:
    rows = {account: [anchor.sequence, anchor.digest] for account, anchor in anchors.items()}
    path.write_text(json.dumps(rows), encoding="utf-8")


def read_anchors(path: Path) -> dict[str, Anchor]:
    if not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {account: Anchor(sequence, digest) for account, (sequence, digest) in rows.items()}


def main() -> None:
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder:
        storage = SQLiteStorage(Path(folder) / "shop.db")
        anchors = Path(folder) / "anchors.json"
        credit = StoreCredit(storage, merchant="acme", clock=lambda: now)
        for number in range(20):
            holder, expires = f"c-{number}", Period(days=number + 1)
            credit.issue(
                holder, Money.of("10.00", "EUR"), funding="goodwill", expires=expires, key="gift"
            )
            if number % 5 == 0:
                credit.hold(holder, Money.of("4.00", "EUR"), key="order/hold")

        for night in (1, 2):
            now += timedelta(days=5)
            print(f"night {night}")
            nightly(credit, anchors)

        print("somebody edits a journal behind the library's back")
        storage.close()
        tamper(Path(folder) / "shop.db")
        print("night 3")
        nightly(credit, anchors)
        storage.close()


def tamper(path: Path) -> None:
    """Do what no part of the library does: remove the guard, and change a line of history."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER entries_are_final")
        connection.execute(
            'UPDATE entries SET body = replace(body, \'"funding":"goodwill"\', \'"funding":"deposit"\')'
            " WHERE account = 20 AND sequence = 1"
        )


if __name__ == "__main__":
    main()
