"""The verbs that keep the books: sweeps, verify, heads, rebuild, pseudonyms and erasure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial

import attrs

from storecredit.claims import require_registered
from storecredit.errors import InvalidTerms, JournalBroken, UnknownEntry
from storecredit.ledger import (
    NO_CONTEXT,
    PRIVATE_FIELDS,
    Account,
    AccountId,
    EntryId,
    EntryKind,
    Expire,
    Lapse,
    replay,
    require_text,
    wallet_of,
)
from storecredit.service._case_names import has_cases, rename_cases
from storecredit.service._claim_desk import rename_reservations
from storecredit.service._door import Asked, Door, Loaded, require_batch
from storecredit.service._tally_records import has_tallies
from storecredit.service.sweeps import Sweep
from storecredit.service.verification import Anchor, Verification, verify_account
from storecredit.storage.protocols import UnitOfWork
from storecredit.values import instant

Progress = Callable[[int], None]
"""Called now and then with the number of accounts done so far."""

_PAGE = 500


class Keeping(Door):
    """Sweeps, verification, rebuilding, pseudonyms, erasure."""

    def expire_due(
        self, *, at: datetime | None = None, batch: int = _PAGE, progress: Progress | None = None
    ) -> Sweep:
        """
        Record the expiry of everything that is due (A5).

        Expired value is worth nothing with or without the sweep; the sweep writes it down. It
        works in transactions of *batch* accounts, may be stopped and started again at any point,
        and changes nothing when nothing is due. An account that cannot be read keeps no other
        from being swept.

        Raises:
            InvalidTerms: ``batch`` is no whole number from 1 up.
            NaiveInstant, FutureInstant: ``at``.
            JournalBroken: An account was changed around the library; all the others are swept.
                `verify` names every such account.
        """
        return self._sweep(Expire(), at=at, batch=batch, progress=progress)

    def release_lapsed(
        self, *, at: datetime | None = None, batch: int = _PAGE, progress: Progress | None = None
    ) -> Sweep:
        """
        Record the lapse of every hold whose time is over (A6); otherwise as `expire_due`.

        Raises:
            InvalidTerms: ``batch`` is no whole number from 1 up.
            NaiveInstant, FutureInstant: ``at``.
            JournalBroken: An account was changed around the library; all the others are swept.
        """
        return self._sweep(Lapse(), at=at, batch=batch, progress=progress)

    def verify(
        self,
        *,
        anchors: Mapping[str, Anchor] | None = None,
        progress: Progress | None = None,
    ) -> Verification:
        """
        Check every journal of the merchant: chain, arithmetic, conservation, stored state (A14).

        The row that leads from a holder to a wallet is checked where it says that the holder was
        merged into another. The name in it is a label that `pseudonymise` may replace: no digest
        covers it, and no check can tell who replaced it (A18).

        Args:
            anchors: What `heads` returned earlier and was kept elsewhere; only they can show
                that a whole journal was written anew.

            progress: Called with the number of accounts done.

        Returns:
            What was checked, and every problem found, each naming account and entry.
        """
        found = Verification.empty()
        wanted = dict(anchors or {})
        for done, account_id in enumerate(self._all_ids(), 1):
            anchor = wanted.pop(account_id, None)
            with self.storage.snapshot() as reader:
                found = found.plus(verify_account(reader, self.merchant.id, account_id, anchor))
            if progress is not None:
                progress(done)
        return found.missing(sorted(wanted))

    def heads(self) -> dict[str, Anchor]:
        """Return, for every account, its version and the digest of its last entry (A14)."""
        found: dict[str, Anchor] = {}
        for account_id in self._all_ids():
            with self.storage.snapshot() as reader:
                account = reader.account_by_id(self.merchant.id, account_id)
            if account is not None:
                found[account_id] = Anchor(account.version, account.head.hex())
        return found

    def rebuild(self, *, progress: Progress | None = None) -> int:
        """
        Replace the stored state of every account by what its journal leads to (S6).

        So is what the rows of the wallets say of mergers; names of holders stay as they are.

        Returns:
            The number of accounts.

        Raises:
            JournalBroken: A journal does not hold together; its account is left as it is.
        """
        done = 0
        for done, account_id in enumerate(self._all_ids(), 1):
            self._write(partial(self._rebuild, account_id))
            if progress is not None:
                progress(done)
        return done

    def pseudonymise(self, holder: str, pseudonym: str) -> None:
        """
        Replace the name of *holder* by *pseudonym*; no entry and no digest changes (A18).

        Claim codes that are reserved for *holder* are reserved for the pseudonym from now on, and
        refund cases of *holder* are the pseudonym's.

        The old name is forgotten, and means somebody new from now on. So a command that is
        repeated **under the old name** is not recognised, and is carried out a second time: the
        ledger would have to keep the name to know better. Wait with the pseudonym until nothing
        that was sent under the old name can be repeated any more, or replace the old name by the
        pseudonym in whatever is still waiting to be sent (A12).

        Raises:
            InvalidText: Either name, or it is that of the bearer of a claim code.
            InvalidTerms: *holder* is unknown, or the pseudonym is somebody else's.
        """
        require_registered("holder", require_text("holder", holder))
        require_registered("pseudonym", require_text("pseudonym", pseudonym))

        def work(tx: UnitOfWork) -> None:
            merchant = self.merchant.id
            wallet = tx.wallet(merchant, holder)
            if wallet is not None:
                # Nobody merges the holder, or counts for him, until he has the new name.
                tx.replace_wallet(wallet)
            taken = pseudonym != holder and (
                tx.wallet(merchant, pseudonym) is not None
                or has_cases(tx, merchant, pseudonym)
                or has_tallies(tx, merchant, pseudonym)
            )
            reserved = rename_reservations(tx, merchant, holder, pseudonym)
            cases = rename_cases(tx, merchant, holder, pseudonym)
            if wallet is None and not (reserved or cases):
                raise InvalidTerms("holder", holder, "a holder with an account")
            if taken:
                raise InvalidTerms("pseudonym", pseudonym, "a name that no holder has")
            if wallet is not None:
                tx.replace_wallet(attrs.evolve(wallet, holder=pseudonym))

        self._write(work)

    def erase(self, entry: EntryId | str, *, fields: Iterable[str] = PRIVATE_FIELDS) -> int:
        """
        Erase private fields of an entry: actor, note, data. The digest stays valid (A14).

        Returns:
            How many were there to be erased.

        Raises:
            InvalidTerms: Another field is named.
            UnknownEntry: This merchant has no such entry.
        """
        names = tuple(fields)
        for name in names:
            if name not in PRIVATE_FIELDS:
                raise InvalidTerms("fields", name, f"one of {', '.join(PRIVATE_FIELDS)}")
        account_id = self._account_of(entry, UnknownEntry)

        def work(tx: UnitOfWork) -> int:
            account = tx.account_by_id(self.merchant.id, account_id)
            found = None if account is None else tx.entry_by_id(account, EntryId(entry))
            if account is None or found is None:
                raise UnknownEntry(entry)
            return tx.erase(account, found.sequence, names)

        return self._write(work)

    def _all_ids(self) -> Iterator[AccountId]:
        """Yield every account of the merchant, a page at a time, each page as it is by then."""
        after = ""
        while True:
            with self.storage.snapshot() as reader:
                page = reader.account_ids(self.merchant.id, after=after, limit=_PAGE)
            if not page:
                return
            for _, account_id in page:
                yield account_id
            after = page[-1][1]

    def _rebuild(self, name: AccountId, tx: UnitOfWork) -> None:
        account = tx.account_by_id(self.merchant.id, name)
        if account is not None:
            fresh = Account.new(account.id, account.merchant, account.holder, account.unit)
            rebuilt = replay(fresh, tx.journal(account))
            tx.rebuild(rebuilt)
            wallet = tx.wallet_by_id(self.merchant.id, wallet_of(name))
            merged = None if rebuilt.merged_into is None else wallet_of(rebuilt.merged_into)
            if wallet is not None and wallet.merged_into != merged:
                tx.replace_wallet(attrs.evolve(wallet, merged_into=merged))

    def _sweep(
        self,
        command: Expire | Lapse,
        *,
        at: datetime | None,
        batch: int,
        progress: Progress | None,
    ) -> Sweep:
        require_batch(batch)
        when = self._instant(None if at is None else instant(at))
        swept, after = Sweep.empty(), ""
        broken: dict[AccountId, JournalBroken] = {}

        def work(tx: UnitOfWork) -> tuple[Sweep, str]:
            find = tx.due if command.kind is EntryKind.EXPIRE else tx.lapsed
            page = find(self.merchant.id, when, after=after, limit=batch)
            tx.lock(page)
            part = Sweep.empty()
            for name in page:
                if name in broken:
                    continue
                try:
                    account = tx.account_by_id(self.merchant.id, name)
                except JournalBroken as problem:
                    broken[name] = problem
                    continue
                if account is not None:
                    key = f"~{command.kind}:{account.version + 1}"
                    asked = Asked(command, key, NO_CONTEXT, {}, when)
                    try:
                        part = part.plus(self._do(tx, Loaded(account), asked))
                    except JournalBroken as problem:
                        broken[name] = problem
                        raise
            return part, page[-1] if page else ""

        while True:
            known = len(broken)
            try:
                part, last = self._write(work)
            except JournalBroken:
                if len(broken) == known:
                    raise
                # A part of a change may have gone in: the batch was undone, and is done again
                # without that account.
                continue
            if not last:
                for problem in broken.values():
                    raise problem
                return swept
            swept, after = swept.joined(part), last
            if progress is not None:
                progress(swept.accounts)
