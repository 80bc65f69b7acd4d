"""What can be no id, no name and no rule is refused in our own words, on either adapter (S10, S5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from storecredit import Merchant, Money, StoreCredit
from storecredit.errors import (
    InvalidKey,
    InvalidTerms,
    InvalidText,
    RefusalError,
    StorageUnusable,
    UnknownEntry,
    UnknownHold,
    UnknownLot,
)
from storecredit.storage import MemoryStorage, SQLiteStorage
from storecredit.values import ExchangeRate

LOCAL = "a" * 32
BAD_IDS: tuple[Any, ...] = (
    *("", "x", ".", f"\ud800.USD.{LOCAL}", f"\0.USD.{LOCAL}", f"a.\ud800.{LOCAL}"),
    *(f"..{LOCAL}", "a.USD." + "\ud800" * 32, "a.USD." + "g" * 32),
    *(None, 123, 1.5, b"x", f"a.USD.{LOCAL}".encode(), [], {}, ("a", "b"), object()),
)
BAD_LOTS: tuple[Any, ...] = (*(bad for bad in BAD_IDS if bad is not None),)

VERBS: dict[str, tuple[type[RefusalError], Callable[[StoreCredit, Any], object]]] = {
    "capture": (UnknownHold, lambda credit, bad: credit.capture(bad, key="k")),
    "release": (UnknownHold, lambda credit, bad: credit.release(bad, key="k")),
    "resize": (UnknownHold, lambda credit, bad: credit.resize(bad, usd("1.00"), key="k")),
    "restore": (UnknownEntry, lambda credit, bad: credit.restore(bad, key="k")),
    "reverse": (UnknownEntry, lambda credit, bad: credit.reverse_transfer(bad, key="k")),
    "explain": (UnknownEntry, lambda credit, bad: credit.explain(bad)),
    "erase": (UnknownEntry, lambda credit, bad: credit.erase(bad)),
    "revoke": (
        UnknownLot,
        lambda credit, bad: credit.revoke(bad, key="k", actor="ann", reason="r"),
    ),
}
LOT_VERBS: dict[str, Callable[[StoreCredit, Any], object]] = {
    "redeem": lambda credit, bad: credit.redeem("anna", usd("1.00"), lot=bad, key="k"),
    "hold": lambda credit, bad: credit.hold("anna", usd("1.00"), lot=bad, key="k"),
    "preview": lambda credit, bad: credit.preview("anna", usd("1.00"), lot=bad),
    "cash_out": lambda credit, bad: credit.cash_out("anna", usd("1.00"), lot=bad, key="k"),
    "transfer": lambda credit, bad: credit.transfer("anna", "b", usd("1.00"), lot=bad, key="k"),
}


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


@pytest.fixture(params=["memory", "sqlite"])
def credit(request: pytest.FixtureRequest, tmp_path: Path) -> StoreCredit:
    """Anna's five dollars, in memory or in a file."""
    kept: Any = (
        MemoryStorage() if request.param == "memory" else SQLiteStorage(tmp_path / "shop.db")
    )
    found = StoreCredit(kept, "acme")
    found.issue("anna", usd("5.00"), funding="refund", key="a")
    return found


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_s10_what_can_be_no_id_is_unknown(credit: StoreCredit, verb: str) -> None:
    error, ask = VERBS[verb]
    for bad in BAD_IDS:
        with pytest.raises(error) as refused:
            ask(credit, bad)
        assert type(refused.value) is error, bad
        assert str(refused.value).startswith("There is no ")


@pytest.mark.parametrize("verb", sorted(LOT_VERBS))
def test_s10_what_can_be_no_lot_is_unknown(credit: StoreCredit, verb: str) -> None:
    for bad in BAD_LOTS:
        with pytest.raises(UnknownLot) as refused:
            LOT_VERBS[verb](credit, bad)
        assert type(refused.value) is UnknownLot, bad
        assert refused.value.lot_id == bad
    assert str(credit.wallet("anna").available) == "USD 5.00"


def test_a11_a_funding_that_is_not_on_the_list_is_refused_before_the_file_is_read() -> None:
    credit = StoreCredit(MemoryStorage(), "acme")
    with pytest.raises(InvalidTerms) as refused:
        credit.import_balances("no such file.csv", key_prefix="p", unit="USD", funding="nope")
    assert (refused.value.field, refused.value.value) == ("funding", "nope")


@pytest.mark.parametrize("merchant", [5, None, b"acme", ["acme"], Merchant])
def test_a_merchant_is_a_merchant_or_its_id(merchant: Any) -> None:
    with pytest.raises(InvalidTerms) as refused:
        StoreCredit(MemoryStorage(), merchant)
    assert refused.value.field == "merchant"


def test_an_id_of_a_merchant_that_no_storage_keeps_is_refused() -> None:
    for bad in ("", "\ud800", "a\0"):
        with pytest.raises(InvalidText):
            StoreCredit(MemoryStorage(), bad)


@pytest.mark.parametrize("lives", [[1], 5, "purchased", None])
def test_a11_lives_that_are_no_periods_by_funding_are_refused(lives: Any) -> None:
    with pytest.raises(InvalidTerms) as refused:
        Merchant(id="acme", minimum_life=lives)
    assert refused.value.field == "minimum_life"


@pytest.mark.parametrize("setting", ["OFF", "off", 1, None, [], "FULL; DROP TABLE lots"])
def test_s7_a_setting_that_there_is_not_is_refused(tmp_path: Path, setting: Any) -> None:
    with pytest.raises(InvalidTerms) as refused:
        SQLiteStorage(tmp_path / "shop.db", synchronous=setting)
    assert refused.value.field == "synchronous"
    assert "FULL or NORMAL" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a\0b.db", "\0", "a\ud800.db"])
def test_s7_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageUnusable):
        SQLiteStorage(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["", "\ud800", "a\0", "~own", 5, b"k", [], None])
def test_a12_a_key_that_is_none_is_refused_by_every_verb(credit: StoreCredit, key: Any) -> None:
    rate = ExchangeRate("USD", "EUR", "0.5", on=date(2026, 3, 2))
    asked: tuple[Callable[[], object], ...] = (
        lambda: credit.transfer("anna", "b", usd("1.00"), key=key),
        lambda: credit.transfer("nobody", "b", usd("1.00"), key=key),
        lambda: credit.convert("anna", usd("1.00"), rate, rounding="down", key=key),
        lambda: credit.merge("anna", "b", key=key),
        lambda: credit.redeem("anna", usd("1.00"), key=key),
        lambda: credit.release_order("anna", "o", key=key),
    )
    for ask in asked:
        with pytest.raises(InvalidKey):
            ask()
