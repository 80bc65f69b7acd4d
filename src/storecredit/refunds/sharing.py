"""What each tender had paid for the pieces that are accepted (V5)."""

from collections.abc import Callable, Iterable

import attrs

from storecredit.refunds.accepting import Fraction
from storecredit.refunds.facts import LineShare
from storecredit.tenders import TenderKind
from storecredit.values import Money, Unit

_Group = tuple[str, bool, Unit, Unit]


def of_accepted(shares: Iterable[LineShare], accepted: Fraction) -> tuple[LineShare, ...]:
    """
    Return what of *shares*, all of one line, was paid for the accepted part of it.

    What tenders of one group had paid together is divided, and then spread over them, so that
    their sum is the share of their sum: external tenders, accounts and codes by unit, coupons, and
    what had lowered the price.
    """
    groups: dict[_Group, list[LineShare]] = {}
    for share in shares:
        group = (_group(share), share.is_reduction, share.amount.unit, share.covers.unit)
        groups.setdefault(group, []).append(share)
    found = list[LineShare]()
    for group_shares in groups.values():
        amounts = _spread(group_shares, accepted, lambda share: share.amount)
        covers = _spread(group_shares, accepted, lambda share: share.covers)
        found += [
            attrs.evolve(share, amount=amount, covers=covered)
            for share, amount, covered in zip(group_shares, amounts, covers, strict=True)
        ]
    return tuple(found)


def is_credit(share: LineShare) -> bool:
    """Tell whether *share* was paid by an account, and goes back to it."""
    return not share.is_reduction and share.kind in (TenderKind.CREDIT, TenderKind.CODE)


def _group(share: LineShare) -> str:
    return TenderKind.CREDIT.value if is_credit(share) else share.kind.value


def _spread(
    shares: list[LineShare], accepted: Fraction, of: Callable[[LineShare], Money]
) -> tuple[Money, ...]:
    amounts = [of(share) for share in shares]
    whole = Money.total(amounts, amounts[0].unit)
    if whole.is_zero:
        return tuple(amounts)
    return accepted.share(whole).allocate([amount.minor for amount in amounts])
