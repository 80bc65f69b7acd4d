"""
Checkouts in many hands: processes that pay the same orders, their own orders, and are killed (T5).

On every engine, in transactions of the library's own; and in those of a host that saves a row
with each step. Each order is paid once, from whichever process, and all sums are exact.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from crowd.checkouts import PAYS, planned
from crowd.clients import ORDERS, prepare
from crowd.forking import Crowd
from crowd.scale import scaled

from storecredit import Money, StoreCredit
from storecredit.errors import PaymentStepRefused
from storecredit.ledger import EntryKind
from storecredit.service import Checkout
from storecredit.storage.sql import SQLStorage, create
from storecredit.tenders import Destination, PaymentState, RefundRequest

pytestmark = pytest.mark.server

PROCESSES = 8
STOCK = {"anna": 4_000, "ben": 1_500}
"""In cents, by holder: not enough for everybody, so that the card has to pay more of some orders."""

DIES_BEFORE = 30
"""An order asks the storage for more than that, so that each process of a first crowd is killed."""

_merchants = itertools.count(1)


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    with Crowd() as crowd:
        yield crowd


@pytest.fixture(scope="module")
def urls(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Callable[[str], str]]:
    """The database of each engine, made when it is first asked for."""
    made: dict[str, str] = {}
    lent: list[Any] = []

    def url_of(engine: str) -> str:
        if engine not in made:
            if engine == "sqlite":
                made[engine] = f"sqlite:///{tmp_path_factory.mktemp('checkouts')}/shop.db"
            else:
                fixtures = {"postgresql": "postgres_databases", "mariadb": "mariadb_databases"}
                lent.append(request.getfixturevalue(fixtures[engine]).fresh())
                made[engine] = lent[-1].__enter__()
            looking = sa.create_engine(made[engine])
            create(looking)
            prepare(looking)
            looking.dispose()
        return made[engine]

    yield url_of
    for each in lent:
        each.__exit__(None, None, None)


@attrs.define
class Meeting:
    """Where the processes of one test meet: a merchant of its own, at one engine."""

    crowd: Crowd
    client: dict[str, Any]
    engine: sa.Engine
    credit: StoreCredit

    def stock(self) -> None:
        """Give everybody what there is, in three lots."""
        for holder, cents in STOCK.items():
            for number, part in enumerate((cents // 5, cents // 5, cents - 2 * (cents // 5))):
                amount = Money.of_minor(part, "USD")
                self.credit.issue(holder, amount, funding="refund", key=f"stock {number}")

    def run(self, task: str, each: list[dict[str, Any]]) -> list[Any]:
        return self.crowd.run(task, [{"client": self.client, **one} for one in each])

    def require_rows_of_hosts(self, saved: int) -> None:
        """A host's row is there for each step that was taken, and for none that was refused."""
        with self.engine.connect() as connection:
            found = sa.select(sa.func.count()).where(ORDERS.c.merchant == self.credit.merchant.id)
            rows = connection.execute(found).scalar_one()
        assert rows == (saved if self.client["hosts"] else 0)

    def checkouts(self) -> list[Checkout]:
        return list(self.credit.checkouts())

    def require_all_is_exact(self) -> None:
        """Order by order and holder by holder: what was held, captured and given back."""
        verified = self.credit.verify()
        assert verified.ok, verified.problems
        captured: Counter[str] = Counter()
        returned: Counter[str] = Counter()
        for checkout in self.checkouts():
            record = checkout.record
            is_paid = checkout.state is PaymentState.COMPLETED
            assert is_paid or checkout.state is PaymentState.CANCELLED, checkout
            for holder in PAYS:
                took = record.plan.taken(holder)["USD"].minor if is_paid else 0
                captured[holder] += took
                back = sum(
                    part.amount.minor
                    for each in record.returns
                    for part in each.parts
                    if part.tender == holder and part.to is Destination.TENDER
                )
                returned[holder] += back
                assert self.moved(holder, checkout.order, EntryKind.CAPTURE_PART) == took
                assert self.moved(holder, checkout.order, EntryKind.RESTORE) == back
            charged = sum(each.amount.minor for each in record.charges)
            assert len(record.charges) <= 1
            wanted = record.plan.external["USD"].minor
            assert charged == wanted or (not is_paid and charged == 0)
            lost = sum(each.amount.minor for each in checkout.stranded)
            assert lost == (0 if is_paid else charged), checkout
        for holder, cents in STOCK.items():
            view = self.credit.account(holder, "USD")
            left = cents - captured[holder] + returned[holder]
            assert (view.available.minor, view.held.minor) == (left, 0), holder

    def moved(self, holder: str, order: str, kind: EntryKind) -> int:
        """How many cents entries of that kind moved for an order."""
        return sum(
            move.amount
            for entry in self.credit.journal(holder, "USD")
            if entry.kind is kind and entry.context.reference == order
            for move in entry.moves
        )


