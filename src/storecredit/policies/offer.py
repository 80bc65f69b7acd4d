"""An offer: what becomes of each line, with exact amounts (P2)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import final

import attrs

from storecredit.policies.limits import Limit, LimitOn, LimitPer, Over, Tally
from storecredit.policies.line_terms import LineTerms
from storecredit.policies.rule import Bonus, GoodsBack, OfferKind
from storecredit.values import Balance, Money, Period


@final
@attrs.frozen(kw_only=True)
class LineOffer:
    """
    What becomes of one line, in the currency of the request.

    What external tenders paid is what goes to them, to credit and to the exchange, and their part
    of the fee.
    """

    line: str
    kind: OfferKind
    tenders: Money
    """What goes back to the external tenders that paid."""
    credit: Money
    """What becomes credit, in their place: the refunded part."""
    bonus: Money
    """The line's share of the bonus: promotional credit on top."""
    exchange: Money
    """
    What pays for other goods, of what external tenders paid. What credit paid is restored first and
    may pay again, or else it would come out of a later return as money (A7).
    """
    fee: Money
    """What is kept of the line, of what external tenders and credit paid together."""
    restored: Balance
    """What goes back to the lots that paid, by unit."""
    expires: Period | None = None
    """How long the refunded part lives."""
    bonus_expires: Period | None = None
    goods: GoodsBack = GoodsBack.RETURN


@final
@attrs.frozen(kw_only=True)
class Offer:
    """
    One way to answer the whole request: each line that anything is offered for, once.

    Lines that cannot go the way of the offer go the first way that the rules leave them.
    """

    kind: OfferKind
    lines: tuple[LineOffer, ...]
    consent: tuple[str, ...]
    """The rules and rights by which credit needs the customer's consent; empty where none does."""
    approval: tuple[str, ...]
    """The rules and limits by which somebody else has to approve."""
    cut: tuple[str, ...]
    """The limits that took something of the bonus."""
    instant: bool
    """Whether the credit may be given before the goods are back."""

    @property
    def tenders(self) -> Money:
        """What goes back to external tenders."""
        return _sum([line.tenders for line in self.lines])

    @property
    def credit(self) -> Money:
        """What becomes credit, without the bonus."""
        return _sum([line.credit for line in self.lines])

    @property
    def bonus(self) -> Money:
        """The bonus."""
        return _sum([line.bonus for line in self.lines])

    @property
    def exchange(self) -> Money:
        """What pays for other goods."""
        return _sum([line.exchange for line in self.lines])

    @property
    def fee(self) -> Money:
        """What is kept."""
        return _sum([line.fee for line in self.lines])

    @property
    def restored(self) -> Balance:
        """What goes back to the lots that paid, by unit."""
        return Balance.of(*[amount for line in self.lines for amount in line.restored])

    @property
    def counted(self) -> Mapping[LimitOn, Money]:
        """What each kind of limit counts of it, in the currency of the request."""
        unit = self.credit.unit
        credit = self.credit + self.bonus
        return {
            LimitOn.REFUND: self.tenders + credit + self.restored[unit],
            LimitOn.CREDIT: credit,
            LimitOn.BONUS: self.bonus,
        }


def _sum(amounts: Sequence[Money]) -> Money:
    return amounts[0] if len(amounts) == 1 else Money.total(amounts, amounts[0].unit)


@final
@attrs.frozen(kw_only=True)
class Standing:
    """What limits say before the request: which are in force, and what is left of them."""

    limits: tuple[Limit, ...] = ()
    tallies: Mapping[str, Tally] = attrs.field(factory=dict)
    agent: str | None = None
    holder: str | None = None

    def left(self, limit: Limit) -> tuple[Money | None, int | None]:
        """Return the amount and the number that are left; None where there is no end."""
        tally = self.tallies.get(limit.id)
        if tally is None:
            return limit.amount, limit.count
        amount = limit.amount
        if amount is not None and tally.amount is not None:
            amount = max(amount - tally.amount, amount - amount)
        count = None if limit.count is None else max(limit.count - tally.count, 0)
        return amount, count

    def in_force(self, on: LimitOn, over: Over) -> list[Limit]:
        """Return the limits of that kind that bind whoever is here."""
        known = {LimitPer.AGENT: self.agent, LimitPer.HOLDER: self.holder}
        return [
            limit
            for limit in self.limits
            if limit.on is on and limit.over is over and known[limit.per] is not None
        ]

    @property
    def binds_agents(self) -> bool:
        """Whether some limit depends on who decides."""
        return any(limit.per is LimitPer.AGENT for limit in self.limits)

    def is_over(self, limit: Limit, amount: Money) -> bool:
        """Tell whether *amount* more goes over the limit; nothing never does."""
        if amount.is_zero:
            return False
        left, count = self.left(limit)
        if count == 0:
            return True
        return left is not None and left.unit == amount.unit and amount > left


