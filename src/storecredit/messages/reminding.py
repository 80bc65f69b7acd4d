"""From reminders to the one message that a holder gets of them (P7)."""

from collections.abc import Iterable

from storecredit.errors import InvalidTerms
from storecredit.messages.payloads import CreditExpiring, LotPart
from storecredit.service import Reminder
from storecredit.service.reminders import as_reminders
from storecredit.values import Money


def reminder_message(reminders: Reminder | Iterable[Reminder]) -> CreditExpiring:
    """
    Return the message for one reminder, or one message for several of the same account.

    The amount is their sum, and the expiry and the period are those of the first to expire; the
    parts have their own. A text names what expires first, and then the rest. The id
    stands for exactly these reminders: one more makes another message.

    Args:
        reminders: From `StoreCredit.due_reminders`, where those of one account come together.

    Raises:
        InvalidTerms: None at all, something else, or those of several accounts.
    """
    given = as_reminders(reminders)
    if len({reminder.account for reminder in given}) != 1:
        accounts = sorted({reminder.account for reminder in given})
        raise InvalidTerms("reminders", accounts, "one or more, all of one account")
    first, *_ = ordered = sorted(given, key=lambda each: (each.expires_at, each.lot, each.id))
    return CreditExpiring(
        merchant=first.merchant,
        holder=first.holder,
        at=first.at,
        account=first.account,
        amount=Money.total((each.amount for each in ordered), first.amount.unit),
        expires_at=first.expires_at,
        before=first.before,
        parts=tuple(_part(each) for each in ordered),
        reminders=tuple(each.id for each in ordered),
    )


def _part(reminder: Reminder) -> LotPart:
    return LotPart(
        lot=reminder.lot,
        amount=reminder.amount,
        funding=reminder.funding.value,
        expires_at=reminder.expires_at,
        limited=reminder.limits is not None,
    )