WAYS = [
    (engine, hosts)
    for engine in ("postgresql", "mariadb", "sqlite")
    for hosts in (False, True)
    # A host's transactions on SQLite are one after the other, as the library's own are.
    if not (engine == "sqlite" and hosts)
]


@pytest.fixture(params=WAYS, ids=[f"{engine}-{'host' if host else 'own'}" for engine, host in WAYS])
def meeting(
    request: pytest.FixtureRequest, crowd: Crowd, urls: Callable[[str], str]
) -> Iterator[Meeting]:
    engine, hosts = request.param
    merchant = f"shop {next(_merchants)}"
    client: dict[str, Any] = {"url": urls(engine), "merchant": merchant, "hosts": hosts}
    looking = sa.create_engine(urls(engine))
    meeting = Meeting(crowd, client, looking, StoreCredit(SQLStorage(looking), merchant))
    meeting.stock()
    yield meeting
    looking.dispose()


def test_t5_one_order_in_eight_hands_is_paid_once_or_cancelled_once(meeting: Meeting) -> None:
    """The same plan under the same keys, from everybody; half of them complete, half cancel."""
    saved = 0
    for number in range(scaled(3, 20)):
        plan = planned(meeting.credit, f"order {number}").to_json()
        told = meeting.run(
            "pay_the_same_orders",
            [
                {
                    "plans": [plan],
                    "name": f"{number}.{process}",
                    "way": ("complete", "cancel")[process % 2],
                }
                for process in range(PROCESSES)
            ],
        )
        saved += sum(each["saved"] for each in told)
        checkout = meeting.credit.checkout(f"order {number}")
        is_paid = checkout.state is PaymentState.COMPLETED
        record = checkout.record
        assert (len(record.begun), len(record.captures), len(record.cancels)) == (
            (1, 1, 0) if is_paid else (1, 0, 1)
        )
        refused = sum(each["refused"] for each in told)
        assert refused == PROCESSES // 2 or (not is_paid and refused >= PROCESSES // 2)
    assert len(meeting.checkouts()) == scaled(3, 20)
    meeting.require_rows_of_hosts(saved)
    meeting.require_all_is_exact()


