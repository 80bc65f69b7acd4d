"""An entry: one immutable fact in an account's journal, and its place in the chain of digests."""

import enum
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, final

import attrs

from storecredit.ledger.canonical import canonical, canonical_map, quoted
from storecredit.ledger.ids import AccountId, EntryId, HoldId, LotId, entry_id
from storecredit.ledger.instants import read_instant, write_instant
from storecredit.ledger.move import Move
from storecredit.values import Money, Unit

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
PRIVATE_FIELDS: Final = ("actor", "note", "data")
"""The parts of a context that the digest covers only through a salted commitment (A14)."""


@final
class EntryKind(enum.StrEnum):
    """Which command an entry records."""

    ISSUE = "issue"
    REDEEM = "redeem"
    HOLD = "hold"
    RESIZE = "resize"
    CAPTURE = "capture"
    CAPTURE_PART = "capture_part"
    RELEASE = "release"
    LAPSE = "lapse"
    RESTORE = "restore"
    EXPIRE = "expire"
    REVOKE = "revoke"
    ADJUST = "adjust"
    EXTEND_EXPIRY = "extend_expiry"
    REINSTATE = "reinstate"
    SETTLE = "settle"
    CASH_OUT = "cash_out"
    REFUND_BOUGHT = "refund_bought"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"
    CONVERT_OUT = "convert_out"
    CONVERT_IN = "convert_in"
    MERGE_OUT = "merge_out"
    MERGE_IN = "merge_in"
    SET_LIMIT = "set_limit"
    SET_SPENDERS = "set_spenders"
    FREEZE = "freeze"
    CLOSE = "close"
    REOPEN = "reopen"


@final
@attrs.frozen(kw_only=True)
class Context:
    """Who, why and for what (A18): everything about an entry that moves no value."""

    actor: str | None = None
    """Who did it. Kept as text, so it survives the person's deletion from the host."""
    reason: str | None = None
    reference: str | None = None
    """The order, refund or ticket that the entry is about."""
    channel: str | None = None
    location: str | None = None
    note: str | None = None
    data: Mapping[str, str] = NOTHING
    """A small map of the host's own."""
    occurred_at: datetime | None = None
    """Business time (A13); the entry's ``at`` is when it was recorded."""


NO_CONTEXT: Final = Context()


@final
@attrs.frozen(kw_only=True)
class Entry:
    """One immutable fact: what one command did to one account (A1)."""

    account: AccountId
    unit: Unit
    sequence: int
    """Its place in the journal, from 1 on without a gap; the account's version after it."""
    key: str
    kind: EntryKind
    at: datetime
    moves: tuple[Move, ...]
    facts: Mapping[str, Any]
    """What the command decided besides moves, by name, as JSON data."""
    request: Mapping[str, Any]
    """The arguments as they were given, as JSON data: what a repeat is compared with (A12)."""
    context: Context
    """Private fields that were erased read as absent."""
    seals: Mapping[str, str]
    """The commitment, in hexadecimal, to each private field that was given (A14)."""
    salts: Mapping[str, str]
    """The salt of each commitment that was not erased."""
    body: str = attrs.field(repr=False)
    """The canonical text that the digest covers."""
    digest: bytes = attrs.field(repr=False)
    """SHA-256 over the previous entry's digest and the body."""

    @property
    def id(self) -> EntryId:
        """UUIDv5 of the account and the key."""
        return entry_id(self.account, self.key)

    def money(self, minor: int) -> Money:
        """Return *minor* units of the account's unit as money."""
        return Money.of_minor(minor, self.unit)

    @property
    def hold_id(self) -> HoldId | None:
        """The hold that the command placed or named, if any."""
        hold = self.facts.get("hold")
        return None if hold is None else HoldId(f"{self.account}.{hold}")

    @property
    def lot_ids(self) -> tuple[LotId, ...]:
        """The lots that the entry moved, each once, in the order of its moves."""
        return tuple(dict.fromkeys(move.lot for move in self.moves if move.lot is not None))


