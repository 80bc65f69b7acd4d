"""The example policies decide as their shops would expect, to the cent; and say so in plain words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storecredit import Money, Policy, ReturnLine, ReturnRequest, load_policy
from storecredit.errors import ConsentMissing, InvalidTerms, NotOffered
from storecredit.ledger import Funding
from storecredit.policies import Tally, read_policy, witness
from storecredit.policies.earning import earn
from storecredit.policies.goodwill import give_goodwill, give_incentive
from storecredit.policies.occasion import Occasion
from storecredit.policies.purchase import Purchase, PurchaseLine
from storecredit.policies.top_up import credit_top_up, top_up_due
from storecredit.values import Balance, Period

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[2] / "examples" / "policies"
AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
NAMES = ("electronics", "fashion", "grocery", "marketplace")


def example(name: str) -> Policy:
    return load_policy(EXAMPLES / f"{name}.toml")


def days_ago(days: int) -> datetime:
    return AT - timedelta(days=days)


def asked(*lines: ReturnLine, ago: int = 5, **facts: Any) -> ReturnRequest:
    """A request for goods that were bought, and delivered, so many days ago."""
    given = {
        "id": "rma-1",
        "merchant": "the shop",
        "at": AT,
        "purchased_at": days_ago(ago),
        "delivered_at": days_ago(ago),
        "holder": "c-17",
        **facts,
    }
    return ReturnRequest(lines=lines, **given)


def line(amount: str, **facts: Any) -> ReturnLine:
    code, _, number = amount.partition(" ")
    return ReturnLine(**{"id": "1", "external": Money.of(number, code), **facts})


def ways(policy: Policy, request: ReturnRequest) -> list[str]:
    return [offer.kind.value for offer in policy.offers(request).offers]


def euros(amount: str) -> Money:
    return Money.of(amount, "EUR")


def dollars(amount: str) -> Money:
    return Money.of(amount, "USD")


def pounds(amount: str) -> Money:
    return Money.of(amount, "GBP")


# --- All of them --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_that_it_is_one_and_no_legal_advice(name: str) -> None:
    text = (EXAMPLES / f"{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("# An invented ")
    assert "not legal advice" in text.split("\n\n")[0].replace("\n# ", " ").split("#\n")[0]
    assert example(name).note == "An example of an invented shop; not legal advice."


def test_there_are_no_other_examples() -> None:
    assert sorted(path.stem for path in EXAMPLES.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_explained_in_exactly_these_words(name: str) -> None:
    expected = (HERE / "explained" / f"{name}.txt").read_text(encoding="utf-8")
    assert example(name).explain() == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_of_an_example_can_decide(name: str) -> None:
    refund = example(name).refund
    if refund is None:
        return
    for rule in refund.rules:
        for topic in rule.topics:
            assert witness(refund, rule.id, topic=topic) is not None, (rule.id, topic)


# --- Fashion ------------------------------------------------------------------------------


def test_fashion_gives_ten_per_cent_more_as_credit() -> None:
    offers = example("fashion").offers(asked(line("EUR 49.99", reason="does not fit")))
    assert [offer.kind for offer in offers.offers] == ["credit", "exchange", "money"]
    decision = offers.choose("credit")
    assert [(lot.funding, lot.amount, lot.expires) for lot in decision.lots] == [
        (Funding.REFUND, euros("49.99"), Period(months=24)),
        (Funding.PROMOTIONAL, euros("4.99"), Period(months=6)),
    ]
    assert str(decision.policy) == "fashion 2026-01"
    assert offers.choose("money").tenders == euros("49.99")


def test_fashion_gives_gold_twenty_per_cent_at_once_up_to_forty_euros() -> None:
    request = asked(line("EUR 300.00"), segments=["gold"])
    offer = example("fashion").offers(request).offer("credit")
    assert (offer.credit, offer.bonus, offer.instant) == (euros("300.00"), euros("40.00"), True)


def test_fashion_lowers_a_bonus_to_what_the_quarter_leaves() -> None:
    tally = Tally(limit="bonus-per-quarter", amount=euros("57.50"), count=4)
    offers = example("fashion").offers(asked(line("EUR 100.00")), tallies=[tally])
    offer = offers.offer("credit")
    assert (offer.bonus, offer.cut) == (euros("2.50"), ("bonus-per-quarter",))


def test_fashion_after_thirty_days_gives_credit_only_and_after_sixty_nothing() -> None:
    policy = example("fashion")
    assert ways(policy, asked(line("EUR 20.00"), ago=30)) == ["credit", "exchange", "money"]
    late = asked(line("EUR 20.00"), ago=31)
    assert ways(policy, late) == ["credit"]
    assert policy.offers(late).offer("credit").bonus == euros("0.00")
    assert ways(policy, asked(line("EUR 20.00"), ago=61)) == []


def test_fashion_keeps_final_sales_but_not_from_the_law() -> None:
    policy = example("fashion")
    final = line("EUR 20.00", final_sale=True)
    assert ways(policy, asked(final, channel="web")) == []
    by_law = policy.offers(asked(final, channel="web", jurisdiction="DE"))
    assert [offer.kind for offer in by_law.offers] == ["money"]
    assert by_law.choose().tenders == euros("20.00")
    assert ways(policy, asked(final, channel="till", jurisdiction="DE")) == []


def test_fashion_needs_consent_for_credit_where_the_law_gives_money() -> None:
    offers = example("fashion").offers(asked(line("EUR 20.00"), channel="app", jurisdiction="FR"))
    with pytest.raises(ConsentMissing, match="withdrawal"):
        offers.choose("credit")
    assert offers.choose("credit", consent=True).consented


def test_fashion_bears_what_was_its_fault() -> None:
    damaged = line("EUR 35.00", reason="damaged")
    parcel = line("EUR 4.90", id="2", kind="shipping", reason="damaged")
    decision = example("fashion").offers(asked(damaged, parcel)).choose("money")
    assert (decision.tenders, decision.goods) == (euros("39.90"), ())
    with pytest.raises(NotOffered, match="What brings the parcel"):
        example("fashion").offers(
            asked(line("EUR 4.90", kind="shipping", reason="changed mind"))
        ).choose("money")


def test_fashion_without_a_receipt_asks_somebody_else() -> None:
    offers = example("fashion").offers(asked(line("EUR 15.00"), receipt=False))
    decision = offers.choose("credit")
    assert (decision.offer.bonus, decision.needs_approval) == (euros("0.00"), True)


def test_fashion_gives_no_bonus_on_what_credit_paid() -> None:
    paid = line("EUR 30.00", restored=Balance.of(euros("70.00")))
    decision = example("fashion").offers(asked(paid)).choose("credit")
    assert [lot.amount for lot in decision.lots] == [euros("30.00"), euros("3.00")]
    assert decision.restored == Balance.of(euros("70.00"))


# --- Electronics --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "paid", "fee"),
    [
        ("new", "USD 200.00", "0.00"),
        ("opened", "USD 200.00", "30.00"),
        ("used", "USD 199.99", "29.99"),  # 29.9985, rounded down
        ("used", "USD 900.00", "100.00"),  # never more than 100
    ],
)
def test_electronics_keeps_fifteen_per_cent_of_money_for_what_was_opened(
    condition: str, paid: str, fee: str
) -> None:
    request = asked(line(paid, condition=condition, reason="changed mind"))
    offers = example("electronics").offers(request)
    assert offers.offer("money").fee == dollars(fee)
    assert offers.offer("money").tenders + dollars(fee) == request.external
    assert offers.offer("credit").fee == dollars("0.00")


def test_electronics_keeps_fifty_dollars_of_a_large_screen_whatever_is_chosen() -> None:
    screen = line("USD 800.00", category="television", condition="used")
    offers = example("electronics").offers(asked(screen))
    assert offers.offer("money").tenders == dollars("750.00")
    assert offers.offer("credit").credit == dollars("750.00")


def test_electronics_takes_defects_back_for_two_years_and_the_rest_for_thirty_days() -> None:
    policy = example("electronics")
    broken = line("USD 60.00", reason="defective")
    assert ways(policy, asked(broken, ago=700)) == ["exchange", "money", "credit"]
    assert ways(policy, asked(broken, ago=735)) == []
    assert ways(policy, asked(line("USD 60.00"), ago=31)) == []
    assert ways(policy, asked(line("USD 60.00"), ago=30)) == ["money", "credit", "exchange"]


def test_electronics_gives_guests_no_credit_and_broken_seals_nothing() -> None:
    policy = example("electronics")
    assert ways(policy, asked(line("USD 60.00"), holder=None)) == ["money", "exchange"]
    assert ways(policy, asked(line("USD 60.00", category="software", condition="opened"))) == []
    assert ways(policy, asked(line("USD 60.00", kind="gift_card"))) == []
    assert ways(policy, asked(line("USD 60.00"), receipt=False)) == []


def test_electronics_asks_somebody_else_for_much_money_and_for_pieces() -> None:
    policy = example("electronics")
    much = policy.offers(asked(line("USD 1000.00")))
    assert much.choose("money").offer.approval == ("dear",)
    pieces = policy.offers(asked(line("USD 80.00", condition="incomplete"))).choose()
    assert (pieces.offer.credit, pieces.offer.fee) == (dollars("40.00"), dollars("40.00"))
    assert pieces.offer.approval == ("incomplete",)
    tally = Tally(limit="agent-per-day", amount=dollars("1950.00"), count=3)
    daily = policy.offers(asked(line("USD 50.01")), tallies=[tally], agent="kim")
    assert daily.choose("money", agent="kim").offer.approval == ("agent-per-day",)


# --- Grocery ------------------------------------------------------------------------------


def happened(on: str, **facts: Any) -> Occasion:
    return Occasion(**{"id": "t-1", "on": on, "holder": "c-17", "at": AT, "order": "o-1", **facts})


@pytest.mark.parametrize(
    ("on", "facts", "rule", "amounts"),
    [
        ("late delivery", {"days_late": 2}, "very-late", ["10.00"]),
        ("late delivery", {"shipping": pounds("3.99")}, "late", ["3.99"]),
        ("late delivery", {"shipping": pounds("7.50"), "days_late": 0}, "late", ["5.00"]),
        ("late delivery", {"order": None, "days_late": 3}, None, []),
        ("bad food", {"order_total": pounds("42.19")}, "bad-food", ["4.21"]),
        ("bad food", {"order_total": pounds("120.00")}, "bad-food", ["8.00"]),
        ("bad food", {}, None, []),
        ("apology", {}, "sorry", ["3.00"]),
        ("sunshine", {}, None, []),
    ],
)
def test_grocery_gives_goodwill(
    on: str, facts: dict[str, Any], rule: str | None, amounts: list[str]
) -> None:
    policy = example("grocery")
    assert policy.goodwill is not None
    decision = give_goodwill(policy.goodwill, happened(on, **facts), named=policy.named)
    assert decision.rule == rule
    assert [lot.amount for lot in decision.lots] == [pounds(amount) for amount in amounts]
    assert {lot.funding for lot in decision.lots} <= {Funding.GOODWILL}


def test_grocery_takes_nothing_back() -> None:
    assert example("grocery").refund is None
    with pytest.raises(InvalidTerms, match="it has to be one with a section refund"):
        example("grocery").offers(asked(line("GBP 4.00")))


# --- Marketplace --------------------------------------------------------------------------


def test_every_merchant_of_the_marketplace_has_its_own_rules() -> None:
    policy = example("marketplace")
    mind = line("EUR 80.00", reason="changed mind")
    assert ways(policy, asked(mind, merchant="atelier-nord")) == []
    assert ways(policy, asked(mind, merchant="old-things")) == ["money", "credit"]
    assert ways(policy, asked(mind, merchant="old-things", ago=9)) == ["exchange"]
    assert ways(policy, asked(mind, merchant="somebody else")) == []
    plant = line("EUR 12.00", category="plants")
    assert policy.offers(asked(plant, merchant="green-corner")).choose("money").goods == ()


def test_the_marketplace_gives_who_got_a_gift_credit_if_they_agree() -> None:
    policy = example("marketplace")
    gift = asked(line("EUR 80.00"), merchant="old-things", buyer="c-99")
    offers = policy.offers(gift)
    assert [offer.kind for offer in offers.offers] == ["credit", "exchange"]
    with pytest.raises(ConsentMissing, match="terms"):
        offers.choose("credit")
    (lot,) = offers.choose("credit", consent=True).lots
    expires = Period(months=24, round_up_to="month", zone="Europe/Paris")
    assert (lot.amount, lot.expires) == (euros("80.00"), expires)


def test_the_marketplace_keeps_the_law_of_france_for_two_of_three_merchants() -> None:
    policy = example("marketplace")
    for merchant, found in (
        ("old-things", ["exchange", "money"]),
        ("atelier-nord", ["money", "credit"]),
    ):
        request = asked(line("EUR 80.00"), merchant=merchant, jurisdiction="FR", ago=10)
        assert ways(policy, request) == found


def test_the_marketplace_welcomes_and_thanks() -> None:
    policy = example("marketplace")
    assert policy.incentives is not None
    facts = {"order_total": euros("30.00"), "referrer": "c-1"}
    both = give_incentive(policy.incentives, happened("referral", **facts), named=policy.named)
    assert [(lot.holder, lot.amount) for lot in both.lots] == [
        ("c-17", euros("5.00")),
        ("c-1", euros("5.00")),
    ]
    opened = happened("account opening")
    welcome = give_incentive(policy.incentives, opened, named=policy.named)
    assert [str(lot.amount) for lot in welcome.lots] == ["PTS 100"]


def test_the_marketplace_counts_points(purchase: Callable[..., Purchase]) -> None:
    policy = example("marketplace")
    assert policy.earning is not None
    # 40.00 of plants at three points, and 9.50 of the rest at two: 49 whole steps.
    bought = purchase(("EUR 40.00", "plants"), ("EUR 9.50", None))
    decision = earn(policy.earning, bought, named=policy.named, units=policy.units)
    assert str(decision.points) == "PTS 138"


def test_the_marketplace_sells_credit() -> None:
    policy = example("marketplace")
    assert policy.top_up is not None
    for paid, bonus in (("49.99", None), ("50.00", "5.00"), ("99.99", "5.00"), ("100.00", "12.50")):
        decision = credit_top_up(
            policy.top_up, euros(paid), holder="c-17", payment="p-1", named=policy.named
        )
        assert decision.bonus == (None if bonus is None else euros(bonus))
    assert top_up_due(policy.top_up, euros("4.99")) == euros("20.00")
    assert top_up_due(policy.top_up, euros("5.00")) is None


@pytest.fixture
def purchase() -> Callable[..., Purchase]:
    """Make a purchase of lines of goods: amount and category."""

    def make(*lines: tuple[str, str | None]) -> Purchase:
        found = [
            PurchaseLine(id=str(n), amount=line(amount).external, category=category)
            for n, (amount, category) in enumerate(lines, 1)
        ]
        return Purchase(order="o-1", holder="c-17", at=AT, delivered_at=AT, lines=found)

    return make


# --- Every other phrase -------------------------------------------------------------------

STRANGE = """
name = "strange"
version = "1"

