"""
A shop on FastAPI and SQLAlchemy's asyncio: orders and store credit in one transaction.

    pip install "storecredit[sql]" fastapi uvicorn "psycopg[binary]"
    SHOP_DATABASE=postgresql+psycopg://user@host/shop uvicorn shop:app --app-dir examples/fastapi_shop

Without SHOP_DATABASE it keeps everything in the file `shop.db`, through aiosqlite. Many requests
are served at once by one process: whoever waits for the database lets the others go on.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import Numeric, String
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from storecredit import Money
from storecredit.errors import ConflictError, InsufficientCredit, MisuseError, RefusalError
from storecredit.service import AsyncStoreCredit
from storecredit.storage.sql import AsyncSQLStorage, HostTransactionConflict, create

MERCHANT = "acme"
ATTEMPTS = 10


class Base(DeclarativeBase):
    """The shop's own tables."""


class Order(Base):
    """One order of the shop's."""

    __tablename__ = "orders"

    number: Mapped[str] = mapped_column(String(40), primary_key=True)
    customer: Mapped[str] = mapped_column(String(200))
    on_credit: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    on_card: Mapped[Decimal] = mapped_column(Numeric(20, 2))


class Refund(BaseModel):
    """What a customer gets back as credit."""

    customer: str
    amount: str
    currency: str = "USD"


class Purchase(BaseModel):
    """What a customer buys, as far as the bill is concerned."""

    number: str
    customer: str
    total: str
    currency: str = "USD"


Key = Annotated[str, Header(alias="Idempotency-Key")]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the database, with all tables made, for as long as the shop is open."""
    url = os.environ.get("SHOP_DATABASE", "sqlite+aiosqlite:///shop.db")
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.run_sync(create)
    app.state.engine = engine
    app.state.credit = AsyncStoreCredit(AsyncSQLStorage(engine), merchant=MERCHANT)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.exception_handler(MisuseError)
@app.exception_handler(RefusalError)
@app.exception_handler(ConflictError)
async def explain(_: Request, error: Exception) -> JSONResponse:
    """Tell why not: 422 for a mistake, 409 for what is refused, 503 for what may be repeated."""
    status = 422 if isinstance(error, MisuseError) else 503
    if isinstance(error, RefusalError):
        status = 409
    return JSONResponse({"error": type(error).__name__, "message": str(error)}, status)


@app.post("/refunds")
async def refund(request: Request, wanted: Refund, key: Key) -> dict[str, str]:
    """Give credit for a refund, in a transaction of the library's own."""
    credit: AsyncStoreCredit = request.app.state.credit
    amount = Money.of(wanted.amount, wanted.currency)
    receipt = await credit.issue(wanted.customer, amount, funding="refund", key=key)
    return {"lot": receipt.lot_id, "credited": str(receipt.amount)}


@app.post("/orders")
async def order(request: Request, wanted: Purchase) -> dict[str, str]:
    """Save an order, paid with as much credit as there is: both, or neither."""
    engine: AsyncEngine = request.app.state.engine
    total = Money.of(wanted.total, wanted.currency)
    for _ in range(ATTEMPTS):
        try:
            async with AsyncSession(engine) as session, session.begin():
                return await _placed(session, wanted, total)
        except (HostTransactionConflict, IntegrityError):
            # Another request has paid from the same account, or saved the same order, just
            # before: run all of it again. What is done already is found done.
            continue
    raise HTTPException(503, "too many at once; ask again")


async def _placed(session: AsyncSession, wanted: Purchase, total: Money) -> dict[str, str]:
    credit = AsyncStoreCredit(AsyncSQLStorage(session), merchant=MERCHANT)
    paid = Money.zero(total.unit)
    try:
        receipt = await credit.redeem(
            wanted.customer,
            total,
            taking="up_to",
            reference=wanted.number,
            key=f"order-{wanted.number}/redeem",
        )
        paid = receipt.amount
    except InsufficientCredit:
        pass  # none at all: the card pays everything
    rest = total - paid
    await session.merge(
        Order(
            number=wanted.number,
            customer=wanted.customer,
            on_credit=paid.decimal,
            on_card=rest.decimal,
        )
    )
    return {"on_credit": str(paid), "on_card": str(rest)}


@app.get("/customers/{customer}")
async def wallet(request: Request, customer: str) -> dict[str, Any]:
    """Show what a customer has."""
    credit: AsyncStoreCredit = request.app.state.credit
    found = await credit.wallet(customer)
    return {"available": [str(money) for money in found.available]}
