"""The verbs that touch two accounts: transfer, its reversal, convert, merge (A17)."""

from typing import Unpack

import attrs

from storecredit.claims import require_registered
from storecredit.errors import (
    InvalidTerms,
    NotATransfer,
    NothingToReverse,
    TransferAlreadyReversed,
    UnknownEntry,
)
from storecredit.ledger import (
    NO_NAMES,
    Account,
    AccountId,
    Entry,
    EntryId,
    EntryKind,
    LotId,
    MergeIn,
    MergeOut,
    Names,
    Parts,
    ReverseIn,
    ReverseOut,
    What,
    account_id,
    as_rounding,
    carriers,
    check_repeat,
    far_key,
    made_by,
    parcels_of,
    parts_of,
    require_key,
    require_text,
    reversal_parcels,
    unit_of,
    wallet_of,
)
from storecredit.service._door import Asked, Loaded
from storecredit.service._pairing import Pair, Pairing, rate_for
from storecredit.service._tally_records import follow_merger, has_tallies
from storecredit.service.about import About
from storecredit.service.receipts import TransferReceipt
from storecredit.storage.protocols import Reader, UnitOfWork, Wallet
from storecredit.values import AnyMoney, ExchangeRate, Rounding, Unit


class Moving(Pairing):
    """Transfer, reverse a transfer, convert, merge holders."""

    def transfer(
        self,
        sender: str,
        receiver: str,
        amount: AnyMoney,
        *,
        key: str,
        lot: LotId | str | None = None,
        **about: Unpack[About],
    ) -> TransferReceipt:
        """
        Move value from one holder to another of the same merchant; funding and terms are kept.

        Args:
            sender: Whose value.

            receiver: Who gets it; the account is opened if there is none.

            amount: Positive.

            key: Names this request, in the sender's account.

            lot: Only from this lot of the sender.

            about: See `About`; both entries carry it.

        Raises:
            InvalidKey, InvalidText, KeyReused, FutureInstant: The request.
            CodeClaimed: Either is the bearer of a code that was claimed (A15).
            InvalidTerms: Both are the same account.
            AccountFrozen, AccountClosed: Of the sender.
            UnitMismatch, AmountNotPositive, UnknownLot, InsufficientCredit: As `TransferOut`.
            AccountFrozen, AccountClosed: Of the receiver.
            CeilingReached, AmountOutOfRange: The receiver would hold too much (A11).
        """
        require_key(key)
        money = self._money(amount)
        require_text("sender", sender)
        require_text("receiver", receiver)

        def work(tx: UnitOfWork) -> TransferReceipt:
            self._lock(tx, money.unit, sender, receiver)
            pair = self._transfer_pair(tx, sender, receiver, money, lot=lot, key=key)
            return self._both(tx, pair, self._ask(pair.leaving, key, About(**about)))

        return self._write(work)

    def reverse_transfer(
        self, transfer: EntryId | str, *, key: str, **about: Unpack[About]
    ) -> TransferReceipt:
        """
        Take a whole transfer back, once, by a new linked pair of entries.

        The lots that the transfer created give back what it brought them, all or nothing; where
        a restore has put a part of it into a new lot since, that lot does. After mergers the
        value comes from the receiver's survivor, out of the lots that carry it on, and goes to
        the sender's survivor (A17).

        Args:
            transfer: The sending entry: ``receipt.entry_id``.

            key: Names this request, in the account that gives the value back.

            about: See `About`; both entries carry it.

        Raises:
            InvalidKey: The key.
            UnknownEntry, NotATransfer: The entry.
            InvalidText, KeyReused: The request.
            TransferAlreadyReversed: It was reversed before, by whatever name.
            NothingToReverse: Mergers have made both sides one account.
            FutureInstant: ``at`` is ahead of the clock.
            AccountFrozen, AccountClosed: Of the receiver.
            InsufficientCredit: The receiver has spent or reserved a part, or it has expired.
            AccountFrozen, AccountClosed: Of the sender.
        """
        require_key(key)
        origin_id = self._account_of(transfer, UnknownEntry)

        def work(tx: UnitOfWork) -> TransferReceipt:
            sent, received = self._sides_of(tx, origin_id, EntryId(transfer))
            ends = [self._on_the_way(tx, side.account)[-1] for side in (sent, received)]
            tx.lock(sorted({end.id for end in ends}))
            way_back = self._on_the_way(tx, received.account)
            way_home = self._on_the_way(tx, sent.account, Names(redemptions=(sent.id,)))
            near, far = way_back[-1], way_home[-1]
            parts = self._parts(tx, sent, received, near)
            leaving = ReverseOut(transfer=sent.id, to=far.id, parts=parts)
            asked = self._ask(leaving, key, About(**about))
            repeated = self._repeated(tx, way_back, asked.key)
            if repeated is not None:
                return self._again(tx, *repeated, asked)
            if any(account.restored.get(sent.id) for account in way_home):
                raise TransferAlreadyReversed(transfer)
            if near.id == far.id:
                raise NothingToReverse(transfer, near.holder)
            pair = Pair(
                Loaded(near),
                Loaded(far),
                leaving,
                lambda back: ReverseIn(
                    sent=back.entry.id,
                    reverses=sent.id,
                    parcels=reversal_parcels(parts, back),
                    sender=near.id,
                ),
            )
            return self._both(tx, pair, asked)

        return self._write(work)

    def convert(
        self,
        holder: str,
        amount: AnyMoney,
        rate: ExchangeRate,
        *,
        rounding: Rounding | str,
        key: str,
        **about: Unpack[About],
    ) -> TransferReceipt:
        """
        Turn value of *holder* into another unit at an explicit rate (V3).

        Each lot's part keeps its funding and expiry; the parts share the result by largest
        remainder. What rounding leaves over is recorded in both entries.

        Args:
            holder: Whose value.

            amount: Positive, in the rate's source unit.

            rate: Explicit, with its date.

            rounding: Named; there is no default.

            key: Names this request, in the account that gives.

            about: See `About`; both entries carry it.

        Raises:
            InvalidText, InvalidTerms, ArgumentRefused: The holder, the rounding, the rate.
            UnitMismatch: The amount is not in the rate's source unit.
            InvalidKey, KeyReused, FutureInstant: The request.
            AccountFrozen, AccountClosed: Of the account that gives.
            AmountNotPositive, UnitWithdrawn, RoundingNecessary, ConvertsToNothing,
            AmountOutOfRange, InsufficientCredit: As `ConvertOut`.
            AccountFrozen, AccountClosed, UnitWithdrawn: Of the account that takes.
            CeilingReached, AmountOutOfRange: It would hold too much (A11).
        """
        money = self._money(amount)
        require_text("holder", holder)
        named, rate = as_rounding(rounding), rate_for(money, rate)
        require_key(key)

        def work(tx: UnitOfWork) -> TransferReceipt:
            wallet = tx.wallet(self.merchant.id, holder)
            if wallet is not None:
                survivor = self._surviving(tx, wallet).id
                units = (rate.source.code, rate.target.code)
                tx.lock(sorted(account_id(survivor, code) for code in units))
            pair = self._conversion_pair(tx, holder, money, rate, rounding=named, key=key)
            return self._both(tx, pair, self._ask(pair.leaving, key, About(**about)))

        return self._write(work)

    def merge(
        self, holder: str, into: str, *, key: str, **about: Unpack[About]
    ) -> tuple[TransferReceipt, ...]:
        """
        Let holder *into* take over everything of *holder*, for good.

        Every lot and all that is owed moves, and what limits and ceilings of policies have counted
        (P3, P4); the accounts of *holder* close. From then on
        commands on *holder* go to the survivor, and so do restores of what *holder* redeemed;
        keys that *holder* used before are still answered.

        Returns:
            A receipt for each account that was moved. An unknown holder has none; where no limit
            has counted anything for him either, nothing is remembered of the merger: merge again
            once something was issued.

        Raises:
            InvalidKey, InvalidText: The request.
            InvalidText: Either is the bearer of a claim code: `claim` moves its value.
            InvalidTerms: Both are the same holder.
            KeyReused: The key names another request.
            InvalidTerms: *holder* was merged elsewhere before.
            AccountMerged: *holder* was merged into the same survivor under another key.
            FutureInstant: ``at`` is ahead of the clock.
            AccountFrozen: An account of *holder* is frozen.
            HoldsActive: A hold is active.
            AccountFrozen, AccountClosed: Of the survivor.
        """
        require_key(key)
        require_registered("holder", require_text("holder", holder))
        require_registered("into", require_text("into", into))
        if holder == into:
            raise InvalidTerms("into", into, "another holder")

        def work(tx: UnitOfWork) -> tuple[TransferReceipt, ...]:
            source = tx.wallet(self.merchant.id, holder)
            if source is None:
                if not has_tallies(tx, self.merchant.id, holder):
                    return ()
                # Nothing but money was ever refunded to him: what limits have counted moves on.
                source = self._new_wallet(holder)
                tx.add_wallet(source)
            else:
                # Nobody opens an account of his, renames or merges him meanwhile.
                tx.replace_wallet(source)
            found_by = tx.wallet(self.merchant.id, into)
            opens = found_by is None
            found_by = found_by or self._new_wallet(into)
            receipts = []
            accounts = tx.accounts_of(self.merchant.id, source.id)
            for account in accounts:
                again = self._ask(MergeOut(into=found_by.id, to=account.id), key, About(**about))
                first = tx.entry_by_key(account, again.key)
                if first is not None:
                    check_repeat(first, again.command, again.request, again.context)
            target = self._target(tx, source, found_by)
            if not opens:
                tx.replace_wallet(target)
            names = [account_id(target.id, account.unit.code) for account in accounts]
            tx.lock(sorted([*names, *(account.id for account in accounts)]))
            if opens:
                tx.add_wallet(target)
            for account, name in zip(accounts, names, strict=True):
                asked = self._ask(MergeOut(into=found_by.id, to=name), key, About(**about))
                receipts.append(self._merge_account(tx, account.id, name, asked))
            if source.merged_into is None:
                tx.replace_wallet(attrs.evolve(source, merged_into=target.id))
                follow_merger(tx, self.merchant.id, source, target)
            return tuple(receipts)

        return self._write(work)

    # What they look up

    def _sides_of(
        self, tx: UnitOfWork, origin_id: AccountId, transfer: EntryId
    ) -> tuple[Entry, Entry]:
        """Return the sending and the receiving entry of *transfer*."""
        origin = tx.account_by_id(self.merchant.id, origin_id)
        sent = None if origin is None else tx.entry_by_id(origin, transfer)
        if sent is None:
            raise UnknownEntry(transfer)
        if sent.kind is not EntryKind.TRANSFER_OUT:
            raise NotATransfer(transfer, sent.kind)
        there = self._by_id(tx, AccountId(sent.facts["to"]))
        received = tx.entry_by_key(there, far_key(sent))
        if received is None:
            raise NotATransfer(transfer, sent.kind)
        return sent, received

    def _on_the_way(self, tx: Reader, name: AccountId, names: Names = NO_NAMES) -> list[Account]:
        """Return the account, the one that it was merged into, the one that that was, ..."""
        found = [self._by_id(tx, name, names)]
        while (into := found[-1].merged_into) is not None:
            found.append(self._next_on_the_way(tx, found[-1], into, names))
        return found

    def _repeated(
        self, tx: Reader, accounts: list[Account], key: str
    ) -> tuple[Account, Entry] | None:
        """Look *key* up in each account on the way: what was done before a merger is answered."""
        for account in accounts:
            entry = tx.entry_by_key(account, key)
            if entry is not None:
                return account, entry
        return None

    def _parts(self, tx: Reader, sent: Entry, received: Entry, now: Account) -> Parts:
        """
        Return what a transfer brought, and which open lots of *now* carry it on.

        Origins are followed back through the accounts that are *now* or were merged into it.
        What the receiver has sent to others carries nothing on while they are others.
        """
        made, his = made_by(received), {now.id: True}
        origins = {str(lot.id): lot.origin for lot in now.lots.values()}
        while True:
            unknown: dict[AccountId, list[LotId]] = {}
            for origin in {origin for origin in origins.values() if origin is not None}:
                if origin in origins or origin in made:
                    continue
                account = AccountId(origin.rpartition(".")[0])
                if account not in his:
                    his[account] = self._leads_to(tx, account, now)
                if his[account]:
                    unknown.setdefault(account, []).append(LotId(origin))
            if not unknown:
                return parts_of(sent, received, carriers(now.lots.values(), origins, made))
            for account, lots in unknown.items():
                rows = self._by_id(tx, account, Names(lots=tuple(sorted(lots)))).lots
                origins |= {lot: rows[lot].origin if lot in rows else None for lot in lots}

    def _leads_to(self, tx: Reader, account: AccountId, now: Account) -> bool:
        """Tell whether the wallet of *account* was merged into that of *now*, in the same unit."""
        wallet = tx.wallet_by_id(self.merchant.id, wallet_of(account))
        if wallet is None:
            return False
        return account_id(self._surviving(tx, wallet).id, unit_of(account)) == now.id

    def _lock(self, tx: UnitOfWork, unit: Unit, *holders: str) -> None:
        names = []
        for holder in holders:
            wallet = tx.wallet(self.merchant.id, holder)
            if wallet is not None:
                names.append(account_id(self._surviving(tx, wallet).id, unit.code))
        tx.lock(sorted(set(names)))

    def _target(self, tx: UnitOfWork, source: Wallet, into: Wallet) -> Wallet:
        """Return the wallet that takes *source* over: that of *into*, or its own survivor."""
        wallet = self._surviving(tx, into)
        before = self._surviving(tx, source)
        if wallet.id == source.id or before.id not in {source.id, wallet.id}:
            expected = "another holder, and the one merged into before"
            raise InvalidTerms("into", into.holder, expected)
        return wallet

    def _merge_account(
        self, tx: UnitOfWork, source: AccountId, target: AccountId, asked: Asked
    ) -> TransferReceipt:
        near = self._by_id(tx, source)
        repeated = tx.entry_by_key(near, asked.key)
        if repeated is not None:
            return self._again(tx, near, repeated, asked)
        far = tx.account_by_id(self.merchant.id, target)
        if far is None:
            wallet = tx.wallet_by_id(self.merchant.id, wallet_of(target))
            holder = near.holder if wallet is None else wallet.holder
            far = Account.new(target, self.merchant.id, holder, near.unit)
        pair = Pair(
            Loaded(near),
            Loaded(far),
            asked.command,
            lambda sent: MergeIn(
                sent=sent.entry.id,
                parcels=parcels_of(sent),
                owed=sum(
                    move.amount for move in sent.entry.moves if move.what is What.OWED_REVERSED
                ),
                sender=near.id,
            ),
        )
        return self._both(tx, pair, asked)
