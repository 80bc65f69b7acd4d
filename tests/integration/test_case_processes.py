"""
Refund cases, gifts and top-ups in many hands: the same ones, under one limit, until killed (P3-P5).

On every engine, in transactions of the library's own, and in those of a host. Whatever is given is
given once, by whichever process; no piece is refunded twice, and no limit is exceeded.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from crowd.cases import WHY, Worker, a_gift, a_line, decided, do_job, pay, policy
from crowd.claims import RULES
from crowd.clients import prepare
from crowd.forking import Crowd
from crowd.granting import NAMED, bought, usd
from crowd.scale import scaled

from storecredit import Period, StoreCredit
from storecredit.claims import ClaimState
from storecredit.policies import Limit, RefundDecision
from storecredit.policies.gift import GrantCeiling
from storecredit.policies.rule import Bonus
from storecredit.policies.top_up import BonusStep, TopUpPolicy, credit_top_up
from storecredit.refunds import CaseRecord, CaseState
from storecredit.storage import MemoryStorage
from storecredit.storage.sql import SQLStorage, create

pytestmark = pytest.mark.server

PROCESSES = 6
DIES_BEFORE = 150
"""All jobs together ask the storage for many times that, so that each of a first crowd is killed."""
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
                made[engine] = f"sqlite:///{tmp_path_factory.mktemp('cases')}/shop.db"
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

    def run(self, task: str, each: list[dict[str, Any]]) -> list[Any]:
        return self.crowd.run(task, [{"client": self.client, **one} for one in each])

    def available(self, holder: str) -> int:
        return self.credit.account(holder, "USD").available.minor

    def record(self, case: str) -> CaseRecord:
        return self.credit.refund_case(case).record

    def require_sound(self) -> None:
        verified = self.credit.verify()
        assert verified.ok, verified.problems

    def claimed_by_everybody(self, codes: list[str], worth: int) -> None:
        """Let everybody claim all codes at once: each is claimed once, and nothing is lost."""
        holders = [f"claimer {process}" for process in range(PROCESSES)]
        told = self.run(
            "claim_the_same_codes",
            [{"codes": codes, "holder": holder, "seed": n} for n, holder in enumerate(holders)],
        )
        won = Counter(code for each in told for code in each["won"])
        assert won == Counter(codes), "a code was claimed twice, or never"
        spent = sum(each["spent"] for each in told)
        assert sum(map(self.available, holders)) == worth - 100 * spent
        states = Counter(claim.state for claim in self.credit.codes())
        assert states[ClaimState.CLAIMED] == len(codes)
        assert states[ClaimState.OPEN] == 0


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


# --- The same cases -----------------------------------------------------------------------


def three_cases(credit: StoreCredit, name: str) -> list[RefundDecision]:
    """Decide about credit and money for an order that a checkout has paid, and about a guest's."""
    holder = f"h {name}"
    pay(credit, name, holder)
    coats, hats = (credit.return_lines(name, {line: 2}) for line in ("coat", "hat"))
    told: dict[str, Any] = {"order": name, "holder": holder}
    return [
        decided(credit, f"coats {name}", coats, **told),
        decided(credit, f"hats {name}", hats, kind="money", **told),
        decided(credit, f"guest {name}", [a_line()], order=f"old {name}"),
    ]


def given_by(record: CaseRecord) -> int:
    return sum(each.standing.minor for each in record.given)


def steps_of(record: CaseRecord) -> Counter[str]:
    return Counter(event.step.value for event in record.events)


