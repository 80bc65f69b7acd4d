"""The verbs of claim codes in a story: issue, claim, revoke, reissue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from returns_book import HOLDERS, UNITS, Code, Piece, Purse, money
from returns_shop import Expected
from returns_spending import Spending

from storecredit.errors import ClaimFailed, CodeStepRefused, LotHeld
from storecredit.service import StoreCredit


class Coding(Spending):
    """Guests get codes, and claim them once they have registered."""

    def issue_code(self) -> None:
        unit, amount, key = self.unit(), self.draws.number(1, self.most), next(self.keys)
        ends = self.some_end()
        meant = self.draws.one_of(HOLDERS) if self.is_one_in(4) else None

        def act(credit: StoreCredit, more: int = 0) -> Any:
            return credit.issue_code(
                money(unit, amount + more),
                funding="goodwill",
                key=key,
                expires=ends,
                reserved_for=meant,
            )

        made = self.attempt("issue_code", act, other=lambda credit: act(credit, 1))
        purse = Purse(made.holder)
        self.bring(purse, unit, "goodwill", amount, ends)
        self.codes.append(Code(made.code, made.id, purse, meant))

    def is_meant(self, code: Code, holder: str) -> bool:
        if code.meant in (None, holder):
            return True
        meant = self.purses[str(code.meant)]
        return meant.last is self.purses[holder].last

    def why_not(self, code: Code, holder: str) -> str | None:
        if code.state != "open":
            return code.state
        if not self.is_meant(code, holder):
            return "reserved"
        pieces = code.purse.pieces
        worth = sum(piece.free(self.now) + piece.held for piece in pieces)
        if not worth:
            over = any(p.is_over(self.now) and p.rest - p.held for p in pieces)
            return "expired" if over else "empty"
        return "held" if code.purse.is_held else None

    def claim(self) -> None:
        known = [code for code in self.codes if code.text is not None]
        if not known:
            return
        code, key = self.draws.one_of(known), next(self.keys)
        holder = self.draws.one_of(HOLDERS)
        reason = self.why_not(code, holder)

        def act(credit: StoreCredit, by: str = holder) -> Any:
            return credit.claim(str(code.text), by, key=key, caller="s")

        strangers = [name for name in HOLDERS if name != holder]
        moved = {unit: code.purse.free(self.now, unit) for unit in UNITS}
        claimed = self.attempt(
            "claim",
            act,
            ClaimFailed if reason else None,
            other=lambda credit: act(credit, strangers[0]),
        )
        if reason is not None:
            self.require_reason(act, reason)
            return
        assert {unit: claimed.amount[money(unit, 0).unit].minor for unit in UNITS} == moved
        self.follow(code.purse, self.purses[holder].last)
        code.state = "claimed"
        self.claimed += 1
        self.require_reason(
            lambda credit: credit.claim(str(code.text), holder, key=f"{key}x", caller="s"),
            "claimed",
        )

    def require_reason(self, act: Callable[[StoreCredit], Any], reason: str) -> None:
        with pytest.raises(ClaimFailed) as failed:
            act(self.credit)
        assert failed.value.reason == reason
        self.seen[f"claim: {reason}"] += 1

    def revoke_code(self) -> None:
        if not self.codes:
            return
        code, key = self.draws.one_of(self.codes), next(self.keys)
        refused: Expected = None
        if code.state != "open":
            refused = CodeStepRefused
        elif code.purse.is_held:
            refused = LotHeld

        def act(credit: StoreCredit) -> Any:
            return credit.revoke_code(code.id, key=key, actor="boss", reason="a reason")

        if self.attempt("revoke_code", act, refused) is None:
            return
        code.state = "revoked"
        for piece in code.purse.pieces:
            gone = piece.free(self.now)
            if gone:
                self.take_out(piece, gone)

    def take_out(self, piece: Piece, amount: int) -> None:
        """Take value out of the world."""
        piece.rest -= amount
        piece.is_dead = True
        self.given[piece.unit, piece.funding] -= amount

    def reissue_code(self) -> None:
        if not self.codes:
            return
        code, key = self.draws.one_of(self.codes), next(self.keys)
        refused = None if code.state in ("open", "revoked") else CodeStepRefused

        def act(credit: StoreCredit, reason: str = "a reason") -> Any:
            return credit.reissue_code(code.id, key=key, actor="boss", reason=reason)

        made = self.attempt(
            "reissue_code", act, refused, other=lambda credit: act(credit, "another")
        )
        if made:
            assert made.holder == code.purse.name
            code.state = "replaced"
            self.codes.append(Code(made.code, made.id, code.purse, code.meant))
