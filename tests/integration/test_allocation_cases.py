"""
Division and rounding as the tests of fourteen other libraries define them (V2, V5).

Each case runs under its own id. Where a rule of theirs is not offered here, or an input is
answered differently, the test says which and why, and asserts what happens instead.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import pytest

from storecredit.errors import MisuseError
from storecredit.errors.values import (
    AllWeightsZero,
    AmountOutOfRange,
    AmountTooFine,
    WeightRefused,
    WeightsExceedOne,
)
from storecredit.values import (
    MAX_MINOR,
    CustomUnit,
    Division,
    ExchangeRate,
    KeptApart,
    Money,
    Rounding,
    Unit,
    allocate,
    allocate_apart,
    allocate_capped,
    convert,
    currency,
    fractions_of_one,
    split,
)
from storecredit.values.apportion import apportion
from storecredit.values.weights import whole_weights

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
CASES = Path(os.environ.get("STORECREDIT_DATA") or BESIDE) / "allocation_cases.json"

Case = dict[str, Any]


def cases_of(kind: str) -> list[Any]:
    """The cases of one kind, each under its id; without the file, one that is skipped."""
    if not CASES.is_file():
        return [pytest.param({}, id="no data")]
    found = json.loads(CASES.read_text(encoding="utf-8"))[kind]
    return [pytest.param(case, id=case["id"]) for case in found]


@pytest.fixture(autouse=True)
def _the_data_is_there(shared_data: Path) -> None:
    """Skip, with the reason printed, where there is no folder of other people's data."""
    assert (shared_data / "allocation_cases.json").is_file()


def unit_of(case: Case) -> Unit:
    """The currency of a case, or a custom unit where the case has imagined its own digits."""
    code, digits = case["currency"], case["exponent"]
    if code in {"CUSTOM", "COIN", "GEM"}:
        return CustomUnit(code, digits)
    named = currency(code)
    return named if named.digits == digits else CustomUnit(f"{code}_{digits}", digits)


def money_of(case: Case, minor: int) -> Money:
    return Money.of_minor(minor, unit_of(case))


# --- Ratio cases --------------------------------------------------------------------------------

PLACED = {
    "floor_abs_first": Division.FIRST_PARTS,
    "floor_first": Division.FIRST_PARTS_FLOORED,
    "floor_abs_largest_remainder": Division.LARGEST_REMAINDER,
    "floor_largest_remainder": Division.LARGEST_REMAINDER_FLOORED,
    "floor_abs_largest_ratio": Division.LARGEST_WEIGHT,
    "floor_last_to_first": Division.LAST_TO_FIRST,
    "cascade_from_last": Division.CASCADE_FROM_LAST,
    "round_half_even_last_absorbs": Division.LAST_ABSORBS,
    "round_half_down_then_first": Division.HALF_DOWN_THEN_FIRST,
    # Not offered, because its parts need not sum to the whole. Where they happen to, as in all
    # of these cases, the default gives the same cents.
    "round_each_no_correction": Division.LARGEST_REMAINDER,
}
APART = {"floor_separate": KeptApart.ODD_UNITS, "block_separate": KeptApart.ODD_BLOCKS}


@pytest.mark.parametrize("case", cases_of("ratio_cases"))
def test_an_amount_is_divided_as_the_old_system_did(case: Case) -> None:
    weights, policy, step = case["weights"], case["policy"], case.get("step_minor", 1)
    if case["amount_minor"] > MAX_MINOR:
        # No amount here, because storage holds 64 bits (V2); the rule itself has no end.
        with pytest.raises(AmountOutOfRange):
            money_of(case, case["amount_minor"])
        proportions = whole_weights(weights, amount=money_of(case, 0))
        parts = apportion(case["amount_minor"], proportions, PLACED[policy])
        assert parts == case["expected_minor"]
        return
    amount = money_of(case, case["amount_minor"])
    expected = [money_of(case, minor) for minor in case["expected_minor"]]

    if "all_zero_weights" in case["tags"]:
        # Theirs share equally or lose the amount without a word. Here equal parts are a split.
        with pytest.raises(AllWeightsZero):
            allocate(amount, weights, by=PLACED[policy])
        if case["sum_preserved"]:
            assert list(split(amount, len(weights), by=PLACED[policy])) == expected
        return
    assert case["sum_preserved"]

    if policy in APART:
        shares = allocate_apart(amount, weights, by=APART[policy], step=step)
        assert list(shares.parts) == expected
        assert shares.apart == money_of(case, case["expected_separate_remainder_minor"])
        return
    # A case that comes out even has to come out so by every rule.
    for rule in Division if policy == "exact" else [PLACED[policy]]:
        shared = list(allocate(amount, weights, by=rule, step=step))
        if case.get("order_insensitive"):
            shared.sort()
            expected.sort()
        assert shared == expected
        assert Money.total(shared, amount.unit) == amount