@pytest.mark.parametrize("keys", ["same", "own"])
def test_p5_a_case_in_six_hands_is_completed_once(meeting: Meeting, keys: str) -> None:
    credit = meeting.credit
    orders = [f"order {number}" for number in range(scaled(1, 10))]
    decisions = [each for order in orders for each in three_cases(credit, order)]
    before = {order: meeting.available(f"h {order}") for order in orders}
    told = meeting.run(
        "walk_the_same_cases",
        [
            {
                "decisions": [each.to_json() for each in decisions],
                "own": "" if keys == "same" else f" {process}",
                # With keys of their own, half of them want to deny every case.
                "way": "deny" if keys == "own" and process % 2 else "complete",
            }
            for process in range(PROCESSES)
        ],
    )
    completed = [each for each in decisions if meeting.record(each.request.id).state == "completed"]
    for each in decisions:
        steps = steps_of(meeting.record(each.request.id))
        assert steps["request"] == 1
        assert steps["complete"] + steps["deny"] == 1
    if keys == "same":
        assert completed == decisions
        assert not any(each["refused"] for each in told)
    for order in orders:
        payment = credit.checkout(order).payment
        cases = [each for each in completed if each.request.order == order]
        came_back = sum(each.restored["USD"].minor for each in cases)
        promised = sum(lot.amount.minor for each in cases for lot in each.lots)
        assert meeting.available(f"h {order}") - before[order] == came_back + promised
        asked = sum(r.amount.minor for c in cases for r in meeting.record(c.request.id).refunds)
        assert asked == sum(each.tenders.minor for each in cases)
        assert payment.returned["USD"].minor == came_back + sum(
            each.request.external.minor for each in cases
        )
    guests = [each for each in completed if each.request.holder is None]
    codes = Counter(name for each in told for name in each["codes"])
    assert codes == Counter(each.request.id for each in guests), "a code was shown twice, or never"
    shown = [code for each in told for code in each["codes"].values()]
    meeting.claimed_by_everybody(shown, 1100 * len(guests))
    meeting.require_sound()


def test_p5_of_three_coats_no_more_than_three_are_refunded(meeting: Meeting) -> None:
    orders = [f"order {number}" for number in range(scaled(2, 12))]
    for order in orders:
        pay(meeting.credit, order, f"h {order}")
    told = meeting.run(
        "take_pieces",
        [
            {"orders": orders, "name": str(process), "fickle": process % 2 == 1}
            for process in range(PROCESSES)
        ],
    )
    got = Counter(case.partition("/")[0] for each in told for case in each["got"])
    assert all(count <= 3 for count in got.values())
    assert sum(each["taken"] for each in told) >= (PROCESSES - 3) * len(orders)
    for order in orders:
        # Whoever has asked in vain may have done so while others were of two minds.
        cases = list(meeting.credit.refund_cases(order=order))
        states = Counter(case.state for case in cases)
        assert states[CaseState.COMPLETED] == got[order]
        assert set(states) <= {CaseState.COMPLETED, CaseState.CANCELLED}
        left = 3 - got[order]
        if left:
            meeting.credit.return_lines(order, {"coat": left})
        done = [case.record for case in cases if case.state == "completed"]
        payment = meeting.credit.checkout(order).payment
        back = sum(
            each.decision.tenders.minor + each.decision.restored["USD"].minor for each in done
        )
        assert payment.returned["USD"].minor == back
        restored = sum(each.decision.restored["USD"].minor for each in done)
        assert meeting.available(f"h {order}") == restored
    meeting.require_sound()


# --- Limits -------------------------------------------------------------------------------


LIMITS = {
    "amount of a holder": Limit(id="day", per="holder", amount=usd("30.00")),
    "number of an agent": Limit(id="day", per="agent", on="credit", count=2, over="refuse"),
    "bonus of an agent": Limit(
        id="day", per="agent", on="bonus", amount=usd("2.50"), over="cut", period=Period(days=7)
    ),
}
"""Each of them leaves room for two cases, of eleven dollars each."""


