"""What is offered, with exact amounts: by the rules, by the law, and why (P2, P3, P6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from storecredit.errors import AmountOutOfRange, InvalidReturn
from storecredit.policies import (
    Bonus,
    CashRight,
    CreditTerms,
    Fee,
    Fired,
    GoodsBack,
    OfferKind,
    Passed,
    Policy,
    Reasons,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    When,
    offers_for,
)
from storecredit.policies.decision import PolicyVersion
from storecredit.values import MAX_MINOR, Balance, CustomUnit, Money, Period

Ask = Callable[..., ReturnRequest]
Make = Callable[..., Policy]
ByLine = Callable[[Any], dict[str, dict[str, str]]]
PTS = CustomUnit("PTS", 0)


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def pts(amount: int) -> Money:
    return Money.of_minor(amount, PTS)


def a_line(number: int = 1, external: str = "50.00", **more: Any) -> ReturnLine:
    return ReturnLine(id=str(number), external=eur(external), **more)


ALL = RefundRule(id="all", offer=["credit", "money", "exchange"])
LAW = CashRight(id="law", when=When(jurisdictions=["DE"]), source="Act, section 1")


# Rules in order


def test_the_first_rule_that_holds_decides_each_topic(ask: Ask, policy: Make) -> None:
    made = policy(
        RefundRule(id="gold", when=When(segments=["gold"]), bonus=Bonus(percent=20)),
        RefundRule(id="usual", because="We always do.", offer=["credit"], bonus=Bonus(percent=10)),
        RefundRule(id="rest", consent=True),
    )
    found = made.offers(ask(segments=["gold"]))
    assert found.kinds == (OfferKind.CREDIT,)
    assert found.offer("credit").bonus == eur("10.00")
    assert found.reasons == (
        Reasons(
            line="1",
            fired=(
                Fired("gold", ("bonus",)),
                Fired("usual", ("offer",), "We always do."),
                Fired("rest", ("consent",)),
            ),
            passed=(),
        ),
    )
    usual = made.offers(ask())
    assert usual.offer("credit").bonus == eur("5.00")
    assert usual.reasons[0].passed == (Passed("gold", "the holder is in none of the groups"),)
    assert usual.reasons[0].fired[0] == Fired("usual", ("offer", "bonus"), "We always do.")


def test_lines_are_decided_one_by_one(ask: Ask, policy: Make, by_line: ByLine) -> None:
    made = policy(
        RefundRule(id="sale", when=When(final_sale=True), offer=[]),
        RefundRule(id="broken", when=When(reasons=["damaged"]), offer=["money"]),
        RefundRule(id="rest", offer=["credit", "exchange"], bonus=Bonus(percent=10)),
    )
    request = ask(a_line(1, final_sale=True), a_line(2, reason="damaged"), a_line(3))
    found = made.offers(request)
    assert found.kinds == (OfferKind.MONEY, OfferKind.CREDIT, OfferKind.EXCHANGE)
    refund = {"way": "money", "tenders": "EUR 50.00"}
    credit = {"way": "credit", "credit": "EUR 50.00", "bonus": "EUR 5.00"}
    exchange = {"way": "exchange", "exchange": "EUR 50.00"}
    assert [by_line(offer) for offer in found.offers] == [
        {"2": refund, "3": credit},
        {"2": refund, "3": credit},
        {"2": refund, "3": exchange},
    ]
    assert [each.refused for each in found.reasons] == ["the rule sale", None, None]


def test_nothing_is_offered_where_no_rule_decides(ask: Ask, policy: Make) -> None:
    found = policy(RefundRule(id="gift", when=When(gift=True), offer=["credit"])).offers(ask())
    assert found.offers == found.kinds == ()
    (reasons,) = found.reasons
    assert reasons.refused == "no rule of the policy decides what is offered"
    assert reasons.fired == ()
    assert reasons.passed == (Passed("gift", "it is no gift"),)


def test_a_rule_in_another_currency_decides_nothing(ask: Ask, policy: Make) -> None:
    dollars = RefundRule(id="usd", offer=["credit"], bonus=Bonus(fixed=Money.of("5.00", "USD")))
    made = policy(dollars, RefundRule(id="all", offer=["credit", "money"], bonus=Bonus(percent=1)))
    found = made.offers(ask())
    assert found.reasons[0].passed == (Passed("usd", "the amounts are in EUR"),)
    assert found.offer("credit").bonus == eur("0.50")
    in_dollars = made.offers(ask(ReturnLine(id="1", external=Money.of("50.00", "USD"))))
    assert in_dollars.offer("credit").bonus == Money.of("5.00", "USD")
    yen = made.offers(ask(ReturnLine(id="1", external=Money.of(150, "JPY"))))
    assert yen.offer("credit").bonus == Money.of(1, "JPY")


def test_points_may_be_what_an_external_tender_took(ask: Ask, policy: Make) -> None:
    # Somebody else's points, for which this shop gives its own.
    made = policy(RefundRule(id="all", offer=["credit"], bonus=Bonus(percent=10)))
    offer = made.offers(ask(ReturnLine(id="1", external=pts(99)))).offer("credit")
    assert (offer.credit, offer.bonus) == (pts(99), pts(9))


def test_reasons_are_those_that_the_policy_declares(ask: Ask, policy: Make) -> None:
    made = policy(ALL, reasons=["damaged", "late"])
    assert made.offers(ask(a_line(reason="late"), a_line(2))).kinds
    with pytest.raises(InvalidReturn) as refused:
        made.offers(ask(a_line(), a_line(2, reason="bored")))
    assert str(refused.value) == ("the reason of 2 is 'bored'; it has to be one of damaged, late.")


# Amounts


def test_each_way_gives_back_what_external_tenders_paid(
    ask: Ask, policy: Make, by_line: ByLine
) -> None:
    request = ask(a_line(restored=Balance.of(eur("20.00"), pts(300))))
    found = policy(ALL).offers(request)
    restored = {"restored": "EUR 20.00, PTS 300"}
    assert [by_line(offer) for offer in found.offers] == [
        {"1": {"way": "credit", "credit": "EUR 50.00", **restored}},
        {"1": {"way": "money", "tenders": "EUR 50.00", **restored}},
        {"1": {"way": "exchange", "exchange": "EUR 50.00", **restored}},
    ]


def test_an_exchange_restores_credit_which_would_else_come_back_as_money(
    ask: Ask, policy: Make
) -> None:
    # All was paid with a promotional lot. If the exchange were worth 20.00, the other goods would
    # be paid with 20.00 of `exchange`, and their return would give 20.00 of money.
    request = ask(a_line(external="0.00", restored=Balance.of(eur("20.00"), pts(300))))
    offer = policy(ALL).offers(request).offer("exchange")
    assert offer.exchange == eur("0.00")
    assert offer.restored == Balance.of(eur("20.00"), pts(300))


def test_an_offer_adds_its_lines_up(ask: Ask, policy: Make) -> None:
    made = policy(
        RefundRule(id="fee", when=When(reasons=["bored"]), fee=Fee(fixed=eur("2.00"))),
        RefundRule(id="all", offer=["credit", "money"], bonus=Bonus(percent=10)),
    )
    request = ask(
        a_line(1, "10.00", restored=Balance.of(eur("1.00"), pts(3))),
        a_line(2, "20.00", reason="bored", restored=pts(4)),
    )
    credit = made.offers(request).offer("credit")
    assert (credit.credit, credit.bonus, credit.fee) == (eur("28.00"), eur("2.80"), eur("2.00"))
    assert (credit.tenders, credit.exchange) == (eur("0.00"), eur("0.00"))
    assert credit.restored == Balance.of(eur("1.00"), pts(7))
    assert {on.value: str(amount) for on, amount in credit.counted.items()} == {
        "refund": "EUR 31.80",
        "credit": "EUR 30.80",
        "bonus": "EUR 2.80",
    }


def test_what_external_tenders_did_not_pay_earns_no_bonus(
    ask: Ask, policy: Make, by_line: ByLine
) -> None:
    made = policy(RefundRule(id="r", offer=["credit"], bonus=Bonus(percent=10, fixed=eur("5.00"))))
    all_credit = made.offers(ask(a_line(external="0.00", restored=eur("99.00")))).offer("credit")
    assert by_line(all_credit) == {"1": {"way": "credit", "restored": "EUR 99.00"}}
    # A cent on the card: a cent of the fixed bonus, and not five euros each time round.
    a_cent = made.offers(ask(a_line(external="0.01", restored=eur("99.00")))).offer("credit")
    assert (a_cent.credit, a_cent.bonus) == (eur("0.01"), eur("0.01"))


def test_a_bonus_counts_the_lines_of_its_rule_together(
    ask: Ask, policy: Make, by_line: ByLine
) -> None:
    made = policy(
        RefundRule(
            id="late",
            when=When(reasons=["late"]),
            bonus=Bonus(percent=10, fixed=eur("1.00"), at_most=eur("1.50")),
        ),
        RefundRule(id="all", offer=["credit", "money"], bonus=Bonus(percent="12.5")),
    )
    request = ask(
        a_line(1, "2.99", reason="late"),
        a_line(2, "0.07"),  # alone 12.5 % of it would be nothing
        a_line(3, "2.01", reason="late"),
        a_line(4, "0.09"),
    )
    # late: 10 % of 5.00 and 1.00, at most 1.50: 0.897 and 0.603, which are 0.90 and 0.60.
    # all: 12.5 % of 0.16 is 0.02, of which 0.00875 and 0.01125: 0.01 and 0.01.
    offer = made.offers(request).offer("credit")
    assert [str(line.bonus) for line in offer.lines] == [
        "EUR 0.90", "EUR 0.01", "EUR 0.60", "EUR 0.01",
    ]  # fmt: skip
    # Only what becomes credit counts.
    chosen = made.offers(request).choose("credit", by_line={"1": "money"}).offer
    assert [str(line.bonus) for line in chosen.lines] == [
        "EUR 0.00", "EUR 0.01", "EUR 1.20", "EUR 0.01",
    ]  # fmt: skip


def test_of_no_bonus_nothing_is_shared(ask: Ask, policy: Make) -> None:
    made = policy(RefundRule(id="all", offer=["credit"], bonus=Bonus()))
    assert made.offers(ask(a_line(1), a_line(2))).offer("credit").bonus.is_zero


def test_a_fee_is_kept_of_each_line_and_lowers_what_earns_a_bonus(
    ask: Ask, policy: Make, by_line: ByLine
) -> None:
    made = policy(
        RefundRule(
            id="all",
            offer=["money", "credit", "exchange"],
            fee=Fee(percent="12.5", on=["money", "credit"]),
            bonus=Bonus(percent=10),
        )
    )
    found = made.offers(ask(a_line(1, "49.99"), a_line(2, "0.07")))
    # 12.5 % of 49.99 is 6.24875, of 0.07 0.00875: rounded down. 10 % of 43.82 is 4.382.
    assert [by_line(offer) for offer in found.offers] == [
        {
            "1": {"way": "money", "tenders": "EUR 43.75", "fee": "EUR 6.24"},
            "2": {"way": "money", "tenders": "EUR 0.07"},
        },
        {
            "1": {"way": "credit", "credit": "EUR 43.75", "bonus": "EUR 4.37", "fee": "EUR 6.24"},
            "2": {"way": "credit", "credit": "EUR 0.07", "bonus": "EUR 0.01"},
        },
        {
            "1": {"way": "exchange", "exchange": "EUR 49.99"},
            "2": {"way": "exchange", "exchange": "EUR 0.07"},
        },
    ]


def test_whoever_takes_credit_may_keep_the_fee(ask: Ask, policy: Make) -> None:
    made = policy(
        RefundRule(id="all", offer=["money", "credit"], fee=Fee(fixed=eur("4.90"), on=["money"]))
    )
    money, credit = made.offers(ask()).offers
    assert (money.tenders, money.fee) == (eur("45.10"), eur("4.90"))
    assert (credit.credit, credit.fee) == (eur("50.00"), eur("0.00"))


@pytest.mark.parametrize(
    ("fee", "left"),
    [
        # 10.00 by card and 30.00 and 300 points of credit: the fee is of 40.00, and the card
        # bears it first.
        ({"percent": 20}, ("EUR 2.00", "EUR 8.00", "EUR 30.00, PTS 300")),
        ({"percent": 25}, ("EUR 0.00", "EUR 10.00", "EUR 30.00, PTS 300")),
        ({"percent": 50}, ("EUR 0.00", "EUR 20.00", "EUR 20.00, PTS 300")),
        ({"percent": 100}, ("EUR 0.00", "EUR 40.00", "PTS 300")),
        ({"fixed": eur("90.00")}, ("EUR 0.00", "EUR 40.00", "PTS 300")),
    ],
)
def test_a_fee_above_what_external_tenders_paid_comes_off_the_credit(
    ask: Ask, policy: Make, fee: dict[str, Any], left: tuple[str, str, str]
) -> None:
    made = policy(RefundRule(id="all", offer=["money", "credit"], fee=Fee(**fee)))
    line = a_line(external="10.00", restored=Balance.of(eur("30.00"), pts(300)))
    money, credit = made.offers(ask(line)).offers
    assert (str(money.tenders), str(money.fee), str(money.restored)) == left
    assert (credit.credit, credit.fee, credit.restored) == (
        money.tenders,
        money.fee,
        money.restored,
    )


def test_points_bear_no_fee_in_money(ask: Ask, policy: Make) -> None:
    made = policy(RefundRule(id="all", offer=["money"], fee=Fee(percent=50, fixed=eur("5.00"))))
    offer = made.offers(ask(a_line(external="0.00", restored=pts(300)))).offer("money")
    assert (offer.fee, offer.restored) == (eur("0.00"), Balance.of(pts(300)))


def test_only_goods_and_their_tax_become_credit(ask: Ask, policy: Make, by_line: ByLine) -> None:
    made = policy(
        RefundRule(id="ship", when=When(kinds=["fee"]), offer=["exchange"]),
        RefundRule(id="all", offer=["credit", "money"], bonus=Bonus(percent=10)),
    )
    kinds = ["goods", "tax", "shipping", "gift_card", "fee"]
    lines = [a_line(number, "10.00", kind=kind) for number, kind in enumerate(kinds, 1)]
    found = made.offers(ask(*lines))
    credit = {"way": "credit", "credit": "EUR 10.00", "bonus": "EUR 1.00"}
    money = {"way": "money", "tenders": "EUR 10.00"}
    assert by_line(found.offer("credit")) == {"1": credit, "2": credit, "3": money, "4": money}
    assert found.reasons[4].refused == "only goods become credit (P3)"


def test_credit_lives_as_long_as_its_rule_says(ask: Ask, policy: Make) -> None:
    def lives(terms: CreditTerms | None) -> tuple[str, str]:
        made = policy(
            RefundRule(id="all", offer=["credit", "money"], credit=terms, bonus=Bonus(percent=1))
        )
        found = made.offers(ask())
        (money,) = found.offer("money").lines
        assert (money.expires, money.bonus_expires) == (None, None)
        (line,) = found.offer("credit").lines
        return str(line.expires), str(line.bonus_expires)

    two_years, months = Period(years=2), Period(months=6, zone="Europe/Berlin")
    assert lives(None) == ("None", "None")
    assert lives(CreditTerms()) == ("None", "None")
    assert lives(CreditTerms(expires=two_years)) == ("P2Y", "P2Y")
    assert lives(CreditTerms(bonus_expires=months)) == ("None", "P6M in Europe/Berlin")
    assert lives(CreditTerms(expires=two_years, bonus_expires=months)) == (
        "P2Y",
        "P6M in Europe/Berlin",
    )


def test_only_goods_have_to_come_back_and_only_where_no_rule_lets_them_stay(
    ask: Ask, policy: Make
) -> None:
    made = policy(
        RefundRule(id="cheap", when=When(categories=["socks"]), goods="keep"),
        RefundRule(id="back", when=When(categories=["shoes"]), goods="return"),
        RefundRule(id="all", offer=["money"]),
    )
    lines = [
        a_line(1, category="socks"),
        a_line(2, category="shoes"),
        a_line(3),
        *[
            a_line(4 + n, kind=kind)
            for n, kind in enumerate(["shipping", "tax", "fee", "gift_card"])
        ],
    ]
    found = made.offers(ask(*lines))
    back = [line.goods is GoodsBack.RETURN for line in found.offer("money").lines]
    assert back == [False, True, True, False, False, False, False]
    assert found.choose("money").goods == ("2", "3")


@pytest.mark.parametrize(
    ("instant", "way", "told"),
    [(True, "credit", True), (True, "money", False), (False, "credit", False)],
)
def test_only_credit_is_given_before_the_goods_are_back(
    ask: Ask, policy: Make, instant: bool, way: str, told: bool
) -> None:
    made = policy(RefundRule(id="all", offer=["credit", "money"], instant=instant))
    assert made.offers(ask()).offer(way).instant is told


def test_credit_is_instant_if_all_of_it_may_be(ask: Ask, policy: Make) -> None:
    made = policy(
        RefundRule(id="gold", when=When(categories=["socks"]), instant=True),
        RefundRule(id="all", offer=["credit", "money"]),
    )
    found = made.offers(ask(a_line(1, category="socks"), a_line(2)))
    assert not found.offer("credit").instant
    assert found.choose("credit", by_line={"2": "money"}).offer.instant


def test_nothing_is_offered_exactly_for_a_line_of_nothing(ask: Ask, policy: Make) -> None:
    made = policy(RefundRule(id="all", offer=["credit"], bonus=Bonus(fixed=eur("5.00"))))
    decision = made.offers(ask(a_line(external="0.00"))).choose()
    assert decision.lots == ()
    assert decision.offer.credit == eur("0.00")


def test_sums_beyond_the_range_are_errors_and_never_wrap(ask: Ask, policy: Make) -> None:
    most = Money.of_minor(MAX_MINOR, "EUR")
    made = policy(RefundRule(id="all", offer=["credit", "money"]))
    found = made.offers(ask(most, most))
    with pytest.raises(AmountOutOfRange):
        _ = found.offer("money").tenders
    assert made.offers(ask(most)).offer("money").tenders == most
    doubled = policy(RefundRule(id="all", offer=["credit"], bonus=Bonus(percent="100.1")))
    with pytest.raises(AmountOutOfRange):
        _ = doubled.offers(ask(most)).offers


# The law


def test_the_law_adds_money_to_what_the_rules_offer(ask: Ask, policy: Make) -> None:
    made = policy(RefundRule(id="late", offer=["exchange", "credit"]), cash_rights=[LAW])
    found = made.offers(ask(jurisdiction="DE"))
    assert found.kinds == (OfferKind.EXCHANGE, OfferKind.CREDIT, OfferKind.MONEY)
    assert found.offer("credit").consent == ("law",)
    assert found.offer("money").consent == ()
    assert found.reasons[0].fired == (
        Fired("late", ("offer",)),
        Fired("law", ("money",), "Act, section 1"),
    )
    elsewhere = made.offers(ask(jurisdiction="US-CA"))
    assert elsewhere.kinds == (OfferKind.EXCHANGE, OfferKind.CREDIT)
    assert elsewhere.offer("credit").consent == ()
    assert elsewhere.reasons[0].passed == (Passed("law", "the jurisdiction is US-CA"),)


def test_where_the_rules_offer_money_too_the_favourite_stays_first(ask: Ask, policy: Make) -> None:
    made = policy(RefundRule(id="all", offer=["credit", "money"]), cash_rights=[LAW])
    assert made.offers(ask(jurisdiction="DE")).kinds == (OfferKind.CREDIT, OfferKind.MONEY)


@pytest.mark.parametrize(
    "rules",
    [
        [RefundRule(id="no", offer=[], because="Never.")],
        [RefundRule(id="gift", when=When(gift=True), offer=["credit"])],  # no rule decides
        [RefundRule(id="sale", when=When(final_sale=True), offer=[]), ALL],
        [RefundRule(id="late", offer=["credit"], fee=Fee(percent=100))],
        [RefundRule(id="all", offer=["money"], fee=Fee(percent=100))],
        [RefundRule(id="ship", when=When(kinds=["goods"]), offer=["exchange"])],
    ],
)
def test_no_rule_takes_away_the_money_that_the_law_gives(
    ask: Ask, policy: Make, rules: list[RefundRule], by_line: ByLine
) -> None:
    found = policy(*rules, cash_rights=[LAW]).offers(
        ask(a_line(final_sale=True, restored=eur("9.00")), jurisdiction="DE")
    )
    assert OfferKind.MONEY in found.kinds
    assert found.reasons[0].refused is None
    full = {"1": {"way": "money", "tenders": "EUR 50.00", "restored": "EUR 9.00"}}
    assert by_line(found.offer("money")) == full


def test_the_law_reaches_the_lines_that_it_names(ask: Ask, policy: Make) -> None:
    right = CashRight(id="law", when=When(kinds=["goods", "shipping"]), source="an act")
    made = policy(RefundRule(id="no", offer=[]), cash_rights=[right])
    found = made.offers(ask(a_line(1, kind="shipping"), a_line(2, kind="fee"), a_line(3)))
    assert [line.line for line in found.offer("money").lines] == ["1", "3"]


def test_a_fee_stays_where_the_law_lets_the_shop_keep_it(ask: Ask, policy: Make) -> None:
    rule = RefundRule(id="all", offer=["credit"], fee=Fee(percent=10))
    keeps = CashRight(id="keeps", when=When(), source="an act", keeps_fee=True)
    kept = policy(rule, cash_rights=[keeps]).offers(ask(jurisdiction="DE"))
    assert (kept.offer("money").tenders, kept.offer("money").fee) == (eur("45.00"), eur("5.00"))
    # Of two rights, the one that keeps less for the shop counts, in whatever order.
    for rights in ([keeps, LAW], [LAW, keeps]):
        found = policy(rule, cash_rights=rights).offers(ask(jurisdiction="DE"))
        assert (found.offer("money").tenders, found.offer("money").fee) == (
            eur("50.00"),
            eur("0.00"),
        )
        assert found.offer("credit").consent == ("law",)
        # The fee on credit, which nobody has to take, stays.
        assert found.offer("credit").fee == eur("5.00")


def test_nobody_has_to_agree_to_credit_where_no_money_is_at_stake(ask: Ask, policy: Make) -> None:
    made = policy(ALL, cash_rights=[LAW])
    nothing = ask(a_line(external="0.00", restored=eur("9.00")), jurisdiction="DE")
    assert made.offers(nothing).offer("credit").consent == ()
    # A fee may eat all of it: then money is at stake all the same.
    fee = RefundRule(id="all", offer=["credit"], fee=Fee(percent=100))
    eaten = policy(fee, cash_rights=[LAW]).offers(ask(jurisdiction="DE"))
    assert eaten.offer("credit").credit == eur("0.00")
    assert eaten.offer("credit").consent == ("law",)


# Guests, gifts, no receipt, late


def test_a_return_to_a_shop_with_everything(ask: Ask, policy: Make) -> None:
    made = policy(
        RefundRule(id="guest", when=When(holder="guest"), bonus=Bonus()),
        RefundRule(id="gift", when=When(gift=True), offer=["credit"]),
        RefundRule(id="unproven", when=When(receipt=False), offer=["exchange"]),
        RefundRule(id="late", when=When(after=Period(days=30)), offer=["credit"]),
        RefundRule(id="all", offer=["money", "credit"], bonus=Bonus(percent=10)),
    )

    def offered(**facts: Any) -> list[str]:
        offers = made.offers(ask(**facts)).offers
        return [f"{offer.kind.value} {offer.credit + offer.bonus}" for offer in offers]

    assert offered() == ["money EUR 0.00", "credit EUR 55.00"]
    assert offered(holder=None) == ["money EUR 0.00", "credit EUR 50.00"]
    assert offered(buyer="c-18") == ["credit EUR 55.00"]
    assert offered(receipt=False) == ["exchange EUR 0.00"]
    assert offered(at=datetime(2026, 6, 1, tzinfo=UTC)) == ["credit EUR 55.00"]


def test_offers_are_made_by_the_section_alone_too(ask: Ask, policy: Make) -> None:
    made = policy(ALL)
    assert made.refund is not None
    named = PolicyVersion("other", "1")
    found = offers_for(made.refund, ask(), named=named)
    assert found.policy is named
    assert found.offers == made.offers(ask()).offers
