"""The record of what refund cases have taken of an order (P5, S11)."""

from typing import Final

from storecredit.refunds import RefundedOrder
from storecredit.storage.protocols import Reader, Record, UnitOfWork

ORDER_KIND: Final = "refund-order"
"""The kind of the records of what refund cases have taken of an order (S11)."""


def taken_of(reader: Reader, merchant: str, order: str) -> tuple[int, RefundedOrder]:
    """Return the record of the order as it is stored, and its version; an empty one is none."""
    row = reader.record(merchant, ORDER_KIND, order)
    if row is None:
        return 0, RefundedOrder(order=order)
    return row.version, RefundedOrder.from_json(row.body)


def put_taken(tx: UnitOfWork, merchant: str, taken: RefundedOrder, *, version: int) -> None:
    """
    Write the record of an order in place of the one that was read.

    Raises:
        ConcurrentChange: It is no longer as it was read.
    """
    record = Record(
        merchant=merchant, kind=ORDER_KIND, id=taken.order, version=version, body=taken.to_json()
    )
    tx.put(record)
