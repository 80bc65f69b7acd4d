"""Names of things: every id is derived, and every id leads to its account.

An account id is the wallet's random id and the unit's code, ``<wallet>.<unit>``. Everything
inside the account appends one UUIDv5 to it, so a lot, hold or entry id names its account
without any look-up (DESIGN S10), and a retry of a command names the same things (A1).
"""

import hashlib
import uuid
from typing import NewType

WalletId = NewType("WalletId", str)
AccountId = NewType("AccountId", str)
EntryId = NewType("EntryId", str)
LotId = NewType("LotId", str)
HoldId = NewType("HoldId", str)

LOCAL_LENGTH = 32
"""Hexadecimal digits of the part of an id that follows its account."""


def account_id(wallet: WalletId, unit: str) -> AccountId:
    """Name the account of *wallet* in *unit*."""
    return AccountId(f"{wallet}.{unit}")


def wallet_of(account: AccountId) -> WalletId:
    """Return the wallet, which is the shard key, that *account* belongs to."""
    return WalletId(account.partition(".")[0])


def unit_of(account: AccountId) -> str:
    """Return the code of the unit that *account* is kept in."""
    return account.partition(".")[2]


def account_of(thing: str) -> AccountId:
    """
    Return the account that a lot, hold or entry id leads to.

    Raises:
        ValueError: *thing* was not made by this library.
    """
    account, dot, local = thing.rpartition(".")
    if not dot or "." not in account or len(local) != LOCAL_LENGTH:
        raise ValueError(thing)
    return AccountId(account)


def local_part(thing: str) -> str:
    """Return the part of a lot, hold or entry id that is unique within its account."""
    return thing[-LOCAL_LENGTH:]


def derive(account: AccountId, name: str) -> str:
    """
    Derive the id of what *name* means inside *account*: its UUIDv5 (RFC 9562, section 5.5).

    The namespace is the UUIDv5 of the unit within the wallet's own UUID.
    """
    wallet, _, unit = account.partition(".")
    namespace = _uuid5(bytes.fromhex(wallet), unit)
    return f"{account}.{_uuid5(namespace, name).hex()}"


def entry_id(account: AccountId, key: str) -> EntryId:
    """Name the entry that the command with *key* appends to *account* (A1)."""
    return EntryId(derive(account, key))


def lot_id(account: AccountId, key: str, ordinal: int) -> LotId:
    """Name the lot that move *ordinal* of the entry with *key* creates (A1)."""
    return LotId(derive(account, f"{key}\n{ordinal}"))


def hold_id(account: AccountId, key: str, ordinal: int) -> HoldId:
    """Name the hold that move *ordinal* of the entry with *key* places (A1)."""
    return HoldId(derive(account, f"{key}\n{ordinal}"))


def wallet_id(random: uuid.UUID) -> WalletId:
    """Name a new wallet after an injected random UUID."""
    return WalletId(random.hex)


def _uuid5(namespace: bytes, name: str) -> bytes:
    # The digest by hand: uuid.uuid5() also builds two UUID objects, which triples its cost.
    digest = bytearray(hashlib.sha1(namespace + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return bytes(digest)
