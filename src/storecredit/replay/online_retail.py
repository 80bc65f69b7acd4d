"""
The columns of UCI Online Retail: a row is a line of an invoice of a UK shop, in GBP.

`InvoiceNo` that begins with C is a cancellation, with A an adjustment of bad debt, any other an
order. Whoever has no `CustomerID` is a guest. A stock code is goods if its first five characters
are digits; postage, discounts, fees and vouchers are not. Cite Chen, Sain, Guo (2012),
doi 10.1057/dbm.2012.17.
"""

import enum
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, final

from storecredit.errors import AmountTooFine
from storecredit.replay.gathering import Gathering, read_all
from storecredit.replay.history import EventKind, History
from storecredit.replay.rows import mismatch
from storecredit.service.file_source import BadCell
from storecredit.values import Money, currency

GBP: Final = currency("GBP")


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


def read_online_retail(paths: Iterable[Path]) -> History:
    """
    Read the history of a shop from *paths*, files with the columns of UCI Online Retail.

    An invoice may be spread over files. Its value is the exact sum of quantity times price over
    its kept lines, and of a cancellation the negative of that sum, because its quantities are
    negative; where a sum goes the other way, the value is zero.

    Raises:
        OSError: A file cannot be opened or read.
        ImportRefused: A file is broken; every bad row of it is named.
    """
    reading = _Reading()
    read_all(paths, reading)
    return reading.gathering.history()


@final
class _Reading:
    """Decides about one row after the other."""

    columns = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
    advice = "; for the columns id, kind, customer, at, amount, currency there is --format generic"

    def __init__(self) -> None:
        self.gathering: Final = Gathering(GBP, [skip.value for skip in Skip])
        self._pennies: Final[dict[str, int | None]] = {}

    def add(self, fields: tuple[str, ...]) -> None:
        number, stock_code, quantity, date, price, customer = fields
        gathering = self.gathering
        at = gathering.instant("InvoiceDate", date)
        if _WHOLE.fullmatch(quantity) is None:
            expected = "a whole number of at most nine digits"
            raise BadCell("Quantity", mismatch(expected, quantity))
        count = int(quantity)
        pennies = self._price(price)
        kind = EventKind.REFUND if number.startswith("C") else EventKind.ORDER
        invoice = gathering.invoice("InvoiceNo", number, kind, at)
        if number.startswith("A"):
            gathering.skip(Skip.ADJUSTMENT)
            return
        if not customer.strip():
            gathering.skip(Skip.GUEST)
            return
        gathering.require_customer("CustomerID", customer)
        if _GOODS.match(stock_code) is None:
            gathering.skip(Skip.NOT_GOODS)
        elif count < 0 and kind is EventKind.ORDER:
            gathering.skip(Skip.WRITE_OFF)
        elif pennies is None:
            gathering.skip(Skip.PRICE_TOO_FINE)
        elif invoice.customer not in (None, customer):
            gathering.skip(Skip.ANOTHER_CUSTOMER)
        else:
            sign = -1 if kind is EventKind.REFUND else 1
            invoice.keep(customer, sign * count * pennies, "Quantity")

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
