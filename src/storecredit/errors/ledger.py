"""
What can be wrong with a command on an account; its lots and holds have `errors.lots`.

    MisuseError
        InvalidKey              a key that cannot name a command
        InvalidText             a holder, reference or other text that cannot be kept
        InvalidTerms            terms, limits or rules that cannot be
        FutureInstant           an `at` too far ahead of the clock
        AmountNotPositive       zero or negative where something must move
        ReasonAndActorRequired  a correction that nobody answers for
        KeyReused               the same key with another request
        NothingRecorded         a receipt has not what it is asked for
        UnitRedefined           a custom unit whose digits differ from the stored ones
    RefusalError
        UnknownHold, UnknownLot, UnknownEntry
        InsufficientCredit      less can be had than is asked for
        AccountFrozen, AccountClosed, AccountOpen, AccountNotEmpty, AccountMerged
        CeilingReached          an account would hold more than the merchant allows
        SettleExceedsOwed
        SpenderNotListed
        ChannelRequired, ChannelNotDeclared
        NotATransfer, NothingToReverse, TransferAlreadyReversed

Every value of a message is an attribute too. The classes pickle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from storecredit.errors._branches import MisuseError, RefusalError
from storecredit.errors._shown import shown

if TYPE_CHECKING:
    import datetime as dt

    from storecredit.values.money import Money

__all__ = [
    "AccountClosed",
    "AccountFrozen",
    "AccountMerged",
    "AccountNotEmpty",
    "AccountOpen",
    "AmountNotPositive",
    "CeilingReached",
    "ChannelNotDeclared",
    "ChannelRequired",
    "FutureInstant",
    "InsufficientCredit",
    "InvalidKey",
    "InvalidTerms",
    "InvalidText",
    "KeyReused",
    "NotATransfer",
    "NothingRecorded",
    "NothingToReverse",
    "ReasonAndActorRequired",
    "SettleExceedsOwed",
    "SpenderNotListed",
    "TransferAlreadyReversed",
    "UnitRedefined",
    "UnknownEntry",
    "UnknownHold",
    "UnknownLot",
]

# -- misuse --------------------------------------------------------------------------------


@final
@attrs.define
class InvalidKey(MisuseError):
    """A key that cannot name a command (A1, A12)."""

    key: object
    problem: str

    def __str__(self) -> str:
        return (
            f"The key {shown(self.key)} {self.problem}. A key names one request of yours, such "
            'as "order-1002/capture": 1 to 200 printable characters, not beginning with "~".'
        )


@final
@attrs.define
class InvalidText(MisuseError):
    """A text that cannot be kept and compared exactly."""

    field: str
    text: object
    problem: str

    def __str__(self) -> str:
        return (
            f"The {self.field} {shown(self.text)} {self.problem}. Any printable Unicode text is "
            "fine; it is kept as it is and compared code point by code point."
        )


@final
@attrs.define
class InvalidTerms(MisuseError):
    """Terms, limits or rules that cannot be."""

    field: str
    value: object
    expected: str

    def __str__(self) -> str:
        return f"{self.field} is {shown(self.value)}; it has to be {self.expected}."


@final
@attrs.define
class FutureInstant(MisuseError):
    """An ``at`` more than five minutes ahead of the service's clock (A13)."""

    at: dt.datetime
    clock: dt.datetime

    def __str__(self) -> str:
        return (
            f"Cannot record something at {self.at.isoformat()}: the clock says "
            f"{self.clock.isoformat()}, and the journal would be stuck in the future. Put business "
            "time into occurred_at; value that counts later is issued with effective=."
        )


@final
@attrs.define
class AmountNotPositive(MisuseError):
    """Zero or less where value has to move."""

    doing: str
    amount: Money

    def __str__(self) -> str:
        return (
            f"Cannot {self.doing} {self.amount}: the amount has to be above zero. The verb gives "
            "the direction, never the sign."
        )


