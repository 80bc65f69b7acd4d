"""The documentation covers what there is: errors, verbs, rules, and links that lead somewhere."""

import re
from pathlib import Path

import attrs
import pytest

import storecredit
from storecredit import Merchant, StoreCredit, errors, ledger
from storecredit.ledger import EFFECTS, Because, EntryKind, HoldStatus, OrderKey
from storecredit.ledger.hold import ENDS
from storecredit.service import About
from storecredit.values import Division, KeptApart, Rounding

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINKED = [REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *PAGES]

FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
IN_CODE = re.compile(r"`([^`\n]+)`")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The page without its blocks."""
    return FENCED.sub("", text_of(page))


def first_cells(page: Path) -> set[str]:
    """Everything in code type in the first cell of a table row."""
    rows = [line for line in prose(page).splitlines() if line.startswith("| ")]
    return {name for row in rows for name in IN_CODE.findall(row.split("|")[1])}


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in kept}


# --- Errors -----------------------------------------------------------------------------


def leaves() -> list[str]:
    """Every public error class that nothing is derived from; and the row of a bad file."""
    found = {name: getattr(errors, name) for name in errors.__all__}
    return sorted(name for name, error in found.items() if not error.__subclasses__())


def test_there_are_many_errors_to_cover() -> None:
    assert len(leaves()) > 60
    assert "InsufficientCredit" in leaves()
    assert "MisuseError" not in leaves()


@pytest.mark.parametrize("name", leaves())
def test_an_error_is_shown_by_running_code_and_has_advice(name: str) -> None:
    page = DOCS / "errors.md"
    assert re.search(rf"^{name}(?: \(\w+Error\)$|, )", text_of(page), re.MULTILINE), "not shown"
    assert re.search(rf"^\| .*`{name}`", text_of(page), re.MULTILINE), "no advice"


# --- Names ------------------------------------------------------------------------------


def test_every_verb_is_in_the_reference() -> None:
    verbs = {name for name in dir(StoreCredit) if not name.startswith("_")}
    verbs -= {"storage", "merchant"}
    shown = text_of(DOCS / "reference" / "store-credit.md")
    assert {verb for verb in verbs if f"\n  {verb}(" not in shown} == set()


def test_every_argument_of_about_is_in_the_reference() -> None:
    assert set(About.__annotations__) <= first_cells(DOCS / "reference" / "store-credit.md")


def test_every_rule_of_a_merchant_is_in_the_reference() -> None:
    rules = {field.name for field in attrs.fields(Merchant)}
    assert first_cells(DOCS / "reference" / "merchant.md") == rules


def test_every_kind_of_move_and_entry_is_in_the_reference() -> None:
    page = DOCS / "reference" / "moves.md"
    assert first_cells(page) == {what.value for what in EFFECTS}
    assert " ".join(EntryKind) in text_of(page)


def test_every_command_of_the_ledger_is_in_the_reference() -> None:
    commands = {name for name in ledger.__all__ if hasattr(getattr(ledger, name), "decide")}
    assert len(commands) > 25
    shown = first_cells(DOCS / "reference" / "ledger.md")
    assert commands - shown == {"Command"}


def test_every_field_of_a_lot_is_in_the_reference() -> None:
    fields = {field.name for field in attrs.fields(ledger.Lot)}
    assert fields <= first_cells(DOCS / "reference" / "ledger.md")


def test_every_key_of_an_order_of_use_and_every_reason_is_in_the_reference() -> None:
    cells = first_cells(DOCS / "reference" / "orders-of-use.md")
    assert cells == {*OrderKey, *Because}


def test_the_drawing_of_a_holds_life_has_its_states_and_ends() -> None:
    text = text_of(DOCS / "reference" / "life-of-a-hold.md")
    drawing = text.split("```mermaid")[1].split("```")[0]
    arrows = set(re.findall(r"^ *(\S+) --> (\w+)", drawing, re.MULTILINE))
    ends = {status.value for status in ENDS.values()}
    active = {status.value for status in HoldStatus} - ends
    assert active == {"active"}
    assert {to for start, to in arrows if start == "active"} == {"active", *ends}
    assert {start for start, _ in arrows} == {"[*]", "active"}


def test_every_division_and_rounding_is_in_the_docs() -> None:
    divisions = first_cells(DOCS / "how-to" / "reproduce-the-cents-of-an-old-system.md")
    assert {rule.name for rule in (*Division, *KeptApart)} <= divisions
    assert {mode.name for mode in Rounding} <= first_cells(DOCS / "reference" / "values.md")


def test_every_rule_that_the_code_cites_is_in_the_reference() -> None:
    folder = Path(storecredit.__file__).parent
    source = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    cited = set(re.findall(r"\b[VAST][1-9]\d?\b", source))
    told = set(
        re.findall(r"^\| ([A-Z]\d+) ", text_of(DOCS / "reference" / "rules.md"), re.MULTILINE)
    )
    assert cited - told == set()


# --- Links ------------------------------------------------------------------------------


def test_every_page_is_in_the_index() -> None:
    linked = {(DOCS / link).resolve() for link in LINK.findall(prose(DOCS / "index.md"))}
    assert {page.name for page in PAGES if page not in linked} == {"index.md"}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        if path.startswith(("https://", "mailto:")):
            continue
        target = (page.parent / path).resolve() if path else page
        reached = target.exists() and (not anchor or anchor in anchors_of(target))
        broken += [] if reached else [link]
    assert broken == []
