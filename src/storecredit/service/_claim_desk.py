"""The desk where codes are shown: looked up, judged, opened, or moved to a holder (A15)."""

import itertools
import logging
from datetime import datetime
from typing import Final, final

import attrs

from storecredit.claims import (
    FAILURES,
    KIND,
    NOBODY,
    OF_MERCHANT,
    Claim,
    ClaimFact,
    ClaimHead,
    ClaimReason,
    ClaimRules,
    ClaimStep,
    Contents,
    FailurePage,
    Failures,
    is_same,
    page_of,
    shown_digest,
    why_not,
)
from storecredit.errors import (
    ClaimFailed,
    ConcurrentChange,
    HoldsActive,
    RefusalError,
    UnitRedefined,
)
from storecredit.ledger import (
    NO_CONTEXT,
    Account,
    AccountId,
    Change,
    Command,
    Context,
    Draft,
    MergeIn,
    MergeOut,
    WalletId,
    account_id,
    parcels_of,
    request_of,
    require_text,
    wallet_of,
)
from storecredit.ledger.ceilings import require_room
from storecredit.service._door import Asked, Loaded
from storecredit.service._pairing import Pair, Pairing
from storecredit.service._tally_records import follow_merger
from storecredit.service.about import About, context_of
from storecredit.service.receipts import TransferReceipt
from storecredit.storage.protocols import Record, UnitOfWork, Wallet
from storecredit.values import currency, instant

_LOG: Final = logging.getLogger("storecredit.claims")
_ROWS: Final = 200
_NO_WALLETS: Final = (WalletId("1" * 32), WalletId("2" * 32))
"""Wallets that stand in for those of holders who have none, or who are not named."""


@final
@attrs.frozen(kw_only=True)
class Shown:
    """Somebody shows a code: who, and for whom."""

    caller: str
    holder: str | None
    key: str | None
    """Names the claim; None where the code is only opened."""
    at: datetime
    """The instant that decides what is there."""

    @property
    def opening(self) -> bool:
        """Whether the code is to be spent from, and not to be claimed."""
        return self.key is None


@final
@attrs.frozen(kw_only=True)
class Told:
    """What a step was told besides its own arguments, and the key of its entries."""

    key: str
    """One of the library's own, where it names entries in the account of the code."""
    context: Context
    at: datetime | None

    @classmethod
    def of(cls, key: str, about: About) -> "Told":
        """
        Check what a step was told.

        Raises:
            InvalidText, NaiveInstant, TypeError: As every command.
        """
        told = About(**about)
        at = told.pop("at", None)
        return cls(key=key, context=context_of(told), at=None if at is None else instant(at))

    def asking(self, command: Command) -> Asked:
        """Return *command* as it is to be decided."""
        return Asked(command, self.key, self.context, request_of(command), self.at)


@final
@attrs.frozen(kw_only=True)
class Looked:
    """What one attempt found, and why it is to fail, if it is."""

    row: Record | None
    head: ClaimHead
    accounts: tuple[Account, ...]
    """The accounts of the code; none of an unknown one."""
    own: Wallet | None
    """The wallet of the claimer, if there is one."""
    reason: ClaimReason | None
    is_repeat: bool
    """Whether this very claim has succeeded before."""
    page: Record | None
    everybody: Record | None
    """What is remembered of failures: of some callers, and of all."""
    now: datetime
    free_at: datetime
    """From when on the caller is let through."""


