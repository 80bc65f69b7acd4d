"""What is given to the verbs of refund cases, messages and throttles in place of what they take."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storecredit.claims import Throttle
from storecredit.errors import InvalidReturn, InvalidTerms, InvalidText
from storecredit.messages import code_message, messages_of, refund_messages
from storecredit.policies import RefundDecision, ReturnLine, ReturnRequest, read_policy
from storecredit.service import StoreCredit
from storecredit.storage import MemoryStorage
from storecredit.values import Balance, Money

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
POLICY = read_policy(
    'name = "shop"\nversion = "1"\n[[refund.rules]]\nid = "all"\noffer = ["credit"]', form="toml"
)


@pytest.fixture
def credit() -> StoreCredit:
    return StoreCredit(MemoryStorage(), merchant="acme", clock=lambda: AT)


def decided() -> RefundDecision:
    line = ReturnLine(
        id="a", external=Money.of("5.00", "EUR"), restored=Balance.of(Money.of("2.00", "EUR"))
    )
    asked = ReturnRequest(id="r-1", merchant="acme", at=AT, order="o-1", holder="c-1", lines=[line])
    return POLICY.offers(asked).choose("credit", consent=True)


@pytest.mark.parametrize("thing", [None, "", 1, b"x", [], object()])
def test_tallies_are_of_a_policy(credit: StoreCredit, thing: Any) -> None:
    with pytest.raises(InvalidTerms, match="a Policy"):
        credit.tallies(thing)


@pytest.mark.parametrize("name", [1, b"x", "", 10**30])
def test_names_that_are_no_text_are_refused(credit: StoreCredit, name: Any) -> None:
    with pytest.raises(InvalidText):
        credit.tallies(POLICY, holder=name)
    with pytest.raises(InvalidText):
        credit.tallies(POLICY, agent=name)
    with pytest.raises(InvalidText):
        list(credit.refund_cases(order=name))
    with pytest.raises(InvalidText):
        list(credit.refund_cases(holder=name))


@pytest.mark.parametrize("bought", [1, "", ["a"], object()])
def test_pieces_that_were_bought_are_by_line(credit: StoreCredit, bought: Any) -> None:
    with pytest.raises(InvalidReturn, match="pieces by line"):
        credit.request_refund(decided(), key="ask", redemptions={"a": "e"}, bought=bought)
    assert credit.find_refund_case("r-1") is None


@pytest.mark.parametrize("entry", [None, 1, object()])
def test_a_redemption_is_named_by_its_entry(credit: StoreCredit, entry: Any) -> None:
    with pytest.raises(InvalidReturn, match="redemptions of a"):
        credit.request_refund(decided(), key="ask", redemptions={"a": entry})
    assert credit.find_refund_case("r-1") is None


@pytest.mark.parametrize("thing", [None, "5819-02E0", 1, object()])
def test_messages_are_made_of_records(thing: Any) -> None:
    with pytest.raises(InvalidTerms, match="issue_code") as refused:
        code_message(thing, "acme")
    assert "5819" not in str(refused.value)
    with pytest.raises(InvalidTerms, match=r"RefundCase\.record"):
        refund_messages(thing, "acme")
    with pytest.raises(InvalidTerms, match="a Delivery"):
        messages_of(thing, "acme")


@pytest.mark.parametrize("pause", [None, 1, 1.5, "1"])
def test_a_pause_is_a_timedelta(pause: Any) -> None:
    with pytest.raises(InvalidTerms, match="pause is"):
        Throttle(pause=pause)
    with pytest.raises(InvalidTerms, match="longest is"):
        Throttle(pause=timedelta(seconds=1), longest=pause)
