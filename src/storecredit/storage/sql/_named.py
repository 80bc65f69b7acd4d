"""The rows that a command names besides what is open, each loaded by its id (S3)."""

from collections.abc import Iterable, Sequence

from storecredit.ledger import Account, AccountId, Names, unit_of, wallet_of
from storecredit.storage.sql._reads import Reads
from storecredit.storage.sql._rows import Row, add_restored, local_bytes, read_hold, read_lot
from storecredit.storage.sql._select_accounts import SLOTS
from storecredit.storage.sql._wire import Answer, Step


def may_be_id(text: str) -> bool:
    """Tell whether an engine would take *text* for an id at all: it may come from anywhere."""
    return text.isascii() and text.isprintable()


def named_account(names: Names) -> AccountId:
    """Return the account that named rows are most likely in; empty where their ids lead nowhere."""
    for thing in (*names.lots, *names.holds, *names.redemptions):
        account = thing.rpartition(".")[0]
        if account and may_be_id(account):
            return AccountId(account)
    return AccountId("")


def named_steps(reads: Reads, account: AccountId, names: Names) -> list[Step]:
    """Ask for the rows of *account* that *names* names."""
    key = (wallet_of(account), unit_of(account))
    steps = []
    for statement, things in ((reads.named_lots, names.lots), (reads.named_holds, names.holds)):
        own = [local_bytes(thing) for thing in things if thing.startswith(account)]
        for at in range(0, len(own), SLOTS):
            ids = own[at : at + SLOTS]
            ids += ids[-1:] * (SLOTS - len(ids))
            steps.append(Step(statement, (*key, *ids)))
    steps += [
        Step(reads.named_restored, (*key, redemption))
        for redemption in names.redemptions
        if may_be_id(redemption)
    ]
    return steps


def add_named(account: Account, names: Names, answers: Sequence[Answer]) -> None:
    """Add to *account* what `named_steps` has asked for."""
    waiting = iter(answers)
    for things, add in ((names.lots, _add_lots), (names.holds, _add_holds)):
        count = sum(thing.startswith(account.id) for thing in things)
        for _ in range(0, count, SLOTS):
            add(account, next(waiting).rows)
    for answer in waiting:
        add_restored(account, answer.rows)


def _add_lots(account: Account, rows: Iterable[Row]) -> None:
    for row in rows:
        lot = read_lot(account.id, row)
        account.lots.setdefault(lot.id, lot)


def _add_holds(account: Account, rows: Iterable[Row]) -> None:
    for row in rows:
        hold = read_hold(account.id, account.version, row)
        account.holds.setdefault(hold.id, hold)