[[refund.rules]]
id = "everything"
when = { merchants = ["us"], channels = ["web"], jurisdictions = ["DE"], segments = ["gold", "staff"], holder = "registered", gift = false, receipt = true, within = "P1Y6M1D", after = { period = "PT36H", zone = "Asia/Tokyo" }, at_least = "EUR 5.00", below = "EUR 50.00", kinds = ["goods"], categories = ["books"], reasons = ["late"], conditions = ["new"], final_sale = false }
offer = []
goods = "return"
instant = false
consent = false
approval = false

[[refund.rules]]
id = "some"
when = { gift = true, at_least = "EUR 5.00" }
offer = ["credit", "money"]
bonus = { percent = "0.50", fixed = "EUR 1.00" }
fee = { fixed = "EUR 1.00" }
credit = { }

[[refund.rules]]
id = "other"
when = { below = "USD 5.00" }
offer = ["exchange"]

[[refund.rules]]
id = "free"
bonus = { percent = 5, at_most = "EUR 0.00" }
fee = { percent = 0 }

[[refund.cash_rights]]
id = "always"
when = { }
source = "an act"
keeps_fee = true

[[refund.limits]]
id = "credit"
per = "holder"
on = "credit"
count = 1
over = "refuse"

[[goodwill.rules]]
id = "both"
on = "mishap"
when = { below = "EUR 9.00", segments = ["gold"], channels = ["web"], days_late = 2 }

