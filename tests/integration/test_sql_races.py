"""
Eight processes, every engine, every isolation level: the sums of what they draw are exact (S2).

Twice each: in transactions of the library's own, and in transactions in which a host saves an
order, after it has read something; there the order and the credit live or die together (S5).

READ UNCOMMITTED is safe, too: PostgreSQL makes READ COMMITTED of it, and so does the library in
its own transactions on MariaDB. In a host's, everything that a command decides on is read under
a lock, which shows what is committed and nothing else. What a host only looks at there, such as a
wallet, is as dirty as it has asked for.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from crowd.clients import ORDERS, prepare
from crowd.forking import Crowd
from crowd.scale import scaled

from storecredit import Money, StoreCredit
from storecredit.storage.sql import SQLStorage, create

pytestmark = pytest.mark.server

PROCESSES = 8
TIMES = scaled(4, 30)
"""How often each process tries what there is too little of."""
STOCK = TIMES * PROCESSES * 5 // 8
"""How many dollars there are, for TIMES * PROCESSES who want one."""

LEVELS = {
    "postgresql": ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"),
    "mariadb": ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"),
    "sqlite": ("READ UNCOMMITTED", "SERIALIZABLE"),
}


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    with Crowd() as crowd:
        yield crowd


@pytest.fixture(scope="module")
def urls(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[dict[str, str]]:
    """The database of each engine that a test asks for, with all tables."""
    with Places(request, f"sqlite:///{tmp_path_factory.mktemp('races')}/shop.db") as places:
        yield places


class Places(dict[str, str]):
    """URLs by engine; a database is made when it is first asked for."""

    def __init__(self, request: pytest.FixtureRequest, sqlite: str) -> None:
        super().__init__()
        self.request, self.sqlite = request, sqlite
        self.lent: list[Any] = []

    def __enter__(self) -> Places:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.lent:
            each.__exit__(None, None, None)

    def __missing__(self, engine: str) -> str:
        if engine == "sqlite":
            url = self.sqlite
        else:
            fixtures = {"postgresql": "postgres_databases", "mariadb": "mariadb_databases"}
            self.lent.append(self.request.getfixturevalue(fixtures[engine]).fresh())
            url = self.lent[-1].__enter__()
        made = sa.create_engine(url)
        create(made)
        prepare(made)
        made.dispose()
        self[engine] = url
        return url


_merchants = itertools.count(1)


@attrs.define
class Meeting:
    """Where the processes of one test meet: a merchant of its own, at one engine and level."""

    crowd: Crowd
    client: dict[str, Any]
    engine: sa.Engine
    credit: StoreCredit

    def run(self, task: str, each: list[dict[str, Any]]) -> list[Any]:
        return self.crowd.run(task, [{"client": self.client, **one} for one in each])

    def stock(self, holder: str, dollars: int) -> None:
        """Give dollars in a few lots, so that a spend may touch more than one."""
        for number, part in enumerate((dollars // 3, dollars // 3, dollars - 2 * (dollars // 3))):
            amount = Money.of(f"{part}.00", "USD")
            self.credit.issue(holder, amount, funding="refund", key=f"stock {number}")

    def cents(self, holder: str) -> int:
        return self.credit.wallet(holder).available["USD"].minor

    def moved(self, holder: str, kind: str) -> list[str]:
        """The keys of that kind of entry in a journal."""
        journal = self.credit.journal(holder, "USD")
        return [entry.key for entry in journal if entry.kind == kind]

    def require_all_is_sound(self, *, orders: int) -> None:
        """The journals verify; a host's orders are as many as what was done beside them."""
        found = self.credit.verify()
        assert found.ok, found.problems
        if self.client["hosts"]:
            with self.engine.connect() as connection:
                kept = sa.select(sa.func.count()).where(
                    ORDERS.c.merchant == self.client["merchant"]
                )
                assert connection.execute(kept).scalar_one() == orders


CASES = [
    pytest.param((engine, level, hosts), id=f"{engine}, {level.lower()}, {whose} transactions")
    for engine, levels in LEVELS.items()
    for level in levels
    for hosts, whose in ((False, "own"), (True, "host's"))
]


