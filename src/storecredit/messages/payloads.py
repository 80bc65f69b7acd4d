"""
Messages as data: one frozen payload for each thing that a customer is told (P7).

A payload holds facts, and no words. What the host's people wrote for themselves (actor, note,
data: the private fields of an entry) is never in one, because it can be erased in the journal and
nowhere else (A14).
"""

import enum
import json
import uuid
from datetime import datetime
from typing import Any, ClassVar, Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import AccountId, EntryId, LotId, require_text, write_instant
from storecredit.ledger.arguments import as_money, as_money_or_none, one_of
from storecredit.messages.json_form import LEFT_OUT, write_message
from storecredit.values import Money, Period, instant

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "storecredit/message")
_LONGEST_TOLD: Final = 2000


@final
class MessageKind(enum.StrEnum):
    """What a message is about."""

    CREDIT_ISSUED = "credit_issued"
    CREDIT_USED = "credit_used"
    CREDIT_RESTORED = "credit_restored"
    CREDIT_EXPIRED = "credit_expired"
    CREDIT_EXPIRING = "credit_expiring"
    REFUND_STATUS_CHANGED = "refund_status_changed"
    CLAIM_CODE_CREATED = "claim_code_created"


def message_id(kind: MessageKind, *parts: str) -> str:
    """Name a message after what makes it this one and no other: a UUIDv5 as text."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps([kind.value, *parts])))


@final
@attrs.frozen(kw_only=True)
class LotPart:
    """One lot's part of a message."""

    lot: LotId
    amount: Money
    """Positive, in the unit of the message."""
    funding: str | None = None
    """Who paid for the value (A11); None where the entry does not say."""
    effective_at: datetime | None = None
    """From when on it counts."""
    expires_at: datetime | None = None
    """It can be spent while ``at < expires_at``; None: for ever, or the entry does not say."""
    limited: bool = False
    """Whether only some orders may be paid with it (A4)."""


@final
@attrs.frozen(kw_only=True)
class CreditIssued:
    """Credit was given."""

    kind: ClassVar[MessageKind] = MessageKind.CREDIT_ISSUED

    merchant: str
    holder: str
    """What the holder is called now. One that begins with ``~`` is the library's own."""
    at: datetime
    """When it was recorded."""
    account: AccountId
    entry: EntryId
    cause: str
    """The kind of the entry."""
    amount: Money
    """All that came in. Positive."""
    settled: Money
    """The part of it that paid at once what the holder owed (A9). Zero or more."""
    parts: tuple[LotPart, ...]
    reference: str | None = None
    """The order, refund or ticket."""
    reason: str | None = None
    """What the merchant gave as the reason, in the merchant's own words."""

    @property
    def id(self) -> str:
        """What to recognise a repeat by: one for each entry and kind."""
        return message_id(self.kind, self.entry)

    def to_json(self) -> dict[str, Any]:
        """Return the message as JSON data, for webhooks and queues."""
        return write_message(self, self.kind, self.id)


@final
@attrs.frozen(kw_only=True)
class CreditUsed:
    """Credit paid for something: it was redeemed, or a reservation of it was captured."""

    kind: ClassVar[MessageKind] = MessageKind.CREDIT_USED

    merchant: str
    holder: str
    at: datetime
    account: AccountId
    entry: EntryId
    cause: str
    """The kind of the entry."""
    amount: Money
    """All that was spent, the part on the limit included. Positive."""
    owed: Money
    """The part of it that was spent on the holder's limit, and is owed now (A9). Zero or more."""
    reference: str | None = None
    """The order; for a capture, where it names one itself."""
    reason: str | None = None
    channel: str | None = None
    """Where it was spent (A16)."""

    @property
    def id(self) -> str:
        """What to recognise a repeat by: one for each entry and kind."""
        return message_id(self.kind, self.entry)

    def to_json(self) -> dict[str, Any]:
        """Return the message as JSON data, for webhooks and queues."""
        return write_message(self, self.kind, self.id)