@final
@attrs.define
class ReasonAndActorRequired(MisuseError):
    """A correction that nobody answers for (A10)."""

    doing: str

    def __str__(self) -> str:
        return (
            f"To {self.doing}, give both actor= and reason=: whoever reads the journal later has "
            "to see who did it and why."
        )


@final
@attrs.define
class KeyReused(MisuseError):
    """The same key came with another request (A12)."""

    key: str
    field: str
    first: object
    now: object

    def __str__(self) -> str:
        return (
            f"The key {shown(self.key)} already names a request with {self.field}="
            f"{shown(self.first)}; this one has {self.field}={shown(self.now)}. Repeat a request "
            "with its own arguments, or give the new request a key of its own."
        )


@final
@attrs.define
class NothingRecorded(MisuseError):
    """A receipt is asked for something that its command did not do."""

    asked: str
    why: str

    def __str__(self) -> str:
        return (
            f"The receipt has not {self.asked}: its command {self.why}. Look at receipt.changed "
            "and receipt.moves first."
        )


@final
@attrs.define
class UnitRedefined(MisuseError):
    """A custom unit is declared with other digits than its accounts are stored in."""

    code: str
    stored: int
    declared: int

    def __str__(self) -> str:
        return (
            f"{self.code} is declared with digits={self.declared}, and its accounts are stored "
            f"with digits={self.stored}. Digits of a unit never change; declare a new unit and convert."
        )


# -- ids -----------------------------------------------------------------------------------


@final
@attrs.define
class UnknownHold(RefusalError):
    """No hold of this merchant has that id (A16)."""

    hold_id: str

    def __str__(self) -> str:
        return f"There is no hold {shown(self.hold_id)} at this merchant."


@final
@attrs.define
class UnknownLot(RefusalError):
    """No lot of this merchant has that id."""

    lot_id: str

    def __str__(self) -> str:
        return f"There is no lot {shown(self.lot_id)} in this account of this merchant."


@final
@attrs.define
class UnknownEntry(RefusalError):
    """No entry of this merchant has that id (A16)."""

    entry_id: str

    def __str__(self) -> str:
        return f"There is no entry {shown(self.entry_id)} at this merchant."


# -- funds ---------------------------------------------------------------------------------


_ON_AN_ORDER = frozenset({"redeem", "hold", "spend"})


@final
@attrs.define
class InsufficientCredit(RefusalError):
    """Less can be had than is asked for."""

    holder: str
    wanted: Money
    available: Money
    """Live, not held, not limited."""
    reachable: Money
    """What this command could have had: with its lot, its lines and the holder's limit."""
    held: Money
    limited: Money
    """Live and not held, but only for some lines, channels or orders."""
    pending: Money
    owed: Money
    doing: str = "spend"

    def __str__(self) -> str:
        apart = [
            f"{amount} {what}"
            for amount, what in (
                (self.held, "held"),
                (self.limited, "limited to some orders"),
                (self.pending, "pending"),
                (self.owed, "owed"),
            )
            if amount.minor
        ]
        beside = f" ({', '.join(apart)})" if apart else ""
        refused = (
            f"Cannot {self.doing} {self.wanted} for holder {self.holder}: {self.available} is "
            f"available{beside}, and this command can have {self.reachable}. "
        )
        if self.doing in _ON_AN_ORDER:
            missing = self.wanted - self.reachable
            return (
                refused + f"Take up to that much, or put the remaining {missing} on another tender."
            )
        return refused + "It is all or nothing; what is held or covers a debt stays."


@final
@attrs.define
class CeilingReached(RefusalError):
    """The account would hold more than the merchant allows (A11)."""

    holder: str
    amount: Money
    balance: Money
    maximum: Money

    def __str__(self) -> str:
        refused = (
            f"Cannot give {self.amount} to holder {self.holder}: the account holds "
            f"{self.balance} and the ceiling is {self.maximum}. "
        )
        if self.maximum <= self.balance:
            return refused + "There is no room for more until some of it is spent or expires."
        return refused + (
            f"There is room for {self.maximum - self.balance}: issue that much, or declare the "
            'ceiling with above="up_to".'
        )