@pytest.fixture(params=CASES)
def meeting(
    request: pytest.FixtureRequest, crowd: Crowd, urls: dict[str, str]
) -> Iterator[Meeting]:
    engine, level, hosts = request.param
    merchant = f"shop {next(_merchants)}"
    client = {"url": urls[engine], "level": level, "hosts": hosts, "merchant": merchant}
    looking = sa.create_engine(urls[engine])
    yield Meeting(crowd, client, looking, StoreCredit(SQLStorage(looking), merchant))
    looking.dispose()


@pytest.mark.parametrize("engine", list(LEVELS))
def test_every_level_of_isolation_that_an_engine_offers_is_tried(
    engine: str, urls: dict[str, str]
) -> None:
    made = sa.create_engine(urls[engine])
    with made.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        offered = set(made.dialect.get_isolation_level_values(driver))
    made.dispose()
    # To commit each statement is the absence of transactions; a host who does is refused.
    assert offered - {"AUTOCOMMIT"} == set(LEVELS[engine])


def test_s2_what_eight_processes_draw_is_exactly_what_there_was(meeting: Meeting) -> None:
    """One hot account, from which all spend and hold at once; and many, with three dollars each."""
    many = [f"c-{number}" for number in range(6)]
    meeting.stock("hot", STOCK)
    for holder in many:
        meeting.stock(holder, 3)
    keys = [[f"{process}-{number}" for number in range(TIMES)] for process in range(PROCESSES)]
    told = meeting.run("spend", [{"holders": ["hot"], "keys": mine} for mine in keys])
    assert sum(each["drawn"]["hot"] for each in told) == STOCK * 100
    assert sum(each["refused"] for each in told) == TIMES * PROCESSES - STOCK
    assert meeting.cents("hot") == 0
    drawn = meeting.moved("hot", "redeem")
    assert len(drawn) == len(set(drawn)) == STOCK

    told = meeting.run("spend", [{"holders": many, "keys": mine[:1]} for mine in keys])
    for holder in many:
        assert sum(each["drawn"][holder] for each in told) == 300
        assert meeting.cents(holder) == 0
    meeting.require_all_is_sound(orders=STOCK + 3 * len(many))


def test_a6_what_eight_processes_hold_and_capture_is_exactly_what_there_was(
    meeting: Meeting,
) -> None:
    meeting.stock("hot", STOCK)
    keys = [[f"{process}-{number}" for number in range(TIMES)] for process in range(PROCESSES)]
    told = meeting.run("hold", [{"holder": "hot", "keys": mine} for mine in keys])
    holds = [hold for each in told for hold in each["holds"]]
    assert len(set(holds)) == len(holds) == STOCK
    assert sum(each["refused"] for each in told) == TIMES * PROCESSES - STOCK
    account = meeting.credit.account("hot", "USD")
    assert (account.available.minor, account.held.minor) == (0, STOCK * 100)

    # All of them want the same few holds, each under a key of its own; each is captured once.
    wanted = holds[:6]
    told = meeting.run(
        "capture", [{"holds": wanted, "name": f"c-{process}"} for process in range(PROCESSES)]
    )
    captured = Counter(hold for each in told for hold in each["captured"])
    assert captured == dict.fromkeys(wanted, 1)
    assert sum(sum(each["captured"].values()) for each in told) == 100 * len(wanted)
    assert sum(each["refused"] for each in told) == len(wanted) * (PROCESSES - 1)

    # One hold of many dollars, of which everybody captures a dollar again and again.
    meeting.stock("big", STOCK)
    amount = Money.of(f"{STOCK}.00", "USD")
    hold = meeting.credit.hold("big", amount, key="all").hold_id
    told = meeting.run("capture_parts", [{"hold": hold, "keys": mine} for mine in keys])
    assert sum(each["captured"] for each in told) == STOCK * 100
    assert sum(each["refused"] for each in told) == TIMES * PROCESSES - STOCK
    account = meeting.credit.account("big", "USD")
    assert (account.available.minor, account.held.minor) == (0, 0)
    meeting.require_all_is_sound(orders=STOCK + len(wanted) + STOCK)