def assemble(
    kind: OfferKind, chosen: Iterable[tuple[LineTerms, OfferKind]], standing: Standing
) -> Offer:
    """Compute the offer that treats each line as *chosen*."""
    pairs = list(chosen)
    plain = [_line_offer(terms, way) for terms, way in pairs]
    lines, cut = _with_bonus(pairs, plain, standing)
    consents = [
        terms.consent
        for terms, way in pairs
        if way is OfferKind.CREDIT and terms.consent and terms.line.external.is_positive
    ]
    approvals = [terms.approval for terms, _ in pairs if terms.approval]
    of_credit = [terms.instant for terms, way in pairs if way is OfferKind.CREDIT]
    offer = Offer(
        kind=kind,
        lines=tuple(lines),
        consent=tuple(dict.fromkeys(consents)),
        approval=tuple(dict.fromkeys(approvals)),
        cut=cut,
        instant=bool(of_credit) and all(of_credit),
    )
    if not standing.limits:
        return offer
    over = [
        limit.id
        for on, amount in offer.counted.items()
        for limit in standing.in_force(on, Over.APPROVE)
        if standing.is_over(limit, amount)
    ]
    return attrs.evolve(offer, approval=tuple(dict.fromkeys([*offer.approval, *over])))


def _line_offer(terms: LineTerms, kind: OfferKind) -> LineOffer:
    line = terms.line
    unit = line.external.unit
    none, rest, restored = Money.zero(unit), line.external, line.restored
    fee = none
    if terms.fee is not None and kind in terms.fee.on and not _is_free(terms, kind):
        fee = terms.fee.of(_together(rest, restored))
        of_external = min(fee, rest)
        rest -= of_external
        if fee > of_external:
            restored -= fee - of_external
    of_credit = kind is OfferKind.CREDIT
    return LineOffer(
        line=line.id,
        kind=kind,
        tenders=rest if kind is OfferKind.MONEY else none,
        credit=rest if of_credit else none,
        bonus=none,
        exchange=rest if kind is OfferKind.EXCHANGE else none,
        fee=fee,
        restored=restored,
        expires=terms.credit.expires if of_credit else None,
        bonus_expires=(terms.credit.bonus_expires or terms.credit.expires) if of_credit else None,
        goods=terms.goods,
    )


def _together(external: Money, restored: Balance) -> Money:
    """Return what external tenders and credit paid, in the currency of the request."""
    return external + restored[external.unit] if restored.amounts else external


def _is_free(terms: LineTerms, kind: OfferKind) -> bool:
    return terms.free_money and kind is OfferKind.MONEY


def _with_bonus(
    pairs: Sequence[tuple[LineTerms, OfferKind]], lines: list[LineOffer], standing: Standing
) -> tuple[list[LineOffer], tuple[str, ...]]:
    """Add the bonus of each rule to its lines, in proportion to what becomes credit (V5)."""
    rules: dict[str, tuple[Bonus, list[int]]] = {}
    for place, (terms, _) in enumerate(pairs):
        if terms.bonus is not None and lines[place].credit.is_positive:
            rules.setdefault(str(terms.bonus_rule), (terms.bonus, []))[1].append(place)
    if not rules:
        return lines, ()
    unit = lines[0].credit.unit
    given = {
        rule: bonus.on(Money.total([lines[place].credit for place in places], unit))
        for rule, (bonus, places) in rules.items()
    }
    whole = Money.total(list(given.values()), unit)
    left, cut = _lowered(whole, standing)
    amounts = list(given.values())
    if left < whole:
        amounts = list(left.allocate([amount.minor for amount in amounts]))
    found = list(lines)
    for (_, places), amount in zip(rules.values(), amounts, strict=True):
        if amount.is_positive:
            shares = amount.allocate([lines[place].credit.minor for place in places])
            for place, share in zip(places, shares, strict=True):
                found[place] = attrs.evolve(lines[place], bonus=share)
    return found, cut


def _lowered(whole: Money, standing: Standing) -> tuple[Money, tuple[str, ...]]:
    """Return what limits leave of the bonus, and which of them took something."""
    found = whole
    cut: list[str] = []
    for limit in standing.in_force(LimitOn.BONUS, Over.CUT):
        left, count = standing.left(limit)
        if count == 0 and found.is_positive:
            found, cut = whole - whole, [*cut, limit.id]
        elif left is not None and left.unit == found.unit and left < found:
            found, cut = left, [*cut, limit.id]
    for limit in standing.in_force(LimitOn.BONUS, Over.REFUSE):
        if standing.is_over(limit, found):
            found, cut = whole - whole, [*cut, limit.id]
    return found, tuple(cut)
