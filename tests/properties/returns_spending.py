"""The ordinary verbs of a story: issue, redeem, hold, restore, transfer, merge, and time that goes by."""

from __future__ import annotations

import datetime as dt
from typing import Any

from returns_book import FUNDINGS, HOLD, REASONS, Held, Purse, Spent, money
from returns_shop import Shopkeeping

from storecredit.errors import HoldsActive, RestoreExceedsRedemption
from storecredit.service import StoreCredit


class Spending(Shopkeeping):
    """Holders and bearers of codes spend what they have."""

    def begin(self) -> None:
        """Choose what the story is about, and let somebody have something."""
        themes = [tuple(REASONS), ("regular",), ("regular", "plain"), ("opened", "useless")]
        self.reasons, self.most = self.draws.one_of(themes), self.draws.one_of((8, 60))
        for _ in range(self.draws.number(1, 4)):
            self.issue()

    def issue(self) -> None:
        purse, unit, amount = self.some_purse(), self.unit(), self.draws.number(1, self.most)
        funding, ends, key = self.draws.one_of(FUNDINGS), self.some_end(), next(self.keys)

        def act(credit: StoreCredit, more: int = 0) -> Any:
            given = money(unit, amount + more)
            return credit.issue(purse.name, given, funding=funding, key=key, expires=ends)

        def other(credit: StoreCredit) -> Any:
            return act(credit, 1)  # the same with one cent more

        if self.attempt("issue", act, self.closed_to(purse), other=other):
            self.bring(purse, unit, funding, amount, ends)

    def redeem(self, by: Purse | None = None, *, all_of_it: bool = False) -> None:
        purse = self.some_purse() if by is None else by
        unit, amount, key = self.unit(), self.amount(), next(self.keys)
        if all_of_it:
            unit = "USD"
            amount = max(purse.last.free(self.now, unit), 1)

        def act(credit: StoreCredit, more: int = 0) -> Any:
            return credit.redeem(purse.name, money(unit, amount + more), key=key)

        receipt = self.attempt(
            "redeem", act, self.refusal(purse, unit, amount), other=lambda credit: act(credit, 1)
        )
        if receipt:
            self.spend(purse.last, unit, amount, receipt.entry_id)

    def spend(self, purse: Purse, unit: str, amount: int, entry: str) -> Spent:
        parts = purse.choose(unit, amount, self.now)
        for piece, part in parts:
            piece.rest -= part
        spent = Spent(purse, unit, entry, parts)
        self.spent.append(spent)
        return spent

    def hold(self) -> None:
        bearers = [code.purse for code in self.codes if code.state == "open"]
        purse = self.draws.one_of(bearers) if bearers and self.is_one_in(2) else self.some_purse()
        unit, amount, key = self.unit(), self.amount(), next(self.keys)

        def act(credit: StoreCredit) -> Any:
            return credit.hold(purse.name, money(unit, amount), key=key)

        receipt = self.attempt("hold", act, self.refusal(purse, unit, amount))
        if receipt:
            parts = purse.last.choose(unit, amount, self.now)
            for piece, part in parts:
                piece.held += part
            self.holds.append(Held(purse.last, unit, receipt.hold_id, parts, self.now + HOLD))

    def end_hold(self) -> None:
        if not self.holds:
            return
        hold, key = self.draws.one_of(self.holds), next(self.keys)
        if self.is_one_in(2):
            self.attempt("release", lambda credit: credit.release(hold.id, key=key))
            self.let_go(hold)
            return
        receipt = self.attempt("capture", lambda credit: credit.capture(hold.id, key=key))
        self.let_go(hold)
        for piece, part in hold.parts:
            piece.rest -= part
        self.spent.append(Spent(hold.purse, hold.unit, receipt.entry_id, hold.parts))

    def restore(self) -> None:
        """The host refunds an order by itself, whatever cases do."""
        if not self.spent:
            return
        spent, key = self.draws.one_of(self.spent), next(self.keys)
        amount = self.draws.number(1, 4)

        def act(credit: StoreCredit) -> Any:
            return credit.restore(spent.entry, key=key, amount=money(spent.unit, amount))

        refused = RestoreExceedsRedemption if amount > spent.left else None
        if self.attempt("restore", act, refused):
            self.give_back_last(spent, amount)

    def transfer(self) -> None:
        sender, receiver = self.some_purse(), self.draws.one_of(list(self.purses.values()))
        unit, amount, key = self.unit(), self.amount(), next(self.keys)
        if sender.last is receiver.last:
            return

        def act(credit: StoreCredit, more: int = 0) -> Any:
            given = money(unit, amount + more)
            return credit.transfer(sender.name, receiver.name, given, key=key)

        if self.attempt(
            "transfer", act, self.refusal(sender, unit, amount), other=lambda credit: act(credit, 1)
        ):
            self.entries += 1
            for piece, part in sender.last.choose(unit, amount, self.now):
                piece.rest -= part
                self.move(piece, part, receiver.last).was_sent = True

    def merge(self) -> None:
        """Two holders turn out to be one; not too often, or soon there is one only."""
        alone = [purse for purse in self.purses.values() if not purse.follows and purse.pieces]
        if len(alone) < 2 or not self.is_one_in(2):
            return
        purse = self.draws.one_of(alone)
        into = self.draws.one_of([each for each in alone if each is not purse])
        key = next(self.keys)

        def act(credit: StoreCredit) -> Any:
            return credit.merge(purse.name, into.name, key=key)

        if self.attempt("merge", act, HoldsActive if purse.is_held else None):
            self.follow(purse, into)

    def wait(self) -> None:
        self.shop.clock.advance(dt.timedelta(hours=self.draws.number(1, 40)))
        self.lapse()
        if self.is_one_in(2):
            self.credit.expire_due()
            self.credit.release_lapsed()
        self.seen["wait: done"] += 1

    def wait_long(self) -> None:
        if self.is_one_in(3):
            self.shop.clock.advance(dt.timedelta(days=self.draws.number(20, 40)))
            self.lapse()
            self.seen["wait_long: done"] += 1
