"""`AsyncStoreCredit` decides nothing itself; what it waits for, it waits for with others running."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, func, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from storecredit import Money, Period, StoreCredit
from storecredit.errors import (
    ChargePending,
    GivesBackTooMuch,
    InsufficientCredit,
    InvalidTerms,
    KeyReused,
    PaymentHoldLost,
    UnknownPayment,
)
from storecredit.service import (
    AsyncCheckout,
    AsyncFeed,
    AsyncFeedBatch,
    AsyncStoreCredit,
    Checkout,
    Feed,
    FeedBatch,
)
from storecredit.storage.sql import (
    AsyncSQLStorage,
    HostTransactionConflict,
    SQLStorage,
    create,
)
from storecredit.tenders import External, Order, OrderLine, PaymentPlan, RefundRequest

_T = TypeVar("_T")

MERCHANT = "acme"
METADATA = MetaData()
ORDERS = Table(
    "orders",
    METADATA,
    Column("number", String(40), primary_key=True),
    Column("paid", Integer, nullable=False),
)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database with all tables, by the name of its asynchronous driver."""
    if request.param == "sqlite":
        plain = f"sqlite:///{tmp_path / 'shop.db'}"
        asynchronous = plain.replace("sqlite:", "sqlite+aiosqlite:")
    else:
        plain = asynchronous = request.getfixturevalue("postgres_url")
    engine = create_engine(plain)
    create(engine)
    METADATA.create_all(engine)
    engine.dispose()
    return asynchronous


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(url)
    try:
        yield engine
    finally:
        await engine.dispose()


