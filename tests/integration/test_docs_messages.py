"""The reference of messages has every payload, every value of a template and every kind of move."""

import re
from pathlib import Path

import attrs

from storecredit import messages
from storecredit.ledger import EntryKind, What
from storecredit.messages import MessageKind, Texts
from storecredit.messages._templates import _FILTERS, _TESTS
from storecredit.messages._wording import OF_ALL, VARIABLES
from storecredit.messages.payloads import MESSAGES, LotPart
from storecredit.messages.telling import _OF_MOVES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "messages.md"
TEMPLATES = Path(messages.__file__).with_name("templates")
IN_CODE = re.compile(r"`([^`\n]+)`")


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    _, _, below = PAGE.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    assert below, heading
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert table is not None
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table[0].splitlines()[2:]
    ]


def test_the_table_of_values_is_what_templates_are_given() -> None:
    expected = [("every message", name, meaning) for name, meaning in OF_ALL.items()]
    for kind, values in VARIABLES.items():
        expected += [(f"`{kind}`", name, meaning) for name, meaning in values.items()]
    shown = [(of, name.strip("`"), meaning) for name, of, meaning in rows("### Values")]
    assert shown == expected


def test_every_field_of_a_payload_is_in_the_reference() -> None:
    fields = {field.name for payload in (*MESSAGES, LotPart) for field in attrs.fields(payload)}
    shown = {name for field, _ in rows("## Payloads") for name in IN_CODE.findall(field)}
    assert shown == fields


def test_every_move_that_is_told_is_in_the_reference() -> None:
    shown = {
        name
        for moves, _ in rows("## What comes of which entry")
        for name in IN_CODE.findall(moves)
        if name not in set(EntryKind)
    }
    told = {what.value for what in (*_OF_MOVES, What.OWED_INCURRED, What.OWED_REVERSED)}
    assert shown == told


def test_every_filter_and_test_of_a_template_is_in_the_reference() -> None:
    shown = " ".join(write for write, _ in rows("### What a template may do"))
    assert all(f"`{name}`" in shown for name in _FILTERS)
    assert all(f"`is {name}`" in shown for name in _TESTS)


def test_every_packaged_template_is_of_a_locale_and_a_kind() -> None:
    found = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.*")}
    assert found == {f"{locale}/{kind}.txt" for locale in Texts().locales for kind in MessageKind}