def test_every_rule_that_keeps_the_sum_is_offered(shared_data: Path) -> None:
    document = json.loads((shared_data / "allocation_cases.json").read_text(encoding="utf-8"))
    rules = set(document["policies"]) - {"exact"}
    assert rules == {*PLACED, *APART}
    not_offered = rules - {"round_each_no_correction"}
    assert {PLACED[rule] for rule in not_offered & set(PLACED)} == set(Division)
    assert {APART[rule] for rule in not_offered & set(APART)} == set(KeptApart)
    assert len(document["ratio_cases"]) == 259


# --- Error cases ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases_of("error_cases"))
def test_a_division_that_cannot_be_is_refused(case: Case) -> None:
    amount, weights = money_of(case, case["amount_minor"]), case["weights"]
    match case["id"]:
        case "shopify-err-01":
            # Theirs reads weights as parts of one. Here that is said by `fractions_of_one`.
            with pytest.raises(WeightsExceedOne):
                allocate(amount, fractions_of_one(weights))
        case "gomoney-err-03":
            # Theirs cannot add the weights up in 64 bits. Here whole numbers have no end.
            assert [part.minor for part in allocate(amount, weights)] == [2**63 - 2, 1]
        case "rusty-err-04":
            parts = allocate(amount, weights)
            assert Money.total(parts, amount.unit) == amount
            assert not any(part.is_positive for part in parts)
        case "sylius-err-02":
            # Theirs refuses any text; here text is an exact number, but this one is none.
            with pytest.raises(WeightRefused) as caught:
                allocate(amount, weights)
            assert caught.value.position == 1
        case _ if case["operation"] == "split":
            written = weights.removeprefix("n=")
            into: Any = int(written) if "." not in written else Fraction(written)
            with pytest.raises(MisuseError):
                split(amount, into)
        case _:
            with pytest.raises(MisuseError):
                allocate(amount, weights)


# --- Capped cases ---------------------------------------------------------------------------------

# Lines are weighted by their totals where those are not the maxima; the file has them in notes.
LINE_TOTALS = {"sylius-cap-01": [1000, 2000, 5000, 3000], "sylius-cap-02": [5000, 6000]}


@pytest.mark.parametrize("case", cases_of("capped_cases"))
def test_a_capped_division_places_all_there_is_room_for(case: Case) -> None:
    shares = allocate_capped(
        money_of(case, case["amount_minor"]),
        [money_of(case, minor) for minor in case["maxima_minor"]],
        weights=LINE_TOTALS.get(case["id"]),
    )
    assert [part.minor for part in shares.parts] == case["expected_minor"]
    assert shares.apart == money_of(case, case["unallocated_minor"])


# --- Rounding cases ---------------------------------------------------------------------------------

NOT_APPLICABLE = {
    "shopify-rd-04": "a gateway that counts ISK in hundredths; here the minor unit is ISO's",
    "shopify-rd-05": "a gateway that counts UGX in hundredths; here the minor unit is ISO's",
    "solidus-rd-08": "keeps 96.666... of a dollar; here no amount is finer than its unit",
}
# Three-decimal amounts have to end in 0 for one gateway: a step, and a second rounding.
GATEWAY_STEPS = {"medusa-rd-02": 10, "medusa-rd-03": 10}


def rounding_of(case: Case) -> Rounding:
    name = case.get("rounding", "unnecessary")
    return Rounding.UNNECESSARY if name == "exact" else Rounding(name)


