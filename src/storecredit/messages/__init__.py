"""
Messages: what happened, as payloads for a host's mailer or CRM, and as plain texts (P7).

The library gives facts and words; the host sends. Payloads need nothing more; texts need the
extra `messages`: ``pip install "storecredit[messages]"``.
"""

from storecredit.messages._samples import sample_messages
from storecredit.messages.json_form import SCHEMA
from storecredit.messages.of_records import code_message, refund_messages
from storecredit.messages.payloads import (
    ClaimCodeCreated,
    CreditExpired,
    CreditExpiring,
    CreditIssued,
    CreditRestored,
    CreditUsed,
    LotPart,
    Message,
    MessageKind,
    RefundStatus,
    RefundStatusChanged,
)
from storecredit.messages.reading import message_from_json, message_schema
from storecredit.messages.reminding import reminder_message
from storecredit.messages.telling import messages_of, messages_of_entry
from storecredit.messages.texts import Text, Texts

__all__ = [
    "SCHEMA",
    "ClaimCodeCreated",
    "CreditExpired",
    "CreditExpiring",
    "CreditIssued",
    "CreditRestored",
    "CreditUsed",
    "LotPart",
    "Message",
    "MessageKind",
    "RefundStatus",
    "RefundStatusChanged",
    "Text",
    "Texts",
    "code_message",
    "message_from_json",
    "message_schema",
    "messages_of",
    "messages_of_entry",
    "refund_messages",
    "reminder_message",
    "sample_messages",
]