@final
class ClaimDesk:
    """
    Serves one attempt. Whatever becomes of it, as much is asked of the storage, and as much done.

    Every key is tried, one record is read or what stands in for it, every check is made; who
    fails is written down, in a transaction that does nothing else. Beyond that goes only a claim
    that nothing speaks against but the account of the claimer itself.
    """

    def __init__(self, door: Pairing, rules: ClaimRules, code: str, shown: Shown) -> None:
        merchant = door.merchant.id
        self._door: Final = door
        self._merchant: Final = merchant
        self._rules: Final = rules
        self._digests: Final = rules.keys.digests(merchant, code)
        self._caller: Final = rules.keys.caller(merchant, require_text("caller", shown.caller))
        self._shown: Final = shown

    # Looking

    def look(self, tx: UnitOfWork) -> Looked:
        """Look the code up, and judge it."""
        merchant, shown = self._merchant, self._shown
        now = instant(self._door._clock())
        page = tx.record(merchant, FAILURES, page_of(self._caller))
        everybody = tx.record(merchant, FAILURES, OF_MERCHANT)
        free_at = max(
            self._rules.per_caller.free_at(_page(page).of(self._caller), now),
            self._rules.per_merchant.free_at(_page(everybody).of(OF_MERCHANT), now),
        )
        found = [
            tx.records(merchant, KIND, reference=("digest", digest), limit=1)
            for digest in self._digests
        ]
        row = next(itertools.chain.from_iterable(found), None)
        head = ClaimHead.of(_NOBODY if row is None else row.body)
        accounts = tx.accounts_of(merchant, wallet_of(head.account))
        again = tx.record(merchant, KIND, getattr(row, "id", NOBODY.id))
        if getattr(again, "version", 0) != getattr(row, "version", 0):
            # An engine may show what was committed in between: the accounts, and not the record.
            raise ConcurrentChange(head.account, getattr(row, "version", 0))
        nobodys = Account.new(NOBODY.account, merchant, NOBODY.holder, currency("USD"))
        own = tx.wallet(merchant, shown.holder or NOBODY.holder)
        own_id, is_meant = self._is_meant(tx, head, own)
        same = [is_same(head.digest, digest) for digest in self._digests]
        reason = why_not(
            head.state,
            Contents.of(accounts or [nobodys], shown.at),
            throttled=free_at > now,
            known=any(same),
            meant=is_meant,
            opening=shown.opening,
        )
        return Looked(
            row=row,
            head=head,
            accounts=tuple(accounts),
            own=own,
            reason=reason,
            is_repeat=head.claimed == (shown.key, own_id),
            page=page,
            everybody=everybody,
            now=now,
            free_at=free_at,
        )

    def _is_meant(
        self, tx: UnitOfWork, head: ClaimHead, own: Wallet | None
    ) -> tuple[WalletId, bool]:
        """Return the claimer's wallet, and whether the code is for him, mergers followed."""
        merchant, holder, reserved = self._merchant, self._shown.holder, head.reserved_for
        meant = tx.wallet(merchant, reserved or NOBODY.holder)
        nobodys = [Wallet(name, merchant, NOBODY.holder) for name in _NO_WALLETS]
        mine, his = own or nobodys[0], meant or nobodys[1]
        survivors = self._door._surviving(tx, mine).id, self._door._surviving(tx, his).id
        return mine.id, reserved in (None, holder) or survivors[0] == survivors[1]

    # Failing

    def note(self, tx: UnitOfWork, looked: Looked) -> None:
        """
        Write the failure down: of the caller, and of everybody. One that came too soon counts not.

        Who waits as told is let through, whatever others have tried meanwhile.
        """
        too_soon = looked.free_at > looked.now
        for row, name, rule in (
            (looked.page, self._caller, self._rules.per_caller),
            (looked.everybody, OF_MERCHANT, self._rules.per_merchant),
        ):
            page = _page(row)
            before = page.of(name)
            after = (rule.failed(before, looked.now), before)[too_soon]
            noted = page.noting(name, after, rule=rule, at=looked.now)
            tx.put(
                Record(
                    merchant=self._merchant,
                    kind=FAILURES,
                    id=OF_MERCHANT if name == OF_MERCHANT else page_of(name),
                    version=(0 if row is None else row.version) + 1,
                    body=noted.to_json(),
                )
            )

    def failed(self, looked: Looked, refusal: RefusalError | None) -> ClaimFailed:
        """Return what to raise: the same answer whatever the reason, which is logged."""
        reason = looked.reason or reason_of(refusal)
        _LOG.info("a claim failed: %s, digest %s", reason, shown_digest(self._digests[0]))
        free_at = (None, looked.free_at)[looked.free_at > looked.now]
        return ClaimFailed(reason, getattr(looked.row, "id", None), free_at, refusal)

    # Claiming

    def claim(self, tx: UnitOfWork, looked: Looked, told: Told) -> tuple[TransferReceipt, ...]:
        """
        Move everything to the claimer, and let the wallet of the code follow, as a merger does.

        Raises:
            RefusalError: The account of the claimer does not take it; nothing is written.
        """
        door, merchant = self._door, self._merchant
        row = looked.row or Record(merchant=merchant, kind=KIND, id="", version=0, body=_NOBODY)
        claim = Claim.from_json(row.body)
        own = looked.own or door._new_wallet(str(self._shown.holder))
        target = door._surviving(tx, own)
        ends = {each.id: account_id(target.id, each.unit.code) for each in looked.accounts}
        self._hold_still(tx, claim, looked)
        tx.lock(sorted({*ends, *ends.values()}))
        decided: list[tuple[TransferReceipt, list[Change]]] = []
        for seen in looked.accounts:
            leaving = MergeOut(into=own.id, to=ends[seen.id])
            decided.append(self._decide(tx, seen, target, told.asking(leaving)))
        if looked.own is None:
            tx.add_wallet(own)
        changes = [change for _, made in decided for change in made]
        for change in sorted(changes, key=lambda change: change.entry.account):
            tx.append(change)
        emptied = Wallet(wallet_of(claim.account), merchant, claim.holder, target.id)
        tx.replace_wallet(emptied)
        follow_merger(tx, merchant, emptied, target)
        receipts = tuple(receipt for receipt, _ in decided)
        fact = ClaimFact(
            step=ClaimStep.CLAIM,
            key=str(self._shown.key),
            at=receipts[0].sent.entry.at,
            entries=tuple(each.sent.entry_id for each in receipts),
            to=own.id,
        )
        tx.put(record_of(merchant, claim.take(fact), version=row.version + 1))
        return receipts

    def _hold_still(self, tx: UnitOfWork, claim: Claim, looked: Looked) -> None:
        """
        Let nobody open another account of the code until this is committed.

        Raises:
            ConcurrentChange: Somebody has, or has claimed it, since it was looked at.
        """
        bearer = tx.wallet_by_id(self._merchant, wallet_of(claim.account))
        if bearer is None or bearer.merged_into is not None:
            raise ConcurrentChange(claim.account, 0)
        tx.replace_wallet(bearer)
        now = {account.id for account in tx.accounts_of(self._merchant, bearer.id)}
        if now != {account.id for account in looked.accounts}:
            raise ConcurrentChange(claim.account, 0)

    def _decide(
        self, tx: UnitOfWork, seen: Account, target: Wallet, asked: Asked
    ) -> tuple[TransferReceipt, list[Change]]:
        """Decide what leaves an account of the code, and what arrives; nothing is written yet."""
        door, name = self._door, account_id(target.id, seen.unit.code)
        near, far = door._by_id(tx, seen.id), tx.account_by_id(self._merchant, name)
        far = far or Account.new(name, self._merchant, target.holder, near.unit)
        if near.version != seen.version or far.merged_into is not None:
            # Somebody spends of it, or merges the claimer, right now: judge it anew.
            raise ConcurrentChange(near.id, seen.version)
        if far.unit.digits != near.unit.digits:
            raise UnitRedefined(near.unit.code, near.unit.digits, far.unit.digits)
        pair = Pair(
            Loaded(near),
            Loaded(far),
            asked.command,
            lambda sent: MergeIn(
                sent=sent.entry.id, parcels=parcels_of(sent), owed=near.owed, sender=near.id
            ),
        )
        sent, received = door._decide_both(pair, asked, door._instant(asked.at))
        arriving = sum(parcel.amount for parcel in parcels_of(sent))
        # A claim is new to the account, other than the rest of a holder who merges (A11).
        draft = Draft(far, door.merchant, key=asked.key, at=sent.entry.at, context=NO_CONTEXT)
        require_room(draft, arriving)
        receipt = TransferReceipt(
            door._receipt(near, sent.entry),
            door._receipt(far, None if received is None else received.entry),
        )
        return receipt, [sent] if received is None else [sent, received]

    def again(self, tx: UnitOfWork, looked: Looked, told: Told) -> tuple[TransferReceipt, ...]:
        """
        Answer a claim that has succeeded before.

        Raises:
            KeyReused: It was another request: another reference, for example.
        """
        into = WalletId(looked.head.claimed[1] if looked.head.claimed else "")
        found = [
            (account, entry)
            for account in looked.accounts
            if (entry := tx.entry_by_key(account, told.key)) is not None
        ]
        return tuple(
            self._door._again(
                tx,
                account,
                entry,
                told.asking(MergeOut(into=into, to=AccountId(entry.facts["to"]))),
            )
            for account, entry in found
        )


