"""Accepting goods that come back, in pieces: what of a decision is carried out (P5, V5)."""

from collections.abc import Mapping
from typing import final

import attrs

from storecredit.errors import AcceptsTooMuch, InvalidReturn
from storecredit.policies import LineOffer, RefundDecision, ReturnLine
from storecredit.refunds.facts import require_pieces
from storecredit.tenders import LineKind
from storecredit.values import Balance, Money


@final
@attrs.frozen
class Fraction:
    """How much of a line is accepted: so many parts of so many."""

    parts: int
    of: int

    def share(self, amount: Money) -> Money:
        """Return the accepted part of *amount*, by largest remainder, halves up (V5)."""
        if self.parts == self.of:
            return amount
        return amount.allocate([self.parts, self.of - self.parts])[0]

    def share_down(self, amount: Money) -> Money:
        """Return the accepted part of *amount*, rounded down: for a bonus (P2)."""
        return Money.of_minor(amount.minor * self.parts // self.of, amount.unit)


def goods_to_return(decision: RefundDecision) -> tuple[ReturnLine, ...]:
    """Return the lines whose goods have to come back; what is no goods has nothing to send."""
    back = frozenset(decision.goods)
    return tuple(line for line in decision.request.lines if line.id in back)


def require_accepted(
    decision: RefundDecision,
    pieces: Mapping[str, int] | None,
    *,
    before: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """
    Return how many pieces of each line an inspection accepts.

    Args:
        decision: What was asked.

        pieces: By line; None accepts all. Every line whose goods come back is named; of the
            others, those that do not simply follow the goods.

        before: What an earlier inspection accepted: a later one never accepts more.

    Raises:
        InvalidReturn: A line is missing, or has nothing to inspect.
        InvalidTerms: A number that cannot be.
        AcceptsTooMuch: More than comes back, or than was accepted before.
    """
    goods = {line.id for line in goods_to_return(decision)}
    if pieces is None:
        return {line: (before or _all(decision))[line] for line in sorted(goods)}
    offered = {line.line for line in decision.offer.lines}
    seen = offered - {line.id for line in _goods(decision) if line.id not in goods}
    found: dict[str, int] = {}
    for line, count in pieces.items():
        if line not in seen:
            known = ", ".join(sorted(seen)) or "none"
            raise InvalidReturn("accepted line", line, f"one that comes back: {known}")
        found[line] = require_pieces(f"accepted {line}", count)
        most = decision.request.line(line).pieces
        if before is not None and line in before:
            most = before[line]
        if count > most:
            raise AcceptsTooMuch(decision.request.id, line, count, most)
    if missing := sorted({*goods, *(before or ())} - found.keys()):
        raise InvalidReturn("accepted", sorted(found), f"with line {', '.join(missing)}, too")
    return dict(sorted(found.items()))


def _all(decision: RefundDecision) -> dict[str, int]:
    return {line.id: line.pieces for line in decision.request.lines}


def fractions(decision: RefundDecision, accepted: Mapping[str, int] | None) -> dict[str, Fraction]:
    """
    Return how much of each line is accepted; None accepts all.

    What is kept is whole. What is no goods follows the goods unless it is named: tax in
    proportion to what was paid for them, anything else whole, as long as any goods are accepted.
    """
    back = {line.id for line in goods_to_return(decision)}
    named = _all(decision) if accepted is None else accepted
    goods = _goods(decision)
    pieces = {line.id: line.pieces if line.id not in back else named[line.id] for line in goods}
    paid = _paid_for(decision, goods)
    taken = sum(paid[line.id] * pieces[line.id] for line in goods)
    whole = sum(paid[line.id] * line.pieces for line in goods)
    found: dict[str, Fraction] = {}
    for each in decision.offer.lines:
        line = decision.request.line(each.line)
        if line.id in named:
            found[line.id] = Fraction(named[line.id], line.pieces)
        elif line.id in pieces or not goods:
            found[line.id] = Fraction(1, 1)
        elif line.kind is LineKind.TAX:
            found[line.id] = Fraction(taken, whole)
        else:
            found[line.id] = Fraction(1 if any(pieces.values()) else 0, 1)
    return found


def _goods(decision: RefundDecision) -> tuple[ReturnLine, ...]:
    """Return the lines that are goods, whether they come back or are kept."""
    lines = [decision.request.line(line.line) for line in decision.offer.lines]
    return tuple(line for line in lines if line.kind is LineKind.GOODS)


def _paid_for(decision: RefundDecision, goods: tuple[ReturnLine, ...]) -> dict[str, int]:
    """
    Return weights of one piece of each line: what was paid for it, in one whole number.

    All lines count alike where nothing was paid for any of them in the currency of the request.
    """
    unit = decision.request.unit
    minor = {line.id: line.external.minor + line.restored[unit].minor for line in goods}
    if not any(minor.values()):
        minor = {line.id: line.pieces for line in goods}
    scale = 1
    for line in goods:
        scale *= line.pieces
    # What a piece costs is a fraction of its line: the same multiple of each is a whole number.
    return {line.id: minor[line.id] * scale // line.pieces for line in goods}


def carried_out(decision: RefundDecision, accepted: Mapping[str, int] | None) -> RefundDecision:
    """
    Return *decision* with the amounts of what is accepted.

    Each amount of a line is divided by pieces, exactly: what is accepted and what is not sum to
    the decision. Lines of which nothing is accepted stay, with nothing; accepting less never gives
    more.
    """
    if accepted is None:
        return decision
    shares = fractions(decision, accepted)
    lines = tuple(
        _carried_out(line, decision.request.line(line.line), shares[line.line])
        for line in decision.offer.lines
    )
    return attrs.evolve(decision, offer=attrs.evolve(decision.offer, lines=lines))


def _carried_out(line: LineOffer, asked: ReturnLine, share: Fraction) -> LineOffer:
    if share.parts == share.of:
        return line
    unit = line.fee.unit
    tenders, credit, exchange = map(share.share, (line.tenders, line.credit, line.exchange))
    restored = Balance.of(*(share.share(amount) for amount in line.restored))
    # What was paid for the pieces, less all that goes back of it: never below nothing.
    paid = share.share(asked.external) + share.share(asked.restored[unit])
    return attrs.evolve(
        line,
        tenders=tenders,
        credit=credit,
        bonus=share.share_down(line.bonus),
        exchange=exchange,
        fee=paid - tenders - credit - exchange - restored[unit],
        restored=restored,
    )


def gives_nothing(decision: RefundDecision) -> bool:
    """Tell whether nothing at all is refunded by *decision*."""
    offer = decision.offer
    amounts = (offer.tenders, offer.credit, offer.bonus, offer.exchange)
    return all(amount.is_zero for amount in amounts) and offer.restored.is_zero
