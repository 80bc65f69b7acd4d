"""The verbs that touch two accounts: transfer, its reversal, convert, merge (A17)."""

from collections.abc import Callable
from typing import Unpack

import attrs

from storecredit.errors import (
    InvalidTerms,
    NotATransfer,
    TransferAlreadyReversed,
    UnitMismatch,
    UnknownEntry,
)
from storecredit.ledger import (
    NO_NAMES,
    Account,
    AccountId,
    Change,
    Command,
    ConvertIn,
    ConvertOut,
    Entry,
    EntryId,
    EntryKind,
    LotId,
    MergeIn,
    MergeOut,
    Names,
    ReverseIn,
    ReverseOut,
    TransferIn,
    TransferOut,
    What,
    account_id,
    as_rate,
    as_rounding,
    check_repeat,
    far_key,
    parcels_of,
    request_of,
    require_key,
    require_text,
    reversal_parcels,
    wallet_of,
)
from storecredit.service._door import Asked, Door, Loaded
from storecredit.service.about import About
from storecredit.service.receipts import TransferReceipt
from storecredit.storage.protocols import UnitOfWork, Wallet
from storecredit.values import AnyMoney, ExchangeRate, Rounding, Unit


class Moving(Door):
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
            named = None if lot is None else LotId(lot)
            near = self._load(
                tx, sender, money.unit, key, Names(lots=() if named is None else (named,))
            )
            far = near if receiver == sender else self._load_far(tx, receiver, money.unit)
            own = tx.wallet(self.merchant.id, receiver)
            found_by = wallet_of(far.account.id) if own is None else own.id
            command = TransferOut(amount=money, receiver=found_by, to=far.account.id, lot=named)
            return self._both(
                tx,
                near,
                far,
                self._ask(command, key, About(**about)),
                lambda sent: TransferIn(
                    sent=sent.entry.id, parcels=parcels_of(sent), sender=near.account.id
                ),
            )

        return self._write(work)

    def reverse_transfer(
        self, transfer: EntryId | str, *, key: str, **about: Unpack[About]
    ) -> TransferReceipt:
        """
        Take a whole transfer back, once, by a new linked pair of entries.

        The lots that the transfer created give back what it brought them, all or nothing.

        Args:
            transfer: The sending entry: ``receipt.entry_id``.

            key: Names this request, in the account that gives the value back.

            about: See `About`; both entries carry it.

        Raises:
            InvalidKey: The key.
            UnknownEntry, NotATransfer: The entry.
            InvalidText, KeyReused: The request.
            TransferAlreadyReversed: It was reversed before.
            FutureInstant: ``at`` is ahead of the clock.
            AccountFrozen, AccountClosed: Of the receiver.
            InsufficientCredit: The receiver has spent or reserved a part.
            AccountFrozen, AccountClosed: Of the sender.
        """
        require_key(key)
        origin_id = self._account_of(transfer, UnknownEntry)

        def work(tx: UnitOfWork) -> TransferReceipt:
            sent, received = self._sides_of(tx, origin_id, EntryId(transfer))
            parts = tuple(
                (move.lot, move.amount)
                for move in received.moves
                if move.what is What.TRANSFERRED_IN and move.lot is not None
            )
            command = ReverseOut(transfer=sent.id, to=sent.account, parts=parts)
            asked = self._ask(command, key, About(**about))
            tx.lock(sorted((sent.account, received.account)))
            near = self._by_id(tx, received.account, command.names)
            far = self._by_id(tx, sent.account, Names(redemptions=(sent.id,)))
            repeated = tx.entry_by_key(near, asked.key)
            if repeated is None and far.restored.get(sent.id):
                raise TransferAlreadyReversed(transfer)
            return self._both(
                tx,
                Loaded(near, repeated),
                Loaded(far),
                asked,
                lambda back: ReverseIn(
                    sent=back.entry.id,
                    reverses=sent.id,
                    parcels=reversal_parcels(sent, received, back),
                    sender=near.id,
                ),
            )

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
        named_rounding, rate = as_rounding(rounding), as_rate(rate)
        if rate.source != money.unit:
            raise UnitMismatch("use one rate for", money.unit, rate.source)
        require_key(key)

        def work(tx: UnitOfWork) -> TransferReceipt:
            wallet = tx.wallet(self.merchant.id, holder)
            if wallet is not None:
                survivor = self._surviving(tx, wallet).id
                units = (rate.source.code, rate.target.code)
                tx.lock(sorted(account_id(survivor, code) for code in units))
            near = self._load(tx, holder, money.unit, key)
            far = self._load_far(tx, holder, rate.target)
            command = ConvertOut(
                amount=money, rate=rate, rounding=named_rounding, to=far.account.id
            )
            return self._both(
                tx,
                near,
                attrs.evolve(far, opens=None),
                self._ask(command, key, About(**about)),
                lambda sent: ConvertIn(
                    sent=sent.entry.id,
                    parcels=parcels_of(sent),
                    conversion=command.conversion,
                    rounding=named_rounding,
                ),
            )

        return self._write(work)

    def merge(
        self, holder: str, into: str, *, key: str, **about: Unpack[About]
    ) -> tuple[TransferReceipt, ...]:
        """
        Let holder *into* take over everything of *holder*, for good.

        Every lot and all that is owed moves; the accounts of *holder* close. From then on
        commands on *holder* go to the survivor, and so do restores of what *holder* redeemed;
        keys that *holder* used before are still answered.

        Returns:
            A receipt for each account that was moved. An unknown holder has none, and nothing is
            remembered of the merger: merge again once something was issued.

        Raises:
            InvalidKey, InvalidText: The request.
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
        require_text("holder", holder)
        require_text("into", into)
        if holder == into:
            raise InvalidTerms("into", into, "another holder")

        def work(tx: UnitOfWork) -> tuple[TransferReceipt, ...]:
            source = tx.wallet(self.merchant.id, holder)
            if source is None:
                return ()
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
            names = [account_id(target.id, account.unit.code) for account in accounts]
            tx.lock(sorted([*names, *(account.id for account in accounts)]))
            if opens:
                tx.add_wallet(target)
            for account, name in zip(accounts, names, strict=True):
                asked = self._ask(MergeOut(into=found_by.id, to=name), key, About(**about))
                receipts.append(self._merge_account(tx, account.id, name, asked))
            if source.merged_into is None:
                tx.replace_wallet(attrs.evolve(source, merged_into=target.id))
            return tuple(receipts)

        return self._write(work)

    # What the four share

    def _both(
        self,
        tx: UnitOfWork,
        near: Loaded,
        far: Loaded,
        asked: Asked,
        arrival: Callable[[Change], Command],
    ) -> TransferReceipt:
        """Answer a repeat, or decide both sides and append both."""
        if near.repeated is not None:
            return self._again(tx, near.account, near.repeated, asked)
        if near.account.id == far.account.id:
            raise InvalidTerms("the two accounts", near.account.id, "different")
        sent = self._decide(near.account, asked, self._instant(asked.at))
        if sent is None:
            raise InvalidTerms("the account", near.account.id, "one with something to move")
        command = arrival(sent)
        arriving = attrs.evolve(
            asked,
            command=command,
            key=far_key(sent.entry),
            request=request_of(command),
        )
        # Not the clock's instant: that may lie before the sending entry (A13).
        received = self._decide(far.account, arriving, sent.entry.at)
        for wallet in {each.opens for each in (near, far) if each.opens is not None}:
            tx.add_wallet(wallet)
        changes = [change for change in (sent, received) if change is not None]
        for change in sorted(changes, key=lambda change: change.entry.account):
            tx.append(change)
        return TransferReceipt(
            self._receipt(near.account, sent.entry),
            self._receipt(far.account, None if received is None else received.entry),
        )

    def _again(
        self, tx: UnitOfWork, near: Account, repeated: Entry, asked: Asked
    ) -> TransferReceipt:
        check_repeat(repeated, asked.command, asked.request, asked.context)
        far = self._by_id(tx, AccountId(repeated.facts["to"]))
        return TransferReceipt(
            self._receipt(near, repeated, replayed=True),
            self._receipt(far, tx.entry_by_key(far, far_key(repeated)), replayed=True),
        )

    def _load_far(self, tx: UnitOfWork, holder: str, unit: Unit) -> Loaded:
        """Load the account that value goes to; the key names nothing there, so none is looked up."""
        far = self._load(tx, holder, unit, key="")
        return attrs.evolve(far, repeated=None)

    def _by_id(self, tx: UnitOfWork, name: AccountId, names: Names = NO_NAMES) -> Account:
        account = tx.account_by_id(self.merchant.id, name, names=names)
        if account is None:
            raise UnknownEntry(name)
        return account

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
        return self._both(
            tx,
            Loaded(near),
            Loaded(far),
            asked,
            lambda sent: MergeIn(
                sent=sent.entry.id,
                parcels=parcels_of(sent),
                owed=sum(
                    move.amount for move in sent.entry.moves if move.what is What.OWED_REVERSED
                ),
                sender=near.id,
            ),
        )