def record_of(merchant: str, claim: Claim, *, version: int) -> Record:
    """Return the record of *claim*, found by its digest, its state and whom it is for."""
    return Record(
        merchant=merchant,
        kind=KIND,
        id=claim.id,
        version=version,
        body=claim.to_json(),
        references=claim.references,
    )


def rename_reservations(tx: UnitOfWork, merchant: str, holder: str, pseudonym: str) -> int:
    """Let the codes that are for *holder* be for *pseudonym*; return how many there are."""
    done, after, reference = 0, "", ("reserved", holder)
    while rows := tx.records(merchant, KIND, reference=reference, after=after, limit=_ROWS):
        for row in rows:
            claim = attrs.evolve(Claim.from_json(row.body), reserved_for=pseudonym)
            tx.put(record_of(merchant, claim, version=row.version + 1))
        done, after = done + len(rows), rows[-1].id
    return done


def reason_of(refusal: RefusalError | None) -> ClaimReason:
    """Return why a claim fails that the ledger refused."""
    return ClaimReason.HELD if isinstance(refusal, HoldsActive) else ClaimReason.NOT_TAKEN


_NOBODY: Final = NOBODY.to_json()


def _page(row: Record | None) -> FailurePage:
    return FailurePage.from_json(_EMPTY if row is None else row.body)


_EMPTY: Final = FailurePage({OF_MERCHANT: Failures()}).to_json()
