"""The journal's times: never back, never far ahead; business time apart (A13)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from storecredit.errors import FutureInstant, NaiveInstant
from storecredit.ledger import read_instant, write_instant
from storecredit.values import Money, Period


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_an_earlier_instant_is_recorded_as_that_of_the_last_entry(shop) -> None:
    shop.issue("10.00")
    then = shop.clock.now
    shop.clock.forward(hours=-1)
    assert shop.redeem("1.00").entry.at == then
    assert shop.redeem("1.00", at=then - timedelta(days=400)).entry.at == then


def test_nothing_un_expires_when_the_clock_goes_back(shop) -> None:
    shop.issue("10.00", expires=Period(days=1))
    shop.clock.forward(days=1)
    shop.credit.expire_due()
    shop.issue("2.00")
    shop.clock.forward(days=-1)
    assert shop.available() == "USD 2.00"


def test_the_present_state_is_shown_even_where_the_clock_lags_behind(shop) -> None:
    shop.issue("10.00")
    shop.clock.forward(seconds=-2)
    assert str(shop.credit.wallet("c-17").available) == "USD 10.00"
    assert shop.available() == "USD 10.00"
    # Asked for that instant by name, there was nothing yet.
    assert str(shop.credit.account("c-17", "USD", at=shop.clock.now).available) == "USD 0.00"
    (account,) = shop.credit.wallet("c-17", at=shop.clock.now).accounts
    assert (account.version, account.available) == (0, usd("0.00"))


def test_five_minutes_ahead_of_the_clock_is_accepted_and_more_is_not(shop) -> None:
    ahead = shop.clock.now + timedelta(minutes=5)
    with shop.refuses(FutureInstant) as refused:
        shop.issue("10.00", at=ahead + timedelta(microseconds=1))
    assert refused.error.at == ahead + timedelta(microseconds=1)
    assert refused.error.clock == shop.clock.now
    assert "Put business time into occurred_at" in str(refused.error)
    assert shop.issue("10.00", at=ahead).entry.at == ahead


def test_a_clock_ten_years_ahead_and_back_leaves_the_journal_in_order(shop) -> None:
    shop.issue("10.00", expires=Period(years=1))
    shop.clock.forward(days=3650)
    shop.issue("5.00")
    far = shop.clock.now
    shop.clock.forward(days=-3650)
    assert shop.redeem("5.00").entry.at == far
    with shop.refuses(FutureInstant):
        shop.issue("1.00", at=far)
    times = [entry.at for entry in shop.credit.journal("c-17", "USD")]
    assert times == sorted(times)


def test_a_naive_instant_is_refused_everywhere(shop) -> None:
    naive = datetime(2026, 3, 2)  # noqa: DTZ001 - that is what is refused
    shop.issue("10.00")
    for call in (
        lambda: shop.redeem("1.00", at=naive),
        lambda: shop.redeem("1.00", occurred_at=naive),
        lambda: shop.credit.wallet("c-17", at=naive),
        lambda: shop.credit.account("c-17", "USD", at=naive),
        lambda: shop.credit.preview("c-17", usd("1.00"), at=naive),
        lambda: shop.credit.expire_due(at=naive),
        lambda: shop.credit.release_lapsed(at=naive),
    ):
        with shop.refuses(NaiveInstant) as refused:
            call()
        assert refused.error.given == naive


@pytest.mark.parametrize("given", [True, False])
def test_a_naive_clock_is_refused(shop, given) -> None:
    shop.clock.now = shop.clock.now.replace(tzinfo=None)
    at = datetime(2026, 3, 2, tzinfo=UTC) if given else None
    with shop.refuses(NaiveInstant):
        shop.issue("10.00", at=at)


def test_instants_of_any_zone_are_kept_in_utc(shop) -> None:
    shop.clock.forward(days=1)
    berlin = timezone(timedelta(hours=1))
    entry = shop.issue(
        "10.00",
        at=datetime(2026, 3, 2, 14, tzinfo=berlin),
        occurred_at=datetime(2026, 2, 1, 0, tzinfo=berlin),
    ).entry
    assert entry.at == datetime(2026, 3, 2, 13, tzinfo=UTC)
    assert entry.at.tzinfo is UTC
    assert entry.context.occurred_at == datetime(2026, 1, 31, 23, tzinfo=UTC)


def test_business_time_is_its_own_field_and_shown_to_the_customer(shop) -> None:
    occurred = datetime(2019, 5, 4, tzinfo=UTC)
    shop.issue("10.00", occurred_at=occurred)
    (line,) = shop.credit.statement("c-17", "USD")
    assert line.at == occurred
    assert next(shop.credit.journal("c-17", "USD")).at == shop.clock.now


def test_written_instants_sort_like_time() -> None:
    late = datetime(2026, 3, 2, 12, 0, 0, 5, tzinfo=UTC)
    early = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert write_instant(early) == "2026-03-02T12:00:00.000000Z"
    assert write_instant(late) == "2026-03-02T12:00:00.000005Z"
    assert read_instant(write_instant(late)) == late