@final
@attrs.frozen(kw_only=True)
class CreditRestored:
    """Credit came back: an order was refunded, or what had run out was reinstated."""

    kind: ClassVar[MessageKind] = MessageKind.CREDIT_RESTORED

    merchant: str
    holder: str
    at: datetime
    account: AccountId
    entry: EntryId
    cause: str
    """The kind of the entry: ``restore`` or ``reinstate``."""
    amount: Money
    """All that came back and did not expire in the same entry. Positive."""
    settled: Money
    """The part of it that lowered what the holder owes (A9). Zero or more."""
    redemption: EntryId | None = None
    """The entry that had spent it; None for a reinstatement."""
    reference: str | None = None
    reason: str | None = None

    @property
    def id(self) -> str:
        """What to recognise a repeat by: one for each entry and kind."""
        return message_id(self.kind, self.entry)

    def to_json(self) -> dict[str, Any]:
        """Return the message as JSON data, for webhooks and queues."""
        return write_message(self, self.kind, self.id)


@final
@attrs.frozen(kw_only=True)
class CreditExpired:
    """Credit ran out (A5)."""

    kind: ClassVar[MessageKind] = MessageKind.CREDIT_EXPIRED

    merchant: str
    holder: str
    at: datetime
    """When it was recorded; the value was worth nothing from each part's ``expires_at`` on."""
    account: AccountId
    entry: EntryId
    cause: str
    """The kind of the entry: the sweep's, or that of a command which gave back what was late."""
    amount: Money
    """All that ran out. Positive."""
    parts: tuple[LotPart, ...]

    @property
    def id(self) -> str:
        """What to recognise a repeat by: one for each entry and kind."""
        return message_id(self.kind, self.entry)

    def to_json(self) -> dict[str, Any]:
        """Return the message as JSON data, for webhooks and queues."""
        return write_message(self, self.kind, self.id)


@final
@attrs.frozen(kw_only=True)
class CreditExpiring:
    """Credit will run out soon. `reminder_message` makes it of reminders."""

    kind: ClassVar[MessageKind] = MessageKind.CREDIT_EXPIRING

    merchant: str
    holder: str
    at: datetime
    """The instant that the reminder was due at."""
    account: AccountId
    amount: Money
    """All that can still be spent of the parts. Positive."""
    expires_at: datetime
    """When the first of the parts runs out: it can be spent while ``at < expires_at``."""
    before: Period
    """How long before the expiry the holder was to be reminded: the period of the first part."""
    parts: tuple[LotPart, ...]
    reminders: tuple[str, ...]
    """The ids of the reminders, in order."""

    @property
    def id(self) -> str:
        """What to recognise a repeat by: one for each set of reminders."""
        return message_id(self.kind, *self.reminders)

    def to_json(self) -> dict[str, Any]:
        """Return the message as JSON data, for webhooks and queues."""
        return write_message(self, self.kind, self.id)