def write_entry(
    *,
    account: AccountId,
    unit: Unit,
    sequence: int,
    key: str,
    kind: EntryKind,
    at: datetime,
    moves: tuple[Move, ...],
    facts: Mapping[str, Any],
    request: Mapping[str, Any],
    context: Context,
    previous: bytes,
    salt: Callable[[], bytes],
) -> Entry:
    """
    Put an entry into its canonical form and chain it to the *previous* digest (A14).

    *salt* is called once for each private field that was given.
    """
    seals: Mapping[str, str] = NOTHING
    salts: Mapping[str, str] = NOTHING
    public: Mapping[str, str] = NOTHING
    if context is not NO_CONTEXT:
        public = _public_context(context)
        seals, salts = _seal(context, salt)
    # Canonical JSON by hand, keys in order: the general encoder costs four times as much.
    told = f',"context":{canonical_map(public)}' if public else ""
    decided = f',"facts":{canonical_map(facts)}' if facts else ""
    moved = ",".join([move.text() for move in moves])
    asked = f',"request":{canonical_map(request)}' if request else ""
    sealed = f',"sealed":{canonical_map(seals)}' if seals else ""
    text = (
        f'{{"account":"{account}","at":"{write_instant(at)}"{told}{decided},"key":{quoted(key)}'
        f',"kind":"{kind}","moves":[{moved}]{asked}{sealed},"sequence":{sequence}}}'
    )
    return Entry(
        account=account,
        unit=unit,
        sequence=sequence,
        key=key,
        kind=kind,
        at=at,
        moves=moves,
        facts=facts,
        request=request,
        context=context,
        seals=seals,
        salts=salts,
        body=text,
        digest=chain(previous, text),
    )


def read_entry(
    unit: Unit, body: str, digest: bytes, *, private: Mapping[str, tuple[str, Any]] = NOTHING
) -> Entry:
    """
    Read an entry from its canonical *body*.

    Args:
        unit: The unit of the account.

        body: The text that `write_entry` made.

        digest: What is recorded as its digest; not checked here.

        private: By field name, the salt and value of each private field that was not erased.

    Raises:
        KeyError, TypeError, ValueError: *body* is not the body of an entry.
    """
    data = json.loads(body)
    account = AccountId(data["account"])
    public = data.get("context", NOTHING)
    occurred = public.get("occurred_at")
    context = NO_CONTEXT
    if public or private:
        context = Context(
            actor=private["actor"][1] if "actor" in private else None,
            reason=public.get("reason"),
            reference=public.get("reference"),
            channel=public.get("channel"),
            location=public.get("location"),
            note=private["note"][1] if "note" in private else None,
            data=private["data"][1] if "data" in private else NOTHING,
            occurred_at=None if occurred is None else read_instant(occurred),
        )
    return Entry(
        account=account,
        unit=unit,
        sequence=data["sequence"],
        key=data["key"],
        kind=EntryKind(data["kind"]),
        at=read_instant(data["at"]),
        moves=tuple(Move.from_json(account, move) for move in data["moves"]),
        facts=data.get("facts", NOTHING),
        request=data.get("request", NOTHING),
        context=context,
        seals=data.get("sealed", NOTHING),
        salts={name: salt for name, (salt, _) in private.items()} if private else NOTHING,
        body=body,
        digest=digest,
    )


def root(account: AccountId, merchant: str, digits: int) -> bytes:
    """Return the digest that the first entry of *account* is chained to."""
    seed = canonical(
        {"journal": 1, "account": account, "merchant": merchant, "digits": digits},
    )
    return hashlib.sha256(seed.encode("ascii")).digest()


def chain(previous: bytes, body: str) -> bytes:
    """Return the digest of the entry with *body* after the one with digest *previous*."""
    return hashlib.sha256(previous + body.encode("ascii")).digest()


def commitment(name: str, salt: str, value: object) -> str:
    """Commit to the private field *name* without revealing its *value* (A14)."""
    return hashlib.sha256(canonical([name, salt, value]).encode("ascii")).hexdigest()


def _seal(
    context: Context, salt: Callable[[], bytes]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    seals: dict[str, str] = {}
    salts: dict[str, str] = {}
    for name in PRIVATE_FIELDS:
        value = private_value(context, name)
        if value is not None:
            salts[name] = salt().hex()
            seals[name] = commitment(name, salts[name], value)
    return seals, salts


def private_value(context: Context, name: str) -> Any:
    """Return the private field *name* of *context* as JSON data, or None where it is absent."""
    value = getattr(context, name)
    if isinstance(value, Mapping):
        return dict(value) or None
    return value


def _public_context(context: Context) -> dict[str, str]:
    found = {
        name: value
        for name in ("reason", "reference", "channel", "location")
        if (value := getattr(context, name)) is not None
    }
    if context.occurred_at is not None:
        found["occurred_at"] = write_instant(context.occurred_at)
    return found
