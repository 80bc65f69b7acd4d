"""The command `refund`: offers shown, carried out through a case, repeated, refused."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from storecredit import Money, StoreCredit
from storecredit.cli import run as run_command
from storecredit.service.refund_case import RefundCase
from storecredit.storage import SQLiteStorage
from storecredit.tenders import External, Order, OrderLine, Tender

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Ran = tuple[int, str, str]
    Run = Callable[..., Ran]

SHOP = """
name = "shop"
version = "3"
units = [{ code = "PTS", digits = 0 }]

[refund]
reasons = ["damaged", "changed mind", "a=b"]

[[refund.rules]]
id = "used"
because = "it was used"
when = { conditions = ["used"] }
offer = []

[[refund.rules]]
id = "cheap"
when = { below = "EUR 15.00" }
goods = "keep"

[[refund.rules]]
id = "dear"
when = { at_least = "EUR 100.00" }
approval = true

[[refund.rules]]
id = "standard"
offer = ["credit", "money", "exchange"]
bonus = { percent = 10 }
fee = { percent = "12.5", on = ["money"] }
credit = { expires = "P24M" }

[[refund.cash_rights]]
id = "withdrawal"
source = "Directive 2011/83/EU, article 9"
when = { jurisdictions = ["DE"], within = "P14D", since = "purchase" }
"""
LIMITS = """
[[refund.limits]]
id = "an agent's day"
per = "agent"
amount = "EUR 50.00"
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a fresh directory with a policy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("STORECREDIT_DB", "STORECREDIT_MERCHANT", "STORECREDIT_CLAIM_KEYS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "shop.toml").write_text(SHOP, encoding="utf-8")

    def ran(*arguments: object) -> Ran:
        status = run_command([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return ran


@pytest.fixture
def data(run: Run) -> Callable[..., Any]:
    """Run a command with --json and read what it prints."""

    def ran(*arguments: object) -> Any:
        status, out, err = run(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    return ran


BY = ("--policy", "shop.toml")
ASK = ("refund", "1=40.00", "--unit", "EUR", *BY, "--key", "r-1", "--holder", "ann")
SMALL = ("refund", "1=10.00", "--unit", "EUR", *BY, "--key", "r-1", "--holder", "ann")
BOUGHT = ("--order", "1001", "--purchased", "2026-03-01", "--at", "2026-03-05T10:00:00Z")


def said(out: str) -> list[str]:
    """The lines with single spaces."""
    return [" ".join(line.split()) for line in out.splitlines()]


# --- Offers ------------------------------------------------------------------------------


def test_p2_offers_are_shown_with_the_rules_that_held_and_those_that_did_not(
    run: Run, tmp_path: Path
) -> None:
    status, out, err = run(*ASK, *BOUGHT)
    assert (status, err) == (0, "")
    lines = said(out)
    assert lines[0] == "Offers for r-1 by shop 3"
    assert lines[1] == "offer to tenders credit bonus for exchange fee lines needs"
    assert "credit EUR 0.00 EUR 40.00 EUR 4.00 EUR 0.00 EUR 0.00 1" in lines
    assert "money EUR 35.00 EUR 0.00 EUR 0.00 EUR 0.00 EUR 5.00 1" in lines
    assert "1 standard yes offer, bonus, fee, credit" in lines
    assert "1 cheap no EUR 40.00 is not below EUR 15.00" in lines
    assert "1 withdrawal no no jurisdiction is known" in lines
    assert lines[-1] == "Nothing was done. Take one with --choose: credit, money, exchange."
    assert {path.name for path in tmp_path.iterdir()} == {"shop.toml"}


def test_columns_that_are_nothing_everywhere_are_left_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(
        'name = "s"\nversion = "1"\n[[refund.rules]]\nid = "all"\nbecause = "as usual"\n'
        'offer = ["money"]\n',
        encoding="utf-8",
    )
    lines = said(run(*ASK)[1])
    assert lines[1] == "offer to tenders lines needs"
    assert "1 all yes offer: as usual" in lines


def test_p2_every_fact_that_a_rule_asks_for_can_be_given(data: Callable[..., Any]) -> None:
    found = data(
        *("refund", "1=40.00", "2=5.00", "x=y=2.50", "--unit", "EUR", *BY, "--key", "r-1"),
        *("--holder", "ann", "--buyer", "bob", "--channel", "web", "--jurisdiction", "DE"),
        *("--segment", "gold", "--segment", "staff", "--no-receipt", "--order", "1001"),
        *("--purchased", "2026-03-01", "--delivered", "2026-03-02T12:00+01:00"),
        *("--at", "2026-03-05T10:00:00Z", "--reason", "damaged", "--reason", "2=changed mind"),
        *("--reason", "x=y=a=b", "--condition", "new", "--kind", "2=shipping"),
        *("--pieces", "1=3", "--restored", "1=7.50", "--restored", "1=PTS 200"),
    )
    assert found["request"] == {
        "units": {"PTS": 0},
        "id": "r-1",
        "merchant": "shop",
        "lines": [
            {
                "id": "1",
                "external": {"amount": "40.00", "unit": "EUR"},
                "restored": {
                    "amounts": [
                        {"amount": "7.50", "unit": "EUR"},
                        {"amount": "200", "unit": "PTS"},
                    ]
                },
                "pieces": 3,
                "reason": "damaged",
                "condition": "new",
            },
            {
                "id": "2",
                "external": {"amount": "5.00", "unit": "EUR"},
                "kind": "shipping",
                "reason": "changed mind",
                "condition": "new",
            },
            {
                "id": "x=y",
                "external": {"amount": "2.50", "unit": "EUR"},
                "reason": "a=b",
                "condition": "new",
            },
        ],
        "at": "2026-03-05T10:00:00.000000Z",
        "order": "1001",
        "purchased_at": "2026-03-01T00:00:00.000000Z",
        "delivered_at": "2026-03-02T11:00:00.000000Z",
        "holder": "ann",
        "buyer": "bob",
        "channel": "web",
        "jurisdiction": "DE",
        "segments": ["gold", "staff"],
        "receipt": False,
    }


def test_p2_offers_are_data_for_programs(data: Callable[..., Any]) -> None:
    found = data(*ASK, *BOUGHT, "--jurisdiction", "DE", "--restored", "1=3.00")
    assert found["policy"] == {"name": "shop", "version": "3"}
    credit, money, exchange = found["offers"]
    assert credit["credit"] == {"amount": "40.00", "unit": "EUR"}
    assert credit["bonus"] == {"amount": "4.00", "unit": "EUR"}
    assert credit["restored"] == [{"amount": "3.00", "unit": "EUR"}]
    assert (credit["consent"], credit["approval"], credit["cut"]) == (["withdrawal"], [], [])
    assert (money["kind"], money["tenders"]["amount"]) == ("money", "40.00")  # no fee, by law
    assert exchange["exchange"]["amount"] == "40.00"
    (reasons,) = found["reasons"]
    assert [each["rule"] for each in reasons["fired"]] == ["standard", "withdrawal"]
    assert reasons["passed"][0] == {"rule": "used", "because": "no condition is known"}
    assert (found["decision"], found["case"]) == (None, None)


def test_p2_what_is_refused_is_told_with_its_reason(run: Run) -> None:
    status, out, _ = run(*ASK, "--condition", "used")
    assert status == 0
    assert "1 refused it was used" in said(out)
    assert said(out)[-1] == "Nothing is offered."
    status, out, err = run(*ASK, "--condition", "used", "--choose", "credit")
    assert (status, out) == (1, "")
    assert err.startswith("Line '1' cannot go back as credit: it was used; nothing is offered.")


def test_a_dry_run_decides_and_does_nothing(
    run: Run, data: Callable[..., Any], tmp_path: Path
) -> None:
    status, out, _ = run(*ASK, "--choose", "credit", "--dry-run")
    assert (status, said(out)[-1]) == (0, "A dry run: nothing was done.")
    found = data(*ASK, "--choose", "credit", "--agent", "bob", "--dry-run")
    assert found["case"] is None
    assert (found["decision"]["kind"], found["decision"]["agent"]) == ("credit", "bob")
    assert [lot["funding"] for lot in found["decision"]["lots"]] == ["refund", "promotional"]
    assert {path.name for path in tmp_path.iterdir()} == {"shop.toml"}


# --- Carried out -------------------------------------------------------------------------


def test_p5_credit_whose_goods_are_kept_is_given_at_once(run: Run) -> None:
    status, out, err = run(*SMALL, "--choose", "credit")
    assert (status, err) == (0, "")
    assert said(out)[-3:] == [
        "Case r-1 is completed.",
        "EUR 10.00 of store credit. (done)",
        "EUR 1.00 of store credit on top, as a bonus. (done)",
    ]
    assert "EUR 11.00" in run("balance", "ann")[1]


def test_a12_a_repeat_is_answered_again_and_nothing_is_done_twice(run: Run) -> None:
    run(*SMALL, "--choose", "credit")
    status, out, _ = run(*SMALL, "--choose", "credit")
    assert status == 0
    assert "Case r-1 is completed. It was there before; nothing was done twice." in said(out)
    assert "EUR 11.00" in run("balance", "ann")[1]


@pytest.mark.parametrize(
    "other",
    [
        ("--choose", "money"),
        ("--choose", "credit", "--consent"),
        ("--choose", "credit", "--agent", "bob"),
        ("--choose", "credit", "--line", "1=money"),
        ("--choose", "credit", "--channel", "web"),
    ],
)
def test_a12_another_request_with_the_same_key_is_refused(run: Run, other: tuple[str, ...]) -> None:
    run(*SMALL, "--choose", "credit")
    status, out, err = run(*SMALL, *other)
    assert (status, out) == (1, "")
    assert "another request needs a key of its own" in err
    assert "EUR 11.00" in run("balance", "ann")[1]


def test_a12_another_version_of_the_policy_decides_no_second_time(run: Run, tmp_path: Path) -> None:
    run(*SMALL, "--choose", "credit")
    changed = SHOP.replace('version = "3"', 'version = "4"')
    (tmp_path / "shop.toml").write_text(changed, encoding="utf-8")
    assert run(*SMALL, "--choose", "credit")[0] == 1
    nothing = changed.replace('offer = ["credit", "money", "exchange"]', "offer = []")
    nothing = nothing.replace("bonus =", "#").replace("fee =", "#").replace("credit =", "#")
    (tmp_path / "shop.toml").write_text(nothing.replace('"4"', '"3"'), encoding="utf-8")
    assert run(*SMALL, "--choose", "credit")[0] == 1
    assert "EUR 11.00" in run("balance", "ann")[1]


def test_p5_goods_that_have_to_come_back_are_waited_for(run: Run, data: Callable[..., Any]) -> None:
    lines = said(run(*ASK, "--choose", "credit")[1])
    assert "Case r-1 is approved." in lines
    assert lines[-1] == "The goods have to come back: the same command with --received goes on."
    assert "no account here" in run("balance", "ann")[1]
    found = data(*ASK, "--choose", "credit")["case"]
    assert (found["state"], found["waits_for"], found["known"]) == ("approved", "goods", True)
    found = data(*ASK, "--choose", "credit", "--received")["case"]
    assert (found["state"], found["waits_for"], found["known"]) == ("completed", None, False)
    assert [each["amount"]["amount"] for each in found["given"]] == ["40.00", "4.00"]
    assert "EUR 44.00" in run("balance", "ann")[1]


def test_p5_goods_may_be_accepted_in_part(run: Run) -> None:
    arguments = (*ASK, "--pieces", "1=4", "--choose", "credit")
    run(*arguments)
    status, out, _ = run(*arguments, "--accept", "1=1")
    assert status == 0
    assert "EUR 10.00 of store credit. (done)" in said(out)
    assert "EUR 11.00" in run("balance", "ann")[1]


def test_p5_money_is_given_back_by_the_host_with_a_key(run: Run, data: Callable[..., Any]) -> None:
    lines = said(run(*ASK, "--choose", "money", "--received")[1])
    assert "Give EUR 35.00 back through external, with the key case/r-1/external/EUR." in lines
    assert "EUR 5.00 is kept for handling. (done)" in lines
    (due,) = data(*ASK, "--choose", "money", "--received")["case"]["refunds_due"]
    assert due["amount"] == {"amount": "35.00", "unit": "EUR"}


def test_p2_each_line_may_go_its_own_way(run: Run) -> None:
    two = ("refund", "1=10.00", "2=4.00", "--unit", "EUR", *BY, "--key", "r-1", "--holder", "ann")
    lines = said(run(*two, "--line", "2=money")[1])
    assert "EUR 10.00 of store credit. (done)" in lines
    assert any(line.startswith("Give EUR 3.50 back through external") for line in lines)
    assert run(*two, "--line", "2=money")[0] == 0
    assert run(*two, "--choose", "credit")[0] == 1


def test_p6_credit_in_place_of_money_that_is_due_needs_consent(run: Run) -> None:
    arguments = (*SMALL, *BOUGHT, "--jurisdiction", "DE", "--choose", "credit")
    status, out, err = run(*arguments)
    assert (status, out) == (1, "")
    assert "has to accept credit in place of money: withdrawal" in err
    assert "repeat with --consent" in err
    assert "consent (withdrawal)" in run(*arguments[:-2])[1]
    assert run(*arguments, "--consent")[0] == 0


def test_p3_somebody_else_has_to_approve(run: Run, data: Callable[..., Any]) -> None:
    dear = ("refund", "1=120.00", "--unit", "EUR", *BY, "--key", "r-1", "--holder", "ann")
    arguments = (*dear, "--choose", "credit", "--agent", "bob", "--received")
    lines = said(run(*arguments)[1])
    assert "Case r-1 is requested." in lines
    assert lines[-1] == (
        "It needs approval (dear): the same command with --approved-by NAME goes on."
    )
    assert data(*arguments)["case"]["waits_for"] == "approval"
    status, _, err = run(*arguments, "--approved-by", "bob")
    assert status == 1
    assert "approv" in err
    assert data(*arguments, "--approved-by", "eve")["case"]["state"] == "completed"
    assert "EUR 132.00" in run("balance", "ann")[1]


def test_p3_an_agent_may_decide_against_the_rules_and_answers_for_it(
    run: Run, data: Callable[..., Any]
) -> None:
    used = (*SMALL, "--condition", "used", "--choose", "credit")
    assert run(*used, "--agent", "bob")[0] == 1
    against = (*used, "--agent", "bob", "--override", "an old friend")
    decision = data(*against, "--dry-run")["decision"]
    assert (decision["override"], decision["bonus"]["amount"]) == ("an old friend", "0.00")
    assert "Case r-1 is completed." in said(run(*against)[1])
    assert "nothing was done twice" in run(*against)[1]
    assert "EUR 10.00" in run("balance", "ann")[1]
    assert run(*against[:-1], "a new friend")[0] == 1
    assert run(*used, "--agent", "bob")[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--override", "kind", "--choose", "credit"),
        ("--override", "kind", "--agent", "bob"),
        ("--override", "kind", "--agent", "bob", "--choose", "credit", "--line", "1=money"),
    ],
)
def test_p3_an_override_needs_a_way_and_somebody(run: Run, arguments: tuple[str, ...]) -> None:
    status, out, err = run(*SMALL, *arguments)
    assert (status, out) == (2, "")
    assert "--override goes with --choose and --agent" in err


def test_p3_limits_count_what_was_done_and_never_the_same_case_twice(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "shop.toml").write_text(SHOP + LIMITS, encoding="utf-8")
    small = ("refund", "1=10.00", "--unit", "EUR", *BY, "--holder", "ann", "--choose", "credit")
    by_bob = (*small, "--agent", "bob")
    for number in range(4):
        assert run(*by_bob, "--key", f"r-{number}")[0] == 0
    fifth = said(run(*by_bob, "--key", "r-4")[1])
    assert "Case r-4 is requested." in fifth
    assert "approval (an agent's day)" in " ".join(fifth)
    for number in range(4):  # by now it would need approval, if it were decided again
        assert "nothing was done twice" in run(*by_bob, "--key", f"r-{number}")[1]
    assert run(*small, "--key", "r-5", "--agent", "eve")[0] == 0


def test_limits_are_read_from_a_ledger_that_is_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(SHOP + LIMITS, encoding="utf-8")
    for place in ("storecredit.db", "sqlite:///storecredit.db"):
        status, out, err = run(*ASK, "--agent", "bob", "--db", place)
        assert (status, err) == (0, "")
        assert "Nothing was done. Take one with --choose: credit, money" in out
    # Nothing was done under a limit yet, and looking makes no ledger.
    assert not (tmp_path / "storecredit.db").exists()
    for more in ((), ("--choose", "money")):
        status, _, err = run("refund", "--back", "1=1", "--order", "7", *BY, "--key", "r-1", *more)
        assert status == 2
        assert "There is no database storecredit.db" in err
    assert not (tmp_path / "storecredit.db").exists()


def test_a15_credit_for_a_guest_without_keys_for_codes_is_refused(run: Run) -> None:
    guest = ("refund", "1=10.00", "--unit", "EUR", *BY, "--key", "r-1")
    status, out, err = run(*guest, "--choose", "credit")
    assert (status, out) == (1, "")
    assert err == (
        "The refund case r-1 gives credit to a guest, as a claim code, and there are no keys for"
        " it. The same command with --claim-keys FILE goes on; `storecredit claim-keys FILE` makes"
        " such a file.\n"
    )
    # No case was begun: it may still be money.
    assert run(*guest, "--choose", "money")[0] == 0


def test_a15_a_guest_whose_goods_come_back_first_is_told_of_the_keys_at_once(run: Run) -> None:
    guest = ("refund", "1=40.00", "--unit", "EUR", *BY, "--key", "r-1")
    status, out, err = run(*guest, "--choose", "credit")
    assert (status, "Case r-1 is approved." in out) == (0, True)
    assert err == (
        "The credit is for a guest, as a claim code: the run that gives it needs --claim-keys FILE;"
        " `storecredit claim-keys FILE` makes one.\n"
    )
    run("claim-keys", "keys.toml")
    keys = ("--claim-keys", "keys.toml")
    assert run(*guest, "--choose", "credit", *keys)[::2] == (0, "")
    assert run(*guest, "--choose", "credit", *keys, "--received")[::2] == (0, "")
    # The code was given: nothing is needed any more.
    assert run(*guest, "--choose", "credit")[::2] == (0, "")


@pytest.mark.parametrize("step", ["approve", "receive", "inspect", "complete"])
def test_a12_what_was_stopped_between_two_steps_goes_on(
    run: Run, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RefundCase, step, stopped)
        status, out, err = run(*ASK, "--choose", "credit", "--received")
        assert (status, out) == (130, "")
        assert err.startswith("Stopped. What was done is kept")
    for _ in range(2):
        assert run(*ASK, "--choose", "credit", "--received")[0] == 0
        assert "EUR 44.00" in run("balance", "ann")[1]


# --- What credit had paid ------------------------------------------------------------------


def test_a7_what_credit_paid_goes_back_to_its_lots(run: Run, data: Callable[..., Any]) -> None:
    issue = ("issue", "ann", "5.00", "EUR", "--funding", "goodwill", "--key", "i")
    assert run(*issue)[0] == 0
    entry = data("redeem", "ann", "5.00", "EUR", "--key", "o")["entry"]
    paid = (*SMALL, "--restored", "1=5.00", "--choose", "credit")
    assert run(*paid)[0] == 2  # it has to be known which redemption it was
    lines = said(run(*paid, "--redemption", f"1={entry}")[1])
    assert "EUR 5.00 goes back to the credit that you paid with. (done)" in lines
    assert "EUR 16.00" in run("balance", "ann")[1]


def test_p6_of_an_order_that_a_checkout_paid_its_record_says_what_was_paid(
    run: Run, tmp_path: Path
) -> None:
    storage = SQLiteStorage(tmp_path / "storecredit.db")
    credit = StoreCredit(storage, "shop")
    credit.issue("ann", Money.of("6.00", "EUR"), funding="goodwill", key="i")
    order = Order("1001", [OrderLine("1", Money.of("24.00", "EUR"), quantity=2)])
    tenders: list[Tender] = [credit.tender("credit", "ann", "EUR"), External("card")]
    checkout = credit.begin_checkout(credit.plan_payment(order, tenders), key="begin")
    checkout.charge("card", key="charge")
    checkout.settle_charge("charge", "confirmed")
    checkout.complete(key="capture")
    storage.close()
    order_1001 = ("--order", "1001", "--holder", "ann", "--reason", "damaged")
    half = ("refund", *BY, "--back", "1=1", *order_1001, "--key", "r-1", "--choose", "credit")
    lines = said(run(*half, "--dry-run")[1])
    assert "credit EUR 0.00 EUR 9.00 EUR 0.90 EUR 0.00 EUR 0.00 EUR 3.00 1" in lines
    for _ in range(2):
        assert run(*half)[0] == 0
        assert "EUR 12.90" in run("balance", "ann")[1]
    status, _, err = run("refund", *BY, "--back", "1=2", *order_1001, "--key", "r-2")
    assert status == 1
    assert err == (
        "Cannot take back 2 of line '1': 2 were bought and 1 came back already. At most 1 can.\n"
    )
    assert run("refund", *BY, "--back", "1=2", *order_1001, "--key", "r-1")[0] == 1


def test_p6_a_case_that_waits_for_goods_goes_on_though_it_has_taken_all_pieces(
    run: Run, tmp_path: Path
) -> None:
    storage = SQLiteStorage(tmp_path / "storecredit.db")
    credit = StoreCredit(storage, "shop")
    order = Order("1001", [OrderLine("1", Money.of("24.00", "EUR"), quantity=2)])
    checkout = credit.begin_checkout(credit.plan_payment(order, External("card")), key="begin")
    checkout.charge("card", key="charge")
    checkout.settle_charge("charge", "confirmed")
    checkout.complete(key="capture")
    storage.close()
    ask = ("refund", *BY, "--back", "1=2", "--order", "1001", "--holder", "ann", "--key", "r-1")
    arguments = (*ask, "--condition", "new", "--choose", "credit")
    assert "Case r-1 is approved." in said(run(*arguments)[1])
    assert run(*ask, "--condition", "opened", "--choose", "credit")[0] == 1
    for _ in range(2):
        assert run(*arguments, "--received")[0] == 0
        assert "EUR 26.40" in run("balance", "ann")[1]


# --- A request as JSON -----------------------------------------------------------------------

FORM = {
    "lines": [{"id": "1", "external": {"amount": "10.00", "unit": "EUR"}, "category": "books"}],
    "holder": "ann",
}


def test_a_request_may_be_a_json_file_or_stdin(
    run: Run,
    data: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "request.json").write_text(json.dumps(FORM), encoding="utf-8")
    file = ("refund", *BY, "--request", "request.json")
    found = data(*file, "--key", "r-1", "--at", "2026-03-05T10:00:00Z")
    assert (found["request"]["id"], found["request"]["merchant"]) == ("r-1", "shop")
    assert found["request"]["at"] == "2026-03-05T10:00:00.000000Z"
    assert found["request"]["lines"][0]["category"] == "books"
    assert run(*file, "--key", "r-1", "--choose", "credit")[0] == 0
    own = json.dumps({**FORM, "id": "r-2", "at": "2026-03-05T10:00:00Z"}).encode()
    told = []
    for choose in ((), ("--choose", "credit"), ("--choose", "credit")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + own)))
        status, out, err = run("refund", *BY, "--request", "-", *choose)
        assert (status, err) == (0, "")
        told.append("nothing was done twice" in out)
    assert told == [False, False, True]
    assert "EUR 22.00" in run("balance", "ann")[1]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"[]", "it has to be a JSON object"),
        (b'{"id": 1.5}', "1.5 is no exact number"),
        (b'{"id": "a", "id": "b"}', "the name 'id' twice"),
        (b"{", "it is not JSON"),
        (b"\xff", "it is not UTF-8"),
        (b'{"lines": []}', "lines is ()"),
        (b"{}", "the JSON form of a ReturnRequest, with 'lines'"),
        (b'{"lines": [{"id": "1", "external": "EUR 5.00"}]}', "for 'lines[0].external'"),
        (b'{"colour": "red", "lines": []}', "a ReturnRequest, without 'colour'"),
        (b" " * 1_100_000, "more than 1,048,576 bytes"),
        (b"[" * 1000, "deeper than 16 levels"),
    ],
)
def test_a_file_that_is_no_request_ends_with_2(
    run: Run, tmp_path: Path, content: bytes, complaint: str
) -> None:
    (tmp_path / "request.json").write_bytes(content)
    status, out, err = run("refund", *BY, "--request", "request.json", "--key", "r-1")
    assert (status, out) == (2, "")
    assert complaint in err
    assert "request.json" in err
    assert "Traceback" not in err


