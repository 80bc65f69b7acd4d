"""Duty 5: journal rows are only ever inserted; private fields lie beside them (S6, A14)."""

# ruff: noqa: D102 - the name of a duty is its sentence

from collections.abc import Iterable

from storecredit.ledger import PRIVATE_FIELDS, Account, Entry
from storecredit.testing.contract.duties import Duties
from storecredit.testing.contract.scene import Shop, outline, present, usd
from storecredit.testing.contract.story import ANSWERED, story


class JournalDuties(Duties):
    """Entries come back as they went in, in order, each once."""

    def test_s6_entries_come_back_as_they_were_appended(self) -> None:
        shop = self.shop()
        appended: list[Entry] = []
        with shop.storage.transaction() as work:
            wallet = shop.new_wallet("anna")
            work.add_wallet(wallet)
            account = shop.new_account(wallet)
            for number in range(1, 6):
                change = shop.issued(account, number, key=f"a{number}")
                work.append(change)
                appended.append(change.entry)
                account = change.account
        appended.append(
            shop.credit.redeem("anna", usd("0.15"), key="a6", **ANSWERED).entry,
        )
        assert [outline(entry) for entry in shop.entries("anna")] == [
            outline(entry) for entry in appended
        ]

    def test_s6_a_journal_is_in_order_without_a_gap_at_every_step_of_a_story(self) -> None:
        shop = self.shop()
        told: dict[str, list[str]] = {}
        for step in story(shop):
            with shop.storage.snapshot() as reader:
                for merchant, name in reader.account_ids("acme"):
                    account = present(reader.account_by_id(merchant, name))
                    entries = list(reader.journal(account))
                    sequences = [entry.sequence for entry in entries]
                    assert sequences == list(range(1, account.version + 1)), f"after: {step}"
                    bodies = [entry.body for entry in entries]
                    before = told.get(name, [])
                    assert bodies[: len(before)] == before, f"rewritten after: {step}"
                    told[name] = bodies

    def test_s6_a_journal_begins_after_and_ends_at_the_sequences_that_are_named(self) -> None:
        shop = self.shop()
        for number in range(1, 6):
            shop.credit.issue("anna", usd("1.00"), funding="refund", key=f"a{number}")
        account = shop.account("anna")
        with shop.storage.snapshot() as reader:
            for after in range(8):
                for upto in (None, *range(8)):
                    found = [
                        entry.sequence for entry in reader.journal(account, after=after, upto=upto)
                    ]
                    last = 5 if upto is None else min(upto, 5)
                    assert found == list(range(after + 1, last + 1)), (after, upto)

    def test_s6_an_account_before_its_first_entry_has_an_empty_journal(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("1.00"), funding="refund", key="a1")
        unopened = shop.new_account(present(shop.wallet_row("anna")), unit="EUR")
        with shop.storage.snapshot() as reader:
            assert list(reader.journal(unopened)) == []
            assert reader.entry_by_key(unopened, "a1") is None

    def test_s6_journals_of_several_accounts_do_not_mix(self) -> None:
        shop = self.shop()
        for number in range(1, 4):
            shop.credit.issue("anna", usd("1.00"), funding="refund", key=f"k{number}")
            shop.credit.issue("ben", usd("2.00"), funding="refund", key=f"k{number}")
        assert {entry.account for entry in shop.entries("anna")} == {shop.account("anna").id}
        assert {entry.moves[0].amount for entry in shop.entries("ben")} == {200}

    def test_a14_erasing_removes_the_named_fields_for_every_way_of_reading(self) -> None:
        shop = self.shop()
        made = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1", **ANSWERED)
        assert erase(shop, "anna", 1, ["actor", "data"]) == 2
        for entry in read_in_every_way(shop, shop.account("anna"), made.entry):
            assert entry.context.actor is None
            assert dict(entry.context.data) == {}
            assert set(entry.salts) == {"note"}
            assert entry.context.note == ANSWERED.get("note")

    def test_a14_erasing_changes_neither_body_nor_digest(self) -> None:
        shop = self.shop()
        made = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1", **ANSWERED)
        shop.credit.redeem("anna", usd("1.00"), key="a2", **ANSWERED)
        second = shop.entries("anna")[1]
        erase(shop, "anna", 1, PRIVATE_FIELDS)
        for entry in read_in_every_way(shop, shop.account("anna"), made.entry):
            assert (entry.body, entry.digest) == (made.entry.body, made.entry.digest)
            assert dict(entry.seals) == dict(made.entry.seals)
            assert entry.context.reference == "ticket 77"
        assert outline(shop.entries("anna")[1]) == outline(second), "another entry was touched"
        found = shop.credit.verify()
        assert (found.problems, found.erased) == ((), 3)

    def test_a14_erasing_counts_what_was_there_and_the_second_time_nothing(self) -> None:
        shop = self.shop()
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1", actor="Mia", note="n")
        shop.credit.issue("anna", usd("5.00"), funding="refund", key="a2")
        counts = [erase(shop, "anna", sequence, PRIVATE_FIELDS) for sequence in (1, 1, 2, 3, 0)]
        assert counts == [2, 0, 0, 0, 0]
        assert erase(shop, "anna", 1, []) == 0

    def test_a14_several_entries_may_be_erased_in_one_transaction(self) -> None:
        shop = self.shop()
        for number in (1, 2, 3):
            key = f"a{number}"
            shop.credit.issue("anna", usd("5.00"), funding="refund", key=key, actor="Mia")
        with shop.storage.transaction() as work:
            account = present(work.account("acme", "anna", "USD"))
            erased = [work.erase(account, sequence, ["actor"]) for sequence in (1, 3, 1)]
            seen = [entry.context.actor for entry in work.journal(account)]
        assert erased == [1, 1, 0]
        assert seen == [None, "Mia", None], "the transaction does not see what it erased"
        assert [entry.context.actor for entry in shop.entries("anna")] == [None, "Mia", None]

    def test_a14_an_erased_entry_still_answers_its_key(self) -> None:
        shop = self.shop()
        first = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1", actor="Mia")
        erase(shop, "anna", 1, PRIVATE_FIELDS)
        again = shop.credit.issue("anna", usd("5.00"), funding="refund", key="a1", actor="Mia")
        assert again.replayed
        assert again.entry.digest == first.entry.digest


def erase(shop: Shop, holder: str, sequence: int, fields: Iterable[str]) -> int:
    """Erase fields of one entry of the account of *holder* in US dollars."""
    with shop.storage.transaction() as work:
        account = present(work.account("acme", holder, "USD"))
        return work.erase(account, sequence, fields)


def read_in_every_way(shop: Shop, account: Account, entry: Entry) -> list[Entry]:
    """Read *entry* by its place, its key and its id, as a reader and as a writer."""
    found: list[Entry] = []
    for opened in (shop.storage.snapshot, shop.storage.transaction):
        with opened() as reader:
            found += reader.journal(account, after=entry.sequence - 1, upto=entry.sequence)
            found.append(present(reader.entry_by_key(account, entry.key)))
            found.append(present(reader.entry_by_id(account, entry.id)))
    return found
