"""Policies in files: what is read, what is refused and in which words, and what the schema knows (P1)."""

from __future__ import annotations

import json
import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest

from storecredit import Money, Period, load_policy
from storecredit.errors import InvalidTerms, PolicyInvalid, PolicyProblem
from storecredit.policies import (
    Bonus,
    CashRight,
    Condition,
    CreditTerms,
    Fee,
    Limit,
    Policy,
    RefundPolicy,
    RefundRule,
    When,
    policy_schema,
    read_policy,
)
from storecredit.policies.problems import problems_of
from storecredit.policies.reading import LONGEST_TEXT
from storecredit.tenders import LineKind

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
BROKEN = sorted(path for path in (HERE / "broken").iterdir() if path.suffix != ".txt")
EXAMPLES = sorted((REPOSITORY / "examples" / "policies").glob("*.toml"))

# What takes more than a form to tell; a schema cannot refuse it.
BEYOND_A_SCHEMA = frozenset(
    """
    ceiling-without-a-number earning-behind-another earning-nothing earning-on-no-step
    earning-times-for-all earning-what-is-spent earning-with-a-minimum-in-another-currency
    goodwill-amount-and-percent goodwill-amounts-that-never-meet goodwill-once-per-referral
    goodwill-rounding-of-an-amount goodwill-share-of-more-than-all
    incentive-for-a-referrer-once-per-holder top-up-bonus-in-another-currency top-up-bonus-twice
    top-up-by-itself-below-its-minimum top-up-ceiling-per-agent top-up-in-two-currencies
    amount-below-nothing amount-in-an-unknown-currency amount-in-gold amount-too-fine
    amount-too-large amounts-in-two-currencies amounts-that-never-meet because-that-is-long
    below-nothing bonus-behind-another bonus-in-two-currencies bonus-of-too-much
    bonus-where-nothing-becomes-credit bonus-without-credit control-character
    credit-for-shipping credit-terms-without-credit empty-list fee-of-more-than-all
    fee-on-an-exchange fee-on-nothing fee-on-what-is-not-offered goodwill-of-nothing
    goodwill-behind-another goodwill-for-nothing-at-all goodwill-id-twice goodwill-without-rounding id-of-a-rule-for-a-right id-twice incentive-for-nobody
    instant-without-credit limit-behind-another limit-below-nothing
    limit-on-a-bonus-in-another-currency limit-on-a-bonus-that-nobody-gets
    limit-that-cuts-a-refund limit-that-refuses-what-is-due limit-without-a-number lone-surrogate
    long-name named-twice number-of-very-many-digits offer-twice
    period-in-an-unknown-zone period-of-ages period-of-nothing
    reason-that-is-not-declared reasons-declared-twice right-for-an-undeclared-reason
    rule-behind-a-longer-window rule-behind-all-kinds rule-behind-one-that-always-holds
    rule-behind-other-amounts rule-behind-two-that-share-everything rule-in-two-currencies
    rule-that-decides-nothing rules-that-are-empty top-up-of-nothing top-up-that-nobody-can-buy
    unit-in-small-letters unit-that-is-a-currency unit-that-is-not-declared unit-twice
    unit-with-a-blank-name unit-with-too-many-digits
    top-up-bonus-above-its-maximum window-that-closes-before-it-opens
    """.split()
)
# No data at all, or not the same data for every reader.
NO_DATA = frozenset(
    """
    syntax-of-toml syntax-of-json table-declared-twice key-twice not-a-number
    number-of-very-many-digits deeper-than-anybody-reads
    """.split()
)


def data_of(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)


def refusal(text: str, form: Any = "toml") -> PolicyInvalid:
    with pytest.raises(PolicyInvalid) as refused:
        read_policy(text, form=form)
    return refused.value


# --- Broken files -----------------------------------------------------------------------


