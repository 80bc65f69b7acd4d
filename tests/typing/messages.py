"""
What a type checker tells a caller about messages and reminders.

Never run: mypy and pyright read it. Each line that is wrong on purpose carries an
ignore, and a checker that finds the ignore needless fails, so both directions hold.
"""

from collections.abc import Iterator
from typing import assert_type

from storecredit import Delivery, Period, StoreCredit
from storecredit.messages import (
    CreditExpiring,
    CreditUsed,
    Message,
    MessageKind,
    Text,
    Texts,
    message_from_json,
    messages_of,
    reminder_message,
)
from storecredit.service import AsyncStoreCredit, Reminder
from storecredit.storage import MemoryStorage
from storecredit.values import Money

credit = StoreCredit(MemoryStorage(), merchant="acme")
texts = Texts(templates={"de/credit_used": "..."}, unit_names={"PTS": {"en": "points"}})

due = credit.due_reminders(before=[Period(days=30), Period(days=3)])
assert_type(due, Iterator[Reminder])
assert_type(credit.acknowledge_reminders(due), tuple[Reminder, ...])
assert_type(reminder_message(due), CreditExpiring)
credit.due_reminders()  # type: ignore[call-arg]  # before what?
credit.due_reminders(before=30)  # type: ignore[arg-type]  # thirty what?


def tell(delivery: Delivery) -> None:
    for message in messages_of(delivery, credit.merchant):
        assert_type(message.kind, MessageKind)
        assert_type(message.id, str)
        if isinstance(message, CreditUsed):
            assert_type(message.owed, Money)
        assert_type(texts.render(message, locale="en", zone="UTC"), Text)
        assert_type(message_from_json(message.to_json()), Message)
        texts.render(message, locale="en")  # type: ignore[call-arg]  # the reader's zone


async def remind(awaited: AsyncStoreCredit) -> None:
    async for reminder in awaited.due_reminders(before=Period(days=3)):
        assert_type(reminder, Reminder)
        assert_type(await awaited.acknowledge_reminders(reminder), tuple[Reminder, ...])
