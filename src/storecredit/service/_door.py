"""The one door: load, look up the key, decide, append, and try again when somebody was faster."""

import random
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import attrs

from storecredit.claims import ClaimRules, is_code_holder
from storecredit.errors import (
    CodeClaimed,
    ConflictError,
    FutureInstant,
    InvalidTerms,
    InvalidText,
    JournalBroken,
    StorageUnavailable,
    UnitRedefined,
    UnknownLot,
)
from storecredit.ledger import (
    CLOCK_TOLERANCE,
    NO_NAMES,
    Account,
    AccountId,
    AccountView,
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
    view,
    wallet_id,
    wallet_of,
)
from storecredit.service.about import About, context_of
from storecredit.service.receipts import Receipt
from storecredit.storage.protocols import Reader, Storage, UnitOfWork, Wallet
from storecredit.values import Currency, CustomUnit, Money, Unit, instant

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


def _as_merchant(merchant: object) -> Merchant:
    if isinstance(merchant, str):
        return Merchant(id=merchant)
    if not isinstance(merchant, Merchant):
        raise InvalidTerms("merchant", merchant, "a Merchant, or its id")
    return merchant


def _require_ids(names: Names) -> None:
    """Require that named lots are named by texts; ids of holds and entries were read before."""
    for lot in names.lots:
        if not isinstance(lot, str):
            raise UnknownLot(lot)


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
        claims: ClaimRules | None = None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.storage: Final = storage
        self.merchant: Final = _as_merchant(merchant)
        self._clock: Final = clock
        self._new_id: Final = new_id
        self._salt: Final = salt
        self._attempts: Final = attempts
        self._sleep: Final = sleep
        self._claims: Final = claims
        self._random_bytes: Final = random_bytes

    # Running

    def _write(self, work: Callable[[UnitOfWork], _T]) -> _T:
        """
        Run *work* in one transaction, again with a growing pause while others are faster (S5).

        Raises:
            ConflictError: Others were faster each time; or nobody knows whether an attempt was
                committed, and the storage is gone since.
        """
        unanswered: ConflictError | None = None
        attempt = 0
        while True:
            attempt += 1
            try:
                with self.storage.transaction() as unit:
                    return work(unit)
            except StorageUnavailable:
                # It would say that nothing was changed.
                if unanswered is not None:
                    raise unanswered from None
                raise
            except ConflictError as conflict:
                if attempt >= self._attempts or not conflict.retryable:
                    raise
                unanswered = conflict if conflict.may_be_done else unanswered
            pause = min(0.002 * 2**attempt, _LONGEST_PAUSE)
            self._sleep(random.uniform(0, pause))

    def _run(self, holder: str, unit: Unit, command: Command, key: str, about: About) -> Receipt:
        """Carry out *command* on the account of *holder* in *unit*."""
        asked = self._ask(command, key, about)
        require_text("holder", holder)

        def work(tx: UnitOfWork) -> Receipt:
            return self._do(tx, self._load_for(tx, holder, unit, asked), asked)

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
            account = tx.account_by_id(
                self.merchant.id, account_id_, names=command.names, key=asked.key
            )
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

    def _load_for(self, tx: Reader, holder: str, unit: Unit, asked: Asked) -> Loaded:
        """Load what *asked* needs; a ceiling counts what all open lots are worth (A11)."""
        names = asked.command.names
        if not names.open_lots and self.merchant.ceiling(unit) is not None:
            names = attrs.evolve(names, open_lots=True)
        return self._load(tx, holder, unit, asked.key, names)

    def _load(
        self, tx: Reader, holder: str, unit: Unit, key: str, names: Names = NO_NAMES
    ) -> Loaded:
        """
        Load the account of *holder*, a new one where there is none, and look up the key.

        An account that was merged into another is followed to the survivor, merger by merger: a
        key that was used in any account on the way is still answered (A12, A17).

        Raises:
            UnknownLot: A lot is named by something that is no text.
            InvalidText: The holder is named like the bearer of a code, and there is none.
            UnitRedefined: The account was opened with other digits.
            CodeClaimed: The holder is the bearer of a code that was claimed.
        """
        _require_ids(names)
        account = tx.account(self.merchant.id, holder, unit.code, names=names, key=key)
        opens = None
        if is_code_holder(holder):
            return self._load_code(tx, holder, unit, key, account)
        if account is None:
            account, opens = self._new_account(tx, holder, unit, names)
        while True:
            if account.unit.digits != unit.digits:
                raise UnitRedefined(unit.code, account.unit.digits, unit.digits)
            repeated = tx.entry_by_key(account, key) if account.version else None
            if repeated is not None or account.merged_into is None:
                return Loaded(account, repeated, opens)
            account = self._next_on_the_way(tx, account, account.merged_into, names)

    def _load_code(
        self, tx: Reader, holder: str, unit: Unit, key: str, account: Account | None
    ) -> Loaded:
        """
        Load the account of a code's bearer, which `issue_code` alone opens (A15).

        Restores follow to whoever claimed it; the name does not: anybody may still remember it.
        """
        if account is None:
            wallet = tx.wallet(self.merchant.id, holder)
            if wallet is None:
                problem = "is no bearer of a claim code that was issued here; use issue_code()"
                raise InvalidText("holder", holder, problem)
            if wallet.merged_into is not None:
                raise CodeClaimed(holder)
            return Loaded(self._account_in(wallet, unit))
        if account.unit.digits != unit.digits:
            raise UnitRedefined(unit.code, account.unit.digits, unit.digits)
        repeated = tx.entry_by_key(account, key)
        if repeated is None and account.merged_into is not None:
            raise CodeClaimed(holder)
        return Loaded(account, repeated)

    def _account_in(self, wallet: Wallet, unit: Unit) -> Account:
        """Return the account of *wallet* in *unit* before its first entry."""
        name = account_id(wallet.id, unit.code)
        return Account.new(name, self.merchant.id, wallet.holder, unit)

    def _survivor(self, tx: Reader, account: Account, names: Names = NO_NAMES) -> Account:
        """Return the account that *account* was merged into, however often."""
        while account.merged_into is not None:
            account = self._next_on_the_way(tx, account, account.merged_into, names)
        return account

    def _next_on_the_way(
        self, tx: Reader, account: Account, into: AccountId, names: Names = NO_NAMES
    ) -> Account:
        """Return the account that *account* was merged into, which may have been merged since."""
        wallet = tx.wallet_by_id(self.merchant.id, wallet_of(into))
        if wallet is None:
            return Account.new(into, self.merchant.id, account.holder, account.unit)
        return self._first_account(tx, wallet, account.unit, names)

    def _first_account(self, tx: Reader, wallet: Wallet, unit: Unit, names: Names) -> Account:
        """
        Return the account in *unit* of *wallet*, or of the first wallet after it that has one.

        Where none has any, it is a new one of the survivor. To jump to the survivor at once would
        pass over the accounts on the way, and the keys that were used in them (A12).
        """
        for on_the_way in self._wallets_on_the_way(tx, wallet):
            wallet, name = on_the_way, account_id(on_the_way.id, unit.code)
            known = tx.account_by_id(self.merchant.id, name, names=names)
            if known is not None:
                return known
        return Account.new(account_id(wallet.id, unit.code), self.merchant.id, wallet.holder, unit)

    def _new_account(
        self, tx: Reader, holder: str, unit: Unit, names: Names = NO_NAMES
    ) -> tuple[Account, Wallet | None]:
        """Return an account that begins with its first entry, and the wallet to open for it."""
        wallet = tx.wallet(self.merchant.id, holder)
        if wallet is not None:
            return self._first_account(tx, wallet, unit, names), None
        opens = self._new_wallet(holder)
        return Account.new(account_id(opens.id, unit.code), self.merchant.id, holder, unit), opens

    def _new_wallet(self, holder: str) -> Wallet:
        return Wallet(wallet_id(self._new_id()), self.merchant.id, holder)

    def _accounts_on_the_way(self, tx: Reader, wallet: Wallet) -> list[Account]:
        """Return all accounts of *wallet* and of whatever it was merged into, unless by a claim."""
        return [
            account
            for on_the_way in self._wallets_of_the_name(tx, wallet)
            for account in tx.accounts_of(self.merchant.id, on_the_way.id)
        ]

    def _look(self, reader: Reader, holder: str, unit: Unit, names: Names = NO_NAMES) -> Account:
        """
        Return the account of *holder* for reading; an unknown holder's is empty (A16).

        Raises:
            UnknownLot: A lot is named by something that is no text.
        """
        _require_ids(names)
        account = reader.account(self.merchant.id, holder, unit.code, names=names)
        if is_code_holder(holder):
            if account is None:
                wallet = reader.wallet(self.merchant.id, holder) or self._new_wallet(holder)
                account = self._account_in(wallet, unit)
            return account
        if account is None:
            account, _ = self._new_account(reader, holder, unit, names)
        return self._survivor(reader, account, names)

    def _surviving(self, tx: Reader, wallet: Wallet) -> Wallet:
        """Return the wallet that *wallet* was merged into, however often, or itself."""
        *_, survivor = self._wallets_on_the_way(tx, wallet)
        return survivor

    def _wallets_of_the_name(self, tx: Reader, wallet: Wallet) -> Iterator[Wallet]:
        """Yield the wallets that the name of a holder leads to: of a code, its own alone (A15)."""
        if is_code_holder(wallet.holder):
            yield wallet
        else:
            yield from self._wallets_on_the_way(tx, wallet)

    def _wallets_on_the_way(self, tx: Reader, wallet: Wallet) -> Iterator[Wallet]:
        """
        Yield *wallet*, the wallet that it was merged into, the one that that was, ...

        Raises:
            JournalBroken: The mergers go round in a circle, which no merge can bring about.
        """
        met = {wallet.id}
        yield wallet
        while wallet.merged_into is not None:
            into = tx.wallet_by_id(self.merchant.id, wallet.merged_into)
            if into is None:
                return
            if into.id in met:
                raise JournalBroken(into.id, 0, "its wallet was merged into itself")
            met.add(into.id)
            wallet = into
            yield wallet

    def _account_of(self, thing: str, unknown: Callable[[str], Exception]) -> AccountId:
        try:
            found = account_of(thing)
            found.encode()  # a lone surrogate is in no id, and no engine takes it
            return found
        except (ValueError, AttributeError, TypeError):
            raise unknown(thing) from None

    def _declared(self, unit: Unit) -> Unit:
        """Return *unit* as the merchant declares it: a storage keeps no name and no cost basis."""
        if unit.__class__ is Currency:
            return unit
        for own in self.merchant.units:
            if own == unit:
                return own
        return unit

    def _view(self, account: Account, at: datetime) -> AccountView:
        declared = self._declared(account.unit)
        if declared is not account.unit:
            account = account.copy()
            account.unit = declared
        return view(account, self.merchant, at)

    def _unit(self, unit: str | Unit) -> Unit:
        return self.merchant.unit(unit)

    def _money(self, amount: object) -> Money:
        """Accept our money or py-moneyed's (V1)."""
        money = Money.coerce(amount, customs=self.merchant.units)  # type: ignore[arg-type]  # it checks
        if money.unit.__class__ is CustomUnit:
            self.merchant.unit(money.unit)
        return money
