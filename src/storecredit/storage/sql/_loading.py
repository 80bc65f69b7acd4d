"""Loading accounts: the row, what is open, and what is named; never what grows with history (S3)."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, final

import attrs

from storecredit.errors import ConcurrentChange, JournalBroken
from storecredit.ledger import NO_NAMES, Account, AccountId, Names, WalletId, unit_of, wallet_of
from storecredit.storage.sql._named import add_named, may_be_id, named_account, named_steps
from storecredit.storage.sql._reads import Reads
from storecredit.storage.sql._rows import (
    UNREADABLE,
    Row,
    add_restored,
    read_account,
    read_hold,
    read_lot,
    unit_of_row,
)
from storecredit.storage.sql._wire import Answer, Step
from storecredit.values import Unit

Ask = Callable[[Sequence[Step]], list[Answer]]

_ATTEMPTS: Final = 20
"""How often an account is read anew that changes while it is read."""

_MOST_WALLETS: Final = 10_000
"""How many holders' wallets are remembered."""

_SEVERAL: Final = 2
# The order of creation, so that every adapter gives rows in the same order.
_LOT_ORDER: Final = itemgetter(1, -1)
_OPEN_LOT_ORDER: Final = itemgetter(2, -1)
_PLACE: Final = itemgetter(-1)

_VERSION_AT: Final = 4
"""Where the version stands in the row of an account, after wallet, holder, unit and digits."""


@final
@attrs.define(eq=False)
class Met:
    """What blocks on one set of tables have met: it spares the next ones some work."""

    units: dict[tuple[str, int], Unit] = attrs.field(factory=dict)
    """By code and digits: one object for each is quicker to compare."""
    wallets: dict[tuple[str, str], WalletId] = attrs.field(factory=dict)
    """By merchant and holder, the wallet that was the holder's: a guess, to be looked at."""


@final
@attrs.frozen
class _Opened:
    """The rows of what is open in an account."""

    lots: Sequence[Row]
    holds: Sequence[Row]
    has_lots: bool = attrs.field(kw_only=True)
    """Whether the account has lots, and somebody needs them."""