def test_a_request_has_a_name_in_its_file_or_in_the_options(run: Run, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_bytes(b"{}")
    status, out, err = run("refund", *BY, "--request", "request.json")
    assert (status, out) == (2, "")
    assert "request.json is no request: it has no 'id'" in err


# --- Wrong arguments -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("1=10.00", "--unit", "EUR"), "--key names the request"),
        (("--key", "k"), "say what comes back"),
        (("1=10.00", "--key", "k"), "say what comes back"),
        (("10.00", "--unit", "EUR", "--key", "k"), "'10.00' is not LINE=VALUE"),
        (("1=", "--unit", "EUR", "--key", "k"), "'1=' is not LINE=VALUE"),
        (("1=1", "1=2", "--unit", "EUR", "--key", "k"), "the line '1' is named twice"),
        (("1=ten", "--unit", "EUR", "--key", "k"), "ten"),
        (("1=1.001", "--unit", "EUR", "--key", "k"), "1.001"),
        (("1=1", "--unit", "EURO", "--key", "k"), "EURO"),
        (("1=1", "--unit", "EUR", "--key", "k", "--pieces", "2=1"), "--pieces: '2' is none of"),
        (("1=1", "--unit", "EUR", "--key", "k", "--pieces", "1=-1"), "not a whole number"),
        (("1=1", "--unit", "EUR", "--key", "k", "--pieces", "1=0"), "pieces is 0"),
        (("1=1", "--unit", "EUR", "--key", "k", "--restored", "2=1"), "--restored: '2' is none"),
        (("1=1", "--unit", "EUR", "--key", "k", "--restored", "1"), "is not LINE=AMOUNT"),
        (("1=1", "--unit", "EUR", "--key", "k", "--restored", "1=XYZ 5"), "XYZ"),
        (("1=1", "--unit", "EUR", "--key", "k", "--reason", "boredom"), "'boredom'"),
        (("1=1", "--unit", "EUR", "--key", "k", "--condition", "old"), "'old'"),
        (("1=1", "--unit", "EUR", "--key", "k", "--kind", "thing"), "'thing'"),
        (("1=1", "--unit", "EUR", "--key", "k", "--choose", "cash"), "cash"),
        (("1=1", "--unit", "EUR", "--key", "k", "--line", "2=money"), "'2'"),
        (("1=1", "--unit", "EUR", "--key", "k", "--line", "money"), "--line: 'money' is not"),
        (("1=1", "--unit", "EUR", "--key", "k", "--purchased", "then"), "'then'"),
        (("1=1", "--unit", "EUR", "--key", "k", "--purchased", "2999-01-01"), "purchased_at"),
        (("--back", "1=1", "--order", "o", "--unit", "EUR", "--key", "k"), "without amounts"),
        (("--back", "1=1", "--key", "k"), "--back goes with --order"),
        (("--back", "1=1", "--order", "o", "--key", "k"), "'o'"),
        (("--request", "f.json", "--order", "o"), "no options do"),
        (("--request", "f.json", "1=1"), "no options do"),
        (("--request", "f.json", "--no-receipt"), "no options do"),
        (("--request", "f.json"), "f.json"),
    ],
)
def test_wrong_arguments_end_with_2(run: Run, arguments: tuple[str, ...], complaint: str) -> None:
    assert run("issue", "bob", "1.00", "EUR", "--funding", "refund", "--key", "i")[0] == 0
    # A line that cannot be chosen is refused only where something is chosen.
    dry = ("--dry-run",) if "--line" in arguments else ()
    status, out, err = run("refund", *BY, *arguments, *dry)
    assert (status, out) == (2, "")
    assert complaint in err
    assert "Traceback" not in err


def test_a_policy_is_needed_and_read_first(run: Run, tmp_path: Path) -> None:
    status, _, err = run("refund", "1=1", "--unit", "EUR", "--key", "k")
    assert status == 2
    assert "--policy" in err
    (tmp_path / "shop.toml").write_text("name = 3", encoding="utf-8")
    status, out, err = run(*ASK, "--choose", "credit")
    assert (status, out) == (2, "")
    assert "shop.toml is no policy" in err
