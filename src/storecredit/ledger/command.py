"""Commands: what can be asked of an account, as data; and the one way they are decided."""

import functools
from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol

import attrs

from storecredit.errors import KeyReused
from storecredit.ledger.account import Account
from storecredit.ledger.arguments import Expiry
from storecredit.ledger.draft import Change, Draft
from storecredit.ledger.entry import Context, Entry, EntryKind, commitment, private_value
from storecredit.ledger.ids import EntryId, HoldId, LotId
from storecredit.ledger.instants import write_instant
from storecredit.ledger.rules import Merchant
from storecredit.values import ExchangeRate, Money, Period, end_of_day


@attrs.frozen
class Names:
    """The rows, besides what is open, that a command has to see (S3)."""

    lots: tuple[LotId, ...] = ()
    holds: tuple[HoldId, ...] = ()
    redemptions: tuple[EntryId, ...] = ()
    open_lots: bool = True
    """Whether the command looks at lots that it does not name."""

    def needs_open_lots(self, account: Account) -> bool:
        """
        Tell whether the open lots of *account* have to be loaded, whatever else is.

        A command that only adds a lot needs none: unless something is owed, which the others may
        settle (A9), or held, which may lapse and go back to them (A6).
        """
        totals = account.totals
        return bool(self.open_lots or account.owed or totals["held"] or totals["owed_held"])


NO_NAMES: Final = Names()
NO_LOTS: Final = Names(open_lots=False)


class Command(Protocol):
    """
    One thing that can be asked of an account.

    A command is a frozen value whose fields are the arguments as they were given; they are what
    a repeat is compared with (A12).
    """

    kind: ClassVar[EntryKind]

    @property
    def names(self) -> Names:
        """The rows that have to be loaded with the account."""
        ...

    def decide(self, draft: Draft) -> None:
        """Add to *draft* what the command does, or raise and leave it behind."""
        ...


def decide(
    account: Account,
    command: Command,
    *,
    merchant: Merchant,
    key: str,
    at: datetime,
    context: Context,
    salt: Callable[[], bytes],
    request: Mapping[str, Any] | None = None,
) -> Change | None:
    """
    Decide *command* on *account*, without changing either.

    Args:
        account: The state, with the rows that the command names.

        command: What is asked.

        merchant: The rules that apply.

        key: Names this request; whether it was used before is for the caller to look up.

        at: The instant of the decision, in UTC.

        context: Who, why and for what.

        salt: Gives the salt of each private field.

        request: `request_of(command)`, where the caller has it already.

    Returns:
        The change to append, or None where there is nothing to change (A1).

    Raises:
        MisuseError, RefusalError: As the command says. Nothing has changed.
        ChannelNotDeclared: The context names a channel that is not the merchant's (A16).
    """
    draft = Draft(account, merchant, key=key, at=at, context=context)
    command.decide(draft)
    if draft.is_empty:
        return None
    if context.channel is not None:
        # Spending has checked it already; no other command may name a foreign channel either.
        merchant.check_channel(context.channel)
    return draft.finish(command.kind, request_of(command) if request is None else request, salt)


def request_of(command: Command) -> dict[str, Any]:
    """Return the arguments of *command* as they were given, as JSON data; defaults left out."""
    request: dict[str, Any] = {}
    for name in _compared_fields(type(command)):
        value = getattr(command, name)
        if value is None or value is False:
            continue
        request[name] = _plain(value)
    return request


@functools.cache
def _compared_fields(kind: type) -> tuple[str, ...]:
    """Return the names of the fields that make a request: those that equality counts."""
    return tuple(field.name for field in attrs.fields(kind) if field.eq)


def check_repeat(
    entry: Entry, command: Command, request: Mapping[str, Any], context: Context
) -> None:
    """
    Require that a request with a key that was used before is the same request (A12).

    Raises:
        KeyReused: It differs; the first differing field is named. Actor and note may differ.
    """
    now = {"command": command.kind.value, **request, **_compared(context)}
    first = {"command": entry.kind.value, **entry.request, **_compared(entry.context)}
    for field in (*first, *(name for name in now if name not in first)):
        if first.get(field) != now.get(field):
            raise KeyReused(entry.key, field, first.get(field), now.get(field))
    data = private_value(context, "data")
    salt = entry.salts.get("data")
    erased = "data" in entry.seals and salt is None
    if erased or (data is None and "data" not in entry.seals):
        return
    if data is None or salt is None or commitment("data", salt, data) != entry.seals["data"]:
        raise KeyReused(entry.key, "data", private_value(entry.context, "data"), data)


def resolve_expiry(expires: Expiry, *, since: datetime, merchant: Merchant) -> datetime | None:
    """Return the first instant at which value with that expiry no longer counts (V7)."""
    if expires is None:
        return None
    if isinstance(expires, Period):
        return expires.after(since)
    if isinstance(expires, datetime):
        return expires
    return end_of_day(expires, merchant.zone)


def _compared(context: Context) -> dict[str, Any]:
    found: dict[str, Any] = {
        "reason": context.reason,
        "reference": context.reference,
        "channel": context.channel,
        "location": context.location,
        "occurred_at": None if context.occurred_at is None else write_instant(context.occurred_at),
    }
    return {name: value for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    encode = _PLAIN.get(type(value))
    if encode is not None:
        return encode(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    to_json = getattr(value, "to_json", None)
    return value if to_json is None else to_json()


_PLAIN: Final[Mapping[type, Callable[[Any], Any]]] = MappingProxyType(
    {
        str: str,
        int: int,
        bool: bool,
        Money: str,
        datetime: write_instant,
        date: date.isoformat,
        ExchangeRate: lambda rate: [
            rate.source.code,
            rate.target.code,
            str(rate.rate),
            rate.on.isoformat(),
        ],
    }
)