def rounded(case: Case, exact: Fraction) -> Money:
    return Money.rounded(exact, unit_of(case), rounding=rounding_of(case))


def of(case: Case, amount: str) -> Money:
    return Money.of(Fraction(amount), unit_of(case))


def converted(case: Case, given: str, rate: str) -> Money:
    amount, source = given.split()
    used = ExchangeRate(source, unit_of(case), rate, on=dt.date(2025, 1, 31))
    return convert(Money.of(amount, source), used, rounding=rounding_of(case)).result


def in_gateway_units(case: Case, amount: str) -> int:
    step = GATEWAY_STEPS.get(case["id"], 1)
    return rounded(case, Fraction(amount)).rounded_to_step(step, rounding=Rounding.UP).minor


def percent_per_line(case: Case, percent: str, *lines: str) -> list[Money]:
    share, mode = percent.removesuffix("%"), rounding_of(case)
    return [of(case, line).percentage(share, rounding=mode) for line in lines]


# The call that a shop would write for each operation.
ANSWERS: dict[str, Callable[..., Any]] = {
    "multiply": lambda c, a, b: of(c, a).multiplied_by(b, rounding=rounding_of(c)),
    "divide": lambda c, a, b: of(c, a).divided_by(b, rounding=rounding_of(c)),
    "percent": lambda c, a, b: of(c, a).percentage(b, rounding=rounding_of(c)),
    "percent_per_line": percent_per_line,
    "add": lambda c, a, b: rounded(c, Fraction(a) + Fraction(b)),
    "subtract": lambda c, a, b: rounded(c, Fraction(a) - Fraction(b)),
    "store_credit_from_items": lambda c, *each: rounded(c, sum(map(Fraction, each), Fraction(0))),
    "tax_excluded": lambda c, a, b: rounded(c, Fraction(a) * Fraction(b)),
    "tax_included": lambda c, a, b: rounded(c, Fraction(a) - Fraction(a) / (1 + Fraction(b))),
    "discount_included": lambda c, a, b: of(c, a).divided_by(
        1 + Fraction(b), rounding=rounding_of(c)
    ),
    "round": lambda c, a: rounded(c, Fraction(a)),
    "from_fraction": lambda c, a: rounded(c, Fraction(a)),
    "from_decimal": lambda c, a: Money.of(a, unit_of(c)),
    "from_minor": lambda c, a: Money.of_minor(cast("int", Fraction(a)), unit_of(c)),
    "to_minor_units": lambda c, a: rounded(c, Fraction(a)).minor,
    "to_gateway_units": in_gateway_units,
    "round_minor": lambda c, a: rounded(c, Fraction(a) / 10 ** unit_of(c).digits).minor,
    "convert": converted,
}


def answer_to(case: Case) -> Any:
    return ANSWERS[case["operation"]](case, *case["input"])


def expected_of(case: Case) -> Any:
    expected = case["expected"]
    if isinstance(expected, list):
        return [Money.of(amount, unit_of(case)) for amount in expected]
    return expected if isinstance(expected, int) else Money.of(expected, unit_of(case))


@pytest.mark.parametrize("case", cases_of("rounding_cases"))
def test_an_amount_is_rounded_as_the_old_system_did(case: Case) -> None:
    match case["id"]:
        case "shopify-rd-04" | "shopify-rd-05":
            assert answer_to(case) == 1
            assert case["expected"] == 100
        case "solidus-rd-08":
            with pytest.raises(AmountTooFine):
                Money.of(case["expected"], unit_of(case))
        case _ if case["expected"] == "error":
            with pytest.raises(MisuseError):
                answer_to(case)
        case _:
            assert answer_to(case) == expected_of(case)


def test_the_cases_that_are_not_applicable_are_still_in_the_file(shared_data: Path) -> None:
    document = json.loads((shared_data / "allocation_cases.json").read_text(encoding="utf-8"))
    ids = {case["id"] for kind in ("rounding_cases", "capped_cases") for case in document[kind]}
    assert ids >= {*NOT_APPLICABLE, *GATEWAY_STEPS, *LINE_TOTALS}
