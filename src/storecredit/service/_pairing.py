"""Pairing: what the verbs on two accounts share. Both sides are decided, then both appended (A17)."""

from collections.abc import Callable
from datetime import datetime

import attrs

from storecredit.errors import InvalidTerms, UnitMismatch, UnknownEntry
from storecredit.ledger import (
    NO_NAMES,
    Account,
    AccountId,
    Change,
    Command,
    ConvertIn,
    ConvertOut,
    Entry,
    LotId,
    Names,
    TransferIn,
    TransferOut,
    as_rate,
    check_repeat,
    far_key,
    parcels_of,
    request_of,
    require_text,
    wallet_of,
)
from storecredit.service._door import Asked, Door, Loaded
from storecredit.service.receipts import TransferReceipt
from storecredit.storage.protocols import Reader, UnitOfWork
from storecredit.values import ExchangeRate, Money, Rounding, Unit


@attrs.define(eq=False)
class Pair:
    """Two accounts, what leaves the near one, and what therefore arrives at the far one."""

    near: Loaded
    far: Loaded
    leaving: Command
    arriving: Callable[[Change], Command]
    """The command on the far side, made from the change on the near side."""


def rate_for(money: Money, rate: ExchangeRate) -> ExchangeRate:
    """
    Return *rate* if it converts what *money* is counted in.

    Raises:
        ArgumentRefused: It is no rate.
        UnitMismatch: The amount is not in the rate's source unit.
    """
    rate = as_rate(rate)
    if rate.source != money.unit:
        raise UnitMismatch("use one rate for", money.unit, rate.source)
    return rate


class Pairing(Door):
    """Which two accounts a transfer or conversion is about, and how a pair is carried out."""

    # Two accounts

    def _transfer_pair(
        self,
        tx: Reader,
        sender: str,
        receiver: str,
        money: Money,
        *,
        lot: LotId | str | None,
        key: str,
    ) -> Pair:
        require_text("sender", sender)
        require_text("receiver", receiver)
        named = None if lot is None else LotId(lot)
        names = NO_NAMES if named is None else Names(lots=(named,))
        near = self._load(tx, sender, money.unit, key, names)
        far = near if receiver == sender else self._load_far(tx, receiver, money.unit)
        own = tx.wallet(self.merchant.id, receiver)
        found_by = wallet_of(far.account.id) if own is None else own.id
        return Pair(
            near,
            far,
            TransferOut(amount=money, receiver=found_by, to=far.account.id, lot=named),
            lambda sent: TransferIn(
                sent=sent.entry.id, parcels=parcels_of(sent), sender=near.account.id
            ),
        )

    def _conversion_pair(
        self,
        tx: Reader,
        holder: str,
        money: Money,
        rate: ExchangeRate,
        *,
        rounding: Rounding,
        key: str,
    ) -> Pair:
        near = self._load(tx, holder, money.unit, key)
        far = self._load_far(tx, holder, rate.target)
        leaving = ConvertOut(amount=money, rate=rate, rounding=rounding, to=far.account.id)
        return Pair(
            near,
            attrs.evolve(far, opens=None),
            leaving,
            lambda sent: ConvertIn(
                sent=sent.entry.id,
                parcels=parcels_of(sent),
                conversion=leaving.conversion,
                rounding=rounding,
            ),
        )

    def _load_far(self, tx: Reader, holder: str, unit: Unit) -> Loaded:
        """Load the account that value goes to; the key names nothing there, so none is looked up."""
        far = self._load(tx, holder, unit, key="")
        return attrs.evolve(far, repeated=None)

    def _by_id(self, tx: Reader, name: AccountId, names: Names = NO_NAMES) -> Account:
        account = tx.account_by_id(self.merchant.id, name, names=names)
        if account is None:
            raise UnknownEntry(name)
        return account

    # Carrying a pair out

    def _both(self, tx: UnitOfWork, pair: Pair, asked: Asked) -> TransferReceipt:
        """Answer a repeat, or decide both sides and append both."""
        near, far = pair.near, pair.far
        if near.repeated is not None:
            return self._again(tx, near.account, near.repeated, asked)
        sent, received = self._decide_both(pair, asked, self._instant(asked.at))
        for wallet in {each.opens for each in (near, far) if each.opens is not None}:
            tx.add_wallet(wallet)
        changes = [change for change in (sent, received) if change is not None]
        for change in sorted(changes, key=lambda change: change.entry.account):
            tx.append(change)
        return TransferReceipt(
            self._receipt(near.account, sent.entry),
            self._receipt(far.account, None if received is None else received.entry),
        )

    def _decide_both(self, pair: Pair, asked: Asked, at: datetime) -> tuple[Change, Change | None]:
        near, far = pair.near.account, pair.far.account
        if near.id == far.id:
            raise InvalidTerms("the two accounts", near.id, "different")
        sent = self._decide(near, asked, at)
        if sent is None:
            raise InvalidTerms("the account", near.id, "one with something to move")
        command = pair.arriving(sent)
        arriving = attrs.evolve(
            asked,
            command=command,
            key=far_key(sent.entry),
            request=request_of(command),
        )
        # Not the clock's instant: that may lie before the sending entry (A13).
        return sent, self._decide(far, arriving, sent.entry.at)

    def _again(
        self, tx: UnitOfWork, near: Account, repeated: Entry, asked: Asked
    ) -> TransferReceipt:
        check_repeat(repeated, asked.command, asked.request, asked.context)
        far = self._by_id(tx, AccountId(repeated.facts["to"]))
        return TransferReceipt(
            self._receipt(near, repeated, replayed=True),
            self._receipt(far, tx.entry_by_key(far, far_key(repeated)), replayed=True),
        )