def test_s1_opposite_transfers_of_eight_processes_all_happen(meeting: Meeting) -> None:
    for holder in ("anna", "ben"):
        meeting.stock(holder, 100)
    times = scaled(5, 40)
    directions = (("anna", "ben"), ("ben", "anna"))
    meeting.run(
        "transfer",
        [
            {
                "sender": directions[process % 2][0],
                "receiver": directions[process % 2][1],
                "keys": [f"{process}-{number}" for number in range(times)],
            }
            for process in range(PROCESSES)
        ],
    )
    assert [meeting.cents(holder) for holder in ("anna", "ben")] == [10_000, 10_000]
    for holder in ("anna", "ben"):
        for kind in ("transfer_out", "transfer_in"):
            assert len(meeting.moved(holder, kind)) == times * PROCESSES // 2
    meeting.require_all_is_sound(orders=times * PROCESSES)


# --- Where a deadlock would have happened ---------------------------------------------------


@pytest.fixture(params=["postgresql", "mariadb"])
def crossing(
    request: pytest.FixtureRequest, crowd: Crowd, urls: dict[str, str]
) -> Iterator[Meeting]:
    """Anna and Ben on an engine that locks rows, with two processes for each way between them."""
    client: dict[str, Any] = {"url": urls[request.param], "merchant": f"shop {next(_merchants)}"}
    if request.param == "postgresql":
        # It looks for a deadlock only when somebody has waited for so long; for a second, else.
        client["options"] = {"connect_args": {"options": "-c deadlock_timeout=20ms"}}
    looking = sa.create_engine(urls[request.param])
    credit = StoreCredit(SQLStorage(looking), client["merchant"])
    meeting = Meeting(crowd, client, looking, credit)
    for holder in ("anna", "ben"):
        meeting.stock(holder, 200)
    yield meeting
    looking.dispose()


WAYS = (("anna", "ben"), ("ben", "anna"))


def test_s1_transfers_go_on_where_locks_in_the_order_of_asking_deadlock(crossing: Meeting) -> None:
    naive = [{"holders": WAYS[process % 2], "seconds": 3} for process in range(PROCESSES)]
    told = crossing.run("lock_two", naive)
    assert any(each["deadlocked"] for each in told)
    # Five times as many transfers as it took, and each at the first attempt.
    times = min(40, 5 * min(each["rounds"] for each in told if each["deadlocked"]) + 5)
    crossing.client["attempts"] = 1
    told = crossing.run(
        "transfer",
        [
            {
                "sender": WAYS[process % 2][0],
                "receiver": WAYS[process % 2][1],
                "keys": [f"{process}-{number}" for number in range(times)],
            }
            for process in range(PROCESSES)
        ],
    )
    assert [each["conflicts"] for each in told] == [0] * PROCESSES
    assert [crossing.cents(holder) for holder in ("anna", "ben")] == [20_000, 20_000]
    assert crossing.credit.verify().ok


def test_s5_hosts_that_spend_in_opposite_order_run_again_and_are_all_served(
    crossing: Meeting,
) -> None:
    """Here the order of the locks is the hosts' own, and a deadlock is theirs to run again."""
    crossing.client["hosts"] = True
    each = scaled(5, 20)
    told = crossing.run(
        "spend_of_two",
        [
            {
                "first": WAYS[process % 2][0],
                "second": WAYS[process % 2][1],
                "keys": [f"{process}-{number}" for number in range(each)],
            }
            for process in range(PROCESSES)
        ],
    )
    assert sum(one["conflicts"] for one in told) > 0
    left = 20_000 - 100 * each * PROCESSES
    assert [crossing.cents(holder) for holder in ("anna", "ben")] == [left, left]
    crossing.require_all_is_sound(orders=each * PROCESSES)


def test_a12_one_key_in_many_hands_has_one_outcome(meeting: Meeting) -> None:
    """Two threads of each of eight processes spend under the same key at the same moment."""
    meeting.stock("anna", 50)
    keys = [f"order {number}" for number in range(scaled(4, 20))]
    told = meeting.run("spend_with_one_key", [{"holder": "anna", "keys": keys}] * PROCESSES)
    for key in keys:
        answers = [answer for each in told for answer in each["answers"][key]]
        assert len({entry for entry, _ in answers}) == 1
        assert Counter(replayed for _, replayed in answers) == {False: 1, True: 15}
    assert meeting.moved("anna", "redeem") == keys
    assert meeting.cents("anna") == 5_000 - 100 * len(keys)
    assert meeting.credit.verify().ok
