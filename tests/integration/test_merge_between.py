"""Mergers, claims and pseudonyms while somebody else's step happens at every point of them (A15, A17, A18)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from crowd.between import Answer, Scene, Two, two_at
from crowd.cases import WHY, a_line, decided, policy
from crowd.granting import usd

from storecredit import Money, StoreCredit
from storecredit.policies import Limit, LimitPer

pytestmark = pytest.mark.server

BY = policy(Limit(id="day", per=LimitPer.HOLDER, amount=usd("15.00")), goods="keep")
BOTH = pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "theirs"])


@pytest.fixture(scope="module")
def two(request: pytest.FixtureRequest) -> Iterator[Two]:
    with two_at(request.getfixturevalue("postgres_databases")) as both:
        yield both


def known(credit: StoreCredit, *holders: str, unit: str = "EUR") -> None:
    for holder in holders:
        credit.issue(holder, Money.of("1.00", unit), funding="refund", key="stock")


def merge(credit: StoreCredit, old: str, new: str) -> None:
    credit.merge(old, new, key="merge", **WHY)


def approved(credit: StoreCredit, case: str, holder: str, *, kind: str = "credit") -> None:
    made = decided(credit, case, [a_line()], by=BY, holder=holder, kind=kind)
    credit.request_refund(made, key="ask", actor="kim").approve(key="yes", actor="ann")


def complete(credit: StoreCredit, case: str) -> None:
    credit.refund_case(case).complete(key="done", **WHY)


def in_either_order(two: Two, is_ours: bool, scene: Any) -> None:
    """Let the first of two steps be ours, or theirs."""

    def ordered(credit: StoreCredit, name: str) -> Scene:
        first, second, check = scene(credit, name)

        def nobody_is_refused(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert (ours.refused, theirs.refused) == (None, None)
            check(credit)
            assert credit.verify().ok

        pair = (first, second) if is_ours else (second, first)
        return Scene(*pair, nobody_is_refused)

    two.meet(ordered)


@BOTH
def test_a17_an_account_that_is_opened_during_a_merger_is_the_survivor_s(
    two: Two, is_ours: bool
) -> None:
    def scene(credit: StoreCredit, name: str) -> Any:
        old, new = f"{name} old", f"{name} new"
        known(credit, old, new)

        def check(credit: StoreCredit) -> None:
            assert credit.account(new, "USD").available == usd("5.00")
            assert credit.account(old, "USD").available == usd("5.00")

        return (
            lambda credit: credit.issue(old, usd("5.00"), funding="refund", key="new unit"),
            lambda credit: merge(credit, old, new),
            check,
        )

    in_either_order(two, is_ours, scene)


@BOTH
def test_a15_an_account_of_a_code_that_is_opened_during_a_claim_is_claimed_or_refused(
    two: Two, is_ours: bool
) -> None:
    def scene(credit: StoreCredit, name: str) -> Scene:
        code = credit.issue_code(usd("1.00"), funding="goodwill", key=f"{name} code")
        bearer, holder = code.claim.holder, f"{name} h"

        def give(credit: StoreCredit) -> None:
            euros = Money.of("5.00", "EUR")
            credit.issue(bearer, euros, funding="refund", key="more")

        def claim(credit: StoreCredit) -> None:
            credit.claim(code.code, holder, key="claim", caller=f"web {name}")

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            given, claimed = (ours, theirs) if is_ours else (theirs, ours)
            assert claimed.refused is None
            assert given.refused in (None, "CodeClaimed")
            euros = credit.account(holder, "EUR").available
            assert str(euros.decimal) == ("5.00" if given.refused is None else "0.00")
            assert credit.verify().ok

        return Scene(give, claim, check) if is_ours else Scene(claim, give, check)

    two.meet(scene)


@BOTH
@pytest.mark.parametrize("kind", ["money", "credit"])
def test_p3_what_is_counted_during_a_merger_is_the_survivor_s(
    two: Two, is_ours: bool, kind: str
) -> None:
    def scene(credit: StoreCredit, name: str) -> Any:
        old, new = f"{name} old", f"{name} new"
        known(credit, old, new)
        approved(credit, name, old, kind=kind)

        def check(credit: StoreCredit) -> None:
            (tally,) = credit.tallies(BY, holder=new)
            assert tally.count == 1

        return lambda credit: complete(credit, name), lambda credit: merge(credit, old, new), check

    in_either_order(two, is_ours, scene)


@BOTH
@pytest.mark.parametrize("whose", ["old", "new"])
def test_a18_a_new_name_during_a_merger_keeps_what_was_counted(
    two: Two, is_ours: bool, whose: str
) -> None:
    def scene(credit: StoreCredit, name: str) -> Scene:
        old, new = f"{name} old", f"{name} new"
        known(credit, old, new, unit="USD")
        approved(credit, name, old)
        complete(credit, name)
        renamed = f"{name} {whose}"

        def rename(credit: StoreCredit) -> None:
            credit.pseudonymise(renamed, f"{renamed} x")

        def merged(credit: StoreCredit) -> int:
            return len(credit.merge(old, new, key="merge", **WHY))

        def check(credit: StoreCredit, ours: Answer, theirs: Answer) -> None:
            assert (ours.refused, theirs.refused) == (None, None)
            # Whoever was renamed before is nobody to be merged any more, or a new survivor.
            done = [answer.value for answer in (ours, theirs) if answer.value is not None]
            names = [f"{old} x"] if whose == "old" else [old]
            names += [new] if whose == "old" and done == [1] else []
            for each in names:
                assert credit.tallies(BY, holder=each)[0].count == 1, each
            assert credit.verify().ok

        return Scene(rename, merged, check) if is_ours else Scene(merged, rename, check)

    two.meet(scene)


@BOTH
def test_a18_a_new_name_of_the_survivor_keeps_what_a_case_counts_meanwhile(
    two: Two, is_ours: bool
) -> None:
    def scene(credit: StoreCredit, name: str) -> Any:
        old, new = f"{name} old", f"{name} new"
        known(credit, old, new, unit="USD")
        approved(credit, name, old)
        merge(credit, old, new)

        def check(credit: StoreCredit) -> None:
            for each in (old, f"{new} x"):
                assert credit.tallies(BY, holder=each)[0].count == 1, each

        return (
            lambda credit: credit.pseudonymise(new, f"{new} x"),
            lambda credit: complete(credit, name),
            check,
        )

    in_either_order(two, is_ours, scene)
