"""Value that arrives from another account: the far side of transfers, conversions and merges (A17)."""

from fractions import Fraction
from typing import ClassVar, final

import attrs

from storecredit.ledger.account import AccountStatus
from storecredit.ledger.ceilings import require_room
from storecredit.ledger.command import NO_NAMES, Names
from storecredit.ledger.draft import MOST, Change, Draft
from storecredit.ledger.entry import Entry, EntryKind
from storecredit.ledger.ids import AccountId, EntryId, LotId
from storecredit.ledger.leaving import conversion_facts
from storecredit.ledger.move import What
from storecredit.ledger.terms import Paid, Terms
from storecredit.values import Conversion, Division, Money, Rounding, allocate, require_issuable


@final
@attrs.frozen
class Parcel:
    """One lot's part of what arrives: its amount, its terms, and the lot it comes from."""

    amount: int
    terms: Terms
    origin: LotId


def parcels_of(change: Change) -> tuple[Parcel, ...]:
    """Return what a sending change gives away, lot by lot."""
    terms = {lot.id: lot.terms for lot in change.lots}
    return tuple(
        Parcel(move.amount, terms[move.lot], move.lot)
        for move in change.entry.moves
        if move.what is What.TRANSFERRED_OUT and move.lot is not None
    )


@final
@attrs.frozen(kw_only=True)
class TransferIn:
    """The receiving side of a transfer: new lots with the old terms."""

    kind: ClassVar[EntryKind] = EntryKind.TRANSFER_IN

    sent: EntryId
    """The entry on the sending side."""
    parcels: tuple[Parcel, ...] = attrs.field(eq=False)
    sender: AccountId = attrs.field(eq=False)

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Create the lots; let them settle what is owed first (A9).

        Raises:
            AccountFrozen, AccountClosed: Nothing may come in.
            CeilingReached: The account would hold more than the merchant allows.
            AmountOutOfRange: The account would hold more than can be counted.
        """
        draft.require_status(AccountStatus.OPEN)
        require_room(draft, sum(parcel.amount for parcel in self.parcels))
        _arrive(draft, self.parcels)
        draft.fact("from", self.sender)


@final
@attrs.frozen(kw_only=True)
class ConvertIn:
    """The receiving side of a conversion: each lot's part in the other unit (V3, V5)."""

    kind: ClassVar[EntryKind] = EntryKind.CONVERT_IN

    sent: EntryId
    parcels: tuple[Parcel, ...] = attrs.field(eq=False)
    conversion: Conversion = attrs.field(eq=False)
    rounding: Rounding = attrs.field(eq=False)

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Create the lots; let them settle what is owed first (A9).

        Raises:
            AccountFrozen, AccountClosed: Nothing may come in.
            UnitWithdrawn: ISO has withdrawn the currency (V4).
            CeilingReached: The account would hold more than the merchant allows.
        """
        draft.require_status(AccountStatus.OPEN)
        require_issuable(draft.account.unit)
        result = self.conversion.result
        require_room(draft, result.minor)
        weights = [parcel.amount for parcel in self.parcels]
        parts = allocate(result, weights, by=Division.LARGEST_REMAINDER)
        _arrive(
            draft,
            tuple(
                attrs.evolve(parcel, amount=part.minor, terms=_priced(parcel, part))
                for parcel, part in zip(self.parcels, parts, strict=True)
                if part.minor
            ),
        )
        for name, value in conversion_facts(self.conversion, self.rounding).items():
            draft.fact(name, value)


@final
@attrs.frozen(kw_only=True)
class MergeIn:
    """The survivor of a merge takes over every lot and all that is owed (A17)."""

    kind: ClassVar[EntryKind] = EntryKind.MERGE_IN

    sent: EntryId
    parcels: tuple[Parcel, ...] = attrs.field(eq=False)
    owed: int = attrs.field(eq=False)
    sender: AccountId = attrs.field(eq=False)

    @property
    def names(self) -> Names:
        """Nothing beyond what is open."""
        return NO_NAMES

    def decide(self, draft: Draft) -> None:
        """
        Create the lots and take over the debt; value that is live settles it first (A9).

        Raises:
            AccountFrozen, AccountClosed: Nothing may come in.
        """
        draft.require_status(AccountStatus.OPEN)
        if self.owed:
            draft.add(What.OWED_INCURRED, self.owed, None)
        _arrive(draft, self.parcels)
        draft.fact("from", self.sender)


def far_key(sent: Entry) -> str:
    """Return the key that the far side of *sent* is recorded under: the library's own (A1)."""
    return f"~from:{sent.id}"


def _arrive(draft: Draft, parcels: tuple[Parcel, ...]) -> None:
    made = [
        draft.create(What.TRANSFERRED_IN, each.amount, each.terms, origin=each.origin)
        for each in parcels
    ]
    draft.settle_from(zip(made, (each.amount for each in parcels), strict=True))


def _priced(parcel: Parcel, part: Money) -> Terms:
    """
    Return the parcel's terms with what was paid for it restated in the new unit.

    The price is exact while both its numbers fit 64 bits in lowest terms; beyond that it is the
    nearest fraction that fits. Prices are told, and never paid out by themselves.
    """
    paid = parcel.terms.paid
    if paid is None:
        return parcel.terms
    price = Fraction(paid.money.minor * parcel.amount, paid.face * part.minor)
    price = price.limit_denominator(max(MOST // (int(price) + 1), 1))
    restated = Paid(Money.of_minor(price.numerator, paid.money.unit), price.denominator)
    return attrs.evolve(parcel.terms, paid=restated)
