"""The chain of digests, the canonical form, and everything `verify` finds (A1, A2, A14, S6)."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from storecredit.errors import JournalBroken
from storecredit.ledger import (
    EFFECTS,
    INFLOWS,
    OUTFLOWS,
    TOTALS,
    Account,
    Context,
    Draw,
    EntryKind,
    Funding,
    Hold,
    Lot,
    LotState,
    Move,
    Paid,
    Terms,
    What,
    account_id,
    account_of,
    canonical,
    chain,
    commitment,
    entry_id,
    imbalance,
    local_part,
    read_entry,
    read_limit,
    replay,
    root,
    unit_of,
    wallet_of,
    write_limit,
)
from storecredit.ledger.entry import write_entry
from storecredit.ledger.ids import hold_id, lot_id
from storecredit.service import Anchor
from storecredit.values import Money, Period, currency

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAME = account_id("0" * 31 + "1", "USD")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def new_account() -> Account:
    return Account.new(NAME, "acme", "c-17", currency("USD"))


def entry(since: Account, *moves: Move, key: str = "k", at: datetime = AT, **more):
    given = {
        "account": since.id,
        "unit": since.unit,
        "sequence": since.version + 1,
        "key": key,
        "kind": EntryKind.ISSUE,
        "at": at,
        "moves": moves,
        "facts": {},
        "request": {},
        "context": Context(),
        "previous": since.head,
        "salt": lambda: b"s" * 16,
        **more,
    }
    return write_entry(**given)


def issued(amount: int = 100, **more) -> Move:
    terms = Terms(funding=Funding.REFUND, effective_at=AT)
    return Move(What.ISSUED, lot_id(NAME, "k", 0), amount, amount, amount, terms=terms, **more)


def journal_of(shop):
    with shop.storage.snapshot() as reader:
        account = reader.account("acme", "c-17", "USD")
        return reader.whole("acme", account.id), list(reader.journal(account))


# -- ids


def test_ids_lead_to_their_account_and_are_uuids_of_version_5() -> None:
    wallet = uuid.UUID(int=1)
    namespace = uuid.uuid5(wallet, "USD")
    assert entry_id(NAME, "key é") == f"{NAME}.{uuid.uuid5(namespace, 'key é').hex}"
    assert lot_id(NAME, "key", 3) == f"{NAME}.{uuid.uuid5(namespace, 'key' + chr(10) + '3').hex}"
    assert hold_id(NAME, "key", 3) == lot_id(NAME, "key", 3)
    assert (unit_of(NAME), wallet_of(NAME)) == ("USD", wallet.hex)
    assert account_of(lot_id(NAME, "key", 3)) == NAME
    assert len(local_part(lot_id(NAME, "key", 3))) == 32


@pytest.mark.parametrize("thing", ["", "x", ".", "a.b", "a." + "0" * 32, "a.USD." + "0" * 31])
def test_an_id_that_was_not_made_here_leads_nowhere(thing) -> None:
    with pytest.raises(ValueError, match=re.escape(thing) + "$"):
        account_of(thing)


# -- canonical form


def test_canonical_json_has_sorted_keys_no_space_and_ascii_only() -> None:
    assert canonical({"b": 1, "a": ["é", None, True]}) == '{"a":["\\u00e9",null,true],"b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))


def test_the_first_digest_is_chained_to_what_the_account_is() -> None:
    seed = f'{{"account":"{NAME}","digits":2,"journal":1,"merchant":"acme"}}'
    assert root(NAME, "acme", 2) == hashlib.sha256(seed.encode()).digest()
    assert new_account().head == root(NAME, "acme", 2)


def test_an_entry_chains_its_canonical_body(shop) -> None:
    shop.issue("50.00", key="a", reference="return 1", reason="damaged", actor="ann")
    shop.redeem("20.00", key="b")
    whole, (first, second) = journal_of(shop)
    body = json.loads(first.body)
    assert canonical(body) == first.body
    named = "account at context key kind moves request sealed sequence"
    assert sorted(body) == named.split()
    assert body["at"] == "2026-03-02T12:00:00.000000Z"
    assert body["context"] == {"reason": "damaged", "reference": "return 1"}
    assert body["request"]["amount"] == "USD 50.00"
    assert first.digest == chain(root(first.account, "acme", 2), first.body)
    assert second.digest == hashlib.sha256(first.digest + second.body.encode()).digest()
    assert whole.head == second.digest


def test_private_fields_enter_as_salted_commitments_only(shop) -> None:
    private = {"actor": "Ann Smith", "note": "was rude", "data": {"phone": "555"}}
    recorded = shop.issue("50.00", **private).entry
    for text in ("Ann Smith", "was rude", "555"):
        assert text not in recorded.body
    assert recorded.seals == {
        name: commitment(name, recorded.salts[name], value) for name, value in private.items()
    }
    assert commitment("note", "00", "x") != commitment("actor", "00", "x")


def test_entries_read_back_as_they_were_written(shop) -> None:
    shop.credit.set_limit("c-17", "USD", usd("9.00"), key="l")
    lot = shop.issue("50.00", expires=Period(days=9), priority=3, paid=usd("40.00")).lot_id
    shop.issue("1.00", actor="ann", note="n", data={"a": "b"}, occurred_at=AT, reason="r")
    hold = shop.hold("55.00", location="Berlin").hold_id
    shop.credit.capture(hold, amount=usd("54.00"), key="c")
    shop.redeem("1.00")
    shop.correct("extend_expiry", lot, Period(days=9))
    shop.clock.forward(days=20)
    shop.credit.expire_due()
    _, entries = journal_of(shop)
    for each in entries:
        private = {name: (salt, getattr(each.context, name)) for name, salt in each.salts.items()}
        again = read_entry(each.unit, each.body, each.digest, private=private)
        assert again == each
        assert again.id == each.id
        assert again.hold_id == each.hold_id


def test_an_entry_without_context_reads_back_and_an_erased_one_reads_as_absent(shop) -> None:
    plain = shop.issue("1.00").entry
    assert read_entry(plain.unit, plain.body, plain.digest) == plain
    told = shop.issue("1.00", actor="ann", reference="r").entry
    erased = read_entry(told.unit, told.body, told.digest)
    assert (erased.context.actor, erased.context.reference) == (None, "r")
    assert erased.salts == {}
    assert erased.seals == told.seals


@pytest.mark.parametrize("body", ["{}", "[]", "null", "x", '{"account": 5}'])
def test_what_is_no_entry_is_not_read(body) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_entry(currency("USD"), body, b"")


def test_lots_holds_and_terms_round_trip() -> None:
    terms = Terms(
        funding=Funding.PURCHASED,
        effective_at=AT,
        expires_at=AT + timedelta(days=1),
        priority=-1,
        paid=Paid(usd("9.00"), 10),
    )
    lot = Lot("l", 4, AT, terms, "o", 10, 9, 8, 1, 0, LotState.REVOKED)
    assert Lot.from_json(json.loads(json.dumps(lot.to_json()))) == lot
    hold = Hold("h", AT, AT, "order 7", draws=(Draw("l", 3), Draw(None, 2)), captured=1)
    assert Hold.from_json(json.loads(json.dumps(hold.to_json()))) == hold
    for limit in (None, 0, 500, read_limit("unlimited")):
        assert read_limit(write_limit(limit)) is limit


# -- the fold


def test_replaying_gives_byte_equal_state(shop) -> None:
    lot = shop.issue("50.00", expires=Period(days=2)).lot_id
    spent = shop.redeem("10.00")
    shop.credit.restore(spent.entry_id, amount=usd("4.00"), key="r")
    hold = shop.hold("9.00", reference="order 7").hold_id
    shop.credit.capture_part(hold, usd("3.00"), key="c")
    shop.clock.forward(days=3)
    shop.correct("reinstate", lot, expires=Period(days=2))
    shop.credit.set_spenders("c-17", "USD", ["ann"], key="s")
    shop.credit.freeze("c-17", "USD", key="f")
    whole, entries = journal_of(shop)
    fresh = Account.new(whole.id, whole.merchant, whole.holder, whole.unit)
    replayed = replay(fresh, entries)
    assert canonical(replayed.to_json()) == canonical(whole.to_json())
    assert fresh.version == 0
    assert [each.sequence for each in entries] == list(range(1, len(entries) + 1))


def test_every_kind_of_move_conserves_value() -> None:
    for what, effect in EFFECTS.items():
        totals = dict.fromkeys(TOTALS, 0)
        if effect.total:
            totals[effect.total] += 1
        totals["balance"] += effect.remaining
        assert imbalance(totals) == 0, what
        assert effect.total in ("", *INFLOWS, *OUTFLOWS) or effect.total.startswith("owed_")


def test_the_account_counts_and_the_imbalance_shows_what_is_missing() -> None:
    totals = dict.fromkeys(TOTALS, 0) | {"issued": 100, "redeemed": 30, "balance": 60}
    assert imbalance(totals) == 10


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"sequence": 2}, "follows version 0"),
        ({"account": account_id("0" * 32, "USD")}, "follows version 0"),
        ({"previous": b"x" * 32}, "its digest does not follow"),
    ],
)
def test_an_entry_that_does_not_follow_is_found(change, problem) -> None:
    account = new_account()
    with pytest.raises(JournalBroken) as broken:
        replay(account, [entry(account, issued(), **change)])
    assert problem in str(broken.value)
    assert broken.value.account_id == NAME


def test_time_that_goes_back_is_found() -> None:
    account = replay(new_account(), [entry(new_account(), issued())])
    second = entry(account, key="l", at=AT - timedelta(microseconds=1), facts={"status": "frozen"})
    with pytest.raises(JournalBroken, match="its time is before the entry before it"):
        replay(account, [second])


@pytest.mark.parametrize(
    ("move", "problem"),
    [
        (attrs.evolve(issued(), lot_after=99), "does not lead to what it says remains"),
        (attrs.evolve(issued(), balance_after=101), "does not lead to what it says remains"),
        (attrs.evolve(issued(), terms=None), "it moves the unknown lot"),
        (Move(What.OWED_INCURRED, None, 5, 4, 0), "does not lead to what it says remains"),
        (Move(What.OWED_HELD, None, 5, 0, 0, hold="x"), "it moves the unknown hold x"),
    ],
)
def test_a_move_that_does_not_add_up_is_found(move, problem) -> None:
    account = new_account()
    with pytest.raises(JournalBroken) as broken:
        replay(account, [entry(account, move)])
    assert problem in broken.value.problem
    assert broken.value.sequence == 1


# -- verify


def journal_kept(shop):
    """The one journal as the storage keeps it, for changes around the library."""
    (ledger,) = shop.storage._kept.ledgers.values()
    return ledger.journal


def put_rows(journal, rows) -> None:
    """Let the journal consist of these (body, digest)."""
    journal.bodies[:] = [body for body, _ in rows]
    journal.digests[:] = [digest for _, digest in rows]


def rows_of(journal) -> list[tuple[str, bytes]]:
    return list(zip(journal.bodies, journal.digests, strict=True))


@pytest.fixture
def told(make_shop):
    """A journal of three entries; what is done to it is undone before the last check."""
    shop = make_shop()
    shop.issue("50.00", key="a", actor="ann", note="hello", data={"a": "b"})
    shop.redeem("20.00", key="b")
    shop.redeem("10.00", key="c")
    (ledger,) = shop.storage._kept.ledgers.values()
    rows, private, account = rows_of(ledger.journal), dict(ledger.journal.private), ledger.account
    yield shop
    (now,) = shop.storage._kept.ledgers.values()
    put_rows(now.journal, rows)
    now.journal.private = private
    now.account = account


def problems(shop, anchors=None) -> list[tuple[int, str]]:
    return [(each.sequence, each.what) for each in shop.credit.verify(anchors=anchors).problems]


def test_a_sound_journal_verifies(told) -> None:
    seen = []
    found = told.credit.verify(anchors=told.credit.heads(), progress=seen.append)
    assert (found.ok, found.accounts, found.entries, found.erased) == (True, 1, 3, 0)
    assert seen == [1]


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_an_edited_entry_is_named(told, sequence) -> None:
    journal = journal_kept(told)
    journal.bodies[sequence - 1] = journal.bodies[sequence - 1].replace('"at":"2026', '"at":"2027')
    found = told.credit.verify()
    assert not found.ok
    assert [(each.sequence, each.what) for each in found.problems] == [
        (sequence, "its digest does not follow from its content and the entry before it")
    ]
    assert str(found.problems[0]) == (
        f"account {told.account().id}, entry {sequence}: "
        "its digest does not follow from its content and the entry before it"
    )


@pytest.mark.parametrize("sequence", [1, 2, 3])
@pytest.mark.parametrize("body", ["", "{}", "[1]", '{"account":1}'])
def test_an_unreadable_entry_is_named(told, sequence, body) -> None:
    journal_kept(told).bodies[sequence - 1] = body
    assert problems(told) == [(sequence, "its body cannot be read")]


def test_missing_and_reordered_entries_are_named(told) -> None:
    journal = journal_kept(told)
    first, second, third = rows_of(journal)
    put_rows(journal, [first, third])
    assert problems(told)[0][0] == 3
    put_rows(journal, [second, first, third])
    assert problems(told)[0][0] == 2


def test_a_truncated_journal_is_found_by_its_state(told) -> None:
    journal = journal_kept(told)
    put_rows(journal, rows_of(journal)[:2])
    found = problems(told)
    assert found[0] == (3, "the account row says version 3, and the journal has 2 entries")
    assert (2, "the stored totals is not what the journal leads to") in found


def test_anchors_find_a_truncated_a_rewritten_and_a_vanished_journal(told) -> None:
    heads = told.credit.heads()
    (name,) = heads
    assert problems(told, {name: Anchor(4, "00")}) == [
        (4, "the journal ends at 3, and an anchor knows entry 4")
    ]
    assert problems(told, {name: Anchor(2, "00")}) == [
        (2, "its digest is not the one that was anchored")
    ]
    assert problems(told, {**heads, "gone": Anchor(1, "00")}) == [
        (0, "an anchor names it, and it is gone")
    ]


@pytest.mark.parametrize(
    ("field", "value"), [("actor", "eve"), ("note", "bye"), ("data", {"a": "c"}), ("actor", None)]
)
def test_a_changed_private_field_is_named(told, field, value) -> None:
    private = journal_kept(told).private
    salt, _ = private[1][field]
    private[1] = {**private[1], field: (salt, value)}
    assert problems(told) == [(1, f"its {field} is not the one that was recorded")]


def test_a_private_field_under_another_salt_is_named(told) -> None:
    private = journal_kept(told).private
    private[1] = {**private[1], "note": ("00" * 16, "hello")}
    assert problems(told) == [(1, "its note is not the one that was recorded")]


def test_erased_fields_are_counted_and_no_problem(told) -> None:
    first = next(told.credit.journal("c-17", "USD"))
    assert told.credit.erase(first.id, fields=["note", "actor"]) == 2
    found = told.credit.verify()
    assert (found.ok, found.erased) == (True, 2)


def test_state_that_does_not_follow_from_the_journal_is_named_and_rebuilt(told) -> None:
    (ledger,) = told.storage._kept.ledgers.values()
    wrong = ledger.account.copy()
    wrong.totals["balance"] += 500
    (lot,) = wrong.lots.values()
    wrong.lots[lot.id] = attrs.evolve(lot, remaining=lot.remaining + 500)
    ledger.account = wrong
    assert problems(told) == [
        (3, "the stored totals is not what the journal leads to"),
        (3, "the stored lots is not what the journal leads to"),
    ]
    seen = []
    assert told.credit.rebuild(progress=seen.append) == 1
    assert (told.credit.verify().ok, seen) == (True, [1])


def test_a_journal_that_created_value_is_found_by_conservation_and_bounds(make_shop) -> None:
    shop = make_shop()
    shop.issue("1.00", key="k")
    account = new_account()
    name = lot_id(NAME, "k", 0)
    terms = Terms(funding=Funding.REFUND, effective_at=AT)
    overdrawn = [
        Move(What.ISSUED, name, 100, 100, 100, terms=terms),
        Move(What.REDEEMED, name, 150, -50, -50),
    ]
    (ledger,) = shop.storage._kept.ledgers.values()
    kept = (rows_of(ledger.journal), ledger.account)
    first = entry(account, *overdrawn)
    put_rows(ledger.journal, [(first.body, first.digest)])
    ledger.account = replay(account, [first])
    found = [each.what for each in shop.credit.verify().problems]
    assert found == [f"lot {name} is outside its bounds"]
    put_rows(ledger.journal, kept[0])
    ledger.account = kept[1]


def test_a_broken_journal_is_not_rebuilt_and_its_account_is_left(told) -> None:
    (ledger,) = told.storage._kept.ledgers.values()
    ledger.journal.digests[1] = b"x" * 32
    account = ledger.account
    with pytest.raises(JournalBroken):
        told.credit.rebuild()
    (ledger,) = told.storage._kept.ledgers.values()
    assert ledger.account is account
