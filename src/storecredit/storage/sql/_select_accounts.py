"""The statements that load accounts, each written once for every engine (S3)."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

from sqlalchemy import (
    LargeBinary,
    ScalarSelect,
    String,
    Table,
    and_,
    bindparam,
    case,
    exists,
    literal_column,
    or_,
    select,
)

from storecredit.storage.sql._compiled import Statement
from storecredit.storage.sql._expressions import Selects, columns, equal, of_account, parameter
from storecredit.storage.sql._rows import ACCOUNT_COLUMNS, ENTRY_COLUMNS, HOLD_COLUMNS, LOT_COLUMNS

SLOTS: Final = 8
"""How many lots or holds one statement loads by their ids."""
LOCK_SIZES: Final = (2, 16, 128)
"""How many accounts one statement locks; the last of them is repeated to fill it."""

_OF_HOLDER: Final = ("merchant", "holder", "unit")
_WALLET: Final = ("id", "merchant", "holder", "merged_into")

# Written out, so that the planner knows that the partial indexes have every such row.
_ONE: Final[Any] = literal_column("1")
_ZERO: Final[Any] = literal_column("0")
_ACTIVE: Final[Any] = literal_column("'active'")


class SelectAccounts(Selects):
    """
    Wallets, accounts, and what is open in them.

    By holder, every statement looks the wallet up by itself: all of them can be sent before the
    first is answered. Each of their rows begins with the wallet, so that it shows if the holder
    was renamed between two of them.
    """

    # Wallets

    @cached_property
    def wallet_of_holder(self) -> Statement:
        """Read a wallet by merchant and holder."""
        wallets = self.tables.wallets
        names = ("merchant", "holder")
        return self.read(select(*columns(wallets, _WALLET)).where(*equal(wallets, *names)), *names)

    @cached_property
    def wallet_by_id(self) -> Statement:
        """Read a wallet by merchant and id."""
        wallets = self.tables.wallets
        names = ("merchant", "id")
        return self.read(select(*columns(wallets, _WALLET)).where(*equal(wallets, *names)), *names)

    def _wallet_of_holder(self) -> ScalarSelect[Any]:
        wallets = self.tables.wallets
        found = select(wallets.c.id).where(*equal(wallets, "merchant", "holder"))
        if self.latest:
            found = found.with_for_update(read=True)
        return found.scalar_subquery()

    # Accounts

    @cached_property
    def account_of_holder(self) -> Statement:
        """Read, and lock, an account by merchant, holder and unit."""
        accounts = self.tables.accounts
        holder: Any = parameter("holder", self.tables.wallets.c.holder)
        found = self._account(holder).where(
            accounts.c.wallet == self._wallet_of_holder(), *equal(accounts, "unit")
        )
        return self._locked(found, *_OF_HOLDER)

    @cached_property
    def account_by_id(self) -> Statement:
        """Read, and lock, an account by merchant, wallet and unit; its holder may be null."""
        accounts = self.tables.accounts
        found = self._account(self._holder()).where(*equal(accounts, "wallet", "unit"))
        return self._locked(found, "merchant", "wallet", "unit")

    @cached_property
    def account_and_key(self) -> Statement:
        """Read, and lock, as `account_by_id`; and whether a key was used: merchant to key."""
        accounts, entries = self.tables.accounts, self.tables.entries
        used = exists().where(*equal(entries, "wallet", "unit", "key"))
        found = self._account(self._holder())
        found = found.add_columns(case((used, _ONE), else_=_ZERO).label("key_used"))
        found = found.where(*equal(accounts, "wallet", "unit"))
        return self._locked(found, "merchant", "wallet", "unit", "key")

    @cached_property
    def accounts_of_wallet(self) -> Statement:
        """Read, and lock, the accounts of a wallet by merchant and wallet."""
        accounts = self.tables.accounts
        found = self._account(self._holder()).where(*equal(accounts, "wallet"))
        return self._locked(found.order_by(accounts.c.unit), "merchant", "wallet")

    @cached_property
    def account_version(self) -> Statement:
        """Read the version of an account by wallet and unit."""
        return self.make(of_account(self.tables.accounts, ("version",)), "wallet", "unit")

    def _account(self, holder: Any) -> Any:
        accounts = self.tables.accounts
        named = columns(accounts, ("unit", "digits", *ACCOUNT_COLUMNS))
        return select(accounts.c.wallet, holder.label("of_holder"), *named)

    def _holder(self) -> ScalarSelect[Any]:
        accounts, wallets = self.tables.accounts, self.tables.wallets
        of_account_ = wallets.c.id == accounts.c.wallet
        found = select(wallets.c.holder).where(of_account_, *equal(wallets, "merchant"))
        return found.scalar_subquery()

    def _locked(self, found: Any, *names: str) -> Statement:
        return self.make(found.with_for_update() if self.locks else found, *names)

    def locking(self, size: int) -> Statement:
        """Lock so many accounts, by the wallet and the unit of each, in the order of their ids."""
        known: dict[int, Statement] = self._locking
        if size not in known:
            accounts = self.tables.accounts
            wallet, unit = accounts.c.wallet, accounts.c.unit
            names = [(f"wallet_{slot}", f"unit_{slot}") for slot in range(size)]
            wanted = [
                and_(
                    wallet == bindparam(f"p_{of_wallet}", type_=String()),
                    unit == bindparam(f"p_{of_unit}", type_=String()),
                )
                for of_wallet, of_unit in names
            ]
            found = select(wallet, unit).where(or_(*wanted)).order_by(wallet, unit)
            in_order = [name for pair in names for name in pair]
            known[size] = self.make(found.with_for_update(), *in_order)
        return known[size]

    @cached_property
    def _locking(self) -> dict[int, Statement]:
        return {}

    # What is open

    @cached_property
    def open_lots_of_holder(self) -> Statement:
        """Read wallet, open lots and their places by merchant, holder and unit."""
        return self._of_holder(self._open_lots(), self.tables.lots, *_OF_HOLDER)

    @cached_property
    def open_lots(self) -> Statement:
        """Read wallet, open lots and their places by wallet and unit."""
        return self._of_wallet(self._open_lots(), self.tables.lots)

    @cached_property
    def needed_lots_of_holder(self) -> Statement:
        """Read as `open_lots_of_holder`, nothing where nothing is held or owed (`Names`)."""
        wallet = self.tables.accounts.c.wallet == self._wallet_of_holder()
        found = self._open_lots().where(self._something_is_held_or_owed(wallet))
        return self._of_holder(found, self.tables.lots, *_OF_HOLDER)

    @cached_property
    def needed_lots(self) -> Statement:
        """Read as `open_lots`, nothing where nothing is held or owed (`Names`)."""
        wallet = and_(*equal(self.tables.accounts, "wallet"))
        found = self._open_lots().where(self._something_is_held_or_owed(wallet))
        return self._of_wallet(found, self.tables.lots)

    @cached_property
    def active_holds_of_holder(self) -> Statement:
        """Read wallet, active holds and their places by merchant, holder and unit."""
        return self._of_holder(self._active_holds(), self.tables.holds, *_OF_HOLDER)

    @cached_property
    def active_holds(self) -> Statement:
        """Read wallet, active holds and their places by wallet and unit."""
        return self._of_wallet(self._active_holds(), self.tables.holds)

    @cached_property
    def entry_by_key_of_holder(self) -> Statement:
        """Read wallet and entry by merchant, holder, unit and key."""
        entries = self.tables.entries
        found = select(*columns(entries, ("wallet", *ENTRY_COLUMNS)))
        found = found.where(*equal(entries, "key"))
        return self._of_holder(found, entries, *_OF_HOLDER, "key")

    @cached_property
    def entry_by_key_of_wallet(self) -> Statement:
        """Read wallet and entry by wallet, unit and key."""
        entries = self.tables.entries
        found = of_account(entries, ("wallet", *ENTRY_COLUMNS)).where(*equal(entries, "key"))
        return self.read(found, "wallet", "unit", "key")

    def _open_lots(self) -> Any:
        lots = self.tables.lots
        found = select(*columns(lots, ("wallet", *LOT_COLUMNS, "place")))
        return found.where(lots.c.is_open == _ONE)

    def _something_is_held_or_owed(self, wallet: Any) -> Any:
        """Look at the row of the account once, not once for each lot."""
        accounts = self.tables.accounts.c
        owed = accounts.owed_incurred > accounts.owed_settled + accounts.owed_reversed
        any_of_it = or_(accounts.held > _ZERO, accounts.owed_held > _ZERO, owed)
        return exists().where(wallet, *equal(self.tables.accounts, "unit"), any_of_it)

    def _active_holds(self) -> Any:
        holds = self.tables.holds
        found = select(*columns(holds, ("wallet", *HOLD_COLUMNS, "place")))
        return found.where(holds.c.status == _ACTIVE)

    def _of_holder(self, found: Any, table: Table, *names: str) -> Statement:
        wallet = table.c.wallet == self._wallet_of_holder()
        return self.read(found.where(wallet, *equal(table, "unit")), *names)

    def _of_wallet(self, found: Any, table: Table) -> Statement:
        return self.read(found.where(*equal(table, "wallet", "unit")), "wallet", "unit")

    # What is named, and everything there ever was

    @cached_property
    def all_lots(self) -> Statement:
        """Read every lot an account ever had, and its place, by wallet and unit."""
        return self.read(of_account(self.tables.lots, (*LOT_COLUMNS, "place")), "wallet", "unit")

    @cached_property
    def all_holds(self) -> Statement:
        """Read every hold an account ever had, and its place, by wallet and unit."""
        return self.read(of_account(self.tables.holds, (*HOLD_COLUMNS, "place")), "wallet", "unit")

    @cached_property
    def all_restored(self) -> Statement:
        """Read every restored part of an account, by wallet and unit."""
        names = ("redemption", "move", "amount")
        return self.read(of_account(self.tables.restored, names), "wallet", "unit")

    @cached_property
    def named_lots(self) -> Statement:
        """Read lots by wallet, unit and `SLOTS` ids."""
        return self._by_ids(self.tables.lots, LOT_COLUMNS)

    @cached_property
    def named_holds(self) -> Statement:
        """Read holds by wallet, unit and `SLOTS` ids."""
        return self._by_ids(self.tables.holds, HOLD_COLUMNS)

    def _by_ids(self, table: Table, names: Iterable[str]) -> Statement:
        ids = [f"id_{slot}" for slot in range(SLOTS)]
        wanted = [bindparam(f"p_{name}", type_=LargeBinary()) for name in ids]
        found = of_account(table, names).where(or_(*(table.c.id == each for each in wanted)))
        return self.read(found, "wallet", "unit", *ids)

    @cached_property
    def named_restored(self) -> Statement:
        """Read what was restored of a redemption, by wallet, unit and redemption."""
        restored = self.tables.restored
        found = of_account(restored, ("redemption", "move", "amount"))
        found = found.where(*equal(restored, "redemption"))
        return self.read(found, "wallet", "unit", "redemption")
