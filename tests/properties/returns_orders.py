"""The orders of a story: paid by credit and a card, with a checkout or without."""

from __future__ import annotations

from functools import partial

from returns_book import UNITS, Bought, Case, Line, Purse, Spent, money
from returns_codes import Coding

from storecredit.service import StoreCredit
from storecredit.tenders import External, Order, OrderLine, Price
from storecredit.testing.tender_strategies import usd
from storecredit.values import Money


def charge(credit: StoreCredit, order: str, tender: str, key: str) -> Money:
    return credit.checkout(order).charge(tender, key=key)


def confirm(credit: StoreCredit, order: str, key: str) -> None:
    credit.checkout(order).settle_charge(key, "confirmed")


class Ordering(Coding):
    """Somebody buys something."""

    def buy(self) -> None:
        """An order that no checkout knows: credit pays a part of each piece, and a card the rest."""
        if self.is_enough():
            return
        purse = self.some_purse()
        lines: dict[str, Line] = {}
        for name in ("1", "2")[: self.draws.number(1, 2)]:
            pieces, card = self.draws.number(1, 4), self.draws.number(0, 30)
            each = {"USD": self.draws.number(0, 3), "PTS": self.draws.number(0, 1)}
            if not card + sum(each.values()):
                card = 1
            paid = {unit: pieces * part for unit, part in each.items()}
            lines[name] = Line(pieces, pieces * card, paid)
        spent: dict[str, Spent] = {}
        for unit in UNITS:
            total = sum(line.paid[unit] for line in lines.values())
            if self.closed_to(purse) or purse.last.free(self.now, unit) < total:
                for line in lines.values():
                    line.external += line.pieces * line.paid.pop(unit)
            elif total:
                spent[unit] = self.pay(purse, unit, total)
        for line in lines.values():
            line.paid = {unit: part for unit, part in line.paid.items() if part}
        self.orders.append(Bought(f"o-{len(self.orders)}", purse, lines, spent))
        self.seen["buy: done"] += 1

    def is_enough(self) -> bool:
        """Whether there is something to bring back of the last order: then seldom another."""
        if not self.orders or self.is_one_in(4):
            return False
        order = self.orders[-1]
        return any(self.left_of(order, line) for line in order.lines)

    def left_of(self, order: Bought, line: str, *, besides: Case | None = None) -> int:
        """How many pieces no other case has."""
        taken = [c.pieces_of(line) for c in self.cases if c.order is order and c is not besides]
        return order.lines[line].pieces - sum(taken)

    def pay(self, purse: Purse, unit: str, total: int) -> Spent:
        key = next(self.keys)
        receipt = self.attempt(
            "pay", lambda credit: credit.redeem(purse.name, money(unit, total), key=key)
        )
        return self.spend(purse.last, unit, total, receipt.entry_id)

    def check_out(self) -> None:
        """An order that a checkout has paid: credit first, then a card."""
        purse, key = self.some_purse(), next(self.keys)
        if self.closed_to(purse) or self.is_enough():
            return
        order = f"o-{len(self.orders)}"
        wanted = {
            name: (self.draws.number(1, 5), self.draws.number(1, 60))
            for name in ("1", "2")[: self.draws.number(1, 2)]
        }
        cart = Order(
            order,
            tuple(
                OrderLine(name, Price.of(usd(price)), quantity=pieces)
                for name, (pieces, price) in wanted.items()
            ),
        )
        plan = self.credit.plan_payment(
            cart, [self.credit.tender("credit", purse.name, "USD"), External("card")]
        )
        self.attempt(
            "begin_checkout", lambda credit: (credit.begin_checkout(plan, key=key), None)[1]
        )
        for due in self.credit.checkout(order).charges:
            name = f"{order} {due.tender}"
            self.attempt("charge", partial(charge, order=order, tender=due.tender, key=name))
            self.attempt("settle_charge", partial(confirm, order=order, key=name))
        self.attempt(
            "complete_checkout",
            lambda credit: (credit.checkout(order).complete(key=f"{key} paid"), None)[1],
        )
        lines = {name: Line(pieces, 0, {}) for name, (pieces, _) in wanted.items()}
        for part in self.credit.checkout(order).payment.parts:
            line = lines[part.line]
            if part.tender == "card":
                line.external += part.amount.minor
            else:
                line.paid["USD"] = line.paid.get("USD", 0) + part.amount.minor
        for name, (_, price) in wanted.items():
            assert lines[name].external + lines[name].paid.get("USD", 0) == price
        total = sum(line.paid.get("USD", 0) for line in lines.values())
        due_in_all = sum(price for _, price in wanted.values())
        assert total == min(purse.last.free(self.now, "USD"), due_in_all)
        spent = {}
        if total:
            spent["USD"] = self.spend(purse.last, "USD", total, "")
            self.spent.remove(spent["USD"])
        self.orders.append(Bought(order, purse, lines, spent, by_checkout=True))
