"""
Claim codes in many hands: processes that claim the same codes, spend from them, and are killed (A15).

On every engine, in transactions of the library's own; and in those of a host. Each code is claimed
once, by whichever process, and not a cent is lost or made between codes and holders.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from crowd.claims import DOLLAR, RULES
from crowd.clients import prepare
from crowd.forking import Crowd
from crowd.scale import scaled

from storecredit import StoreCredit
from storecredit.claims import ClaimState
from storecredit.service import IssuedCode
from storecredit.storage.sql import SQLStorage, create

pytestmark = pytest.mark.server

PROCESSES = 8
DIES_BEFORE = 30
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
                made[engine] = f"sqlite:///{tmp_path_factory.mktemp('claims')}/shop.db"
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
    credit: StoreCredit

    def issue(self, number: int, **terms: Any) -> list[IssuedCode]:
        """Issue codes of ten dollars: more than all the others can spend of one."""
        return [
            self.credit.issue_code(DOLLAR * 10, funding="purchased", key=f"gift {each}", **terms)
            for each in range(number)
        ]

    def run(self, task: str, each: list[dict[str, Any]]) -> list[Any]:
        return self.crowd.run(task, [{"client": self.client, **one} for one in each])

    def require_all_is_exact(self, holders: list[str], *, spent: int, codes: int) -> None:
        """Every code is claimed, and what was not spent of it is with whoever claimed it."""
        verified = self.credit.verify()
        assert verified.ok, verified.problems
        claims = list(self.credit.codes())
        assert len(claims) == codes
        assert {claim.state for claim in claims} == {ClaimState.CLAIMED}
        assert all(self.credit.wallet(claim.holder).accounts == () for claim in claims)
        cents = sum(self.available(holder) for holder in holders)
        assert cents == 1000 * codes - 100 * spent

    def available(self, holder: str) -> int:
        return sum(account.available.minor for account in self.credit.wallet(holder).accounts)


WAYS = [("postgresql", False), ("postgresql", True), ("mariadb", False), ("sqlite", False)]


@pytest.fixture(params=WAYS, ids=[f"{engine}-{'host' if host else 'own'}" for engine, host in WAYS])
def meeting(
    request: pytest.FixtureRequest, crowd: Crowd, urls: Callable[[str], str]
) -> Iterator[Meeting]:
    engine, hosts = request.param
    merchant = f"shop {next(_merchants)}"
    client: dict[str, Any] = {"url": urls(engine), "merchant": merchant, "hosts": hosts}
    looking = sa.create_engine(urls(engine))
    yield Meeting(crowd, client, StoreCredit(SQLStorage(looking), merchant, claims=RULES))
    looking.dispose()


def test_a15_of_eight_processes_one_claims_each_code_and_the_others_are_told_nothing(
    meeting: Meeting,
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    codes = [str(issued.code) for issued in meeting.issue(scaled(10, 60))]
    holders = [f"holder {process}" for process in range(PROCESSES)]
    told = meeting.run(
        "claim_the_same_codes",
        [
            {"codes": codes, "holder": holder, "seed": seed + place}
            for place, holder in enumerate(holders)
        ],
    )
    won = Counter(code for each in told for code in each["won"])
    assert won == Counter(codes), "a code was claimed twice, or never"
    reasons = Counter[str]()
    for each in told:
        reasons.update(each["told"])
    assert reasons == {"claimed": len(codes) * (PROCESSES - 1)}
    spent = sum(each["spent"] for each in told)
    meeting.require_all_is_exact(holders, spent=spent, codes=len(codes))


def test_a15_who_is_killed_while_claiming_leaves_codes_that_the_next_one_claims(
    meeting: Meeting,
) -> None:
    """Each process kills itself at the n-th thing that it asks of the storage; others go on."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    codes = [
        (str(issued.code), f"holder {place % 3}")
        for place, issued in enumerate(meeting.issue(scaled(8, 40)))
    ]
    killed = 0
    for _ in range(scaled(3, 12)):
        rounds = [
            {"codes": chance.sample(codes, len(codes)), "dies_at": chance.randrange(1, DIES_BEFORE)}
            for _ in range(PROCESSES)
        ]
        killed += meeting.run("claim_until_killed", rounds).count(None)
    assert killed >= PROCESSES, f"seed {seed}"
    last = [{"codes": codes, "dies_at": None} for _ in range(2)]
    assert None not in meeting.run("claim_until_killed", last)
    holders = [f"holder {place}" for place in range(3)]
    meeting.require_all_is_exact(holders, spent=0, codes=len(codes))
    for claim in meeting.credit.codes():
        assert [fact.step for fact in claim.facts] == ["issue", "claim"]