def test_p3_six_processes_never_exceed_a_limit(meeting: Meeting) -> None:
    credit, cases = meeting.credit, list[str]()
    policies = {name: policy(limit, name=name, goods="keep") for name, limit in LIMITS.items()}
    for name, by in policies.items():
        for number in range(scaled(5, 12)):
            case = f"{name} {number}"
            holder = "anna" if name.endswith("holder") else f"holder of {case}"
            made = decided(credit, case, [a_line()], by=by, holder=holder, order=f"o {case}")
            # Who has decided does not count as somebody who has approved.
            credit.request_refund(made, key="ask").approve(key="yes", actor="ann")
            cases.append(case)
    told = meeting.run(
        "complete_under_limits",
        # From places of their own, so that all begin with something else.
        [{"cases": cases[place:] + cases[:place]} for place in range(PROCESSES)],
    )
    for name, by in policies.items():
        found = [meeting.record(case) for case in cases if case.startswith(name)]
        done = [record for record in found if record.state == "completed"]
        assert [given_by(each) for each in done] == [1100] * 2, name
        (tally,) = credit.tallies(by, holder="anna", agent="ann")
        assert tally.count == 2, name
    refused = sum(sum(each.values()) - each.get("completed", 0) for each in told)
    assert refused >= (len(cases) - 6) * PROCESSES
    meeting.require_sound()


def test_p4_six_processes_give_each_holder_one_first_gift_and_all_no_more_than_they_may(
    meeting: Meeting,
) -> None:
    holders = [f"new {number}" for number in range(scaled(6, 30))]
    most = len(holders) - 2
    told = meeting.run(
        "give_first_gifts",
        [{"holders": holders, "name": str(n), "most": most} for n in range(PROCESSES)],
    )
    assert sum(each.get("given", 0) for each in told) == most
    assert Counter(map(meeting.available, holders)) == {100: most, 0: 2}
    meeting.require_sound()


# --- Killed -------------------------------------------------------------------------------


Jobs = list[dict[str, Any]]


def jobs_of(credit: StoreCredit, name: str) -> Jobs:
    """Return one job of every kind, for an order and a holder of its own."""
    holder = f"h {name}"
    pay(credit, name, holder)
    ways: list[tuple[str, str, dict[str, int], str, dict[str, Any]]] = [
        # A case, how it goes back, what is accepted of it, how it ends, and what policy has it.
        (f"coats {name}", "credit", {"coat": 1}, "complete", {}),
        (f"hats {name}", "money", {"hat": 2}, "complete", {}),
        (f"guest {name}", "credit", {"coat": 1}, "complete", {}),
        (f"early {name}", "credit", {"coat": 1}, "deny", {"instant": True, "offer": ("credit",)}),
    ]
    found: Jobs = []
    for case, kind, accepted, end, rule in ways:
        what = case.split()[0]
        lines = [a_line()]
        told: dict[str, Any] = {"order": f"{what} o {name}", "holder": holder}
        if what in ("coats", "hats"):
            line = what[:-1]
            lines = list(credit.return_lines(name, {line: 2}))
            told["order"] = name
        if what == "guest":
            del told["holder"]
        limit = Limit(id="day", per="agent", amount=usd("9999.00"))
        decision = decided(credit, case, lines, by=policy(limit, **rule), kind=kind, **told)
        found.append(
            {
                "what": "case",
                "name": case,
                "decision": decision.to_json(),
                "accepted": accepted,
                "end": end,
                "answer": "failed" if what == "hats" else "confirmed",
            }
        )
    wallet = TopUpPolicy(
        id="wallet",
        minimum=usd("1.00"),
        bonuses=[BonusStep(paid=usd("10.00"), bonus=Bonus(percent=10))],
        ceilings=[GrantCeiling(id="month", period=Period(days=30), amount=usd("99.00"))],
    )
    for payment, refunded in ((f"kept {name}", False), (f"back {name}", True)):
        told = {"holder": holder, "payment": payment, "named": NAMED}
        topped = credit_top_up(wallet, usd("10.00"), **told)
        found.append(
            {
                "what": "top up",
                "name": payment,
                "decision": topped.to_json(),
                "refunded": refunded,
            }
        )
    gift = a_gift(f"gift {name}", holder, 999)
    earned = {"decision": bought(f"points {name}").to_json(), "lines": ["3", "7"]}
    found.append({"what": "gift", "name": f"gift {name}", "decision": gift.to_json()})
    found.append({"what": "earn", "name": f"points {name}", **earned})
    return found


