"""
Decisions in many hands: eight processes give the same things, on every engine (P4).

Each thing is given once, from whichever process, and no ceiling is ever exceeded; in transactions
of the library's own, and in those of a host.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from crowd.clients import prepare
from crowd.forking import Crowd
from crowd.granting import sell

from storecredit import StoreCredit
from storecredit.storage.sql import SQLStorage, create

pytestmark = pytest.mark.server

PROCESSES = 8
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
                made[engine] = f"sqlite:///{tmp_path_factory.mktemp('grants')}/shop.db"
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


CASES = [
    pytest.param((engine, hosts), id=f"{engine}, {whose} transactions")
    for engine in ("sqlite", "postgresql", "mariadb")
    for hosts, whose in ((False, "own"), (True, "host's"))
]


@pytest.fixture(params=CASES)
def meeting(
    request: pytest.FixtureRequest, urls: Callable[[str], str]
) -> Iterator[tuple[dict[str, Any], StoreCredit]]:
    """How a process comes to the ledger, and a service to look at it."""
    engine, hosts = request.param
    url, merchant = urls(engine), f"shop {next(_merchants)}"
    looking = sa.create_engine(url)
    client = {"url": url, "hosts": hosts, "merchant": merchant}
    yield client, StoreCredit(SQLStorage(looking), merchant)
    looking.dispose()


def test_p4_eight_processes_never_exceed_a_ceiling_and_give_each_thing_once(
    meeting: tuple[dict[str, Any], StoreCredit], crowd: Crowd
) -> None:
    client, credit = meeting
    tickets = [f"t-{number}" for number in range(12)]
    each = [
        {"client": client, "tickets": tickets[place:] + tickets[:place], "most": 7}
        for place in range(PROCESSES)
    ]
    told = crowd.run("grant_under_a_ceiling", each)
    answers = Counter(answer for one in told for answer in one["answers"])
    assert credit.wallet("anna").available["USD"].minor == 700
    assert answers["given"] == 7
    # Seven of twelve tickets had an answer; nobody else's was any other.
    assert answers["given"] + answers["replayed"] + answers["refused"] == 12 * PROCESSES
    assert answers["refused"] >= 5 * PROCESSES
    assert credit.verify().ok


def test_p4_what_is_delivered_to_eight_processes_is_earned_credited_and_removed_once(
    meeting: tuple[dict[str, Any], StoreCredit], crowd: Crowd
) -> None:
    client, credit = meeting
    names = ["o-1", "o-2", "o-3"]
    told = crowd.run("deliver_twice", [{"client": client, "names": names}] * PROCESSES)
    assert sum(one["fresh"] for one in told) == 4 * len(names)
    wallet = credit.wallet("anna")
    assert wallet.available["USD"].minor == 1000 * len(names)
    assert wallet.available["EUR"].minor == 80_00 * len(names)
    for name in names:
        earning = credit.earning(name)
        assert [removal.key for removal in earning.removals] == ["return-3", "return-7"]
        assert earning.removed is not None
        assert earning.removed.minor == 20_00
    assert credit.verify().ok


def test_p4_points_that_go_by_two_ways_at_once_go_once(
    meeting: tuple[dict[str, Any], StoreCredit], crowd: Crowd
) -> None:
    client, credit = meeting
    orders = [f"o-{number}" for number in range(4)]
    for order in orders:
        sell(credit, order)
    each = [
        {"client": client, "orders": orders, "by_hand": place % 2 == 0}
        for place in range(PROCESSES)
    ]
    told = crowd.run("bring_back", each)
    ways = list(zip(*(one["answers"] for one in told), strict=True))
    for order, answers in zip(orders, ways, strict=True):
        (removal,) = credit.earning(order).removals
        assert removal.points is not None
        assert removal.points.minor == 10_00
        taken = {"by hand": "by hand", "~refund:refund": "refunded"}[removal.key]
        # Whoever went the other way was told that it is too late.
        assert set(answers) - {taken} == {"too late"}
        back = credit.checkout(order).record.returned("refund")
        assert (back is not None) is (taken == "refunded")
    assert credit.wallet("anna").available["EUR"].minor == 90_00 * len(orders)
    assert credit.verify().ok