@final
class Loading:
    """
    Builds accounts from rows, and keeps the entry that comes along and is asked for next.

    Args:
        ask: Runs statements.

        reads: The statements.

        met: What earlier blocks have met.

        at_once: Whether statements are sent together, also those that may turn out not to be
            needed; else each is sent when it is.

        watched: Whether others may write between two statements, so that the version has to be
            looked at again.
    """

    def __init__(
        self,
        ask: Ask,
        reads: Reads,
        met: Met,
        *,
        at_once: bool,
        watched: bool,
    ) -> None:
        self._ask: Final = ask
        self._reads: Final = reads
        self._units: Final = met.units
        self._wallets: Final = met.wallets
        self._at_once: Final = at_once
        self._watched: Final = watched
        self.entries: Final[dict[tuple[AccountId, str], Row | None]] = {}
        """The rows of entries that came along, by account and key."""

    def of_holder(
        self, merchant: str, holder: str, unit: str, names: Names, key: str | None
    ) -> Account | None:
        """Load the account of *holder*, as `Reader.account` does."""
        # Without joins, where the wallet that was the holder's last time still is.
        known = self._wallets.get((merchant, holder))
        if known is not None:
            account = self.by_id(merchant, AccountId(f"{known}.{unit}"), names, key)
            if account is not None and account.holder == holder:
                return account
        account = self._of_holder(merchant, holder, unit, names, key)
        if account is not None:
            if len(self._wallets) >= _MOST_WALLETS:
                self._wallets.clear()
            self._wallets[merchant, holder] = wallet_of(account.id)
        return account

    def _of_holder(
        self, merchant: str, holder: str, unit: str, names: Names, key: str | None
    ) -> Account | None:
        reads, found_by = self._reads, (merchant, holder, unit)
        row = Step(reads.account_of_holder, found_by)
        if not self._at_once:
            return self._load(row, None, merchant, names, key)
        lots = reads.open_lots_of_holder if names.open_lots else reads.needed_lots_of_holder
        steps = [
            Step(lots, found_by),
            Step(reads.active_holds_of_holder, found_by),
        ]
        if key is not None:
            steps.append(Step(reads.entry_by_key_of_holder, (*found_by, key)))
        return self._load(row, steps, merchant, names, key)

    def by_id(
        self, merchant: str, account: AccountId, names: Names, key: str | None
    ) -> Account | None:
        """Load that account, as `Reader.account_by_id` does."""
        if not may_be_id(account):
            return None
        wallet, unit = wallet_of(account), unit_of(account)
        row, asked = Step(self._reads.account_by_id, (merchant, wallet, unit)), key
        if key is not None and self._reads.retried:
            # One statement less, as most keys are new. Who waits for the lock may be told of no
            # entry though there is one by then: the key is unique, so its own is refused as a
            # conflict.
            row = Step(self._reads.account_and_key, (merchant, wallet, unit, key))
            asked = None
        steps = None
        if self._at_once:
            steps = self._open_steps(wallet, unit, asked, with_lots=names.open_lots)
        return self._load(row, steps, merchant, names, key)

    def of_wallet(self, merchant: str, wallet: str) -> list[Account]:
        """Load every account of *wallet*, by unit code."""
        if not may_be_id(wallet):
            return []
        (rows,) = self._ask([Step(self._reads.accounts_of_wallet, (merchant, wallet))])
        units = [row[2] for row in rows.rows if row[1] is not None]
        if self._watched:
            found = [
                self.by_id(merchant, AccountId(f"{wallet}.{unit}"), NO_NAMES, None)
                for unit in units
            ]
            return [account for account in found if account is not None]
        accounts = [self.read(merchant, row) for row in rows.rows if row[1] is not None]
        steps = [
            step for unit in units for step in self._open_steps(wallet, unit, None, with_lots=True)
        ]
        answers = iter(self._ask(steps) if steps else ())
        for account in accounts:
            lots, holds = next(answers).rows, next(answers).rows
            self._fill(account, _Opened(lots, holds, has_lots=bool(account.totals["balance"])))
        return accounts

    def whole(self, merchant: str, account: AccountId) -> Account | None:
        """Load that account with everything it ever had."""
        if not may_be_id(account):
            return None
        reads, key = self._reads, (wallet_of(account), unit_of(account))
        row = Step(reads.account_by_id, (merchant, *key))
        every = (reads.all_lots, reads.all_holds, reads.all_restored)
        steps = [row, *(Step(each, key) for each in every), *self._again(row)]
        for _ in range(_ATTEMPTS):
            found, lots, holds, restored, *again = self._ask(steps)
            if not found.rows or found.rows[0][1] is None:
                return None
            everything = self.read(merchant, found.rows[0])
            if self._is_same(everything, again):
                for lot_row in sorted(lots.rows, key=_LOT_ORDER):
                    lot = read_lot(account, lot_row[:-1])
                    everything.lots[lot.id] = lot
                for hold_row in sorted(holds.rows, key=_PLACE):
                    hold = read_hold(account, everything.version, hold_row[:-1])
                    everything.holds[hold.id] = hold
                add_restored(everything, restored.rows)
                return everything
        raise ConcurrentChange(account, 0)

    def read(self, merchant: str, row: Row) -> Account:
        """Read an account without lots and holds: wallet, holder, unit, digits, columns."""
        wallet, holder, code, digits = row[:4]
        id_ = AccountId(f"{wallet}.{code}")
        unit = self._units.get((code, digits))
        if unit is None:
            try:
                unit = self._units[code, digits] = unit_of_row(code, digits)
            except UNREADABLE:
                raise JournalBroken(id_, 1, "there is no such unit") from None
        return read_account(id_, merchant, holder, unit, row[4:])

    def _load(
        self,
        row: Step,
        steps: list[Step] | None,
        merchant: str,
        names: Names,
        key: str | None,
    ) -> Account | None:
        """
        Load the account of *row*.

        Args:
            row: Reads the row, and locks it where this is a transaction.

            steps: Read open lots, active holds and the entry; None to send, once the row is
                known, only those that are needed.

            merchant: Whose account it is.

            names: What else is needed.

            key: Which entry is.
        """
        guess = AccountId("") if names is NO_NAMES else named_account(names)
        again, met = self._again(row), AccountId("")
        for _ in range(_ATTEMPTS):
            if steps is None:
                (found,) = self._ask([row])
                named, rest = [], []
            else:
                named = named_steps(self._reads, guess, names) if guess else []
                found, *rest = self._ask([row, *steps, *named, *again])
            if not found.rows or found.rows[0][1] is None:
                return None
            tells_of_key = row.statement is self._reads.account_and_key
            account = self.read(merchant, found.rows[0][:-1] if tells_of_key else found.rows[0])
            met = account.id
            has_lots = bool(account.totals["balance"]) and names.needs_open_lots(account)
            if steps is None:
                used = key is not None and (not tells_of_key or found.rows[0][-1])
                opened, entry, rest = self._one_by_one(
                    account, key if used else None, again, has_lots=has_lots
                )
            else:
                opened = _Opened(rest.pop(0).rows, rest.pop(0).rows, has_lots=has_lots)
                entry = list[Row]()
                if tells_of_key and found.rows[0][-1]:
                    entry = self._entry_by_key(account, key)
                elif key is not None and not tells_of_key:
                    entry = rest.pop(0).rows
            last = rest[len(named) :]
            if not (self._is_same(account, last) and self._is_whole(row, account, opened)):
                continue
            if not self._fill(account, opened):
                continue
            if key is not None:
                self.entries[account.id, key] = entry[0][1:] if entry else None
            if names is not NO_NAMES:
                answers = rest[: len(named)]
                if guess != account.id or steps is None:
                    answers = self._ask_named(account, names)
                add_named(account, names, answers)
            return account
        raise ConcurrentChange(met, 0)

    def _open_steps(
        self, wallet: str, unit: str, key: str | None, *, with_lots: bool
    ) -> list[Step]:
        reads, found_by = self._reads, (wallet, unit)
        lots = reads.open_lots if with_lots else reads.needed_lots
        steps = [Step(lots, found_by), Step(reads.active_holds, found_by)]
        if key is not None:
            steps.append(Step(reads.entry_by_key_of_wallet, (*found_by, key)))
        return steps

    def _one_by_one(
        self, account: Account, key: str | None, again: list[Step], *, has_lots: bool
    ) -> tuple[_Opened, list[Row], list[Answer]]:
        """Ask for what the row of *account* says that there is: lots, holds, and the entry."""
        wanted = [has_lots, has_holds(account), key is not None]
        wallet, unit = wallet_of(account.id), account.unit.code
        steps = self._open_steps(wallet, unit, key or "", with_lots=True)
        asked = [step for step, needed in zip(steps, wanted, strict=True) if needed]
        answers = iter(self._ask([*asked, *again]) if asked or again else ())
        lots, holds, entry = (next(answers).rows if needed else [] for needed in wanted)
        return _Opened(lots, holds, has_lots=has_lots), entry, list(answers)

    def _entry_by_key(self, account: Account, key: str | None) -> list[Row]:
        found_by = (wallet_of(account.id), account.unit.code, key)
        (answer,) = self._ask([Step(self._reads.entry_by_key_of_wallet, found_by)])
        return answer.rows

    def _ask_named(self, account: Account, names: Names) -> list[Answer]:
        steps = named_steps(self._reads, account.id, names)
        return self._ask(steps) if steps else []

    def _again(self, row: Step) -> list[Step]:
        return [row] if self._watched else []

    @staticmethod
    def _is_same(account: Account, again: Sequence[Answer]) -> bool:
        """Tell whether the account had the same version when it was looked at again, if it was."""
        return all(
            answer.rows and answer.rows[0][_VERSION_AT] == account.version for answer in again
        )

    def _is_whole(self, row: Step, account: Account, opened: _Opened) -> bool:
        """
        Tell whether nothing is missing because the holder was renamed between two statements.

        Whoever the holder has become has other rows, or none: what comes is told by its wallet,
        what does not come makes this look again.
        """
        no_lots = opened.has_lots and not opened.lots
        if not (no_lots or (has_holds(account) and not opened.holds)):
            return True
        (answer,) = self._ask([row])
        return bool(answer.rows) and account.id.startswith(answer.rows[0][0])

    def _fill(self, account: Account, opened: _Opened) -> bool:
        """Add what is open, and tell whether all of it is of this account."""
        id_, wallet = account.id, wallet_of(account.id)
        lots, holds = opened.lots, opened.holds
        if opened.has_lots:
            for row in lots if len(lots) < _SEVERAL else sorted(lots, key=_OPEN_LOT_ORDER):
                if row[0] != wallet:
                    return False
                lot = read_lot(id_, row[1:-1])
                account.lots[lot.id] = lot
        if has_holds(account):
            for row in holds if len(holds) < _SEVERAL else sorted(holds, key=_PLACE):
                if row[0] != wallet:
                    return False
                hold = read_hold(id_, account.version, row[1:-1])
                account.holds[hold.id] = hold
        return True


def has_holds(account: Account) -> bool:
    """Tell whether *account* says that something of it is held."""
    return bool(account.totals["held"] or account.totals["owed_held"])
