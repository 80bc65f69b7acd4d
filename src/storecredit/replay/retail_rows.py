"""
Rows with the columns of UCI Online Retail, read and checked, whatever is made of them.

`InvoiceNo` that begins with C is a cancellation, with A an adjustment of bad debt, any other an
order. Whoever has no `CustomerID` is a guest. A stock code is goods if its first five characters
are digits; postage, discounts, fees and vouchers are not.
"""

import enum
import re
from collections.abc import Iterable
from typing import Final, final

import attrs

from storecredit.errors import AmountTooFine
from storecredit.replay.gathering import Gathered, Gathering
from storecredit.replay.history import EventKind
from storecredit.replay.rows import mismatch
from storecredit.service.file_source import BadCell
from storecredit.values import Money, currency

GBP: Final = currency("GBP")
COLUMNS: Final = (
    "InvoiceNo",
    "StockCode",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
)


@final
class Skip(enum.StrEnum):
    """Why a row takes no part. They are asked in this order, and the first that holds counts."""

    ADJUSTMENT = "adjustment"
    """The invoice number begins with A: bad debt, no sale and no return."""
    GUEST = "guest"
    """No customer: nobody whom credit could belong to."""
    NOT_GOODS = "not_goods"
    """Postage, discount, fee, voucher: never becomes credit."""
    WRITE_OFF = "write_off"
    """A negative quantity outside a cancellation: stock that was lost, no refund."""
    PRICE_TOO_FINE = "price_too_fine"
    """A fraction of a penny is no amount of GBP, and nobody named a rounding (V2)."""
    ANOTHER_CUSTOMER = "another_customer"
    """The invoice belongs to the customer of its first kept row."""
    NO_RETURN = "no_return"
    """A row of a cancellation with nothing that comes back: no pieces, or a charge."""


@final
@attrs.frozen
class RetailRow:
    """One row of a customer, whose amounts are pennies."""

    invoice: Gathered
    customer: str
    stock_code: str
    pieces: int
    """As it is written: negative for what comes back."""
    pennies: int | None
    """The price of a piece; None where it has fractions of a penny."""

    @property
    def is_goods(self) -> bool:
        """Whether the stock code is that of goods."""
        return _GOODS.match(self.stock_code) is not None

    @property
    def is_refund(self) -> bool:
        """Whether it stands on a cancellation."""
        return self.invoice.kind is EventKind.REFUND

    @property
    def problem(self) -> Skip | None:
        """Why it takes no part, what it sells aside."""
        if self.pieces < 0 and not self.is_refund:
            return Skip.WRITE_OFF
        if self.pennies is None:
            return Skip.PRICE_TOO_FINE
        if self.invoice.customer not in (None, self.customer):
            return Skip.ANOTHER_CUSTOMER
        return None


@final
class RetailRows:
    """Reads rows one after the other, and gathers the invoices that they stand on."""

    def __init__(self, reasons: Iterable[Skip]) -> None:
        self.gathering: Final = Gathering(GBP, [skip.value for skip in reasons])
        self._pennies: Final[dict[str, int | None]] = {}

    def read(self, fields: tuple[str, ...]) -> RetailRow | None:
        """
        Read the fields of `COLUMNS`, or None for a row that is no customer's, which is counted.

        Raises:
            BadCell: A field cannot be read.
        """
        number, stock_code, quantity, date, price, customer = fields
        gathering = self.gathering
        at = gathering.instant("InvoiceDate", date)
        if _WHOLE.fullmatch(quantity) is None:
            expected = "a whole number of at most nine digits"
            raise BadCell("Quantity", mismatch(expected, quantity))
        pennies = self._price(price)
        kind = EventKind.REFUND if number.startswith("C") else EventKind.ORDER
        invoice = gathering.invoice("InvoiceNo", number, kind, at)
        if number.startswith("A"):
            gathering.skip(Skip.ADJUSTMENT)
            return None
        if not customer.strip():
            gathering.skip(Skip.GUEST)
            return None
        gathering.require_customer("CustomerID", customer)
        return RetailRow(invoice, customer, stock_code, int(quantity), pennies)

    def _price(self, written: str) -> int | None:
        """
        Return a price in pennies, or None for one that has fractions of a penny.

        Raises:
            BadCell: It is no price at all.
        """
        try:
            return self._pennies[written]
        except KeyError:
            pass
        if _PRICE.fullmatch(written) is None:
            raise BadCell("UnitPrice", mismatch('a plain decimal like "2.55"', written))
        pennies: int | None
        try:
            pennies = Money.of(written, GBP).minor
        except AmountTooFine:
            pennies = None
        self._pennies[written] = pennies
        return pennies


_WHOLE: Final = re.compile(r"-?[0-9]{1,9}")
_PRICE: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")
_GOODS: Final = re.compile(r"[0-9]{5}")
