"""Verification: every way in which a journal or its state can be wrong, found and named (A14, S6)."""

from collections.abc import Iterable
from typing import final

import attrs

from storecredit.errors import JournalBroken
from storecredit.ledger import (
    NO_CONTEXT,
    PRIVATE_FIELDS,
    Account,
    AccountId,
    Entry,
    apply_entry,
    commitment,
    imbalance,
    private_value,
    wallet_of,
)
from storecredit.storage.protocols import Reader


@final
@attrs.frozen
class Anchor:
    """The head of a journal, to be kept where nobody who can write the journal can reach it."""

    sequence: int
    digest: str
    """In hexadecimal."""


@final
@attrs.frozen
class Problem:
    """One thing that is wrong, and where."""

    account: str
    sequence: int
    """The entry; 0 where it is about the account as a whole."""
    what: str

    def __str__(self) -> str:
        return f"account {self.account}, entry {self.sequence}: {self.what}"


@final
@attrs.frozen
class Verification:
    """What was checked, and what was found."""

    accounts: int
    entries: int
    erased: int
    """Private fields that were erased; their commitments still stand."""
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @classmethod
    def empty(cls) -> "Verification":
        """Return a verification of nothing yet."""
        return cls(0, 0, 0, ())

    def plus(self, other: "Verification") -> "Verification":
        """Return both as one."""
        return Verification(
            self.accounts + other.accounts,
            self.entries + other.entries,
            self.erased + other.erased,
            self.problems + other.problems,
        )

    def missing(self, accounts: Iterable[str]) -> "Verification":
        """Add a problem for each anchored account that is not there any more."""
        gone = tuple(Problem(name, 0, "an anchor names it, and it is gone") for name in accounts)
        return attrs.evolve(self, problems=self.problems + gone)


def verify_account(
    reader: Reader, merchant: str, name: AccountId, anchor: Anchor | None
) -> Verification:
    """
    Check one account: every entry in turn, then what is stored about it and its wallet.

    Who the wallet belongs to cannot be checked: the holder's name is a label that a pseudonym may
    replace, and no digest covers it (A18).
    """
    try:
        stored = reader.whole(merchant, name)
    except JournalBroken as broken:
        return Verification(1, 0, 0, (Problem(name, broken.sequence, broken.problem),))
    if stored is None:
        return Verification(1, 0, 0, (Problem(name, 0, "its journal has no account row"),))
    folded = Account.new(stored.id, stored.merchant, stored.holder, stored.unit)
    problems: list[Problem] = []
    entries = erased = 0
    try:
        for entry in reader.journal(stored):
            apply_entry(folded, entry)
            entries += 1
            problems += _private_problems(entry)
            erased += len(entry.seals) - len(entry.salts)
            if anchor is not None and anchor.sequence == entry.sequence:
                problems += _anchor_problems(name, anchor, entry)
    except JournalBroken as broken:
        problems.append(Problem(name, broken.sequence, broken.problem))
        return Verification(1, entries, erased, tuple(problems))
    if anchor is not None and anchor.sequence > entries:
        what = f"the journal ends at {entries}, and an anchor knows entry {anchor.sequence}"
        problems.append(Problem(name, entries + 1, what))
    problems += _state_problems(name, stored, folded)
    problems += _wallet_problems(reader, folded)
    return Verification(1, entries, erased, tuple(problems))


def _anchor_problems(name: str, anchor: Anchor, entry: Entry) -> list[Problem]:
    if anchor.digest == entry.digest.hex():
        return []
    return [Problem(name, entry.sequence, "its digest is not the one that was anchored")]


def _private_problems(entry: Entry) -> list[Problem]:
    if entry.context is NO_CONTEXT and not entry.salts:
        return []
    problems = []
    for field in PRIVATE_FIELDS:
        value, salt = private_value(entry.context, field), entry.salts.get(field)
        if salt is None and value is None:
            continue
        if salt is None or entry.seals.get(field) != commitment(field, salt, value):
            what = f"its {field} is not the one that was recorded"
            problems.append(Problem(entry.account, entry.sequence, what))
    return problems


def _wallet_problems(reader: Reader, folded: Account) -> list[Problem]:
    """Compare where the wallet's row says that it went with what the journal says (A17)."""
    wallet = reader.wallet_by_id(folded.merchant, wallet_of(folded.id))
    if wallet is None:
        return [Problem(folded.id, folded.version, "its wallet is gone")]
    merged = None if folded.merged_into is None else wallet_of(folded.merged_into)
    if wallet.merged_into == merged:
        return []
    row = "not merged" if wallet.merged_into is None else f"merged into {wallet.merged_into}"
    journal = "that it was not" if merged is None else f"that it was merged into {merged}"
    what = f"the row of its wallet says {row}, and the journal {journal}"
    return [Problem(folded.id, folded.version, what)]


def _state_problems(name: str, stored: Account, folded: Account) -> list[Problem]:
    """Compare what is stored with what the journal leads to (S6)."""
    problems = []
    if stored.version != folded.version:
        what = (
            f"the account row says version {stored.version}, and the journal has "
            f"{folded.version} entries"
        )
        problems.append(Problem(name, folded.version + 1, what))
    kept, wanted = stored.to_json(), folded.to_json()
    problems += [
        Problem(name, folded.version, f"the stored {field} is not what the journal leads to")
        for field in kept
        if field != "version" and kept[field] != wanted[field]
    ]
    if imbalance(folded.totals):
        problems.append(Problem(name, folded.version, "value was not conserved"))
    problems += [
        Problem(name, lot.sequence, f"lot {lot.id} is outside its bounds")
        for lot in folded.lots.values()
        if not 0 <= lot.held <= lot.remaining <= lot.amount
    ]
    return problems
