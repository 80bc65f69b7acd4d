"""
The generic columns of an order history, for whoever can write a query over their own orders.

- `id`: the shop's number of the order or refund. Rows with the same id are one event, and their
  amounts are added up.
- `kind`: `order` or `refund`.
- `customer`: the holder's id; empty for a guest.
- `at`: an ISO 8601 instant; without a zone it is UTC.
- `amount`: what the line is worth in major units, a plain decimal, zero or more: `kind` says which
  way it goes.
- `currency`: an ISO 4217 code, or that of a custom unit. One history has one unit.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, final

from storecredit.errors import (
    AmountOutOfRange,
    AmountTooFine,
    BadRow,
    ImportRefused,
    StoreCreditError,
)
from storecredit.replay.gathering import Gathering, read_all
from storecredit.replay.history import EventKind, History
from storecredit.replay.rows import mismatch, shown
from storecredit.service.file_source import BadCell
from storecredit.values import CustomUnit, Money, Unit, unit

GUEST: Final = "guest"
"""The one reason for which a row takes no part."""


def read_generic(paths: Iterable[Path], *, units: Iterable[CustomUnit] = ()) -> History:
    """
    Read a history from *paths*, files with the generic columns.

    Args:
        paths: The files, in order of time; an id may be spread over several.

        units: The custom units that the currency column may name.

    Raises:
        OSError: A file cannot be opened or read.
        ImportRefused: A file is broken, and every bad row of it is named; or there is no row at
            all, so that nobody can say what nothing is counted in.
    """
    files = list(paths)
    reading = _Reading(tuple(units))
    read_all(files, reading)
    if reading.gathering is None:
        row = BadRow(2, "row", "expected at least one row, found none")
        raise ImportRefused(", ".join(map(str, files)), (row,), 1)
    return reading.gathering.history()


@final
class _Reading:
    """Decides about one row after the other; the first one says which unit it is all in."""

    columns = ("id", "kind", "customer", "at", "amount", "currency")
    advice = "; for the columns of UCI Online Retail there is --format online-retail"

    def __init__(self, units: tuple[CustomUnit, ...]) -> None:
        self._units: Final = units
        self.gathering: Gathering | None = None

    def add(self, fields: tuple[str, ...]) -> None:
        number, written, customer, date, amount, code = fields
        gathering = self.gathering = self.gathering or self._begun(code)
        if code != gathering.unit.code:
            expected = f'"{gathering.unit.code}", as in the first row: one unit in a history'
            raise BadCell("currency", mismatch(expected, code))
        try:
            kind = EventKind(written)
        except ValueError:
            raise BadCell("kind", mismatch('"order" or "refund"', written)) from None
        at = gathering.instant("at", date)
        minor = _minor(amount, gathering.unit)
        event = gathering.invoice("id", number, kind, at)
        if event.kind is not kind:
            expected = f'"{event.kind}", as in other rows of {shown(number)}'
            raise BadCell("kind", mismatch(expected, written))
        if not customer.strip():
            gathering.skip(GUEST)
            return
        gathering.require_customer("customer", customer)
        if event.customer not in (None, customer):
            expected = f"{shown(str(event.customer))}, as in other rows of {shown(number)}"
            raise BadCell("customer", mismatch(expected, customer))
        event.keep(customer, minor, "amount")

    def _begun(self, code: str) -> Gathering:
        try:
            return Gathering(unit(code, customs=self._units), [GUEST])
        except StoreCreditError:
            expected = "an ISO 4217 code, or that of a declared custom unit"
            raise BadCell("currency", mismatch(expected, code)) from None


def _minor(amount: str, counted: Unit) -> int:
    expected = "a plain decimal of zero or more; kind says which way it goes"
    try:
        if _AMOUNT.fullmatch(amount) is not None:
            return Money.of(amount, counted).minor
    except AmountTooFine:
        expected = f"at most {counted.digits} decimal places, which is what {counted.code} has"
    except AmountOutOfRange:
        expected = "an amount within signed 64-bit minor units"
    raise BadCell("amount", mismatch(expected, amount))


_AMOUNT: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
