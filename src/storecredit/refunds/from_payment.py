"""The lines of a return from the record of the payment: what was paid, never prices of today (P6)."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, final

import attrs

from storecredit.errors import InvalidReturn, QuantityExceedsRest, ReturnOutdated
from storecredit.ledger import Funding
from storecredit.policies import LineOffer, OfferKind, RefundDecision, ReturnLine
from storecredit.refunds.accepting import Fraction
from storecredit.refunds.facts import LineShare
from storecredit.refunds.order import Taken
from storecredit.refunds.sharing import is_credit, of_accepted
from storecredit.tenders import (
    Destination,
    LineKind,
    LineQuantity,
    Payment,
    PlanPart,
    RefundPart,
    RefundPlan,
    Return,
    TenderKind,
)
from storecredit.values import Balance, Currency, Money, Unit

CASE_KEYS: Final = "case/"
"""What the keys of refunds begin with that cases ask of a payment."""


def refund_key_of(case: str) -> str:
    """Return the key under which the refund of *case* is known to payments and processors."""
    return f"{CASE_KEYS}{case}"


def lines_from(
    payment: Payment,
    pieces: Mapping[str, int],
    *,
    taken: Iterable[Taken] = (),
    unit: Unit | None = None,
) -> tuple[ReturnLine, ...]:
    """
    Return lines for a return request, with what *payment* says was paid for the pieces (P6).

    Each tender's part of a line is divided over what it still has by largest remainder: never
    more than was paid, exact at the end, over any number of returns (V5). Reason, condition and
    final sale are for the host to add.

    Args:
        payment: What was paid, and what went back so far.

        pieces: How many of which line come back.

        taken: What refund cases have taken of the order, from its record.

        unit: The currency of the request; None for that of the external tenders.

    Raises:
        UnknownOrderLine: The payment has no such line.
        InvalidReturn: No lines, no possible number of pieces, a bought gift card, or external
            tenders that paid in another currency.
        QuantityExceedsRest: More pieces than are left.
    """
    shares = shares_of(payment, pieces, taken=taken)
    found = _currency(payment, shares) if unit is None else unit
    return tuple(
        _line(payment, line, count, [each for each in shares if each.line == line], found)
        for line, count in pieces.items()
    )


def shares_of(
    payment: Payment, pieces: Mapping[str, int], *, taken: Iterable[Taken] = ()
) -> tuple[LineShare, ...]:
    """
    Return what each tender, and of credit each lot, paid for these pieces, as `lines_from` does.

    Raises:
        As `lines_from`.
    """
    if not isinstance(pieces, Mapping):
        raise InvalidReturn("pieces", pieces, "pieces by line")
    rest = _Rest(payment, tuple(taken))
    found = list[LineShare]()
    for name, count in pieces.items():
        line = payment.line(name)
        if line.kind is LineKind.GIFT_CARD:
            raise InvalidReturn("line", name, "no gift card: Checkout.refund() closes the card")
        if type(count) is not int or count < 1:
            raise InvalidReturn(f"pieces of {name}", count, "a whole number from 1 up")
        left = rest.pieces(name)
        if count > left:
            raise QuantityExceedsRest(name, count, line.quantity, line.quantity - left)
        found += _of_line(payment, rest, name, Fraction(count, left))
    return tuple(found)


def _of_line(payment: Payment, rest: "_Rest", line: str, pieces: Fraction) -> list[LineShare]:
    """
    Return what each tender paid of the pieces, less what came back.

    The pieces are so much of what is left of the line, and that is spread over what is left of
    what each tender paid (V5).
    """
    found = list[LineShare]()
    for of_unit in rest.parts_of(line):
        left = [covers for _, covers in map(rest.left, of_unit)]
        whole = pieces.share(Money.total(left, left[0].unit))
        shares = (
            [whole] * len(left)
            if whole.is_zero
            else whole.allocate([covers.minor for covers in left])
        )
        for paid, share in zip(of_unit, shares, strict=True):
            part, is_reduction = paid
            is_at_rate = part.amount.unit != part.covers.unit
            amount = pieces.share(rest.left(paid)[0]) if is_at_rate else share
            if amount.is_positive or share.is_positive:
                found.append(
                    LineShare(
                        line=line,
                        tender=part.tender,
                        lot=part.lot,
                        amount=amount,
                        covers=share,
                        funding=part.funding,
                        kind=payment.tender(part.tender).kind,
                        is_reduction=is_reduction,
                    )
                )
    return found


def check_lines(
    decision: RefundDecision, payment: Payment, *, taken: Iterable[Taken] = ()
) -> tuple[LineShare, ...]:
    """
    Require that a decision is about what *payment* says, and return what each tender paid.

    Raises:
        As `lines_from`.
        ReturnOutdated: A line comes back with other amounts.
    """
    asked = decision.request
    pieces = {line.id: line.pieces for line in asked.lines}
    shares = shares_of(payment, pieces, taken=taken)
    for line in asked.lines:
        of_line = [each for each in shares if each.line == line.id]
        due = _line(payment, line.id, line.pieces, of_line, asked.unit)
        if (line.external, line.restored) != (due.external, due.restored):
            given = Balance.of(line.external) + line.restored
            raise ReturnOutdated(
                payment.order, line.id, given, Balance.of(due.external) + due.restored
            )
    return shares


def check_still_left(
    shares: Iterable[LineShare], payment: Payment, *, taken: Iterable[Taken] = ()
) -> None:
    """
    Require that what was paid for the pieces of a case that is looked at again is still there.

    Raises:
        ReturnOutdated: Others have returned some of it meanwhile.
    """
    rest = _Rest(payment, tuple(taken))
    for share in shares:
        for paid in (each for of_unit in rest.parts_of(share.line) for each in of_unit):
            amount, covers = rest.left(paid)
            if _is_of(paid, share) and (share.amount > amount or share.covers > covers):
                raise ReturnOutdated(
                    payment.order, share.line, Balance.of(share.amount), Balance.of(amount)
                )


def with_reserved(payment: Payment, taken: Iterable[Taken]) -> Payment:
    """
    Return *payment* as if what open cases have taken were returned already (P5).

    What any other refund may give back is what is left of that. Cases that have returned something
    are known by it, and reserve nothing any more.
    """
    done = {returned.id for returned in payment.returns}
    reserved = [each for each in taken if refund_key_of(each.case) not in done]
    returns = tuple(
        Return(
            id=refund_key_of(each.case),
            parts=tuple(
                part
                for share in each.shares
                for part in _part(share, share.amount, share.covers, Destination.TENDER)
            ),
            quantities=(LineQuantity(each.line, each.pieces),),
        )
        for each in reserved
    )
    return attrs.evolve(payment, returns=(*payment.returns, *returns)) if returns else payment


def reserving(payment: Payment, taken: Iterable[Taken]) -> tuple[str, ...]:
    """Return the open cases that `with_reserved` counts, each once."""
    done = {returned.id for returned in payment.returns}
    return tuple(dict.fromkeys(each.case for each in taken if refund_key_of(each.case) not in done))


def refund_plan_of(
    decision: RefundDecision,
    payment: Payment,
    shares: Iterable[LineShare],
    accepted: Mapping[str, Fraction],
) -> RefundPlan:
    """
    Plan how a decision goes back over the tenders that paid (T6).

    Args:
        decision: With the amounts that are carried out: those of what is accepted.

        payment: What was paid.

        shares: What each tender paid of all pieces of the decision.

        accepted: How much of each line is accepted.
    """
    parts = list[RefundPart]()
    quantities = list[LineQuantity]()
    of_lines: dict[str, list[LineShare]] = {line.line: [] for line in decision.offer.lines}
    for each in shares:
        if each.line in of_lines:
            of_lines[each.line].append(each)
    for line in decision.offer.lines:
        share = accepted[line.line]
        parts += _parts(line, of_accepted(of_lines[line.line], share))
        count = decision.request.line(line.line).pieces * share.parts // share.of
        if count:
            quantities.append(LineQuantity(line.line, count))
    return RefundPlan(
        order=payment.order,
        merchant=payment.merchant,
        parts=tuple(parts),
        quantities=tuple(quantities),
    )


def _parts(line: LineOffer, shares: tuple[LineShare, ...]) -> list[RefundPart]:
    """Return what goes back of one line, by tender and lot; no part is above what it had paid."""
    found = list[RefundPart]()
    external = [each for each in shares if each.kind is TenderKind.EXTERNAL]
    money = line.credit if line.kind is OfferKind.CREDIT else line.tenders
    if money.is_positive:
        to = Destination.CREDIT if line.kind is OfferKind.CREDIT else Destination.TENDER
        amounts = money.allocate([each.covers.minor for each in external])
        for each, amount in zip(external, amounts, strict=True):
            found += _part(each, amount, amount, to)
    for restored in line.restored:
        lots = [each for each in shares if is_credit(each) and each.amount.unit == restored.unit]
        amounts = restored.allocate([each.amount.minor for each in lots])
        for each, amount in zip(lots, amounts, strict=True):
            is_at_rate = each.covers.unit != each.amount.unit
            covers = each.covers if is_at_rate else amount
            found += _part(each, amount, covers, Destination.TENDER)
    for each in shares:
        if each.is_reduction or each.kind is TenderKind.COUPON:
            found += _part(each, each.amount, each.covers, Destination.TENDER)
    return found


def _part(share: LineShare, amount: Money, covers: Money, to: Destination) -> list[RefundPart]:
    if amount.is_zero and covers.is_zero:
        return []
    funding = share.funding
    if to is Destination.CREDIT and funding is None:
        funding = Funding.REFUND
    return [
        RefundPart(
            tender=share.tender,
            line=share.line,
            lot=share.lot,
            amount=amount,
            covers=covers,
            to=to,
            funding=funding,
            is_reduction=share.is_reduction,
        )
    ]


def _line(
    payment: Payment, name: str, pieces: int, shares: list[LineShare], unit: Unit
) -> ReturnLine:
    """Return the line of a request; what lowered its price is no payment, and comes back anyway."""
    external = [each.covers for each in shares if each.kind is TenderKind.EXTERNAL]
    for amount in external:
        if amount.unit != unit:
            raise InvalidReturn(f"line {name}", amount, f"paid in {unit.code}: ask once for each")
    line = payment.line(name)
    return ReturnLine(
        id=name,
        external=Money.total(external, unit),
        restored=Balance.of(*(each.amount for each in shares if is_credit(each))),
        kind=line.kind,
        pieces=pieces,
        category=line.category,
    )


def _currency(payment: Payment, shares: tuple[LineShare, ...]) -> Unit:
    """Return the currency of what external tenders paid; of the order where they paid nothing."""
    external = [each.covers.unit for each in shares if each.kind is TenderKind.EXTERNAL]
    units = [*external, *(part.covers.unit for part in payment.parts)]
    for unit in units:
        if isinstance(unit, Currency):
            return unit
    raise InvalidReturn("unit", None, "named: nothing of the order was paid in a currency")


class _Paid(NamedTuple):
    """What one tender paid of a line, or how it lowered the price."""

    part: PlanPart
    is_reduction: bool


def _is_of(paid: _Paid, share: LineShare) -> bool:
    part, is_reduction = paid
    of_part = (part.tender, part.lot, part.covers.unit, is_reduction)
    return of_part == (share.tender, share.lot, share.covers.unit, share.is_reduction)


_Key = tuple[str, str, str | None, Unit, bool]


@final
class _Rest:
    """
    What no refund case has taken yet, and no other refund has returned.

    A case takes whole pieces, with the fee that is kept of them: what a later case gets of the
    others is not larger for it.
    """

    def __init__(self, payment: Payment, taken: tuple[Taken, ...]) -> None:
        self._payment: Final = payment
        self._pieces: Final = {line.id: line.quantity for line in payment.lines}
        self._gone: Final[dict[_Key, tuple[int, int]]] = {}
        for each in taken:
            self._pieces[each.line] = self._pieces.get(each.line, 0) - each.pieces
            for share in each.shares:
                self._take(share)
        for returned in payment.returns:
            if returned.id.startswith(CASE_KEYS):
                continue
            for quantity in returned.quantities:
                self._pieces[quantity.line] -= quantity.quantity
            for part in returned.parts:
                if returned.counts(part):
                    self._take(part)

    def pieces(self, line: str) -> int:
        """Return how many pieces are left."""
        return max(self._pieces[line], 0)

    def parts_of(self, line: str) -> list[list["_Paid"]]:
        """Return what paid the line, unit by unit, and then what lowered its price."""
        found: dict[tuple[bool, Unit], list[_Paid]] = {}
        for parts, is_reduction in (
            (self._payment.parts, False),
            (self._payment.reductions, True),
        ):
            for part in parts:
                if part.line == line:
                    paid = _Paid(part, is_reduction)
                    found.setdefault((is_reduction, part.covers.unit), []).append(paid)
        return list(found.values())

    def left(self, paid: "_Paid") -> tuple[Money, Money]:
        """Return what is left of it, in the unit of its tender and in the one that was due."""
        part, is_reduction = paid
        key = (part.tender, part.line, part.lot, part.covers.unit, is_reduction)
        amount, covers = self._gone.get(key, (0, 0))
        return (
            Money.of_minor(max(part.amount.minor - amount, 0), part.amount.unit),
            Money.of_minor(max(part.covers.minor - covers, 0), part.covers.unit),
        )

    def _take(self, part: RefundPart | LineShare) -> None:
        key = (part.tender, part.line, part.lot, part.covers.unit, part.is_reduction)
        amount, covers = self._gone.get(key, (0, 0))
        self._gone[key] = (amount + part.amount.minor, covers + part.covers.minor)
