"""Every error of the ledger is produced by running code, and its message teaches (STYLE 5)."""

from __future__ import annotations

import pickle
import re
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest

from storecredit import errors
from storecredit.errors import (
    ConflictError,
    InsufficientCredit,
    InvalidKey,
    KeyReused,
    LotNotCashable,
    MisuseError,
    RefusalError,
    StoreCreditError,
    UnknownHold,
)
from storecredit.errors import journal as journal_errors
from storecredit.errors import ledger as ledger_errors
from storecredit.errors import lots as lot_errors
from storecredit.values import Money

LEAVES = sorted({*ledger_errors.__all__, *lot_errors.__all__})
HERE = Path(__file__).resolve().parent


def sources_but_for_imports() -> str:
    """What these tests say, this file aside; `refuses` checks the state and the pickle too."""
    files = [path for path in HERE.parent.rglob("test_*.py") if path.name != "test_errors.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    return re.sub(r"from storecredit\.errors import (\([^)]*\)|[^\n]*)", "", text)


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.mark.parametrize("name", LEAVES)
def test_every_leaf_is_refused_somewhere_in_these_tests(name) -> None:
    assert re.search(rf"\b{name}\b", sources_but_for_imports())


@pytest.mark.parametrize("name", LEAVES)
def test_every_leaf_is_exported_and_on_one_branch(name) -> None:
    leaf = getattr(errors, name)
    branches = [
        branch for branch in (MisuseError, RefusalError, ConflictError) if issubclass(leaf, branch)
    ]
    assert len(branches) == 1
    assert issubclass(leaf, StoreCreditError)
    assert attrs.has(leaf)
    assert name in errors.__all__


@pytest.mark.parametrize("module", [ledger_errors, lot_errors])
def test_the_tree_at_the_top_draws_every_leaf_and_no_other(module) -> None:
    tree = module.__doc__.partition("\n\n")[2].rpartition("\n\nEvery")[0]
    drawn = {
        word
        for line in tree.splitlines()
        for word in re.findall(r"\b[A-Z][A-Za-z]+\b", line.split("   a ")[0])
        if hasattr(errors, word)
    }
    assert drawn - {"MisuseError", "RefusalError"} == set(module.__all__)


def test_an_enormous_or_hostile_value_is_cut_short_in_a_message() -> None:
    assert len(str(InvalidKey("x" * 10_000_000, "is long"))) < 300
    assert "\x1b" not in str(UnknownHold("\x1b[31m"))
    assert "\ud800" not in str(UnknownHold("\ud800"))


def test_a_message_leaves_out_what_is_zero() -> None:
    zero = usd("0.00")
    error = InsufficientCredit(
        "c-17", usd("40.00"), usd("25.00"), usd("25.00"), usd("35.00"), zero, zero, zero
    )
    assert str(error) == (
        "Cannot spend USD 40.00 for holder c-17: USD 25.00 is available (USD 35.00 held), and "
        "this command can have USD 25.00. Take up to that much, or put the remaining USD 15.00 on "
        "another tender."
    )


def test_a_conflict_of_keys_shows_both_requests() -> None:
    error = KeyReused("k", "amount", "USD 1.00", None)
    assert "amount='USD 1.00'; this one has amount=None" in str(error)


def test_a_merchant_that_cashes_out_nothing_says_so() -> None:
    assert "cashes out nothing." in str(LotNotCashable("l", "goodwill", ()))


@pytest.mark.parametrize(
    ("error", "begins"),
    [
        (
            journal_errors.JournalBroken("a", 4, "it is wrong"),
            "Entry 4 of account a is broken: it is wrong. The journal was changed around",
        ),
        (
            journal_errors.ConcurrentChange("a", 4),
            "Account a is no longer at version 4: somebody else changed it first.",
        ),
    ],
)
def test_errors_of_the_journal_pickle(error, begins) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert str(error).startswith(begins)


def test_instants_in_messages_are_written_out() -> None:
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    error = errors.HoldAlreadyLapsed("h", at, at)
    assert "Hold h lapsed at 2026-03-02T12:00:00+00:00" in str(error)
