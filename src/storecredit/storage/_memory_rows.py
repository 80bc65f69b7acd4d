"""Which rows of an account are open, and loaded with it always (S3)."""

from storecredit.ledger import Account, Change, HoldStatus


def without_closed_rows(account: Account, before: Account | None, change: Change) -> Account:
    """Return *account* without the closed rows that a command has loaded or has closed."""
    if before is None or len(account.lots) > len(before.lots) or account.restored:
        return only_open(account)
    for lot in change.lots:
        if not lot.remaining:
            return only_open(account)
    for hold in account.holds.values():
        if hold.status is not HoldStatus.ACTIVE:
            return only_open(account)
    return account


def only_open(account: Account) -> Account:
    """Return *account* without the rows that are closed."""
    found = account.copy()
    found.lots = {id_: lot for id_, lot in account.lots.items() if lot.remaining}
    found.holds = {
        id_: hold for id_, hold in account.holds.items() if hold.status is HoldStatus.ACTIVE
    }
    found.restored = {}
    return found
