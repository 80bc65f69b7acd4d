"""The verbs that read: wallet, account, statement, journal; now or as of a past instant (A19)."""

from collections.abc import Iterator
from datetime import datetime

from storecredit.claims import is_code_holder
from storecredit.errors import InvalidTerms
from storecredit.ledger import (
    Account,
    AccountView,
    Entry,
    account_id,
    far_key,
    replay,
    require_text,
)
from storecredit.service._door import Door
from storecredit.service.statements import StatementLine, statement_line
from storecredit.service.wallet import WalletView
from storecredit.storage.protocols import Reader, Wallet
from storecredit.values import Unit, instant

_PAGE = 500


class Reading(Door):
    """Wallet, account, statement, journal."""

    def wallet(self, holder: str, *, at: datetime | None = None) -> WalletView:
        """
        Show everything that *holder* has, now or as of a past instant.

        Without *at* that is the present state, even where the clock lags behind the last entry.

        A holder who was merged into another has what the survivor has, from the merger on; as of
        an instant before it, what was the holder's own (A17, A19).

        An unknown holder has an empty wallet (A16). Reading appends nothing.

        Raises:
            InvalidText: The holder.
            NaiveInstant: ``at`` without a zone.
        """
        require_text("holder", holder)
        when = instant(self._clock() if at is None else at)
        with self.storage.snapshot() as reader:
            row = reader.wallet(self.merchant.id, holder)
            accounts = [] if row is None else self._accounts_at(reader, row, at and when)
            views = tuple(
                self._view(self._as_of(reader, account, at=at and when), when)
                for account in accounts
            )
        return WalletView(holder=holder, at=when, accounts=views)

    def account(
        self,
        holder: str,
        unit: str | Unit,
        *,
        at: datetime | None = None,
        version: int | None = None,
    ) -> AccountView:
        """
        Show one account: now, as of a past instant, or as of one of its versions (A19).

        The past is replayed from the journal, and equals what was to be seen then: of a holder
        who was merged into another since, the own account (A17). A version is always one of the
        account that commands on *holder* go to now.

        Raises:
            InvalidText: The holder.
            UnknownCurrency: The unit.
            InvalidTerms: Both an instant and a version, or no such version.
            NaiveInstant: ``at`` without a zone.
        """
        require_text("holder", holder)
        if at is not None and version is not None:
            raise InvalidTerms("version", version, "given without an instant")
        when = instant(self._clock() if at is None else at)
        with self.storage.snapshot() as reader:
            counted_in = self._unit(unit)
            if at is not None:
                account = self._look_at(reader, holder, counted_in, when)
                return self._view(self._as_of(reader, account, at=when), when)
            account = self._look(reader, holder, counted_in)
            if version is None:
                return self._view(account, when)
            if type(version) is not int or not 0 <= version <= account.version:
                raise InvalidTerms("version", version, f"from 0 to {account.version}")
            past = replay(_fresh(account), reader.journal(account, upto=version))
        return self._view(past, past.last_at or when)

    def statement(self, holder: str, unit: str | Unit) -> tuple[StatementLine, ...]:
        """
        Return the history of an account as its holder may see it, oldest first.

        After a merger it goes on as `journal` does. Each balance is that of the account which the
        line was written in: the line of the merger itself leaves nothing in the old account, and
        the one after it begins with what the survivor had already.

        Raises:
            InvalidText: The holder.
            UnknownCurrency: The unit.
        """
        lines: list[StatementLine] = []
        orders: dict[str, str] = {}
        for balance, entry in self._history(holder, unit):
            # A capture or release that names no order belongs to the order of its hold.
            if entry.hold_id is not None and entry.context.reference is not None:
                orders.setdefault(entry.hold_id, entry.context.reference)
            order = entry.context.reference or orders.get(entry.hold_id or "")
            lines.append(statement_line(entry, balance, order))
        return tuple(lines)

    def journal(self, holder: str, unit: str | Unit) -> Iterator[Entry]:
        """
        Yield every entry of an account in full, oldest first: the operator's view.

        Of a holder who was merged into another, these are the entries of the old account, the
        last of which says so, and then those of the survivor's account from the merger on (A17).
        What the survivor did before that is the survivor's own history.

        Raises:
            InvalidText: The holder.
            UnknownCurrency: The unit.
        """
        for _, entry in self._history(holder, unit):
            yield entry

    def _history(self, holder: str, unit: str | Unit) -> Iterator[tuple[int, Entry]]:
        """Yield the entries of `journal`, each with the balance before it, in minor units."""
        require_text("holder", holder)
        counted_in = self._unit(unit)
        account: Account | None = None
        done = balance = 0
        last: Entry | None = None
        while True:
            # A page at a time: a reader who stops half-way must not keep a snapshot open.
            with self.storage.snapshot() as reader:
                if account is None:
                    account = self._own(reader, holder, counted_in)
                else:
                    account = reader.account_by_id(self.merchant.id, account.id) or account
                page = list(reader.journal(account, after=done, upto=done + _PAGE))
                last = page[-1] if page else last
                onward = None
                is_over = len(page) < _PAGE and not is_code_holder(account.holder)
                if is_over and account.merged_into is not None and last is not None:
                    into = self._next_on_the_way(reader, account, account.merged_into)
                    onward = (into, *_before_merger(reader, last, into))
            for entry in page:
                yield balance, entry
                balance = entry.moves[-1].balance_after if entry.moves else balance
            done += len(page)
            if onward is not None:
                (account, done, balance), last = onward, None
            elif len(page) < _PAGE:
                return

    # Whose accounts they were

    def _own(self, reader: Reader, holder: str, unit: Unit) -> Account:
        """Return the account of *holder* that came first, whether it was merged since or not."""
        if is_code_holder(holder):
            return self._look(reader, holder, unit)
        account = reader.account(self.merchant.id, holder, unit.code)
        return account or self._new_account(reader, holder, unit)[0]

    def _look_at(self, reader: Reader, holder: str, unit: Unit, at: datetime) -> Account:
        """Return the account that was the one of *holder* at *at*; a new one if there was none."""
        wallet = reader.wallet(self.merchant.id, holder)
        if wallet is None:
            return self._look(reader, holder, unit)
        for account in self._accounts_at(reader, wallet, at):
            if account.unit.code == unit.code:
                return account
        name = account_id(wallet.id, unit.code)
        return Account.new(name, self.merchant.id, wallet.holder, unit)

    def _accounts_at(self, reader: Reader, wallet: Wallet, at: datetime | None) -> list[Account]:
        """
        Return the accounts that belonged to the holder of *wallet* at *at*; None: now.

        A merger is followed from its instant on, which the accounts that it closed know.
        """
        found: dict[str, Account] = {}
        for on_the_way in self._wallets_of_the_name(reader, wallet):
            accounts = reader.accounts_of(self.merchant.id, on_the_way.id)
            merged = [account for account in accounts if _is_merged(account, at)]
            for account in accounts:
                if account not in merged:
                    found.setdefault(account.unit.code, account)
            if accounts and not merged:
                break
        return [found[code] for code in sorted(found)]

    def _as_of(self, reader: Reader, account: Account, *, at: datetime | None) -> Account:
        """Return *account* as it was at *at*; itself, where nothing was recorded since."""
        if at is None or account.last_at is None or account.last_at <= at:
            return account
        past = _fresh(account)
        return replay(past, _until(reader.journal(account), at))


def _fresh(account: Account) -> Account:
    return Account.new(account.id, account.merchant, account.holder, account.unit)


def _until(entries: Iterator[Entry], at: datetime) -> Iterator[Entry]:
    for entry in entries:
        if entry.at > at:
            return
        yield entry


def _is_merged(account: Account, at: datetime | None) -> bool:
    """Tell whether *account* had been merged into another at *at*: nothing comes after that."""
    if account.merged_into is None:
        return False
    return at is None or account.last_at is None or account.last_at <= at


def _before_merger(reader: Reader, merged: Entry, into: Account) -> tuple[int, int]:
    """Return the version and the balance of *into* just before it took over what *merged* gave."""
    arrival = reader.entry_by_key(into, far_key(merged))
    version = balance = 0
    for entry in reader.journal(into, upto=0 if arrival is None else arrival.sequence - 1):
        version = entry.sequence
        balance = entry.moves[-1].balance_after if entry.moves else balance
    return version, balance
