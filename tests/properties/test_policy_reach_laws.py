"""Every rule of a policy can decide something, and is shown to, or is reported (P1)."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from storecredit.errors import PolicyProblem
from storecredit.policies import RefundRule, ReturnRequest, Topic
from storecredit.policies.reach import never_used
from storecredit.policies.when import end_of_window
from storecredit.policies.window_order import never_ends_later
from storecredit.policies.witnessing import decides, request_for
from storecredit.testing import policy_strategies as strange
from storecredit.values import Period


def reported(
    rules: Sequence[RefundRule], problems: Sequence[PolicyProblem]
) -> set[tuple[int, Topic]]:
    """Every rule and topic of which a problem says that it is never decided."""
    found: set[tuple[int, Topic]] = set()
    for problem in problems:
        place = int(problem.path.split("[")[1].split("]")[0])
        _, _, named = problem.path.partition("].")
        if named == "bonus" and "never given" in problem.expected:
            continue
        topics = [Topic(named)] if named else rules[place].topics
        found |= {(place, topic) for topic in topics}
    return found


def periods_of(rules: Sequence[RefundRule]) -> Iterator[Period]:
    for rule in rules:
        yield from (each for each in (rule.when.within, rule.when.after) if each is not None)


def is_up_to_the_calendar(rules: Sequence[RefundRule]) -> bool:
    """Whether the order of two windows changes with the months."""
    return any(
        not never_ends_later(one, other) and not never_ends_later(other, one)
        for one, other in itertools.combinations(set(periods_of(rules)), 2)
    )


@given(rules=strange.rule_lists(most=6), declared=st.none() | st.just(strange.REASONS))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_every_rule_decides_each_of_its_topics_for_some_request_or_is_reported(
    rules: tuple[RefundRule, ...], declared: tuple[str, ...] | None
) -> None:
    never = reported(rules, list(never_used(rules, reasons=declared)))
    for place, rule in enumerate(rules):
        for topic in rule.topics:
            found = request_for(rules, place, topic, reasons=declared)
            if (place, topic) in never:
                assert found is None
                event("never used")
            elif found is None:
                assert is_up_to_the_calendar(rules), (rule.id, topic)
                event("up to the calendar")
            else:
                assert decides(rules, place, topic, found)
                event("decides")


@given(rules=strange.rule_lists(most=6), request=strange.return_requests(most=1))
def test_what_is_reported_decides_for_no_request(
    rules: tuple[RefundRule, ...], request: ReturnRequest
) -> None:
    for place, topic in reported(rules, list(never_used(rules))):
        assert not decides(rules, place, topic, request)


FIRST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe")
counts = st.integers(0, 14) | st.sampled_from([0, 28, 30, 31, 60, 365, 366])


@st.composite
def windows(draw: st.DrawFn) -> Period:
    """Periods of every kind, many of about the same length."""
    parts = {
        part: draw(counts) for part in ("years", "months", "weeks", "days", "hours", "minutes")
    }
    kept = draw(st.lists(st.sampled_from(sorted(parts)), min_size=1, max_size=2, unique=True))
    rounded = draw(st.sampled_from([None, None, "month", "quarter", "half-year", "year"]))
    return Period(
        **{part: parts[part] or 1 for part in kept},
        round_up_to=rounded,
        zone=draw(st.sampled_from(ZONES)),
    )


@given(
    one=windows(),
    other=windows(),
    begins=st.lists(st.integers(0, 70 * 366 * 86_400), min_size=1, max_size=20),
)
def test_a_window_that_never_ends_later_does_not(
    one: Period, other: Period, begins: list[int]
) -> None:
    if never_ends_later(one, other):
        event("certain")
        for seconds in begins:
            begin = FIRST + dt.timedelta(seconds=seconds)
            assert end_of_window(one, begin) <= end_of_window(other, begin)
