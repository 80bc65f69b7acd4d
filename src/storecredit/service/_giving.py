"""The verbs that give value: issue, restore, reinstate."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Unpack, final

import attrs

from storecredit.errors import UnknownEntry, UnknownLot
from storecredit.ledger import (
    Account,
    AccountId,
    EntryId,
    ExpiredRestore,
    Expiry,
    Funding,
    Issue,
    Limits,
    Lot,
    LotId,
    Reinstate,
    Restore,
    require_text,
)
from storecredit.service._door import Asked, Door, Loaded, require_batch
from storecredit.service.about import About
from storecredit.service.receipts import Receipt
from storecredit.storage.protocols import UnitOfWork
from storecredit.values import AnyMoney, Money, Period, Unit


@final
@attrs.frozen(kw_only=True)
class Grant:
    """One issue among many: the arguments of `StoreCredit.issue` as data."""

    holder: str
    amount: AnyMoney
    funding: Funding | str
    key: str
    expires: Expiry = None
    effective: Period | datetime | None = None
    priority: int = 0
    limits: Limits | None = None
    paid: AnyMoney | None = None
    about: About = attrs.field(factory=About)


class Giving(Door):
    """Issue, restore, reinstate."""

    def issue(
        self,
        holder: str,
        amount: AnyMoney,
        *,
        funding: Funding | str,
        key: str,
        expires: Expiry = None,
        effective: Period | datetime | None = None,
        priority: int = 0,
        limits: Limits | None = None,
        paid: AnyMoney | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """
        Give *holder* a new lot of value.

        Args:
            holder: Whom the value is for; the account is opened if there is none.

            amount: Positive. Its unit decides the account.

            funding: Who paid for it (A11).

            key: Names this request; repeating it is safe (A12).

            expires: After a period, at the end of a day, at an instant, or never.

            effective: From when it counts; a period counts from now.

            priority: Lower is used earlier.

            limits: Where it may be used; None for everywhere.

            paid: What the holder paid, for bought value.

            about: When, who, why and for what: see `About`.

        Returns:
            The receipt; its ``lot_id`` is the new lot, ``settled`` what went to a debt, and
            ``withheld`` what a ceiling kept back.

        Raises:
            InvalidKey, InvalidText: The key, the holder or another text.
            KeyReused: The key names another request.
            CodeClaimed: The holder is the bearer of a code that was claimed (A15).
            FutureInstant: ``at`` is ahead of the clock.
            AccountFrozen, AccountClosed: The account takes nothing in.
            AmountNotPositive: Zero or less.
            UnitWithdrawn: ISO has withdrawn the currency.
            InvalidTerms, ExpiryTooEarly, CeilingReached: The terms, or the merchant's rules.
            ConflictError: The storage; repeat with the same key.
        """
        command = self._issue(
            Grant(
                holder=holder,
                amount=amount,
                funding=funding,
                key=key,
                expires=expires,
                effective=effective,
                priority=priority,
                limits=limits,
                paid=paid,
            )
        )
        return self._run(holder, command.amount.unit, command, key, about)

    def issue_many(self, grants: Iterable[Grant]) -> tuple[Receipt, ...]:
        """
        Give many lots, all of them or none, in one transaction.

        Each grant has its own key; grants that were made before are answered again.

        Raises:
            As `issue`, for the first grant that is refused; nothing of the batch is kept.
        """
        return self._write_all(list(grants))

    def issue_each(self, grants: Iterable[Grant], *, batch: int = 500) -> Iterator[Receipt]:
        """
        Give many lots in transactions of *batch* each, for streams that fit no single one.

        A stream that breaks off can be run again from its start: what was given is answered
        again, not given twice.

        Raises:
            InvalidTerms: *batch* is no whole number from 1 up.
            As `issue`; the batches before the refused one are kept.
        """
        require_batch(batch)
        waiting: list[Grant] = []
        for grant in grants:
            waiting.append(grant)
            if len(waiting) >= batch:
                yield from self._write_all(waiting)
                waiting = []
        yield from self._write_all(waiting)

    def restore(
        self,
        redemption: EntryId | str,
        *,
        key: str,
        amount: AnyMoney | None = None,
        expired: ExpiredRestore | str | None = None,
        **about: Unpack[About],
    ) -> Receipt:
        """
        Give redeemed value back because the order was refunded (A7).

        Last drawn, first restored, into the lots it came from while they live; the funding is
        kept, so promotional value comes back as promotional.

        Args:
            redemption: The entry that redeemed or captured: ``receipt.entry_id``.

            amount: Positive, at most what is not restored yet; None for all of that.

            key: Names this request.

            expired: What to do where a lot has expired meanwhile; None for the merchant's rule.

            about: See `About`.

        Raises:
            InvalidKey, InvalidText: The key or another text.
            UnknownEntry: This merchant has no such entry.
            KeyReused: The key names another request.
            AccountFrozen, AccountClosed: The account takes nothing in.
            NotARedemption: The entry spent nothing.
            UnitMismatch, AmountNotPositive: The amount.
            RestoreExceedsRedemption: More than it took, less what was restored.
        """
        entry_id = EntryId(redemption)
        command = Restore(
            redemption=entry_id,
            amount=None if amount is None else self._money(amount),
            expired=expired,
        )
        asked = self._ask(command, key, about)
        self._account_of(redemption, UnknownEntry)
        return self._write(lambda tx: self._restore_in(tx, command, asked))

    def reinstate(
        self,
        lot: LotId | str,
        *,
        key: str,
        amount: AnyMoney | None = None,
        expires: Expiry = None,
        **about: Unpack[About],
    ) -> Receipt:
        """
        Bring back value that expired or was revoked, by a new decision (A10).

        Args:
            lot: The lot it was in.

            amount: Positive; None for all that expired or was revoked.

            key: Names this request.

            expires: The new expiry; None keeps the lot's own, if that lies ahead.

            about: See `About`; actor and reason are required.

        Raises:
            InvalidKey, InvalidText, UnknownLot, KeyReused, FutureInstant: The request.
            ReasonAndActorRequired, AccountFrozen, AccountClosed, LotClosed, LotNotExpired,
            UnitMismatch, AmountNotPositive, LotExhausted, ExpiryTooEarly: As `Reinstate`.
        """
        command = Reinstate(
            lot=LotId(lot),
            amount=None if amount is None else self._money(amount),
            expires=expires,
        )
        return self._run_by_id(lot, UnknownLot, command, key, about)

    def _issue(self, grant: Grant) -> Issue:
        return Issue(
            amount=self._money(grant.amount),
            funding=grant.funding,
            expires=grant.expires,
            effective=grant.effective,
            priority=grant.priority,
            limits=grant.limits,
            paid=None if grant.paid is None else self._money(grant.paid),
        )

    def _write_all(self, grants: list[Grant]) -> tuple[Receipt, ...]:
        asked: list[tuple[str, Unit, Asked]] = []
        for grant in grants:
            command = self._issue(grant)
            about = About(**grant.about)
            holder = require_text("holder", grant.holder)
            asked.append((holder, command.amount.unit, self._ask(command, grant.key, about)))

        def work(tx: UnitOfWork) -> tuple[Receipt, ...]:
            return tuple(
                self._do(tx, self._load_for(tx, holder, unit, each), each)
                for holder, unit, each in asked
            )

        return self._write(work) if asked else ()

    def _restore_in(self, tx: UnitOfWork, command: Restore, asked: Asked) -> Receipt:
        """Carry out a restore in a transaction that may do more than that."""
        origin, target, named = self._loaded_restore(tx, command)
        repeated = self._repeated_on_the_way(tx, origin, asked.key)
        return self._do(tx, repeated or Loaded(target), attrs.evolve(asked, command=named))

    def _require_restorable(self, tx: UnitOfWork, redemption: EntryId, amount: Money) -> None:
        """
        Require that a restore of *amount* would find as much of *redemption* left now.

        Raises:
            UnknownEntry: This merchant has no such entry.
            NotARedemption: The entry spent nothing.
            RestoreExceedsRedemption: More than it took, less what was restored.
        """
        _, target, named = self._loaded_restore(tx, Restore(redemption=redemption))
        named.require_left(target, amount)

    def _loaded_restore(self, tx: UnitOfWork, command: Restore) -> tuple[Account, Account, Restore]:
        """Return the account that redeemed, the one its value goes to by now, and all it needs."""
        redemption = command.redemption
        origin_id = self._account_of(redemption, UnknownEntry)
        origin = tx.account_by_id(self.merchant.id, origin_id)
        entry = None if origin is None else tx.entry_by_id(origin, redemption)
        if origin is None or entry is None:
            raise UnknownEntry(redemption)
        named = attrs.evolve(command, entry=entry)
        survivor = self._survivor(tx, origin)
        if survivor is not origin:
            named = self._with_what_was_merged(tx, named, origin_id)
        target = tx.account_by_id(self.merchant.id, survivor.id, names=named.names) or survivor
        return origin, target, named

    def _with_what_was_merged(self, tx: UnitOfWork, command: Restore, origin: AccountId) -> Restore:
        """Add what the merged accounts know: the lots, and what each has given back (A7, A17)."""
        earlier: Counter[int] = Counter()
        lots: tuple[Lot, ...] = ()
        account = tx.account_by_id(self.merchant.id, origin, names=command.names)
        while account is not None and account.merged_into is not None:
            lots = lots or tuple(account.lots.values())
            earlier.update(account.restored.get(command.redemption, {}))
            account = tx.account_by_id(self.merchant.id, account.merged_into, names=command.names)
        return attrs.evolve(command, lots=lots, earlier=earlier)

    def _repeated_on_the_way(self, tx: UnitOfWork, account: Account, key: str) -> Loaded | None:
        """Look *key* up in *account* and in whatever it was merged into."""
        while True:
            found = tx.entry_by_key(account, key)
            if found is not None:
                return Loaded(account, found)
            if account.merged_into is None:
                return None
            into = tx.account_by_id(self.merchant.id, account.merged_into)
            if into is None:
                return None
            account = into
