"""The merchant's channels: every redemption names one of them (A16)."""

from __future__ import annotations

import pytest

from storecredit.errors import ChannelNotDeclared, ChannelRequired, InvalidTerms, InvalidText
from storecredit.ledger import Merchant
from storecredit.values import Money


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def test_a_redemption_names_a_declared_channel(make_shop) -> None:
    shop = make_shop(channels=["web", "till 12"])
    shop.issue("50.00")
    for verb in (
        lambda **about: shop.redeem("1.00", **about),
        lambda **about: shop.hold("1.00", **about),
        lambda **about: shop.credit.preview("c-17", usd("1.00"), **about),
    ):
        with shop.refuses(ChannelRequired) as refused:
            verb()
        assert (refused.error.merchant, refused.error.declared) == ("acme", ("web", "till 12"))
        with shop.refuses(ChannelNotDeclared) as refused:
            verb(channel="till 13")
        error = refused.error
        assert (error.merchant, error.channel) == ("acme", "till 13")
        assert str(error) == "'till 13' is not a channel of merchant acme (web, till 12)."
        verb(channel="till 12")
    assert shop.redeem("1.00", channel="web").entry.context.channel == "web"


def test_growing_a_hold_is_a_redemption_and_shrinking_it_is_none(make_shop) -> None:
    shop = make_shop(channels=["web"])
    shop.issue("50.00")
    hold = shop.hold("5.00", channel="web").hold_id
    with shop.refuses(ChannelRequired):
        shop.credit.resize(hold, usd("6.00"), key="r")
    assert shop.credit.resize(hold, usd("4.00"), key="r").changed


def test_a_merchant_without_channels_knows_none(shop) -> None:
    shop.issue("50.00")
    with shop.refuses(ChannelNotDeclared) as refused:
        shop.redeem("1.00", channel="web")
    assert "(none is declared)" in str(refused.error)
    assert shop.redeem("1.00").changed


def test_the_channel_of_another_merchant_is_undeclared(make_shop) -> None:
    shop = make_shop(channels=["web"])
    shop.open("bolt", channels=["bolt web"])
    shop.issue("50.00")
    with shop.refuses(ChannelNotDeclared):
        shop.redeem("1.00", channel="bolt web")


@pytest.mark.parametrize(
    ("channels", "error"), [("web", InvalidTerms), (["web", ""], InvalidText), ([5], InvalidText)]
)
def test_channels_are_a_list_of_names(channels, error) -> None:
    with pytest.raises(error):
        Merchant(id="acme", channels=channels)


@pytest.mark.parametrize("name", ["", "x" * 201, 5, None, "a\x00"])
def test_a_merchant_has_a_name(name) -> None:
    with pytest.raises(InvalidText) as refused:
        Merchant(id=name)
    assert refused.value.field == "merchant"


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"restore_into": "the sea"}, "restore_into"),
        ({"restore_expired": "forgive"}, "expired"),
        ({"cashable": ["coins"]}, "funding"),
        ({"minimum_life": {"coins": None}}, "funding"),
        ({"minimum_life": {"earned": 30}}, "minimum_life"),
        ({"minimum_life": [1]}, "minimum_life"),
        ({"order": ("expiry",)}, "order"),
        ({"hold_lasts": 24}, "hold_lasts"),
        ({"hold_at_most": 24}, "hold_at_most"),
        ({"grace": None}, "grace"),
        ({"units": ["PTS"]}, "units"),
        ({"ceilings": [Money.of("1.00", "USD")]}, "ceilings"),
    ],
)
def test_rules_that_do_not_exist_are_refused(rules, field) -> None:
    with pytest.raises(InvalidTerms) as refused:
        Merchant(id="acme", **rules)
    assert refused.value.field == field