def test_t5_orders_of_eight_processes_take_exactly_what_the_wallets_have(
    meeting: Meeting,
) -> None:
    each = scaled(2, 12)
    told = meeting.run(
        "pay_own_orders",
        [
            {
                "orders": [f"order {process}.{number}" for number in range(each)],
                "name": str(process),
            }
            for process in range(PROCESSES)
        ],
    )
    meeting.require_rows_of_hosts(sum(each["saved"] for each in told))
    states = Counter(checkout.state for checkout in meeting.checkouts())
    half = PROCESSES * (each // 2)
    assert states == {PaymentState.COMPLETED: half, PaymentState.CANCELLED: half}
    meeting.require_all_is_exact()


def test_t5_who_is_killed_anywhere_leaves_orders_that_anybody_goes_on_with(
    meeting: Meeting,
) -> None:
    """Each process kills itself at the n-th thing that it asks of the storage; others go on."""
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    orders = [f"order {number}" for number in range(scaled(8, 30))]
    killed = 0
    for number in range(scaled(4, 20)):
        rounds = [
            {
                "orders": chance.sample(orders, len(orders)),
                "name": f"{number}.{process}",
                "dies_at": chance.randrange(1, DIES_BEFORE),
            }
            for process in range(PROCESSES)
        ]
        killed += meeting.run("pay_until_killed", rounds).count(None)
    assert killed >= PROCESSES, f"seed {seed}"
    last = [{"orders": orders, "name": f"last.{process}", "dies_at": None} for process in range(2)]
    assert None not in meeting.run("pay_until_killed", last)
    for order in orders:
        checkout = meeting.credit.checkout(order)
        expected = ("completed", "cancelled")[int(order.split()[-1]) % 2]
        assert checkout.state == expected, f"{order}, seed {seed}"
        if expected == "completed":
            # What is left of it goes back, too, and then each has what it paid.
            everything = RefundRequest.of_everything(checkout.payment)
            checkout.refund(checkout.plan_refund(everything), key=f"rest of {order}")
            assert checkout.payment.returned == checkout.payment.paid
    meeting.require_all_is_exact()


# --- Two at the same step, without a race -------------------------------------------------


class Late:
    """A storage that lets somebody else go first once it has read, before it locks."""

    def __init__(self, storage: SQLStorage, first: Callable[[], object]) -> None:
        self.storage = storage
        self.first = first
        self.times = 0

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.storage.transaction() as work:
            yield LateWork(work, self)

    def snapshot(self) -> Any:
        return self.storage.snapshot()

    def close(self) -> None:
        self.storage.close()


class LateWork:
    def __init__(self, work: Any, late: Late) -> None:
        self._work = work
        self._late = late

    def lock(self, accounts: Any) -> None:
        if not self._late.times:
            self._late.times += 1
            self._late.first()
        self._work.lock(accounts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)


@pytest.fixture
def two(crowd: Crowd, urls: Callable[[str], str]) -> Iterator[Meeting]:
    """An engine on which what was read may be old by the time it is locked; nobody is forked."""
    looking = sa.create_engine(urls("postgresql"))
    merchant = f"shop {next(_merchants)}"
    credit = StoreCredit(SQLStorage(looking), merchant)
    meeting = Meeting(crowd, {}, looking, credit)
    meeting.stock()
    yield meeting
    looking.dispose()


def at_the_same_time(
    two: Meeting, ours: Callable[[StoreCredit], Any], theirs: Callable[[StoreCredit], Any]
) -> Any:
    late = Late(SQLStorage(two.engine), lambda: theirs(two.credit))
    storage: Any = late
    answer = ours(StoreCredit(storage, two.credit.merchant.id))
    assert late.times == 1, "nobody was in between"
    return answer


def test_a12_one_step_from_two_triggers_at_once_is_done_once_and_answered_alike(
    two: Meeting,
) -> None:
    plan = planned(two.credit, "order 1")

    def begin(credit: StoreCredit) -> Any:
        return credit.begin_checkout(plan, key="begin").record

    def complete(key: str) -> Callable[[StoreCredit], Any]:
        return lambda credit: credit.checkout("order 1").complete(key=key)

    def refund(key: str) -> Callable[[StoreCredit], Any]:
        back = two.credit.checkout("order 1").plan_refund(RefundRequest.of_lines(["hat"]))
        return lambda credit: credit.checkout("order 1").refund(back, key=key)

    assert at_the_same_time(two, begin, begin).state == "held"
    two.credit.checkout("order 1").charge("card", key="charge")
    two.credit.checkout("order 1").settle_charge("charge", "confirmed")
    # Another trigger has another key; the order is completed all the same.
    assert at_the_same_time(two, complete("web"), complete("worker")).state == "completed"
    ours = refund("return")
    assert len(at_the_same_time(two, ours, ours).returns) == 1
    two.require_all_is_exact()


def test_a12_who_comes_second_is_told_what_the_first_has_made_of_the_order(two: Meeting) -> None:
    plan = planned(two.credit, "order 1")
    two.credit.begin_checkout(plan, key="begin")
    two.credit.checkout("order 1").charge("card", key="charge")
    two.credit.checkout("order 1").settle_charge("charge", "confirmed")
    with pytest.raises(PaymentStepRefused) as refused:
        at_the_same_time(
            two,
            lambda credit: credit.checkout("order 1").complete(key="complete"),
            lambda credit: credit.checkout("order 1").cancel(key="cancel"),
        )
    assert (refused.value.step, refused.value.state) == ("complete", "cancelled")
    two.require_all_is_exact()
