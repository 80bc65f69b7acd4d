"""
What a type checker tells a caller about the service.

Never run: mypy and pyright read it. Each line that is wrong on purpose carries an
ignore, and a checker that finds the ignore needless fails, so both directions hold.
"""

from datetime import UTC, date, datetime
from typing import assert_type

import moneyed

from storecredit import (
    Balance,
    Delivery,
    ExchangeRate,
    Feed,
    Money,
    Period,
    Receipt,
    Rounding,
    StoreCredit,
    WalletView,
)
from storecredit.ledger import AccountView, EntryId, HoldId, LotId
from storecredit.service import FeedBatch, FeedRun, FeedStatus, TransferReceipt, Verification
from storecredit.storage import MemoryStorage

credit = StoreCredit(MemoryStorage(), merchant="acme")
ten = Money.of("10.00", "USD")

issued = credit.issue("c-17", ten, funding="refund", key="a", expires=date(2027, 1, 31))
assert_type(issued, Receipt)
assert_type(issued.lot_id, LotId)
assert_type(issued.amount, Money)
assert_type(credit.issue("c-17", moneyed.Money(10, "USD"), funding="refund", key="b"), Receipt)

held = credit.hold("c-17", ten, key="c", lapses=Period(hours=1), reference="order 1")
assert_type(held.hold_id, HoldId)
assert_type(credit.capture(held.hold_id, key="d", amount=ten), Receipt)
assert_type(credit.capture(held.hold_id, key="d").entry_id, EntryId)
assert_type(credit.release_order("c-17", "order 1", key="e"), tuple[Receipt, ...])

assert_type(credit.transfer("c-17", "c-18", ten, key="f"), TransferReceipt)
assert_type(
    credit.convert(
        "c-17",
        ten,
        ExchangeRate("USD", "EUR", "0.9", on=date(2026, 1, 2)),
        rounding=Rounding.DOWN,
        key="g",
    ),
    TransferReceipt,
)

assert_type(credit.wallet("c-17"), WalletView)
assert_type(credit.wallet("c-17").available, Balance)
assert_type(credit.account("c-17", "USD", at=datetime(2026, 1, 1, tzinfo=UTC)), AccountView)
assert_type(credit.verify(), Verification)

mailer = credit.feed("mailer", lease=Period(minutes=5))
assert_type(mailer, Feed)
with mailer.batch(limit=10) as batch:
    assert_type(batch, FeedBatch)
    for delivery in batch:
        assert_type(delivery, Delivery)
        assert_type(delivery.id, EntryId)


def handle(delivery: Delivery) -> None:
    batch.acknowledge(delivery)


assert_type(mailer.run(handle, later="park"), FeedRun)
assert_type(mailer.status(), FeedStatus)
mailer.run(lambda: None)  # type: ignore[arg-type,misc]  # a handler takes a delivery

credit.issue("c-17", 10, funding="refund", key="h")  # type: ignore[arg-type]  # a number has no unit
credit.issue("c-17", ten, key="h")  # type: ignore[call-arg]  # value always says who paid for it
credit.redeem("c-17", ten)  # type: ignore[call-arg]  # every command has a key (A12)
credit.redeem("c-17", ten, key="h", chanel="web")  # type: ignore[call-arg]  # a misspelt keyword