def with_engine(url: str, work: Callable[[AsyncEngine], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        async with opened(url) as engine:
            return await work(engine)

    return asyncio.run(run())


def with_credit(url: str, work: Callable[[AsyncStoreCredit], Awaitable[_T]]) -> _T:
    return with_engine(
        url, lambda engine: work(AsyncStoreCredit(AsyncSQLStorage(engine), merchant=MERCHANT))
    )


# --- The same verbs -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "awaited"),
    [
        (StoreCredit, AsyncStoreCredit),
        (Feed, AsyncFeed),
        (FeedBatch, AsyncFeedBatch),
        (Checkout, AsyncCheckout),
    ],
)
def test_every_verb_is_there_with_the_same_arguments(plain: type, awaited: type) -> None:
    def verbs(kind: type) -> dict[str, list[str]]:
        return {
            name: [each for each in inspect.signature(verb).parameters if each != "own"]
            for name, verb in inspect.getmembers(kind, callable)
            if not name.startswith("_")
        }

    wanted = verbs(plain)
    if plain is FeedBatch:
        # The end of the block does these.
        del wanted["finish"], wanted["give_up"]
    assert verbs(awaited) == wanted


def test_a_story_is_the_same_as_without_awaiting(url: str) -> None:
    async def story(credit: AsyncStoreCredit) -> list[Any]:
        issued = await credit.issue("c-17", usd("50.00"), funding="refund", key="return-1001")
        again = await credit.issue("c-17", usd("50.00"), funding="refund", key="return-1001")
        hold = await credit.hold("c-17", usd("30.00"), reference="order 1002", key="o/hold")
        captured = await credit.capture(hold.hold_id, key="o/capture")
        with pytest.raises(InsufficientCredit) as refused:
            await credit.redeem("c-17", usd("20.01"), key="too much")
        with pytest.raises(KeyReused):
            await credit.issue("c-17", usd("50.01"), funding="refund", key="return-1001")
        restored = await credit.restore(captured.entry_id, amount=usd("10.00"), key="return-1003")
        moved = await credit.transfer("c-17", "c-18", usd("5.00"), key="gift")
        entries = [entry.sequence async for entry in credit.journal("c-17", "USD")]
        receipts = [
            receipt.amount
            async for receipt in credit.issue_each([])  # nothing to issue
        ]
        wallet = await credit.wallet("c-17")
        verified = await credit.verify()
        return [
            (issued == again, again.replayed),
            captured.amount,
            type(refused.value).__name__,
            restored.amount,
            moved.sent.amount,
            entries,
            receipts,
            list(wallet.available),
            (verified.ok, verified.entries),
        ]

    assert with_credit(url, story) == [
        (True, True),
        usd("30.00"),
        "InsufficientCredit",
        usd("10.00"),
        usd("5.00"),
        [1, 2, 3, 4, 5],
        [],
        [usd("25.00")],
        (True, 6),
    ]


def test_a_checkout_shows_what_the_one_without_awaiting_shows() -> None:
    def shown(kind: type) -> dict[str, str | None]:
        return {
            name: inspect.getdoc(found)
            for name, found in inspect.getmembers(kind)
            if isinstance(found, property)
        }

    assert shown(AsyncCheckout) == shown(Checkout)
    assert len(shown(Checkout)) == 9


async def order_of(credit: AsyncStoreCredit, name: str, *amounts: str) -> PaymentPlan:
    """Plan an order of c-17: credit first, then a card."""
    lines = [OrderLine(str(number), usd(amount)) for number, amount in enumerate(amounts, 1)]
    balance = await credit.tender("balance", "c-17", "USD")
    return credit.plan_payment(Order(name, lines), [balance, External("card")])


def test_an_order_is_paid_shipped_cancelled_and_refunded(url: str) -> None:
    async def story(credit: AsyncStoreCredit) -> list[Any]:
        await credit.issue("c-17", usd("8.00"), funding="refund", key="a")
        with pytest.raises(UnknownPayment):
            await credit.checkout("o-1")
        assert await credit.find_checkout("o-1") is None
        checkout = await credit.begin_checkout(
            await order_of(credit, "o-1", "10.00", "10.00"), key="begin", actor="till 3"
        )
        seen: list[Any] = [repr(checkout), checkout.order, str(checkout.charges[0].amount)]
        await checkout.replan(await order_of(credit, "o-1", "10.00", "6.00"), key="less")
        seen.append(str(await checkout.charge("card", key="ch-1")))
        assert [each.id for each in checkout.pending] == ["ch-1"]
        with pytest.raises(ChargePending):
            await checkout.replan(await order_of(credit, "o-1", "10.00", "5.00"), key="pending")
        other = await credit.find_checkout("o-1")
        assert isinstance(other, AsyncCheckout)
        await other.settle_charge("ch-1", "confirmed")
        assert (await checkout.reload()) == other.record == checkout.record
        seen.append([str(paid.amount) for paid in checkout.paid_already])
        await checkout.capture(["1"], key="ship-1")
        await checkout.cancel(key="rest")
        seen += [checkout.state.value, str(checkout.stranded[0].amount)]
        for each in checkout.stranded:
            await checkout.give_back(each.charge, each.total)
        # A repeat changes nothing, and no more than that is given back.
        record = await checkout.give_back("ch-1", usd("3.00"))
        assert record == checkout.record == await other.reload()
        with pytest.raises(GivesBackTooMuch):
            await checkout.give_back("ch-1", usd("3.01"))
        refund = await checkout.plan_refund(RefundRequest.of_lines(["1"]))
        await checkout.refund(refund, key="back")
        (due,) = checkout.refunds_due
        await checkout.settle_refund(due.refund, due.tender, "confirmed")
        seen += [str(due.amount), checkout.refunds_due, checkout.stranded]
        assert checkout.payment.returned == checkout.payment.paid
        last = await credit.begin_checkout(await order_of(credit, "o-2", "8.00"), key="begin")
        await last.complete(key="done")
        found = [each.order async for each in credit.checkouts()]
        held = [each async for each in credit.checkouts(state="held")]
        verified = await credit.verify()
        return [*seen, found, held, verified.ok, list((await credit.wallet("c-17")).available)]

    assert with_credit(url, story) == [
        "AsyncCheckout('o-1', held)",
        "o-1",
        "USD 12.00",
        "USD 8.00",
        ["USD 8.00"],
        "completed",
        "USD 3.00",
        "USD 5.00",
        (),
        (),
        ["o-1", "o-2"],
        [],
        True,
        [],
    ]


def test_a_lost_hold_is_seen_by_the_checkout_that_lost_it(url: str) -> None:
    async def story(credit: AsyncStoreCredit) -> list[Any]:
        await credit.issue("c-17", usd("8.00"), funding="refund", key="a")
        checkout = await credit.begin_checkout(await order_of(credit, "o-1", "5.00"), key="begin")
        await credit.release(checkout.record.holds[0].hold, key="by hand")
        with pytest.raises(PaymentHoldLost):
            await checkout.complete(key="done")
        seen = checkout.record
        return [checkout.state.value, checkout.record.holds, await checkout.reload() == seen]

    assert with_credit(url, story) == ["planned", (), True]


def test_tasks_that_complete_the_same_order_capture_it_once(url: str) -> None:
    async def story(credit: AsyncStoreCredit) -> list[Any]:
        await credit.issue("c-17", usd("8.00"), funding="refund", key="a")
        plan = await order_of(credit, "o-1", "5.00")

        async def go(number: int) -> str:
            checkout = await credit.begin_checkout(plan, key="begin")
            await checkout.complete(key=f"task {number}")
            return checkout.state.value

        states = await asyncio.gather(*(go(number) for number in range(6)))
        wallet = await credit.wallet("c-17")
        entries = [entry.kind.value async for entry in credit.journal("c-17", "USD")]
        return [{*states}, list(wallet.available), entries, (await credit.verify()).ok]

    assert with_credit(url, story) == [
        {"completed"},
        [usd("3.00")],
        ["issue", "hold", "capture_part"],
        True,
    ]


def test_iterating_may_end_early(url: str) -> None:
    async def story(credit: AsyncStoreCredit) -> tuple[int, bool]:
        for number in range(3):
            await credit.issue("c-17", usd("1.00"), funding="refund", key=f"r-{number}")
        async for entry in credit.journal("c-17", "USD"):
            first = entry.sequence
            break
        await credit.redeem("c-17", usd("3.00"), key="order-1")
        return first, (await credit.verify()).ok

    assert with_credit(url, story) == (1, True)


# --- Many at once ---------------------------------------------------------------------


def test_tasks_that_spend_the_same_credit_never_spend_it_twice(url: str) -> None:
    async def story(credit: AsyncStoreCredit) -> list[Any]:
        await credit.issue("c-17", usd("10.00"), funding="refund", key="return-1001")

        async def spend(number: int) -> int:
            try:
                receipt = await credit.redeem("c-17", usd("1.00"), key=f"order-{number}")
            except InsufficientCredit:
                return 0
            return receipt.amount.minor

        drawn = await asyncio.gather(*(spend(number) for number in range(25)))
        wallet = await credit.wallet("c-17")
        return [sum(drawn), list(wallet.available), (await credit.verify()).ok]

    assert with_credit(url, story) == [1000, [], True]


def test_tasks_with_one_key_have_one_effect(url: str) -> None:
    async def story(credit: AsyncStoreCredit) -> list[Any]:
        async def issue() -> Any:
            return await credit.issue("c-17", usd("10.00"), funding="refund", key="return-1001")

        receipts = await asyncio.gather(*(issue() for _ in range(8)))
        wallet = await credit.wallet("c-17")
        return [
            len({receipt.entry_id for receipt in receipts}),
            sum(not receipt.replayed for receipt in receipts),
            list(wallet.available),
        ]

    assert with_credit(url, story) == [1, 1, [usd("10.00")]]


def test_while_one_task_waits_for_a_lock_others_go_on(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    create(engine)
    engine.dispose()

    async def story(engine: AsyncEngine) -> list[str]:
        credit = AsyncStoreCredit(AsyncSQLStorage(engine), merchant=MERCHANT)
        await credit.issue("c-17", usd("10.00"), funding="refund", key="return-1001")
        done = []

        async def waiting() -> None:
            await credit.redeem("c-17", usd("1.00"), key="order-1")
            done.append("the one that waited")

        async with AsyncSession(engine) as session, session.begin():
            inside = AsyncStoreCredit(AsyncSQLStorage(session), merchant=MERCHANT)
            await inside.redeem("c-17", usd("2.00"), key="order-2")
            task = asyncio.create_task(waiting())
            await asyncio.sleep(0.2)
            done.append("the host's transaction")
        await task
        return done

    assert with_engine(postgres_url, story) == ["the host's transaction", "the one that waited"]


def test_a_task_that_is_cancelled_leaves_nothing_or_all_of_it(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    create(engine)
    engine.dispose()

    async def story(engine: AsyncEngine) -> list[Any]:
        credit = AsyncStoreCredit(AsyncSQLStorage(engine), merchant=MERCHANT)
        await credit.issue("c-17", usd("100.00"), funding="refund", key="return-1001")
        for number in range(40):
            task = asyncio.create_task(credit.redeem("c-17", usd("1.00"), key=f"order-{number}"))
            await asyncio.sleep(number * 0.0001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        verified = await credit.verify()
        taken = 100_00 - (await credit.wallet("c-17")).available["USD"].minor
        # Whoever was cancelled asks again with the same key, and each is taken once.
        for number in range(40):
            await credit.redeem("c-17", usd("1.00"), key=f"order-{number}")
        left = list((await credit.wallet("c-17")).available)
        return [verified.ok, taken % 100, taken <= 4000, left]

    assert with_engine(postgres_url, story) == [True, 0, True, [usd("60.00")]]


# --- In the host's transaction --------------------------------------------------------


def test_order_and_redemption_live_or_die_together(url: str) -> None:
    async def story(engine: AsyncEngine) -> list[Any]:
        own = AsyncStoreCredit(AsyncSQLStorage(engine), merchant=MERCHANT)
        await own.issue("c-17", usd("50.00"), funding="refund", key="return-1001")

        async def place(number: str, *, fails: bool) -> None:
            async with AsyncSession(engine) as session, session.begin():
                credit = AsyncStoreCredit(AsyncSQLStorage(session), merchant=MERCHANT)
                await session.execute(insert(ORDERS).values(number=number, paid=3000))
                await credit.redeem("c-17", usd("20.00"), key=f"{number}/redeem")
                if fails:
                    raise ZeroDivisionError

        await place("1", fails=False)
        with pytest.raises(ZeroDivisionError):
            await place("2", fails=True)
        async with AsyncSession(engine) as session:
            saved = await session.scalar(select(func.count()).select_from(ORDERS))
        return [saved, list((await own.wallet("c-17")).available)]

    assert with_engine(url, story) == [1, [usd("30.00")]]


def test_a_connection_is_joined_too(url: str) -> None:
    async def story(engine: AsyncEngine) -> list[Money]:
        async with engine.connect() as connection:
            credit = AsyncStoreCredit(AsyncSQLStorage(connection), merchant=MERCHANT)
            await credit.issue("c-17", usd("50.00"), funding="refund", key="return-1001")
            await connection.rollback()
            await credit.issue("c-17", usd("5.00"), funding="refund", key="return-1002")
            await connection.commit()
        own = AsyncStoreCredit(AsyncSQLStorage(engine), merchant=MERCHANT)
        return list((await own.wallet("c-17")).available)

    assert with_engine(url, story) == [usd("5.00")]


def test_something_else_than_an_asynchronous_bind_is_refused(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with pytest.raises(InvalidTerms, match="AsyncEngine"):
        AsyncSQLStorage(engine)  # type: ignore[arg-type]  # the mistake
    asynchronous = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}")
    with pytest.raises(InvalidTerms, match="begun"):
        AsyncSQLStorage(asynchronous.connect())
    assert "Async" in repr(AsyncSQLStorage(asynchronous))
    engine.dispose()


# --- The feed -------------------------------------------------------------------------


def test_a_feed_is_followed_in_batches_and_by_a_handler(url: str) -> None:
    async def story(credit: AsyncStoreCredit) -> list[Any]:
        for number in range(5):
            await credit.issue("c-17", usd("1.00"), funding="refund", key=f"r-{number}")
        feed = credit.feed("mailer", lease=Period(minutes=5))
        seen = []
        async with feed.batch(limit=2) as batch:
            assert (len(batch), batch.attempt) == (2, 1)
            for delivery in batch:
                seen.append(delivery.entry.sequence)
                await batch.acknowledge(delivery)

        async def fail() -> None:
            async with feed.batch(limit=2) as batch:
                for _ in batch:
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()

        async def handle(delivery: Any) -> None:
            await asyncio.sleep(0)
            seen.append(delivery.entry.sequence)
            if delivery.entry.sequence == 4:
                raise ZeroDivisionError

        done = await feed.run(handle, attempts=2, pause=0)
        letters = [letter.entry.sequence async for letter in feed.dead_letters()]
        status = await feed.status()
        return [seen, letters, status.waiting, done.dead]

    assert with_credit(url, story) == [[1, 2, 3, 4, 4, 5], [4], 0, 1]


def test_storage_names_what_it_works_on(url: str) -> None:
    plain = make_url(url).set(drivername=make_url(url).drivername.replace("+aiosqlite", ""))
    engine = create_engine(plain)
    credit = StoreCredit(SQLStorage(engine), merchant=MERCHANT)
    credit.issue("c-17", usd("5.00"), funding="refund", key="r")
    engine.dispose()
    # What the one writes, the other reads.
    found = with_credit(url, lambda awaited: awaited.wallet("c-17"))
    assert list(found.available) == [usd("5.00")]
    assert issubclass(HostTransactionConflict, Exception)