@final
@attrs.define
class SettleExceedsOwed(RefusalError):
    """More is paid than is owed (A9)."""

    holder: str
    amount: Money
    owed: Money

    def __str__(self) -> str:
        return (
            f"Cannot settle {self.amount} for holder {self.holder}: {self.owed} is owed. Settle "
            "that, and issue the rest as a deposit if the holder paid it."
        )


# -- the account ---------------------------------------------------------------------------


@final
@attrs.define
class AccountFrozen(RefusalError):
    """Nothing new goes into or out of a frozen account (A11)."""

    holder: str
    unit: str

    def __str__(self) -> str:
        return (
            f"The {self.unit} account of holder {self.holder} is frozen: existing holds may be "
            "captured and released, and a debt be settled. Reopen it first."
        )


@final
@attrs.define
class AccountClosed(RefusalError):
    """A closed account takes part in nothing (A11)."""

    holder: str
    unit: str

    def __str__(self) -> str:
        return f"The {self.unit} account of holder {self.holder} is closed. Reopen it first."


@final
@attrs.define
class AccountOpen(RefusalError):
    """The account is open already."""

    holder: str
    unit: str

    def __str__(self) -> str:
        return f"The {self.unit} account of holder {self.holder} is open already."


@final
@attrs.define
class AccountNotEmpty(RefusalError):
    """Only an empty account closes (A11)."""

    holder: str
    balance: Money
    held: Money
    owed: Money

    def __str__(self) -> str:
        return (
            f"Cannot close the account of holder {self.holder}: it has {self.balance} in lots "
            f"({self.held} of it held) and {self.owed} owed. Spend, expire, cash out or settle "
            "that first."
        )


@final
@attrs.define
class AccountMerged(RefusalError):
    """The account was merged into another one, and stays closed."""

    holder: str
    into: str

    def __str__(self) -> str:
        return (
            f"The account of holder {self.holder} was merged into account {self.into} and stays "
            "closed. Use the survivor's."
        )


@final
@attrs.define
class SpenderNotListed(RefusalError):
    """The account belongs to a company, and this person may not spend from it (A9)."""

    holder: str
    spender: str | None
    listed: tuple[str, ...]

    def __str__(self) -> str:
        who = "nobody was named" if self.spender is None else f"{self.spender} is not one of them"
        return (
            f"Only listed people may spend from the account of {self.holder}, and {who} "
            f"({len(self.listed)} listed). Pass spender=, or change the list with set_spenders()."
        )


# -- channels and transfers ----------------------------------------------------------------


@final
@attrs.define
class ChannelRequired(RefusalError):
    """The merchant declares its channels, and the command names none (A16)."""

    merchant: str
    declared: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Merchant {self.merchant} declares its channels ({', '.join(self.declared)}): pass "
            "channel= with every command that spends."
        )


@final
@attrs.define
class ChannelNotDeclared(RefusalError):
    """The channel is not one of the merchant's (A16)."""

    merchant: str
    channel: str
    declared: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{shown(self.channel)} is not a channel of merchant {self.merchant} "
            f"({', '.join(self.declared) or 'none is declared'})."
        )


@final
@attrs.define
class NotATransfer(RefusalError):
    """Only the near side of a transfer can be reversed (A17)."""

    entry_id: str
    kind: str

    def __str__(self) -> str:
        return (
            f"Entry {self.entry_id} is of kind {self.kind}, not the sending side of a transfer. Name "
            "the entry that transfer() returned."
        )


@final
@attrs.define
class TransferAlreadyReversed(RefusalError):
    """A transfer is reversed once (A17)."""

    entry_id: str

    def __str__(self) -> str:
        return f"The transfer {self.entry_id} has been reversed already."


@final
@attrs.define
class NothingToReverse(RefusalError):
    """Mergers have brought both sides of the transfer together in one account (A17)."""

    entry_id: str
    holder: str

    def __str__(self) -> str:
        return (
            f"Cannot reverse the transfer {self.entry_id}: both its sides belong to holder "
            f"{self.holder} since a merger, so nothing would move. The value is with its sender already."
        )
