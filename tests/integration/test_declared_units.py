"""A storage keeps code and digits of a custom unit; name and cost basis are the merchant's (V4)."""

from pathlib import Path

from storecredit import CustomUnit, Merchant, Money, StoreCredit
from storecredit.storage import SQLiteStorage

POINTS = CustomUnit("PTS", 0, name="Points")


def test_what_comes_back_from_a_file_is_named_as_the_merchant_names_it(tmp_path: Path) -> None:
    merchant = Merchant(id="acme", units=(POINTS,))
    first = StoreCredit(SQLiteStorage(tmp_path / "shop.db"), merchant=merchant)
    first.issue("c-17", Money.of("500", POINTS), funding="earned", key="a")

    again = StoreCredit(SQLiteStorage(tmp_path / "shop.db"), merchant=merchant)
    held = again.hold("c-17", Money.of("200", POINTS), key="b")
    assert again.release(held.hold_id, key="c").amount.format(locale="en_US") == "200 Points"
    (account,) = again.wallet("c-17").accounts
    assert account.available.format(locale="en_US") == "500 Points"
    assert again.account("c-17", "PTS").unit.name == "Points"


def test_without_the_declaration_the_code_stands_for_the_name(tmp_path: Path) -> None:
    merchant = Merchant(id="acme", units=(POINTS,))
    first = StoreCredit(SQLiteStorage(tmp_path / "shop.db"), merchant=merchant)
    first.issue("c-17", Money.of("500", POINTS), funding="earned", key="a")

    bare = StoreCredit(SQLiteStorage(tmp_path / "shop.db"), merchant="acme")
    assert str(bare.wallet("c-17").available) == "PTS 500"
    assert bare.account("c-17", CustomUnit("PTS", 0)).available == Money.of("500", POINTS)
