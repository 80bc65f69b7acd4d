"""Planning a payment: from an order, its tenders and their rules to a plan (T2 to T4)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from storecredit.errors import InvalidTender, TenderUnitUnused
from storecredit.ledger.arguments import one_of
from storecredit.ledger.rules import Merchant
from storecredit.ledger.terms import Funding, Line
from storecredit.tenders.assembling import assemble
from storecredit.tenders.case import World
from storecredit.tenders.choosing import choose_prices
from storecredit.tenders.order import Order
from storecredit.tenders.plan import PaymentPlan, PlanPart
from storecredit.tenders.purse import open_purse
from storecredit.tenders.rules import Aim, CreditRule, fundings
from storecredit.tenders.settling import settle
from storecredit.tenders.tender import AlreadyPaid, Coupon, Credit, External, Tender
from storecredit.values import Money, Unit, instant


def plan_payment(
    order: Order,
    tenders: Iterable[Tender] | Tender,
    *,
    merchant: Merchant,
    at: datetime,
    channel: str | None = None,
    prices: Mapping[str, int] | Aim | str | None = None,
    rules: Iterable[CreditRule] = (),
    as_discount: Iterable[Funding | str] = (),
    reductions: Iterable[PlanPart] = (),
    spender: str | None = None,
) -> PaymentPlan:
    """
    Plan how *order* is paid. Nothing happens: the plan is data, and a shortage is part of it.

    Discounts come first, then what was paid already, then lots that lower prices, then the tenders
    in order, then the external ones. No other placement of the lots covers more of the order;
    among those that cover as much, the order of use decides, lot by lot (T3).

    Args:
        order: What is to be paid. Its id names the holds that count as its own.

        tenders: What may pay, in the order of use; each with an id of its own.

        merchant: Whose order of use, channels and units apply.

        at: The instant that decides which lots count.

        channel: Where the sale happens (A16).

        prices: By line id, which price was chosen, from 0; or what the choice is to achieve; None
            for first prices.

        rules: What credit may pay, at most one rule for each unit of credit. Without a rule for
            its unit, credit may pay everything but gift cards.

        as_discount: The fundings whose lots lower prices instead of paying, because tax sees them
            as discounts (A11). They never pay tax lines.

        reductions: The price reductions of an earlier plan, once the host has recomputed tax on
            them: they stay as they are, and no others are placed (T4).

        spender: Who spends, where an account lists its people (A9).

    Raises:
        ArgumentRefused: Something is not what it has to be.
        NaiveInstant: *at* has no time zone.
        ChannelRequired, ChannelNotDeclared: The channel of the sale.
        UnitRedefined: A price is in a custom unit with other digits than the merchant declares.
        InvalidTender: Tenders or rules that cannot be, together or alone.
        TenderUnitUnused: A coupon or payment in a unit that no price names.
        UnknownOrderLine, UnknownPrice, InvalidTerms: The choice of prices.
        InvalidOrder: A discount's named division does not fit the lines.
    """
    now = instant(at)
    asked = one_of(Aim, "prices", prices) if isinstance(prices, str) else prices
    listed = _tenders(tenders, merchant)
    merchant.check_channel(channel)
    _check_units(order, listed, merchant)
    earlier = tuple(reductions)
    world = World(
        lines=order.lines,
        ledger_lines=_ledger_lines(order),
        tenders=listed,
        purses={
            place: open_purse(
                place, tender, order=order.id, merchant=merchant, at=now, spender=spender
            )
            for place, tender in enumerate(listed)
            if isinstance(tender, Credit)
        },
        rules=_rules(rules),
        channel=channel,
        as_discount=fundings(as_discount),
        reduced=_taken_by(earlier, listed),
        reductions_are_fixed=bool(earlier),
    )
    off = _off_lines(earlier, order)
    settled, choosing = choose_prices(
        order, asked, world, lambda chosen: settle(order, world, chosen, off)
    )
    return assemble(
        order,
        world,
        settled,
        earlier,
        merchant=merchant.id,
        at=now,
        choosing=choosing,
        aim=asked if isinstance(asked, Aim) else None,
    )


def _tenders(tenders: object, merchant: Merchant) -> tuple[Tender, ...]:
    found: tuple[Any, ...] = tuple(tenders) if isinstance(tenders, Iterable) else (tenders,)
    for tender in found:
        if not isinstance(tender, Credit | Coupon | AlreadyPaid | External):
            raise InvalidTender("tenders", tender, "Credit, Coupon, AlreadyPaid or External")
    ids = [tender.id for tender in found]
    if len(set(ids)) < len(ids):
        raise InvalidTender("tenders", ids, "tenders with an id of their own each")
    of_credit = [tender for tender in found if isinstance(tender, Credit)]
    accounts = [tender.account.id for tender in of_credit]
    if len(set(accounts)) < len(accounts):
        raise InvalidTender("tenders", accounts, "tenders with an account of their own each")
    rates = dict[Unit, object]()
    for tender in of_credit:
        if tender.account.merchant != merchant.id:
            raise InvalidTender("account.merchant", tender.account.merchant, merchant.id)
        unit = tender.account.unit
        if rates.setdefault(unit, tender.rate) != tender.rate:
            raise InvalidTender(f"rate of {tender.id}", tender.rate, f"the one rate of {unit.code}")
    return found


def _rules(rules: Iterable[CreditRule]) -> dict[Unit, CreditRule]:
    found = dict[Unit, CreditRule]()
    for rule in rules:
        if not isinstance(rule, CreditRule):
            raise InvalidTender("rules", rule, "a list of CreditRule")
        if rule.unit in found:
            raise InvalidTender("rules", rule.unit.code, "one rule for each unit")
        found[rule.unit] = rule
    return found


def _check_units(order: Order, tenders: tuple[Tender, ...], merchant: Merchant) -> None:
    units = dict.fromkeys(
        amount.unit for line in order.lines for price in line.prices for amount in price.amounts
    )
    for unit in units:
        merchant.unit(unit)
    for tender in tenders:
        if isinstance(tender, Coupon | AlreadyPaid) and tender.amount.unit not in units:
            codes = tuple(unit.code for unit in units)
            raise TenderUnitUnused(tender.id, tender.amount.unit.code, codes)


def _ledger_lines(order: Order) -> list[Line]:
    nothing = Money.zero("USD")  # limits look at the id and the category only
    return [Line(id=line.id, amount=nothing, category=line.category) for line in order.lines]


def _taken_by(
    reductions: tuple[PlanPart, ...], tenders: tuple[Tender, ...]
) -> dict[tuple[int, str], int]:
    """Return what earlier reductions took, by tender and lot."""
    places = {tender.id: place for place, tender in enumerate(tenders)}
    found = dict[tuple[int, str], int]()
    for part in reductions:
        place = places.get(part.tender)
        if place is None or not isinstance(tenders[place], Credit) or part.lot is None:
            raise InvalidTender("reductions", part.tender, "parts of lots of these tenders")
        key = (place, part.lot)
        found[key] = found.get(key, 0) + part.amount.minor
    return found


def _off_lines(reductions: tuple[PlanPart, ...], order: Order) -> dict[tuple[Unit, str], int]:
    """Return what earlier reductions take off, by unit and line."""
    found = dict[tuple[Unit, str], int]()
    for part in reductions:
        order.place(part.line)
        key = (part.covers.unit, part.line)
        found[key] = found.get(key, 0) + part.covers.minor
    return found