def test_there_are_many_broken_files() -> None:
    assert len(BROKEN) >= 100


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name)
def test_a_broken_file_is_refused_in_exactly_these_words(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    with pytest.raises(PolicyInvalid) as refused:
        load_policy(path.name)
    assert f"{refused.value}\n" == path.with_name(f"{path.name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name)
def test_the_schema_refuses_every_form_that_the_loader_refuses(path: Path) -> None:
    if path.stem in NO_DATA:
        return
    validator = jsonschema.Draft202012Validator(policy_schema())
    assert validator.is_valid(data_of(path)) is (path.stem in BEYOND_A_SCHEMA)


def test_every_message_belongs_to_a_broken_file() -> None:
    messages = {path.name.removesuffix(".txt") for path in (HERE / "broken").glob("*.txt")}
    assert messages == {path.name for path in BROKEN}
    assert {path.stem for path in BROKEN} >= BEYOND_A_SCHEMA | NO_DATA


# --- The schema -------------------------------------------------------------------------


def test_the_schema_is_one_and_stands_in_the_documentation() -> None:
    jsonschema.Draft202012Validator.check_schema(policy_schema())
    published = REPOSITORY / "docs" / "reference" / "policy.schema.json"
    written = json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"
    assert published.read_text(encoding="utf-8") == written


def test_every_key_and_name_of_the_schema_stands_in_the_reference() -> None:
    page = (REPOSITORY / "docs" / "reference" / "policy-files.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`\"?([$a-z_-]+)", page))
    schema = policy_schema()
    tables = [schema, *(each for each in schema["$defs"].values() if "properties" in each)]
    keys = {key for table in tables for key in table["properties"]}
    closed = {
        value
        for found in re.findall(r'"enum": (\[[^]]*\])', json.dumps(schema))
        for value in json.loads(found)
    }
    assert len(keys) > 60
    assert len(closed) > 40
    assert not (keys | closed) - named


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_schema_accepts_what_the_loader_accepts(path: Path) -> None:
    jsonschema.validate(data_of(path), policy_schema(), jsonschema.Draft202012Validator)
    assert load_policy(path).name == path.stem


def test_the_schema_refuses_a_policy_without_sections() -> None:
    validator = jsonschema.Draft202012Validator(policy_schema())
    assert not validator.is_valid({"name": "shop", "version": "1"})
    assert validator.is_valid(
        {"name": "s", "version": "1", "top_up": {"id": "a", "minimum": "EUR 1.00"}}
    )


# --- What is read -----------------------------------------------------------------------

WHOLE = """
schema = 1
name = "shop"
version = "2026-01"
note = "ours"
units = [{ code = "PTS", digits = 0, name = "points" }]

[refund]
reasons = ["damaged", "changed mind"]

[[refund.rules]]
id = "damaged"
when = { reasons = ["damaged"], kinds = ["goods", "tax"], conditions = ["damaged"], within = "P1Y", since = "purchase" }
because = "Ours to bear."
offer = ["credit", "money"]
bonus = { percent = "12.5", fixed = "EUR 2.00", at_most = "EUR 20.00" }
goods = "keep"
instant = true

[[refund.rules]]
id = "rest"
offer = ["money", "credit"]
fee = { percent = 10, on = ["money"] }
credit = { expires = { period = "P12M", round_up_to = "month", zone = "Europe/Berlin" } }
consent = true
approval = false

[[refund.cash_rights]]
id = "withdrawal"
when = { jurisdictions = ["DE"], within = "P14D" }
source = "an act"
keeps_fee = true

[[refund.limits]]
id = "often"
per = "agent"
on = "credit"
period = "P7D"
amount = "PTS 500"
count = 3
"""


def test_a_file_becomes_the_same_objects_as_python_writes() -> None:
    policy = read_policy(WHOLE, form="toml")
    expires = Period(months=12, round_up_to="month", zone="Europe/Berlin")
    points = policy.units[0]
    assert policy == Policy(
        name="shop",
        version="2026-01",
        note="ours",
        units=(points,),
        refund=RefundPolicy(
            reasons=["damaged", "changed mind"],
            rules=[
                RefundRule(
                    id="damaged",
                    when=When(
                        reasons=["damaged"],
                        kinds=[LineKind.GOODS, LineKind.TAX],
                        conditions=[Condition.DAMAGED],
                        within=Period(years=1),
                        since="purchase",
                    ),
                    because="Ours to bear.",
                    offer=["credit", "money"],
                    bonus=Bonus(
                        percent=Decimal("12.5"),
                        fixed=Money.of("2.00", "EUR"),
                        at_most=Money.of("20.00", "EUR"),
                    ),
                    goods="keep",
                    instant=True,
                ),
                RefundRule(
                    id="rest",
                    offer=["money", "credit"],
                    fee=Fee(percent=10, on=["money"]),
                    credit=CreditTerms(expires=expires),
                    consent=True,
                    approval=False,
                ),
            ],
            cash_rights=[
                CashRight(
                    id="withdrawal",
                    when=When(jurisdictions=["DE"], within=Period(days=14)),
                    source="an act",
                    keeps_fee=True,
                )
            ],
            limits=[
                Limit(
                    id="often",
                    per="agent",
                    on="credit",
                    period=Period(days=7),
                    amount=Money.of_minor(500, points),
                    count=3,
                )
            ],
        ),
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_json_with_the_same_data_is_the_same_policy(path: Path) -> None:
    data = data_of(path)
    assert read_policy(json.dumps(data), form="json") == load_policy(path)


def test_nulls_of_json_are_left_out() -> None:
    text = '{"name": "s", "version": "1", "note": null, "refund": {"rules": [{"id": "all", "offer": ["money"], "when": {}, "bonus": null}]}}'
    plain = (
        '{"name": "s", "version": "1", "refund": {"rules": [{"id": "all", "offer": ["money"]}]}}'
    )
    assert read_policy(text, form="json") == read_policy(plain, form="json")


def test_a_policy_may_name_its_schema_for_editors() -> None:
    named = '"$schema" = "https://example.com/policy.schema.json"\n' + WHOLE
    assert read_policy(named, form="toml") == read_policy(WHOLE, form="toml")
    (problem,) = refusal('"$schema" = 1\n' + WHOLE).problems
    assert str(problem) == '"$schema": 1; it has to be a text, for editors'


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read_policy("\ufeff" + WHOLE, form="toml") == read_policy(WHOLE, form="toml")


def test_the_units_of_one_policy_are_not_those_of_another() -> None:
    with_points = 'name = "s"\nversion = "1"\nunits = [{ code = "PTS", digits = 0 }]\n[refund]\nrules = [{ id = "a", offer = ["credit"], bonus = { fixed = "PTS 5" } }]'
    without = with_points.replace('units = [{ code = "PTS", digits = 0 }]\n', "")
    assert read_policy(with_points, form="toml").units[0].code == "PTS"
    assert refusal(without).problems[0].path == "refund.rules[0].bonus.fixed"


def test_a_unit_keeps_the_name_that_its_own_policy_gives_it() -> None:
    text = 'name = "s"\nversion = "1"\nunits = [{ code = "PTS", digits = 0, name = "%s" }]\n[refund]\nrules = [{ id = "a", offer = ["credit"], bonus = { fixed = "PTS 5" } }]'
    for name in ("points", "Punkte"):
        refund = read_policy(text % name, form="toml").refund
        assert refund is not None
        bonus = refund.rules[0].bonus
        assert bonus is not None
        assert bonus.fixed is not None
        assert bonus.fixed.unit.name == name


# --- What is refused --------------------------------------------------------------------


def test_a_problem_keeps_its_place_and_its_value() -> None:
    refused = refusal(
        'name = "s"\nversion = "1"\n[refund]\nrules = [{ id = "a", offer = ["cash"] }]'
    )
    assert refused.source == "the policy"
    assert refused.problems == (
        PolicyProblem(
            "refund.rules[0].offer[0]", "cash", "it has to be one of money, credit, exchange"
        ),
    )


def test_a_policy_is_a_text_in_a_form_that_there_is() -> None:
    with pytest.raises(
        InvalidTerms, match=r"^text is b'name'; it has to be the text of a policy\.$"
    ):
        read_policy(b"name", form="toml")  # type: ignore[arg-type]  # what is refused
    with pytest.raises(InvalidTerms, match=r"^form is 'yaml'; it has to be toml or json\.$"):
        read_policy("name: shop", form="yaml")  # type: ignore[arg-type]  # what is refused


def test_a_text_that_is_too_long_is_not_read() -> None:
    refused = refusal("#" * (LONGEST_TEXT + 1))
    assert str(refused) == (
        "the policy is no policy: one problem.\n"
        "  a policy has at most 1,000,000 characters, and this has 1,000,001."
    )


@pytest.mark.parametrize("form", ["toml", "json"])
@pytest.mark.parametrize("opening", ["[", "{a=", '{"a":', "a=["])
def test_nesting_without_end_is_refused(form: str, opening: str) -> None:
    refusal(opening * 50_000, form)


def test_a_number_that_no_message_can_show_does_not_break_the_message() -> None:
    refused = refusal("name = 0x" + "f" * 40_000)
    assert refused.problems == (PolicyProblem("name", None, "a number has at most 20 digits"),)


def test_a_number_that_python_does_not_read_is_refused() -> None:
    refused = refusal("name = " + "7" * 5_000)
    assert refused.problems == (PolicyProblem("", None, "a number has at most 20 digits"),)


def test_of_very_many_problems_the_message_shows_a_hundred() -> None:
    rules = ", ".join("{ id = 1, offer = [] }" for _ in range(150))
    refused = refusal(f'name = "s"\nversion = "1"\n[refund]\nrules = [{rules}]')
    assert len(refused.problems) == 150
    lines = str(refused).splitlines()
    assert lines[0] == "the policy is no policy: 150 problems."
    assert lines[100:] == [
        "  refund.rules[99].id: 1; it has to be a text.",
        "  ... and 50 more.",
    ]


def test_an_error_without_words_of_its_own_keeps_those_that_it_has() -> None:
    data = {"refund": {"rules": {"a": 1}}}
    (problem,) = problems_of(ValueError("it rained."), data, path=("refund", "rules"))
    assert problem == PolicyProblem("refund.rules", {"a": 1}, "it rained")


def test_a_problem_of_the_whole_that_names_no_key_stays_with_the_whole() -> None:
    (problem,) = problems_of(InvalidTerms("the colour", "red", "blue"), {"name": "s"})
    assert str(problem) == "the policy: 'red'; it has to be blue"


# --- Files ------------------------------------------------------------------------------


def load_refusal(path: Path | str) -> str:
    with pytest.raises(PolicyInvalid) as refused:
        load_policy(path)
    assert refused.value.source == str(path)
    (problem,) = refused.value.problems
    assert (problem.path, problem.value) == ("", None)
    return problem.expected


def test_the_form_goes_by_the_name(tmp_path: Path) -> None:
    toml, upper, js = (tmp_path / name for name in ("a.toml", "b.TOML", "c.json"))
    toml.write_text(WHOLE, encoding="utf-8")
    upper.write_text(WHOLE, encoding="utf-8-sig")
    js.write_text(json.dumps(tomllib.loads(WHOLE)), encoding="utf-8")
    assert load_policy(toml) == load_policy(upper) == load_policy(str(js))
    assert load_refusal(tmp_path / "a.yaml") == "the name of a policy file ends in .toml or .json"


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    assert load_refusal(tmp_path / "none.toml") == "there is no such file"
    (tmp_path / "folder.toml").mkdir()
    assert load_refusal(tmp_path / "folder.toml") == "it is a folder; name a file in it"
    assert load_refusal("a\0b.toml") == "it cannot be read: embedded null byte"
    (tmp_path / "file.toml").write_text("", encoding="utf-8")
    inside = tmp_path / "file.toml" / "a.toml"
    assert load_refusal(inside) == "it cannot be read: Not a directory"
    with pytest.raises(
        InvalidTerms, match=r"^path is 7; it has to be the path of a policy file\.$"
    ):
        load_policy(7)  # type: ignore[arg-type]  # what is refused


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(self: Path, mode: str) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    expected = "it may not be read by whoever runs this program"
    assert load_refusal(tmp_path / "a.toml") == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(WHOLE, encoding=encoding)
    assert load_refusal(path) == f"it is {encoding.upper()}; save it as UTF-8"


def test_bytes_that_are_no_utf_8_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{\n"name": "caf\xe9"}')
    assert load_refusal(path) == "it is not UTF-8: byte 0xe9 in line 2; save it as UTF-8"


def test_a_file_that_is_too_big_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"#" * (4 * LONGEST_TEXT + 1))
    expected = "a policy has at most 1,000,000 characters, and this file has more"
    assert load_refusal(path) == expected


def test_the_name_of_a_file_may_be_anything(tmp_path: Path) -> None:
    path = str(tmp_path / "caf\udce9.toml")
    with pytest.raises(PolicyInvalid) as refused:
        load_policy(path)
    assert refused.value.source.endswith("caf\\udce9.toml")
    str(refused.value).encode()
