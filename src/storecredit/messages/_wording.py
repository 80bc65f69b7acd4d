"""What a template is given: the facts of a message as people of a locale write them (P7, V7)."""

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, final

import attrs
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_datetime_format

from storecredit.errors import InvalidTerms, UnknownLocale
from storecredit.messages.payloads import (
    ClaimCodeCreated,
    CreditExpired,
    CreditExpiring,
    CreditIssued,
    CreditRestored,
    CreditUsed,
    Message,
    MessageKind,
    RefundStatusChanged,
)
from storecredit.values import CustomUnit, Money
from storecredit.values.instants import zone_named

_TINY: Final = dt.timedelta(microseconds=1)
_NAME: Final = re.compile(r"[A-Za-z0-9_@]{1,64}")

OF_ALL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "merchant": "the id of the merchant of record",
        "holder": "the holder's id; may be absent",
        "on": "the day of the message, in the reader's zone",
    }
)
VARIABLES: Final[Mapping[MessageKind, Mapping[str, str]]] = MappingProxyType(
    {
        MessageKind.CREDIT_ISSUED: MappingProxyType(
            {
                "amount": "what came in",
                "settled": "the part that paid what was owed; absent where there is none",
                "from_day": "from when on it can be used; absent where it can be at once",
                "last_day": "until when it can be used; absent where it never expires",
                "limited": "whether only some purchases may be paid with it",
                "reference": "the order, refund or ticket; may be absent",
                "reason": "the merchant's own words; may be absent",
            }
        ),
        MessageKind.CREDIT_USED: MappingProxyType(
            {
                "amount": "what was spent",
                "owed": "the part that is owed now; absent where there is none",
                "reference": "the order; may be absent",
                "reason": "the merchant's own words; may be absent",
                "channel": "where it was spent; may be absent",
            }
        ),
        MessageKind.CREDIT_RESTORED: MappingProxyType(
            {
                "amount": "what came back",
                "settled": "the part that lowered what is owed; absent where there is none",
                "reference": "the order, refund or ticket; may be absent",
                "reason": "the merchant's own words; may be absent",
            }
        ),
        MessageKind.CREDIT_EXPIRED: MappingProxyType(
            {
                "amount": "what ran out",
                "last_day": "until when it could be used; absent where parts of it differ",
            }
        ),
        MessageKind.CREDIT_EXPIRING: MappingProxyType(
            {
                "amount": "what can still be used and expires first",
                "last_day": "until when it can be used",
                "days": "how many days from today to that day; 0 is today",
                "later": "what expires after that; absent where there is none",
                "later_day": "until when that can be used; absent where parts of it differ",
                "limited": "whether only some purchases may be paid with some of it all",
            }
        ),
        MessageKind.REFUND_STATUS_CHANGED: MappingProxyType(
            {
                "case": "the id of the request",
                "order": "the id of the order; may be absent",
                "status": "requested, approved, denied, awaiting_return, in_transit, received, "
                "inspected, completed, cancelled or reopened",
                "previous": "the status before; may be absent",
                "amount": "what is given back; may be absent",
                "told": "what the customer may see besides; may be absent",
            }
        ),
        MessageKind.CLAIM_CODE_CREATED: MappingProxyType(
            {
                "amount": "what the code is worth",
                "code": "the code itself",
                "last_day": "until when it can be used; absent where it never expires",
            }
        ),
    }
)
"""By kind: the values of a template, and what they mean. Amounts and days are texts."""


def locale_named(locale: str) -> Locale:
    """
    Return CLDR's locale of that name; ``de-AT`` and ``de_AT`` are the same.

    Raises:
        UnknownLocale: CLDR has no such locale.
    """
    try:
        found = Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError, AttributeError):
        raise UnknownLocale(locale) from None
    if _NAME.fullmatch(str(found)) is None:
        # A modifier may be of any length and form, and templates are looked up as files.
        raise UnknownLocale(locale)
    return found


def chain_of(locale: Locale) -> tuple[str, ...]:
    """Return the names to look for, most special first: ``zh_Hant_TW``, ``zh_Hant``, ``zh``."""
    parts = str(locale).split("_")
    return tuple("_".join(parts[:length]) for length in range(len(parts), 0, -1))


UnitNames = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By unit code and locale: the names of a unit, by CLDR's plural category."""


