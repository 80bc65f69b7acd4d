"""The verbs that read: wallet, account, statement, journal; now or as of a past instant (A19)."""

from collections.abc import Iterator
from datetime import datetime

from storecredit.errors import InvalidTerms
from storecredit.ledger import Account, AccountView, Entry, replay, require_text, view
from storecredit.service._door import Door
from storecredit.service.statements import StatementLine, statement_line
from storecredit.service.wallet import WalletView
from storecredit.storage.protocols import Reader
from storecredit.values import Unit, instant

_PAGE = 500


class Reading(Door):
    """Wallet, account, statement, journal."""

    def wallet(self, holder: str, *, at: datetime | None = None) -> WalletView:
        """
        Show everything that *holder* has, now or as of a past instant.

        Without *at* that is the present state, even where the clock lags behind the last entry.

        An unknown holder has an empty wallet (A16). Reading appends nothing.

        Raises:
            InvalidText: The holder.
            NaiveInstant: ``at`` without a zone.
        """
        require_text("holder", holder)
        when = instant(self._clock() if at is None else at)
        with self.storage.snapshot() as reader:
            row = reader.wallet(self.merchant.id, holder)
            found = None if row is None else self._surviving(reader, row)
            accounts = [] if found is None else reader.accounts_of(self.merchant.id, found.id)
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

        The past is replayed from the journal, and equals what was to be seen then.

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
            account = self._look(reader, holder, self._unit(unit))
            if version is None:
                return self._view(self._as_of(reader, account, at=at and when), when)
            if type(version) is not int or not 0 <= version <= account.version:
                raise InvalidTerms("version", version, f"from 0 to {account.version}")
            past = replay(_fresh(account), reader.journal(account, upto=version))
        return self._view(past, past.last_at or when)

    def statement(self, holder: str, unit: str | Unit) -> tuple[StatementLine, ...]:
        """
        Return the history of an account as its holder may see it, oldest first.

        Raises:
            InvalidText: The holder.
            UnknownCurrency: The unit.
        """
        lines: list[StatementLine] = []
        balance = 0
        orders: dict[str, str] = {}
        for entry in self.journal(holder, unit):
            # A capture or release that names no order belongs to the order of its hold.
            if entry.hold_id is not None and entry.context.reference is not None:
                orders.setdefault(entry.hold_id, entry.context.reference)
            order = entry.context.reference or orders.get(entry.hold_id or "")
            lines.append(statement_line(entry, balance, order))
            balance = lines[-1].balance.minor
        return tuple(lines)

    def journal(self, holder: str, unit: str | Unit) -> Iterator[Entry]:
        """
        Yield every entry of an account in full, oldest first: the operator's view.

        Raises:
            InvalidText: The holder.
            UnknownCurrency: The unit.
        """
        require_text("holder", holder)
        counted_in = self._unit(unit)
        done = 0
        while True:
            # A page at a time: a reader who stops half-way must not keep a snapshot open.
            with self.storage.snapshot() as reader:
                account = self._look(reader, holder, counted_in)
                page = list(reader.journal(account, after=done, upto=done + _PAGE))
            yield from page
            done += len(page)
            if len(page) < _PAGE:
                return

    def _view(self, account: Account, at: datetime) -> AccountView:
        declared = self._declared(account.unit)
        if declared is not account.unit:
            account = account.copy()
            account.unit = declared
        return view(account, self.merchant, at)

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
