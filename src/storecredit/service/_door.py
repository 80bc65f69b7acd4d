"""The one door: load, look up the key, decide, append, and try again when somebody was faster."""

import random
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import attrs

from storecredit.errors import (
    ConflictError,
    FutureInstant,
    InvalidTerms,
    UnitRedefined,
)
from storecredit.ledger import (
    CLOCK_TOLERANCE,
    NO_NAMES,
    Account,
    AccountId,
    Change,
    Command,
    Context,
    Entry,
    Merchant,
    Names,
    account_id,
    account_of,
    check_repeat,
    decide,
    request_of,
    require_key,
    require_text,
    wallet_id,
    wallet_of,
)
from storecredit.service.about import About, context_of
from storecredit.service.receipts import Receipt
from storecredit.storage.protocols import Reader, Storage, UnitOfWork, Wallet
from storecredit.values import CustomUnit, Money, Unit, instant

_T = TypeVar("_T")


def _now() -> datetime:
    return datetime.now(UTC)


def _salt() -> bytes:
    return secrets.token_bytes(16)


def require_batch(batch: int) -> int:
    """
    Return *batch* if so many can be done in one transaction.

    Raises:
        InvalidTerms: It is no whole number from 1 up: the work would never end, or never begin.
    """
    if type(batch) is not int or batch < 1:
        raise InvalidTerms("batch", batch, "a whole number from 1 up")
    return batch


@attrs.define(eq=False)
class Asked:
    """One command as it arrived, checked and ready to be decided."""

    command: Command
    key: str
    context: Context
    request: Mapping[str, Any]
    at: datetime | None


@attrs.define(eq=False)
class Loaded:
    """What a command is decided on: the account, and the entry its key names already, if any."""

    account: Account
    repeated: Entry | None = None
    opens: Wallet | None = None
    """The wallet to open with the account's first entry."""


_LONGEST_PAUSE: Final = 0.5
"""The longest pause between two attempts, in seconds."""


