"""
An order and the credit that pays for it, in one transaction of the shop's own (SQLAlchemy).

The shop opens the session, saves its order, redeems credit through it, and commits. If anything
fails before that, neither the order nor the redemption has happened. The library commits nothing
here and repeats nothing: where two transactions meet, the shop runs all of its own again.
"""

import tempfile
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Engine, Numeric, String, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from storecredit import Money, StoreCredit
from storecredit.errors import InsufficientCredit
from storecredit.storage.sql import HostTransactionConflict, SQLStorage, create


class Base(DeclarativeBase):
    """The shop's tables."""


class Order(Base):
    """One order of the shop's."""

    __tablename__ = "orders"

    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer: Mapped[str] = mapped_column(String(200))
    total: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    on_credit: Mapped[Decimal] = mapped_column(Numeric(20, 2))


def place(engine: Engine, number: str, customer: str, total: Money) -> Money:
    """
    Save an order and pay all of it with credit; return the credit that is left.

    Raises:
        InsufficientCredit: There is less; no order was saved.
    """
    for _ in range(5):
        try:
            with Session(engine) as session, session.begin():
                credit = StoreCredit(SQLStorage(session), merchant="acme")
                paid = credit.redeem(customer, total, key=f"{number}/redeem", reference=number)
                session.merge(
                    Order(
                        number=number,
                        customer=customer,
                        total=total.decimal,
                        on_credit=paid.amount.decimal,
                    )
                )
                return credit.wallet(customer).available
        except HostTransactionConflict:
            continue  # somebody else paid from the same account: run all of it again
    raise TimeoutError(number)


def main() -> None:
    """Place two orders; the second is more than there is."""
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{Path(folder, 'shop.db')}")
        Base.metadata.create_all(engine)
        create(engine)
        credit = StoreCredit(SQLStorage(engine), merchant="acme")
        credit.issue("c-17", Money.of("50.00", "USD"), funding="refund", key="return-1001")

        print("order 1002 leaves", place(engine, "1002", "c-17", Money.of("30.00", "USD")))
        # The answer was lost on the way, and the shop asks again: nothing happens twice.
        print("asked again, it leaves", place(engine, "1002", "c-17", Money.of("30.00", "USD")))
        try:
            place(engine, "1003", "c-17", Money.of("30.00", "USD"))
        except InsufficientCredit as refused:
            print(refused)
        with Session(engine) as session:
            print("orders saved:", session.scalar(select(func.count()).select_from(Order)))
        print("journals verify:", credit.verify().ok)
        engine.dispose()


if __name__ == "__main__":
    main()
