"""Whatever stands in a policy file, the loader gives a policy, or the one error that says why not."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from storecredit import load_policy
from storecredit.errors import PolicyInvalid
from storecredit.policies import Policy, policy_schema, read_policy

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "policies"
TEXTS = tuple(path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.toml")))
DATA = tuple(tomllib.loads(text) for text in TEXTS)
VALIDATOR = jsonschema.Draft202012Validator(policy_schema())

quickly = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def outcome(text: str, form: Any) -> Policy | PolicyInvalid:
    """What becomes of a text: nothing else may come out, and every message can be shown."""
    found: Policy | PolicyInvalid
    try:
        found = read_policy(text, form=form)
    except PolicyInvalid as refused:
        found = refused
    if isinstance(found, Policy):
        found.explain().encode()
        event("read")
        return found
    assert found.problems
    assert all(problem.expected for problem in found.problems)
    str(found).encode()
    repr(found)
    event("refused")
    return found


# --- Data -------------------------------------------------------------------------------

WORDS = (
    "name version note units refund goodwill incentives earning top_up rules reasons cash_rights"
    " limits id when offer bonus fee credit goods instant consent approval percent fixed at_most"
    " within after since kinds period zone round_up_to schema gives code digits amount count"
).split()
VALUES: tuple[Any, ...] = (
    *(
        "EUR 5.00",
        "PTS 3",
        "EUR 1e5",
        "EUR 9223372036854775807.00",
        "USD -1.00",
        "XAU 1",
        "DEM 1.00",
    ),
    *(
        "P30D",
        "P0D",
        "P9999Y",
        "PT1M",
        "P1M",
        "12.5",
        "1E5",
        "money",
        "credit",
        "goods",
        "Europe/Paris",
    ),
    *("\ud800", "\x00", "\ufeff", "a" * 300, "", "\N{SKULL}", "../../etc", "{{7*7}}", "=1+1", "%s"),
    *(0, -1, 1, 10**18, 2**63, -(2**63), 10**400, True, False, None, 1.5, 1e308, float("nan")),
    *([], {}, [[]], {"": ""}, [None]),
)
texts = st.sampled_from(WORDS) | st.text(max_size=8)
leaves: st.SearchStrategy[Any] = st.sampled_from(VALUES) | st.integers() | st.floats() | texts
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


def of_json(data: Any) -> str:
    return json.dumps(data)


@given(data=anything)
@quickly
def test_any_json_data_is_a_policy_or_is_refused(data: Any) -> None:
    outcome(of_json(data), "json")


@given(refund=anything, rules=st.lists(anything, max_size=4))
@quickly
def test_any_data_in_the_place_of_a_section_or_rule_is_a_policy_or_is_refused(
    refund: Any, rules: list[Any]
) -> None:
    head = {"name": "shop", "version": "1"}
    outcome(of_json({**head, "refund": refund}), "json")
    outcome(of_json({**head, "refund": {"rules": rules}}), "json")
    outcome(
        of_json({**head, "refund": {"rules": [{"id": "all", "when": refund, "offer": []}]}}), "json"
    )
    outcome(of_json({**head, "goodwill": {"rules": rules}, "top_up": refund}), "json")


# --- Mutations of what is right -----------------------------------------------------------


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in *data* where something stands."""
    found = [path] if path else []
    inner = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for step, value in inner:
        found += places(value, (*path, step))
    return found


def changed(data: Any, path: tuple[Any, ...], how: str, value: Any) -> Any:
    """A copy of *data* in which what stands at *path* is replaced, removed, doubled or renamed."""
    copy = json.loads(json.dumps(data))
    around = copy
    for step in path[:-1]:
        around = around[step]
    last = path[-1]
    if how == "remove":
        del around[last]
    elif how == "double" and isinstance(around, list):
        around.insert(last, around[last])
    elif how == "rename" and isinstance(around, dict):
        around[str(value)] = around.pop(last)
    elif how == "move" and isinstance(around, list):
        around.append(around.pop(last))
    else:
        around[last] = value
    return copy


@st.composite
def nearly_right(draw: st.DrawFn) -> Any:
    """An example with one to three things in it changed."""
    data = draw(st.sampled_from(DATA))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(data)))
        how = draw(st.sampled_from(["remove", "double", "rename", "move", "replace", "replace"]))
        data = changed(data, path, how, draw(anything))
    return data


@given(data=nearly_right())
@quickly
def test_what_is_nearly_right_is_a_policy_or_is_refused(data: Any) -> None:
    found = outcome(of_json(data), "json")
    if isinstance(found, Policy):
        # What can be read has the form of the schema, and the other way round it is right in form.
        VALIDATOR.validate(json.loads(of_json(data), parse_constant=str))
    else:
        for problem in found.problems:
            assert isinstance(problem.path, str)


@given(
    text=st.sampled_from(TEXTS),
    cuts=st.lists(
        st.tuples(st.integers(0, 4000), st.integers(0, 40), st.text(max_size=12)), max_size=4
    ),
)
@quickly
def test_a_file_that_was_cut_and_pasted_is_a_policy_or_is_refused(
    text: str, cuts: list[tuple[int, int, str]]
) -> None:
    for begin, length, pasted in cuts:
        at = begin % (len(text) + 1)
        text = text[:at] + pasted + text[at + length :]
    outcome(text, "toml")
    outcome(text, "json")


@given(text=st.text(st.characters() | st.sampled_from('{}[]"=\n,.:#\\'), max_size=200))
@quickly
def test_any_text_is_refused_or_a_policy(text: str) -> None:
    outcome(text, "toml")
    outcome(text, "json")


@given(
    data=st.binary(max_size=300),
    begin=st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"{", b'name="']),
)
@settings(quickly, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_a_file_are_refused_or_a_policy(
    tmp_path: Path, data: bytes, begin: bytes
) -> None:
    for name in ("a.toml", "a.json", "a"):
        path = tmp_path / name
        path.write_bytes(begin + data)
        try:
            assert load_policy(path).name
        except PolicyInvalid as refused:
            message = str(refused)
            message.encode()
            event(message.splitlines()[1][:30])


# --- Monsters ---------------------------------------------------------------------------


@given(
    opening=st.sampled_from(
        ["[", '{"a":', "[[", '[{"a":', "{a=", "a=[", "a={b=", "[a.", "[[a]]\n"]
    ),
    count=st.sampled_from([1, 11, 12, 13, 14, 990, 5_000]),
    closing=st.sampled_from(["", "]", "}", "1"]),
)
@settings(quickly, max_examples=40)
def test_nesting_is_a_policy_error_however_deep(opening: str, count: int, closing: str) -> None:
    text = opening * count + closing * count
    outcome(text, "json")
    outcome(text, "toml")
    outcome("a" + ".a" * count + "=1", "toml")


@given(
    digits=st.sampled_from([1, 19, 20, 21, 400, 4_300, 4_301, 20_000]),
    written=st.sampled_from(
        ["{}", "-{}", "0.{}", "{}.5", "1e{}", "-1E-{}", "0x{}", "0b{}", "{}_0"]
    ),
    place=st.sampled_from(["note", "schema", "version", "refund"]),
)
@settings(quickly, max_examples=60)
def test_numbers_are_a_policy_error_however_long(digits: int, written: str, place: str) -> None:
    number = written.format("1" * digits)
    outcome(f'name = "s"\n{place} = {number}\n', "toml")
    outcome(f'{{"name": "s", "{place}": {number}}}', "json")