def outcome(credit: StoreCredit, jobs: Jobs) -> dict[str, Any]:
    """Return all that can be told apart of what the jobs have done, whoever has done it and when."""
    found: dict[str, Any] = {}
    for job in jobs:
        if job["what"] == "case":
            record = credit.refund_case(job["name"]).record
            found[job["name"]] = {
                "state": record.state.value,
                "events": Counter((event.step.value, event.key) for event in record.events),
                "accepted": record.accepted,
                "given": Counter(
                    (lot.funding.value, str(lot.amount), str(lot.standing)) for lot in record.given
                ),
                "asked": Counter(
                    (each.tender, str(each.amount), each.key, each.answer.value)
                    for each in record.refunds
                ),
            }
    for holder in sorted(holders_of(jobs)):
        for unit in ("USD", "EUR"):
            kinds = Counter(
                (entry.kind.value, sum(move.amount for move in entry.moves))
                for entry in credit.journal(holder, unit)
            )
            found[f"{holder} {unit}"] = (kinds, credit.account(holder, unit).available.minor)
    found["codes"] = Counter(
        credit.account(claim.holder, "USD").available.minor for claim in credit.codes()
    )
    return found


def holders_of(jobs: Jobs) -> set[str]:
    """Return everybody who is named by a case, and anna, whom the points are for."""
    asked = [job["decision"]["request"].get("holder") for job in jobs if job["what"] == "case"]
    return {"anna", *(holder for holder in asked if holder is not None)}


class Alone(Worker):
    """Whoever does everything once, undisturbed."""

    def __init__(self, credit: StoreCredit) -> None:
        self.only = credit

    def do(self, act: Callable[[StoreCredit], Any], order: str | None = None) -> Any:
        assert order is None
        return act(self.only)


def undisturbed(merchant: str, names: list[str]) -> dict[str, Any]:
    """Return what comes of the same jobs where nothing ever happens twice."""
    memory = MemoryStorage()
    credit = StoreCredit(memory, merchant, claims=RULES)
    jobs = [job for name in names for job in jobs_of(credit, name)]
    for job in jobs:
        do_job(Alone(credit), job)
    return outcome(credit, jobs)


def test_p5_whoever_is_killed_anywhere_everything_ends_as_if_it_had_run_once(
    meeting: Meeting,
) -> None:
    """Killed by themselves at the n-th thing asked of the storage, or at any moment by others."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    credit = meeting.credit
    names = [f"n{number}" for number in range(scaled(2, 8))]
    jobs = [job for name in names for job in jobs_of(credit, name)]
    killed = 0
    for number in range(scaled(4, 20)):
        by_others = number % 2 == 1
        each = [
            {
                "client": meeting.client,
                "jobs": chance.sample(jobs, len(jobs)),
                "dies_at": None if by_others else chance.randrange(1, DIES_BEFORE),
            }
            for _ in range(PROCESSES)
        ]
        pids = meeting.crowd.start("work_until_killed", each)
        for pid in pids if by_others else []:
            time.sleep(chance.uniform(0, 0.15))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed += meeting.crowd.finish().count(None)
    assert killed >= 2 * PROCESSES, f"seed {seed}"
    last = [{"jobs": chance.sample(jobs, len(jobs)), "dies_at": None} for _ in range(2)]
    assert None not in meeting.run("work_until_killed", last)
    expected = undisturbed(credit.merchant.id, names)
    found = outcome(credit, jobs)
    assert found == expected, f"seed {seed}"
    by = policy(Limit(id="day", per="agent", amount=usd("9999.00")))
    (tally,) = credit.tallies(by, agent="ann")
    assert tally.count == 3 * len(names), f"seed {seed}"
    # A guest whose process died after it was done gets another code, and it is claimed once.
    lost = list(credit.codes())
    codes = [str(credit.reissue_code(claim.id, key="lost", **WHY).code) for claim in lost]
    meeting.claimed_by_everybody(codes, 1100 * len(names))
    meeting.require_sound()
