"""Codes that are issued: shown once, kept as a digest, the bearer of an ordinary account (A15)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from storecredit.claims import ClaimKeys, ClaimRules, ClaimState, read_code
from storecredit.errors import (
    AmountNotPositive,
    ClaimFailed,
    ClaimRulesMissing,
    CodeStepRefused,
    ConcurrentChange,
    InvalidKey,
    InvalidTerms,
    InvalidText,
    KeyReused,
    UnknownCode,
)
from storecredit.ledger import Limits
from storecredit.service import StoreCredit
from storecredit.values import Money, Period


def test_a15_a_code_is_shown_once_and_kept_nowhere(window) -> None:
    issued = window.issue("50.00", key="o-1/gift", expires=Period(months=12))
    assert read_code(issued.code)
    assert issued.code not in repr(issued)
    assert (str(issued.worth), issued.replayed) == ("USD 50.00", False)
    assert issued.expires_at == dt.datetime(2027, 3, 2, 12, tzinfo=dt.UTC)
    assert issued.receipt.amount == issued.worth
    kept = window.kept()
    assert issued.code not in kept
    assert read_code(issued.code) not in kept
    again = window.issue("50.00", key="o-1/gift", expires=Period(months=12))
    assert (again.code, again.replayed) == (None, True)
    assert (again.id, again.worth, again.expires_at) == (issued.id, issued.worth, issued.expires_at)
    assert window.kept() == kept


def test_a15_the_record_says_everything_but_the_code(window) -> None:
    issued = window.issue(key="o-1/gift", reserved_for="c-17", actor="till 3")
    claim = window.credit.code(issued.id)
    assert claim == issued.claim
    assert (claim.state, claim.reserved_for, claim.reissues) == (ClaimState.OPEN, "c-17", 0)
    assert claim.holder == f"~code:{claim.id}" == issued.holder
    assert issued.reserved_for == "c-17"
    assert claim.issued_at == window.clock()
    assert claim.digest.startswith("new:")
    assert claim.digest not in repr(claim)
    (fact,) = claim.facts
    assert (fact.key, fact.entries) == ("o-1/gift", (issued.receipt.entry_id,))
    # Who did it is in the entry, where it can be erased.
    assert fact.actor is None
    assert issued.receipt.entry.context.actor == "till 3"
    assert window.records()[claim.id][2] == {
        "digest": claim.digest,
        "state": "open",
        "reserved": "c-17",
    }


def test_a15_the_value_is_in_an_ordinary_account(window) -> None:
    limits = Limits(categories=["books"])
    issued = window.issue(
        "20.00",
        funding="promotional",
        limits=limits,
        expires=Period(days=30),
        effective=Period(days=1),
    )
    view = window.credit.account(issued.holder, "USD")
    (lot,) = view.lots
    assert (lot.terms.funding, lot.terms.limits, lot.is_pending) == ("promotional", limits, True)
    assert str(view.pending) == "USD 20.00"
    paid = window.issue("60.00", paid=Money.of("50.00", "USD"))
    assert window.credit.account(paid.holder, "USD").lots[0].terms.paid.money.minor == 5000
    assert [line.kind for line in window.credit.statement(paid.holder, "USD")] == ["issue"]


def test_a12_a_key_names_one_code_of_the_merchant(window) -> None:
    first = window.issue("50.00", key="gift", reserved_for="c-17")
    for other in ({"reserved_for": None}, {"reserved_for": "c-18"}, {"funding": "goodwill"}):
        with window.shop.refuses(KeyReused):
            window.issue("50.00", **{"key": "gift", "reserved_for": "c-17", **other})
    with window.shop.refuses(KeyReused):
        window.issue("51.00", key="gift", reserved_for="c-17")
    other = window.issue("50.00", key="gift 2", reserved_for="c-17")
    assert other.id != first.id
    # Of an account of its own: the key may name another command there, too.
    assert window.credit.issue("c-17", Money.of("1.00", "USD"), funding="refund", key="gift")


def test_a12_a_repeat_is_answered_whatever_has_become_of_the_code(window) -> None:
    claimed, revoked, replaced = (window.issue(key=f"gift {n}") for n in range(3))
    window.claim(claimed)
    window.revoke(revoked)
    window.reissue(replaced)
    for number, (each, state) in enumerate(
        [(claimed, "claimed"), (revoked, "revoked"), (replaced, "replaced")]
    ):
        again = window.issue(key=f"gift {number}")
        assert (again.code, again.id, again.claim.state) == (None, each.id, state)


def test_a15_who_was_never_told_of_the_commit_still_gets_the_code(window) -> None:
    """The service tries again where nobody knows whether a commit has happened (S5)."""

    class Unanswered:
        """Commits, and says once that somebody else was faster."""

        def __init__(self, storage: Any) -> None:
            self.storage, self.times = storage, 0
            self.snapshot = storage.snapshot

        def transaction(self) -> Any:
            return _Unanswered(self, self.storage.transaction())

    class _Unanswered:
        def __init__(self, outer: Unanswered, inner: Any) -> None:
            self.outer, self.inner = outer, inner

        def __enter__(self) -> Any:
            return self.inner.__enter__()

        def __exit__(self, *error: Any) -> None:
            self.inner.__exit__(*error)
            self.outer.times += 1
            if self.outer.times % 2 and error[0] is None:
                raise ConcurrentChange("the answer was lost", 0)

    credit = window.at(Unanswered(window.storage))
    issued = credit.issue_code(Money.of("5.00", "USD"), funding="goodwill", key="sorry")
    assert window.open(issued).id == issued.id
    assert not issued.replayed
    again = credit.reissue_code(issued.id, key="again", actor="ann", reason="lost")
    assert window.open(again).holder == issued.holder


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"key": "~mine"}, InvalidKey),
        ({"key": "k" * 161}, InvalidKey),
        ({"key": ""}, InvalidKey),
        ({"amount": "0.00"}, AmountNotPositive),
        ({"funding": "found"}, InvalidTerms),
        ({"reserved_for": ""}, InvalidText),
        ({"reserved_for": "~code:1"}, InvalidText),
        ({"reserved_for": 7}, InvalidText),
        ({"note": "\x00"}, InvalidText),
    ],
)
def test_a15_what_cannot_be_issued_leaves_nothing(window, terms, error) -> None:
    before = window.kept()
    with window.shop.refuses(error):
        window.issue(terms.pop("amount", "5.00"), **terms)
    assert window.kept() == before


def test_a15_without_keys_there_are_no_codes(window) -> None:
    bare = StoreCredit(window.storage, "acme")
    calls = [
        lambda: bare.issue_code(Money.of("1.00", "USD"), funding="refund", key="k"),
        lambda: bare.open_code("code", caller="me"),
        lambda: bare.claim("code", "c-17", key="k", caller="me"),
        lambda: bare.reissue_code("id", key="k", actor="ann", reason="lost"),
    ]
    for call in calls:
        with window.shop.refuses(ClaimRulesMissing) as refused:
            call()
        assert "claims=ClaimRules(keys=" in str(refused.error)
    # To look at codes and to take them back needs no key.
    issued = window.issue()
    assert [claim.id for claim in bare.codes()] == [issued.id]
    bare.revoke_code(issued.id, key="k", actor="ann", reason="lost")


@pytest.mark.parametrize("terms", [{"keys": {}}, {"per_caller": 5}, {"per_merchant": None}])
def test_a15_rules_that_cannot_be_are_refused(terms) -> None:
    ring = ClaimKeys(current="a", keys={"a": bytes(32)})
    with pytest.raises(InvalidTerms):
        ClaimRules(**{"keys": ring, **terms})


def test_a15_codes_are_listed_by_state_and_page_by_page(window, monkeypatch) -> None:
    monkeypatch.setattr("storecredit.service._claiming._PAGE", 2)
    codes = [window.issue(key=f"gift {number}") for number in range(5)]
    window.claim(codes[0])
    window.revoke(codes[1])
    second = window.reissue(codes[2])
    ids = {each.id for each in (*codes, second)}
    assert [claim.id for claim in window.credit.codes()] == sorted(ids)
    by_state = {
        state: {claim.id for claim in window.credit.codes(state=state)} for state in ClaimState
    }
    assert by_state == {
        "open": {codes[3].id, codes[4].id, second.id},
        "claimed": {codes[0].id},
        "revoked": {codes[1].id},
        "replaced": {codes[2].id},
    }
    with pytest.raises(InvalidTerms):
        next(window.credit.codes(state="lost"))


def test_a16_another_merchants_codes_are_unknown(window) -> None:
    issued = window.issue()
    other = StoreCredit(window.storage, "other", clock=window.clock, claims=window.rules)
    with pytest.raises(ClaimFailed) as failed:
        other.open_code(issued.code, caller="me")
    assert failed.value.reason == "unknown"
    with pytest.raises(UnknownCode):
        other.code(issued.id)
    with pytest.raises(UnknownCode):
        other.revoke_code(issued.id, key="k", actor="ann", reason="lost")
    assert list(other.codes()) == []


def test_a15_a_revoked_code_is_not_revoked_again(window) -> None:
    issued = window.issue()
    window.revoke(issued)
    with window.shop.refuses(CodeStepRefused) as refused:
        window.revoke(issued, key="again")
    assert (refused.error.state, refused.error.allowed) == ("revoked", ("reissue",))