[goodwill.rules.gives]
percent = 10
rounding = "down"
limits = { lines = ["1"], channels = ["web", "app"], minimum_order = 500, share_percent = 50 }

[[earning.rules]]
id = "first"
per = "EUR 10.00"
points = 1
segments = ["gold"]
channels = ["web"]
on = "line"
without_kinds = []
without_categories = ["books", "stamps"]
paid_with_credit = "counted"
minimum_order = "EUR 20.00"
at_most = 100
stacking = "multiplied"
multipliers = [{ times = "2.0", channels = ["web"], segments = ["gold"] }, { times = 3, categories = ["pens"] }]
shortfall = "owe"

[[earning.rules]]
id = "second"
per = "EUR 10.00"
points = 1
multipliers = [{ times = 2, channels = ["web"] }]
shortfall = "all_or_nothing"

[top_up]
id = "purse"
minimum = "EUR 10.00"
bonuses = [{ paid = "EUR 20.00", bonus = { } }]
bonus_limits = { categories = ["books"] }
spent_bonus = "forgive"
"""


def test_every_phrase_of_an_explanation_is_exactly_this() -> None:
    expected = (HERE / "explained" / "strange.txt").read_text(encoding="utf-8")
    assert read_policy(STRANGE, form="toml").explain() == expected


def test_an_explanation_needs_no_more_than_a_section() -> None:
    text = 'name = "s"\nversion = "1"\n[top_up]\nid = "purse"\nminimum = "EUR 10.00"\n'
    assert read_policy(text, form="toml").explain() == (
        "s, version 1\n\nTop-ups\n\n- EUR 10.00 at least\n- what was paid for never expires\n"
    )
