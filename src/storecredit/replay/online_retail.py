"""
What the orders and cancellations of UCI Online Retail are worth: a UK shop, in GBP.

The columns are told in `retail_rows.py`. Cite Chen, Sain, Guo (2012), doi 10.1057/dbm.2012.17.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, final

from storecredit.replay.gathering import read_all
from storecredit.replay.history import History
from storecredit.replay.retail_rows import COLUMNS, RetailRows, Skip

_REASONS: Final = [skip for skip in Skip if skip is not Skip.NO_RETURN]


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
    return reading.rows.gathering.history()


@final
class _Reading:
    """Decides about one row after the other."""

    columns = COLUMNS
    advice = "; for the columns id, kind, customer, at, amount, currency there is --format generic"

    def __init__(self) -> None:
        self.rows: Final = RetailRows(_REASONS)

    def add(self, fields: tuple[str, ...]) -> None:
        row = self.rows.read(fields)
        if row is None:
            return
        if not row.is_goods:
            self.rows.gathering.skip(Skip.NOT_GOODS)
        elif (problem := row.problem) is not None:
            self.rows.gathering.skip(problem)
        elif row.pennies is not None:
            sign = -1 if row.is_refund else 1
            row.invoice.keep(row.customer, sign * row.pieces * row.pennies, "Quantity")
