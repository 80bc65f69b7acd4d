"""Extremes: the largest amounts, the earliest and latest instants, the longest texts (V2, V7)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from datetime import UTC, datetime, timedelta
from typing import Final

from storecredit.ledger import Limits, Merchant
from storecredit.service import Grant
from storecredit.service.about import About
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import LATEST, NOON, outline, present, usd
from storecredit.values import CustomUnit, Money

MOST: Final = 2**63 - 1
EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
TICK: Final = timedelta(microseconds=1)
ANY_TEXT: Final = (
    "  Ωmega 日本語 \u05e9\u05dc\u05d5\u05dd \u202eنص हिन्दी 👩‍👩‍👧 e\u0301 ' \" \\ %s {} -- "
)


class ExtremeDuties(Duties):
    """What the ledger allows, the storage keeps."""

    def test_v2_the_largest_amount_is_kept_held_and_spent(self) -> None:
        shop = self.shop()
        credit = shop.credit
        credit.issue("anna", Money.of_minor(MOST, "USD"), funding="refund", key="a1")
        hold = credit.hold("anna", Money.of_minor(MOST - 1, "USD"), key="a2").hold_id
        account = shop.account("anna")
        (lot,) = account.lots.values()
        assert (lot.amount, lot.remaining, lot.held) == (MOST, MOST, MOST - 1)
        assert (account.totals["balance"], account.totals["held"]) == (MOST, MOST - 1)
        assert account.holds[hold].amount == MOST - 1
        spent = credit.capture(hold, key="a3")
        credit.redeem("anna", Money.of_minor(1, "USD"), key="a4")
        assert shop.whole("anna").totals["redeemed"] == MOST
        credit.restore(spent.entry_id, key="a5")
        assert shop.account("anna").totals["restored"] == MOST - 1
        assert credit.verify().ok

    def test_v2_the_largest_debt_and_limit_are_kept(self) -> None:
        shop = self.shop()
        most = Money.of_minor(MOST, "USD")
        shop.credit.set_limit("shared", "USD", most, key="s1")
        shop.credit.redeem("shared", most, key="s2")
        account = shop.account("shared")
        assert (account.limit, account.owed) == (MOST, MOST)
        shop.credit.settle("shared", most, key="s3")
        assert shop.whole("shared").totals["owed_settled"] == MOST
        assert shop.credit.verify().ok

    def test_v4_units_of_nine_digits_and_of_none_are_kept(self) -> None:
        finest, whole = CustomUnit("A" * 12, 9), CustomUnit("PTS", 0)
        shop = self.shop(merchant=Merchant(id="acme", units=(finest, whole)))
        for unit in (finest, whole):
            shop.credit.issue("anna", Money.of_minor(MOST, unit), funding="earned", key="a1")
            account = shop.account("anna", unit=unit.code)
            assert (account.unit, account.totals["balance"]) == (unit, MOST)
            (entry,) = shop.entries("anna", unit=unit.code)
            assert (entry.unit, entry.unit.digits) == (unit, unit.digits)

    def test_v7_the_earliest_and_the_latest_instants_are_kept(self) -> None:
        shop = self.shop()
        shop.clock.set(EARLIEST)
        shop.credit.issue(
            "anna", usd("5.00"), funding="goodwill", key="a1", expires=EARLIEST + TICK
        )
        shop.credit.issue(
            "anna", usd("5.00"), funding="goodwill", key="a2", expires=LATEST, effective=EARLIEST
        )
        late = LATEST - timedelta(days=30)
        shop.clock.set(late)
        shop.credit.hold("anna", usd("5.00"), key="a3", lapses=LATEST)
        account = shop.account("anna")
        assert account.last_at == late
        expiries = sorted(present(lot.terms.expires_at) for lot in account.lots.values())
        assert expiries == [EARLIEST + TICK, LATEST]
        (hold,) = account.holds.values()
        assert (hold.placed_at, hold.lapses_at) == (late, LATEST)
        assert [entry.at for entry in shop.entries("anna")] == [EARLIEST, EARLIEST, late]
        name = account.id
        with shop.storage.snapshot() as reader:
            assert reader.due("acme", EARLIEST) == []
            assert reader.due("acme", EARLIEST + TICK) == [name]
            assert reader.lapsed("acme", LATEST - TICK) == []
            assert reader.lapsed("acme", LATEST) == [name]

    def test_v7_a_microsecond_is_kept(self) -> None:
        shop = self.shop()
        for microsecond in (0, 1, 100_000, 999_999):
            at = NOON.replace(microsecond=microsecond)
            shop.clock.set(at)
            key = f"a{microsecond}"
            shop.credit.issue("anna", usd("1.00"), funding="refund", key=key, occurred_at=at)
            entry = shop.entries("anna")[-1]
            assert (entry.at, entry.context.occurred_at) == (at, at)
            assert shop.account("anna").last_at == at

    def test_a18_texts_of_any_script_and_length_come_back(self) -> None:
        shop = self.shop()
        about = About(
            actor=ANY_TEXT,
            reason="r" * 2000,
            reference="🧾" * 200,
            location=ANY_TEXT,
            note=(ANY_TEXT + "\n\t") * 20,
            data={f"{ANY_TEXT}{number}": "v" * 2000 for number in range(20)},
        )
        made = shop.credit.issue("anna", usd("1.00"), funding="refund", key=ANY_TEXT, **about)
        shop.credit.hold("anna", usd("1.00"), key="a2", reference="🧾" * 200)
        (entry, _) = shop.entries("anna")
        assert outline(entry) == outline(made.entry)
        (hold,) = shop.account("anna").holds.values()
        assert hold.reference == "🧾" * 200
        assert shop.credit.verify().ok

    def test_a1_an_entry_may_move_hundreds_of_lots(self) -> None:
        shop = self.shop()
        limits = Limits(categories=tuple(f"category {n}" for n in range(100)))
        shop.credit.issue_many(
            Grant(
                holder="anna",
                amount=usd("1.00"),
                funding="promotional",
                key=f"g{number}",
                limits=limits if number % 100 == 0 else None,
            )
            for number in range(300)
        )
        assert len(shop.account("anna").lots) == 300
        spent = shop.credit.redeem("anna", usd("297.00"), key="all")
        assert len(spent.moves) == 297
        assert len(shop.account("anna").lots) == 3
        shop.credit.restore(spent.entry_id, key="back")
        assert len(shop.account("anna").lots) == 300
        assert shop.credit.verify().ok

    def test_a9_every_sort_of_limit_and_list_comes_back(self) -> None:
        shop = self.shop()
        limits: list[tuple[Money | str | None, int | str | None]] = [
            (usd("0.01"), 1),
            ("unlimited", "unlimited"),
            (None, None),
        ]
        for number, (given, kept) in enumerate(limits):
            shop.credit.set_limit("shared", "USD", given, key=f"l{number}")
            assert shop.account("shared").to_json()["limit"] == kept
        for number, spenders in enumerate((["ben"], [ANY_TEXT, "anna"], [], None)):
            shop.credit.set_spenders("shared", "USD", spenders, key=f"s{number}")
            kept_spenders = shop.account("shared").spenders
            assert kept_spenders == (None if spenders is None else tuple(spenders))
        assert shop.credit.verify().ok
