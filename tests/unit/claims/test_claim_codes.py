"""Codes that people type, digests that nobody can turn around, and guesses that are slowed (A15)."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecredit.claims import (
    LENGTH,
    RANDOM_BYTES,
    SYMBOLS,
    ClaimKeys,
    Failures,
    Throttle,
    is_same,
    make_code,
    read_code,
    shown_digest,
)
from storecredit.errors import CodeMistyped, InvalidTerms, InvalidText
from storecredit.values import Period

RANDOM = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
KEY, OLD = bytes(range(32)), bytes(range(1, 33))


# --- As people write them ---------------------------------------------------------------


@given(RANDOM)
def test_a15_a_code_reads_back_however_it_is_typed(random: bytes) -> None:
    code = make_code(random)
    assert [len(group) for group in code.split("-")] == [4] * 5
    symbols = read_code(code)
    assert symbols == code.replace("-", "")
    typed = [code.lower(), code.replace("-", " "), f"  {symbols}\n", code.replace("-", "\u2013")]
    typed += [code.replace("1", "I").replace("0", "O"), code.lower().replace("1", "l")]
    assert {read_code(each) for each in typed} == {symbols}


@given(RANDOM, st.integers(0, LENGTH - 1), st.sampled_from(SYMBOLS))
def test_a15_every_single_wrong_symbol_is_noticed(random: bytes, place: int, symbol: str) -> None:
    symbols = read_code(make_code(random))
    wrong = symbols[:place] + symbol + symbols[place + 1 :]
    if wrong == symbols:
        assert read_code(wrong) == symbols
    else:
        with pytest.raises(CodeMistyped, match="a symbol is wrong"):
            read_code(wrong)


@given(RANDOM)
def test_a15_any_two_symbols_that_have_changed_places_are_noticed(random: bytes) -> None:
    symbols = read_code(make_code(random))
    for one, other in itertools.combinations(range(LENGTH), 2):
        if symbols[one] != symbols[other]:
            typed = list(symbols)
            typed[one], typed[other] = typed[other], typed[one]
            with pytest.raises(CodeMistyped):
                read_code("".join(typed))


def test_a15_different_randomness_makes_different_codes_but_for_the_last_bit() -> None:
    seen = {make_code((1 << bit).to_bytes(RANDOM_BYTES)) for bit in range(96)}
    assert len(seen) == 96
    assert make_code(bytes(RANDOM_BYTES)) == make_code((1).to_bytes(RANDOM_BYTES))
    assert make_code(bytes(RANDOM_BYTES)) == "0000-0000-0000-0000-0000"


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        (None, "it is no text"),
        (b"0000", "it is no text"),
        ("", "it has 0 symbols, and a code has 20"),
        ("0000-0000-0000-0000-000", "it has 19 symbols"),
        ("0000-0000-0000-0000-00000", "it has 21 symbols"),
        ("0000-0000-0000-0000-000U", "it has a symbol that no code has"),
        ("0000-0000-0000-0000-000!", "it has a symbol that no code has"),
        ("0000-0000-0000-0000-000\u0660", "it has a symbol that no code has"),
        ("0000-0000-0000-0000-000\u0131", "it has a symbol that no code has"),
        ("0000_0000_0000_0000_0000", "it has 24 symbols"),
        ("0000-0000-0000-0000-0001", "a symbol is wrong"),
    ],
)
def test_a15_what_is_no_code_is_said_to_be_none_without_repeating_it(
    typed: object, problem: str
) -> None:
    with pytest.raises(CodeMistyped, match=problem) as mistyped:
        read_code(typed)
    assert "0000" not in str(mistyped.value)


@pytest.mark.parametrize("random", [b"", bytes(11), bytes(13)])
def test_a15_a_code_is_made_of_twelve_bytes(random: bytes) -> None:
    with pytest.raises(ValueError, match="12 random bytes"):
        make_code(random)


# --- Digests ----------------------------------------------------------------------------


def test_a15_a_digest_is_keyed_and_belongs_to_one_merchant() -> None:
    code = make_code(bytes(range(12)))
    ring = ClaimKeys(current="2026", keys={"2026": KEY})
    message = f"storecredit claim\nacme\n{read_code(code)}".encode()
    expected = hmac.new(KEY, message, hashlib.sha256).hexdigest()
    assert ring.digest("acme", code) == f"2026:{expected}"
    assert ring.digest("acme", code.lower()) == ring.digest("acme", code)
    assert ring.digest("other", code) != ring.digest("acme", code)
    assert ClaimKeys(current="2026", keys={"2026": OLD}).digest("acme", code) != f"2026:{expected}"


def test_a15_codes_are_found_under_every_key_that_is_still_there() -> None:
    code = make_code(bytes(range(12)))
    before = ClaimKeys(current="a", keys={"a": OLD}).digest("acme", code)
    ring = ClaimKeys(current="b", keys={"a": OLD, "b": KEY})
    assert ring.digests("acme", code) == (ring.digest("acme", code), before)
    assert before not in ClaimKeys(current="b", keys={"b": KEY}).digests("acme", code)


def test_a15_keys_are_not_shown_and_a_log_sees_eight_digits() -> None:
    ring = ClaimKeys(current="b", keys={"b": KEY})
    assert repr(KEY) not in repr(ring)
    digest = ring.digest("acme", make_code(bytes(12)))
    assert shown_digest(digest) == digest[:10]
    assert is_same(digest, digest)
    assert not is_same(digest, digest[:-1])


@pytest.mark.parametrize(
    ("current", "keys", "error"),
    [
        ("a", {}, InvalidTerms),
        ("a", [("a", KEY)], InvalidTerms),
        ("a", {"b": KEY}, InvalidTerms),
        ("a", {"a": KEY[:31]}, InvalidTerms),
        ("a", {"a": "x" * 32}, InvalidTerms),
        ("a:b", {"a:b": KEY}, InvalidTerms),
        ("", {"": KEY}, InvalidText),
        ("a" * 33, {"a" * 33: KEY}, InvalidText),
    ],
)
def test_a15_a_ring_that_cannot_be_is_refused_without_showing_a_key(current, keys, error) -> None:
    with pytest.raises(error) as refused:
        ClaimKeys(current=current, keys=keys)
    assert "x" * 32 not in str(refused.value)
    assert repr(KEY[:31]) not in str(refused.value)


# --- Guessing ---------------------------------------------------------------------------


def test_a15_a_few_failures_are_free_and_the_next_ones_wait_twice_as_long_each() -> None:
    rule = Throttle(free=3, longest=dt.timedelta(seconds=10))
    failures, waits = Failures(), []
    for _ in range(8):
        failures = rule.failed(failures, NOON)
        waits.append((rule.free_at(failures, NOON) - NOON).total_seconds())
    assert waits == [0, 0, 1, 2, 4, 8, 10, 10]
    assert Failures.from_json(failures.to_json()) == failures


def test_a15_failures_are_forgotten_after_a_quiet_time_and_not_a_moment_before() -> None:
    rule = Throttle(free=1, forget=Period(hours=2))
    failures = rule.failed(rule.failed(Failures(), NOON), NOON)
    end = NOON + dt.timedelta(hours=2)
    before = end - dt.timedelta(microseconds=1)
    assert rule.remembered(failures, before) == failures
    assert rule.free_at(failures, end) == end
    assert rule.failed(failures, end) == Failures(1, end)


def test_a15_a_clock_that_goes_back_frees_nobody_sooner() -> None:
    rule = Throttle(free=1)
    failures = rule.failed(Failures(), NOON)
    again = rule.failed(failures, NOON - dt.timedelta(minutes=5))
    assert again == Failures(2, NOON)
    assert rule.free_at(Failures(), NOON) == NOON


def test_a15_who_has_free_failures_left_waits_for_no_clock_that_is_ahead() -> None:
    """Each process has a clock of its own."""
    rule, ahead = Throttle(free=3), NOON + dt.timedelta(seconds=1)
    assert rule.free_at(Failures(2, ahead), NOON) == NOON
    assert rule.free_at(Failures(3, ahead), NOON) == ahead + dt.timedelta(seconds=1)


def test_a15_so_many_failures_as_one_likes_make_no_number_too_large() -> None:
    rule = Throttle()
    assert rule.free_at(Failures(10**9, NOON), NOON) == NOON + dt.timedelta(hours=1)


@pytest.mark.parametrize(
    "terms",
    [
        {"free": 0},
        {"free": True},
        {"free": 1.5},
        {"pause": dt.timedelta()},
        {"pause": dt.timedelta(hours=2)},
        {"forget": dt.timedelta(days=1)},
    ],
)
def test_a15_a_rule_that_cannot_be_is_refused(terms) -> None:
    with pytest.raises(InvalidTerms):
        Throttle(**terms)