class Door:
    """What all verbs of `StoreCredit` share. Instances hold no state but their collaborators."""

    def __init__(
        self,
        storage: Storage,
        merchant: Merchant | str,
        *,
        clock: Callable[[], datetime] = _now,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
        salt: Callable[[], bytes] = _salt,
        attempts: int = 8,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.storage: Final = storage
        self.merchant: Final = Merchant(id=merchant) if isinstance(merchant, str) else merchant
        self._clock: Final = clock
        self._new_id: Final = new_id
        self._salt: Final = salt
        self._attempts: Final = attempts
        self._sleep: Final = sleep

    # Running

    def _write(self, work: Callable[[UnitOfWork], _T]) -> _T:
        """Run *work* in one transaction, again with a growing pause while others are faster (S5)."""
        for attempt in range(1, self._attempts):
            try:
                with self.storage.transaction() as unit:
                    return work(unit)
            except ConflictError as conflict:
                if not conflict.retryable:
                    raise
                pause = min(0.002 * 2**attempt, _LONGEST_PAUSE)
                self._sleep(random.uniform(0, pause))
        with self.storage.transaction() as unit:
            return work(unit)

    def _run(self, holder: str, unit: Unit, command: Command, key: str, about: About) -> Receipt:
        """Carry out *command* on the account of *holder* in *unit*."""
        require_text("holder", holder)
        asked = self._ask(command, key, about)

        def work(tx: UnitOfWork) -> Receipt:
            return self._do(tx, self._load(tx, holder, unit, asked.key, command.names), asked)

        return self._write(work)

    def _run_by_id(
        self,
        thing: str,
        unknown: Callable[[str], Exception],
        command: Command,
        key: str,
        about: About,
    ) -> Receipt:
        """Carry out *command* on the account that the id of a lot, hold or entry leads to (S10)."""
        asked = self._ask(command, key, about)
        account_id_ = self._account_of(thing, unknown)

        def work(tx: UnitOfWork) -> Receipt:
            account = tx.account_by_id(self.merchant.id, account_id_, names=command.names)
            if account is None:
                raise unknown(thing)
            return self._do(tx, Loaded(account, tx.entry_by_key(account, asked.key)), asked)

        return self._write(work)

    def _ask(self, command: Command, key: str, about: About) -> Asked:
        at = about.pop("at", None)
        return Asked(
            command,
            require_key(key),
            context_of(about),
            request_of(command),
            None if at is None else instant(at),
        )

    def _do(self, tx: UnitOfWork, loaded: Loaded, asked: Asked) -> Receipt:
        """Answer a repeat, or decide and append."""
        account = loaded.account
        if loaded.repeated is not None:
            check_repeat(loaded.repeated, asked.command, asked.request, asked.context)
            return self._receipt(account, loaded.repeated, replayed=True)
        change = self._decide(account, asked, self._instant(asked.at))
        if change is not None:
            if loaded.opens is not None:
                tx.add_wallet(loaded.opens)
            tx.append(change)
        return self._receipt(account, None if change is None else change.entry)

    def _receipt(
        self, account: Account, recorded: Entry | None, *, replayed: bool = False
    ) -> Receipt:
        return Receipt(account.holder, self._declared(account.unit), recorded, replayed)

    def _decide(self, account: Account, asked: Asked, at: datetime) -> Change | None:
        return decide(
            account,
            asked.command,
            merchant=self.merchant,
            key=asked.key,
            at=at,
            context=asked.context,
            salt=self._salt,
            request=asked.request,
        )

    def _instant(self, at: datetime | None) -> datetime:
        """
        Return the instant of a command: the clock's, or one that was given (A13).

        Raises:
            FutureInstant: It lies more than five minutes ahead of the clock.
        """
        now = instant(self._clock())
        if at is None:
            return now
        if at - now > CLOCK_TOLERANCE:
            raise FutureInstant(at, now)
        return at

    # Loading

    def _load(
        self, tx: UnitOfWork, holder: str, unit: Unit, key: str, names: Names = NO_NAMES
    ) -> Loaded:
        """
        Load the account of *holder*, a new one where there is none, and look up the key.

        An account that was merged into another is followed to the survivor, unless the key was
        used before the merger (A17).
        """
        account, opens = tx.account(self.merchant.id, holder, unit.code, names=names), None
        if account is None:
            account, opens = self._new_account(tx, holder, unit, names)
        while True:
            if account.unit.digits != unit.digits:
                raise UnitRedefined(unit.code, account.unit.digits, unit.digits)
            repeated = tx.entry_by_key(account, key) if account.version else None
            if repeated is not None or account.merged_into is None:
                return Loaded(account, repeated, opens)
            account = self._survivor(tx, account, names)

    def _survivor(self, tx: Reader, account: Account, names: Names = NO_NAMES) -> Account:
        """Return the account that *account* was merged into, however often."""
        while account.merged_into is not None:
            into = tx.account_by_id(self.merchant.id, account.merged_into, names=names)
            if into is None:
                wallet = tx.wallet_by_id(self.merchant.id, wallet_of(account.merged_into))
                holder = account.holder if wallet is None else wallet.holder
                return Account.new(account.merged_into, self.merchant.id, holder, account.unit)
            account = into
        return account

    def _new_account(
        self, tx: Reader, holder: str, unit: Unit, names: Names
    ) -> tuple[Account, Wallet | None]:
        """Return an account that begins with its first entry, and the wallet to open for it."""
        opens = None
        wallet = tx.wallet(self.merchant.id, holder)
        if wallet is None:
            wallet = opens = self._new_wallet(holder)
        wallet = self._surviving(tx, wallet)
        name = account_id(wallet.id, unit.code)
        known = tx.account_by_id(self.merchant.id, name, names=names) if opens is None else None
        return known or Account.new(name, self.merchant.id, wallet.holder, unit), opens

    def _new_wallet(self, holder: str) -> Wallet:
        return Wallet(wallet_id(self._new_id()), self.merchant.id, holder)

    def _accounts_on_the_way(self, tx: Reader, wallet: Wallet) -> list[Account]:
        """Return all accounts of *wallet* and of whatever it was merged into."""
        found = tx.accounts_of(self.merchant.id, wallet.id)
        survivor = self._surviving(tx, wallet)
        if survivor.id != wallet.id:
            found += tx.accounts_of(self.merchant.id, survivor.id)
        return found

    def _look(self, reader: Reader, holder: str, unit: Unit, names: Names = NO_NAMES) -> Account:
        """Return the account of *holder* for reading; an unknown holder's is empty (A16)."""
        account = reader.account(self.merchant.id, holder, unit.code, names=names)
        if account is None:
            account, _ = self._new_account(reader, holder, unit, names)
        return self._survivor(reader, account, names)

    def _surviving(self, tx: Reader, wallet: Wallet) -> Wallet:
        """Return the wallet that *wallet* was merged into, however often, or itself."""
        while wallet.merged_into is not None:
            into = tx.wallet_by_id(self.merchant.id, wallet.merged_into)
            if into is None:
                return wallet
            wallet = into
        return wallet

    def _account_of(self, thing: str, unknown: Callable[[str], Exception]) -> AccountId:
        try:
            return account_of(thing)
        except (ValueError, AttributeError, TypeError):
            raise unknown(thing) from None

    def _declared(self, unit: Unit) -> Unit:
        """Return *unit* as the merchant declares it: a storage keeps no name and no cost basis."""
        for own in self.merchant.units:
            if own == unit:
                return own
        return unit

    def _unit(self, unit: str | Unit) -> Unit:
        return self.merchant.unit(unit)

    def _money(self, amount: object) -> Money:
        """Accept our money or py-moneyed's (V1)."""
        money = Money.coerce(amount, customs=self.merchant.units)  # type: ignore[arg-type]  # it checks
        if money.unit.__class__ is CustomUnit:
            self.merchant.unit(money.unit)
        return money