@final
class RefundStatus(enum.StrEnum):
    """How far the request for a refund has come (P5)."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DENIED = "denied"
    AWAITING_RETURN = "awaiting_return"
    IN_TRANSIT = "in_transit"
    RECEIVED = "received"
    INSPECTED = "inspected"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REOPENED = "reopened"


def _status(status: object) -> RefundStatus:
    written = status.replace(" ", "_").replace("-", "_") if isinstance(status, str) else status
    return one_of(RefundStatus, "status", written)


def _status_or_none(status: object) -> RefundStatus | None:
    return None if status is None else _status(status)


def _instant_or_none(at: datetime | None) -> datetime | None:
    return None if at is None else instant(at)


@final
@attrs.frozen(kw_only=True)
class RefundStatusChanged:
    """
    A request for a refund has come a step further.

    Raises:
        NaiveInstant: *at* without a zone.
        InvalidTerms: There is no such status.
        InvalidText: A text.
        InvalidTerms: The amount is below zero.
    """

    kind: ClassVar[MessageKind] = MessageKind.REFUND_STATUS_CHANGED

    merchant: str
    holder: str | None = None
    """None for a guest."""
    at: datetime = attrs.field(converter=instant)
    case: str
    order: str | None = None
    """None for what came back without a receipt."""
    status: RefundStatus = attrs.field(converter=_status)
    """The host may also write it with spaces or hyphens."""
    previous: RefundStatus | None = attrs.field(default=None, converter=_status_or_none)
    """None for a request that was just made."""
    amount: Money | None = attrs.field(default=None, converter=as_money_or_none)
    """What is or will be given back, as far as it is known."""
    told: str | None = None
    """What the customer may see besides, in plain words; goes into the text as it is."""

    def __attrs_post_init__(self) -> None:
        _require_texts(merchant=self.merchant, case=self.case)
        for name, text in (("holder", self.holder), ("order", self.order)):
            if text is not None:
                require_text(name, text)
        if self.told is not None:
            require_text("told", self.told, longest=_LONGEST_TOLD)
        if self.amount is not None and self.amount.is_negative:
            raise InvalidTerms("amount", self.amount, "zero or more")

    @property
    def id(self) -> str:
        """What to recognise a repeat by: one for each case, status and instant."""
        parts = (self.merchant, self.case, self.status.value, write_instant(self.at))
        return message_id(self.kind, *parts)

    def to_json(self) -> dict[str, Any]:
        """Return the message as JSON data, for webhooks and queues."""
        return write_message(self, self.kind, self.id)


@final
@attrs.frozen(kw_only=True)
class ClaimCodeCreated:
    """
    A claim code was made, and has to reach whoever it is for (A15).

    The code is worth money to whoever reads it. `repr` and `to_json` leave it out, so that no log
    and no queue keeps it by accident; `to_json_with_code` is for whoever sends it.

    Raises:
        NaiveInstant: An instant without a zone.
        InvalidText: A text.
        InvalidTerms: The code is no printable text, the amount is below zero, or the number is
            none from 1 up.
    """

    kind: ClassVar[MessageKind] = MessageKind.CLAIM_CODE_CREATED

    merchant: str
    holder: str | None = None
    """The holder that the code is reserved for; None where anybody may claim it."""
    at: datetime = attrs.field(converter=instant)
    claim: str
    """The id of the claim, which gives nothing away."""
    number: int = 1
    """1 for the first code of the claim, one more for each that replaces it."""
    amount: Money = attrs.field(converter=as_money)
    """What the code is worth: zero where all is spent, and the code was replaced since."""
    expires_at: datetime | None = attrs.field(default=None, converter=_instant_or_none)
    """The value can be spent while ``at < expires_at``; None: for ever."""
    code: str | None = attrs.field(default=None, repr=False, metadata=LEFT_OUT)
    """The code as it is to be shown; None where it is not known any more."""

    def __attrs_post_init__(self) -> None:
        _require_texts(merchant=self.merchant, claim=self.claim)
        if self.holder is not None:
            require_text("holder", self.holder)
        if self.code is not None and not _is_printable(self.code):
            # Never the code itself: what is refused ends up in a log.
            raise InvalidTerms("code", "(not shown)", "printable text")
        if self.amount.is_negative:
            raise InvalidTerms("amount", self.amount, "zero or more")
        if type(self.number) is not int or self.number < 1:
            raise InvalidTerms("number", self.number, "a whole number from 1 up")

    @property
    def id(self) -> str:
        """What to recognise a repeat by: one for each code of the claim."""
        return message_id(self.kind, self.merchant, self.claim, str(self.number))

    def to_json(self) -> dict[str, Any]:
        """Return the message as JSON data, without the code."""
        return write_message(self, self.kind, self.id)

    def to_json_with_code(self) -> dict[str, Any]:
        """Return the message as JSON data, with the code: for whoever sends it, and no queue."""
        return {**self.to_json(), "code": self.code}


def _is_printable(code: object) -> bool:
    return isinstance(code, str) and code.isprintable() and code != ""


def _require_texts(**texts: str) -> None:
    for name, text in texts.items():
        require_text(name, text)


Message = (
    CreditIssued
    | CreditUsed
    | CreditRestored
    | CreditExpired
    | CreditExpiring
    | RefundStatusChanged
    | ClaimCodeCreated
)
"""Any of the payloads."""

MESSAGES: Final[tuple[type[Message], ...]] = (
    CreditIssued,
    CreditUsed,
    CreditRestored,
    CreditExpired,
    CreditExpiring,
    RefundStatusChanged,
    ClaimCodeCreated,
)
"""The class of each kind."""