@final
@attrs.frozen
class Wording:
    """How one reader writes amounts and days."""

    locale: Locale
    zone: str
    units: UnitNames

    def values(self, message: Message) -> dict[str, Any]:
        """
        Return the values of a template for *message*, by name.

        Raises:
            InvalidTerms: A claim code that is not known any more.
        """
        common = {
            "merchant": message.merchant,
            "holder": message.holder,
            "on": self.day(self._local(message.at).date()),
        }
        return {**common, **self._own(message)}

    def _own(self, message: Message) -> dict[str, Any]:
        match message:
            case CreditIssued():
                return self._issued(message)
            case CreditUsed():
                return {
                    "amount": self.amount(message.amount),
                    "owed": self._unless_zero(message.owed),
                    "reference": message.reference,
                    "reason": message.reason,
                    "channel": message.channel,
                }
            case CreditRestored():
                return {
                    "amount": self.amount(message.amount),
                    "settled": self._unless_zero(message.settled),
                    "reference": message.reference,
                    "reason": message.reason,
                }
            case CreditExpired():
                last_days = {self.last_day(part.expires_at) for part in message.parts}
                return {
                    "amount": self.amount(message.amount),
                    "last_day": last_days.pop() if len(last_days) == 1 else None,
                }
            case CreditExpiring():
                return self._expiring(message)
            case RefundStatusChanged():
                return self._refund(message)
            case _:
                return self._code(message)

    def _issued(self, message: CreditIssued) -> dict[str, Any]:
        starts = [part.effective_at for part in message.parts if part.effective_at is not None]
        later = [start for start in starts if start > message.at]
        ends = [part.expires_at for part in message.parts if part.expires_at is not None]
        return {
            "amount": self.amount(message.amount),
            "settled": self._unless_zero(message.settled),
            "from_day": self.moment(max(later)) if later else None,
            "last_day": self.last_day(min(ends, default=None)),
            "limited": any(part.limited for part in message.parts),
            "reference": message.reference,
            "reason": message.reason,
        }

    def _expiring(self, message: CreditExpiring) -> dict[str, Any]:
        last = self._local(message.expires_at - _TINY).date()
        last_day = self.last_day(message.expires_at)
        # Lots may expire hours apart on what is one last day to the reader.
        after = [part for part in message.parts if self.last_day(part.expires_at) != last_day]
        later = Money.total([part.amount for part in after], message.amount.unit)
        days = {self.last_day(part.expires_at) for part in after}
        return {
            "amount": self.amount(message.amount - later),
            "last_day": last_day,
            "days": (last - self._local(message.at).date()).days,
            "later": self._unless_zero(later),
            "later_day": days.pop() if len(days) == 1 else None,
            "limited": any(part.limited for part in message.parts),
        }

    def _refund(self, message: RefundStatusChanged) -> dict[str, Any]:
        previous, amount = message.previous, message.amount
        return {
            "case": message.case,
            "order": message.order,
            "status": message.status.value,
            "previous": None if previous is None else previous.value,
            "amount": None if amount is None else self.amount(amount),
            "told": message.told,
        }

    def _code(self, message: ClaimCodeCreated) -> dict[str, Any]:
        if message.code is None:
            raise InvalidTerms("code", None, "there: a text needs the code itself")
        return {
            "amount": self.amount(message.amount),
            "code": message.code,
            "last_day": self.last_day(message.expires_at),
        }

    def amount(self, amount: Money) -> str:
        """Write an amount; a custom unit by the name that goes with the number."""
        unit = amount.unit
        if isinstance(unit, CustomUnit):
            named = attrs.evolve(unit, name=self._name(unit, amount.decimal))
            amount = Money(amount.minor, named)
        return amount.format(locale=str(self.locale))

    def day(self, day: dt.date) -> str:
        """Write a day in full."""
        return format_date(day, format="long", locale=self.locale)

    def moment(self, at: dt.datetime) -> str:
        """Write the day that begins at *at* in the reader's zone, or else day and time."""
        local = self._local(at)
        if local.time() == dt.time():
            return self.day(local.date())
        return self._with_time(local)

    def last_day(self, expires_at: dt.datetime | None) -> str | None:
        """
        Write until when value can be spent.

        An expiry that is midnight for the reader means: through the whole day before (V7). Any
        other is written with its time.
        """
        if expires_at is None:
            return None
        # Where clocks are put forward over midnight, the day begins later than 0:00.
        local, before = self._local(expires_at), self._local(expires_at - _TINY)
        if local.time() == dt.time() or local.date() != before.date():
            return self.day(before.date())
        return self._with_time(local)

    def category(self, count: int | Decimal) -> str:
        """Return CLDR's plural category of a number."""
        return self.locale.plural_form(count)

    def _with_time(self, local: dt.datetime) -> str:
        joined = str(get_datetime_format("medium", locale=self.locale))
        time = format_time(local, format="short", locale=self.locale, tzinfo=local.tzinfo)
        return joined.replace("{1}", self.day(local.date())).replace("{0}", time)

    def _local(self, at: dt.datetime) -> dt.datetime:
        return at.astimezone(zone_named(self.zone))

    def _unless_zero(self, amount: Money) -> str | None:
        return None if amount.is_zero else self.amount(amount)

    def _name(self, unit: CustomUnit, count: Decimal) -> str:
        names = self.units.get(unit.code, {})
        for locale in chain_of(self.locale):
            if (found := names.get(locale)) is not None:
                return found.get(self.category(count), found["other"])
        return unit.name or unit.code
