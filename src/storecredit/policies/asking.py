"""What somebody asks to give back: the facts that a refund policy decides by (P2, P6)."""

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, final

import attrs

from storecredit.errors import InvalidReturn
from storecredit.ledger.arguments import as_money, one_of, texts
from storecredit.ledger.texts import require_text
from storecredit.tenders import LineKind
from storecredit.tenders.json_form import read_form, write_form
from storecredit.values import MAX_MINOR, AnyMoney, Balance, Money, Unit, instant


@final
class Condition(enum.StrEnum):
    """In what condition goods come back."""

    NEW = "new"
    OPENED = "opened"
    USED = "used"
    DAMAGED = "damaged"
    INCOMPLETE = "incomplete"


def _condition(condition: Condition | str | None) -> Condition | None:
    return None if condition is None else one_of(Condition, "condition", condition)


def _kind(kind: LineKind | str) -> LineKind:
    return one_of(LineKind, "kind", kind)


def _external(amount: AnyMoney) -> Money:
    found = as_money(amount)
    if found.is_negative:
        raise InvalidReturn("external", found, "nothing or more")
    return found


def _restored(restored: Balance | AnyMoney | None) -> Balance:
    found = restored if isinstance(restored, Balance) else Balance(())
    if restored is not None and not isinstance(restored, Balance):
        found = Balance.of(as_money(restored))
    for amount in found:
        if amount.is_negative:
            raise InvalidReturn("restored", amount, "nothing or more")
    return found


@final
@attrs.frozen(kw_only=True)
class ReturnLine:
    """
    One line that comes back, with what the records say was paid for these pieces (P6).

    Raises:
        ArgumentRefused: An amount is no money.
        InvalidReturn: A negative amount, or no possible number of pieces.
        InvalidTerms: There is no such kind of line or condition.
        InvalidText: A text that cannot be kept.
    """

    id: str
    """The line of the order; one request names each line once."""
    external: Money = attrs.field(converter=_external)
    """What external tenders paid for these pieces, less what they got back: nothing or more."""
    restored: Balance = attrs.field(default=Balance(()), converter=_restored)
    """What credit paid for them, by unit; it goes back to its lots, whatever is chosen (A7)."""
    kind: LineKind = attrs.field(default=LineKind.GOODS, converter=_kind)
    pieces: int = 1
    category: str | None = None
    reason: str | None = None
    condition: Condition | None = attrs.field(default=None, converter=_condition)
    """None where nobody has looked yet, or it does not matter."""
    final_sale: bool = False

    def __attrs_post_init__(self) -> None:
        require_text("line.id", self.id)
        for field, value in (("category", self.category), ("reason", self.reason)):
            if value is not None:
                require_text(f"line.{field}", value)
        if type(self.pieces) is not int or not 1 <= self.pieces <= MAX_MINOR:
            raise InvalidReturn("pieces", self.pieces, "a whole number from 1 up")
        if type(self.final_sale) is not bool:
            raise InvalidReturn("final_sale", self.final_sale, "true or false")

    @property
    def is_goods(self) -> bool:
        """Whether a policy may turn the line into credit: goods, and the tax on them (P3)."""
        return self.kind in _GOODS


_GOODS = frozenset({LineKind.GOODS, LineKind.TAX})


def _lines(lines: Iterable[ReturnLine]) -> tuple[ReturnLine, ...]:
    given: object = lines
    found = tuple(given) if isinstance(given, Iterable) else ()
    if not found or not all(isinstance(line, ReturnLine) for line in found):
        raise InvalidReturn("lines", lines, "a list of ReturnLine, one at least")
    names = [line.id for line in found]
    if len(set(names)) < len(names):
        raise InvalidReturn("lines", names, "lines that are named once each")
    units = {line.external.unit for line in found}
    if len(units) > 1:
        written = ", ".join(sorted(unit.code for unit in units))
        raise InvalidReturn("lines", written, "in one currency: ask once for each")
    return found


def _instant(at: datetime | None) -> datetime | None:
    return None if at is None else instant(at)


def _segments(segments: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts("segments", segments)))


@final
@attrs.frozen(kw_only=True)
class ReturnRequest:
    """
    What somebody asks to give back, in one order, at one merchant of record.

    The facts are the host's, and are believed: who it is, what was paid, when it was delivered.
    An order of several merchants is one request for each of them.

    Raises:
        InvalidReturn: No lines, a line named twice, several currencies, a purchase or a delivery
            in the future, or a delivery before the purchase.
        InvalidText: A text that cannot be kept.
        NaiveInstant: An instant without a zone.
    """

    id: str
    """Names the request; the decision and its execution go by it."""
    merchant: str
    lines: tuple[ReturnLine, ...] = attrs.field(converter=_lines)
    at: datetime = attrs.field(converter=instant)
    """When it is asked: what windows are measured to."""
    order: str | None = None
    """None where nobody knows the order: no receipt."""
    purchased_at: datetime | None = attrs.field(default=None, converter=_instant)
    delivered_at: datetime | None = attrs.field(default=None, converter=_instant)
    """None where it has not been delivered yet, or nobody knows."""
    holder: str | None = None
    """Whoever gives it back and would get the credit; None for a guest, who gets a claim code."""
    buyer: str | None = None
    """Whoever paid, where that is somebody else than the holder: a gift."""
    channel: str | None = None
    jurisdiction: str | None = None
    """Whose law protects the customer, as the policy writes it: "DE", "US-CA"."""
    segments: tuple[str, ...] = attrs.field(default=(), converter=_segments)
    """The groups that the holder is in."""
    receipt: bool = True
    """Whether the purchase is proven."""

    def __attrs_post_init__(self) -> None:
        require_text("id", self.id)
        require_text("merchant", self.merchant)
        optional = {
            "order": self.order,
            "holder": self.holder,
            "buyer": self.buyer,
            "channel": self.channel,
            "jurisdiction": self.jurisdiction,
        }
        for field, value in optional.items():
            if value is not None:
                require_text(field, value)
        if type(self.receipt) is not bool:
            raise InvalidReturn("receipt", self.receipt, "true or false")
        if self.purchased_at is not None and self.purchased_at > self.at:
            raise InvalidReturn("purchased_at", self.purchased_at, "at the latest when it is asked")
        if self.delivered_at is not None and self.delivered_at > self.at:
            raise InvalidReturn("delivered_at", self.delivered_at, "at the latest when it is asked")
        if (
            self.purchased_at is not None
            and self.delivered_at is not None
            and self.delivered_at < self.purchased_at
        ):
            raise InvalidReturn("delivered_at", self.delivered_at, "not before the purchase")

    @property
    def unit(self) -> Unit:
        """The currency that external tenders paid in."""
        return self.lines[0].external.unit

    @property
    def external(self) -> Money:
        """What would go back to external tenders, all lines together."""
        return Money.total([line.external for line in self.lines], self.unit)

    @property
    def is_gift(self) -> bool:
        """Whether somebody else than the buyer gives it back."""
        return self.buyer is not None and self.buyer != self.holder

    def line(self, name: str) -> ReturnLine:
        """
        Return the line *name*.

        Raises:
            InvalidReturn: There is none.
        """
        for line in self.lines:
            if line.id == name:
                return line
        known = ", ".join(line.id for line in self.lines)
        raise InvalidReturn("line", name, f"one of {known}")

    def to_json(self) -> dict[str, Any]:
        """Return the request as JSON data."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "ReturnRequest":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)
