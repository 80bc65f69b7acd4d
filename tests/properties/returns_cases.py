"""The refund cases of a story: requested, approved, sent, inspected in part, completed, taken back."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from returns_book import (
    AHEAD,
    ARRIVE,
    HOLDERS,
    LEADS,
    POLICY,
    Bought,
    Case,
    Code,
    Line,
    Piece,
    Purse,
    Share,
    halves_up,
    money,
    reckon,
    wanted,
)
from returns_orders import Ordering
from returns_shop import Expected, Shown

from storecredit.errors import (
    ApprovalNeeded,
    CaseStepRefused,
    CaseStepRepeated,
    GoodsNotDue,
    LotHeld,
    NothingAccepted,
    PiecesTaken,
    QuantityExceedsRest,
    RestoreExceedsRedemption,
    ReturnOutdated,
    StoreCreditError,
)
from storecredit.policies import ReturnLine, ReturnRequest
from storecredit.service import StoreCredit
from storecredit.service.codes import IssuedCode
from storecredit.tenders import Destination
from storecredit.testing.tender_strategies import usd
from storecredit.values import Balance


class Returning(Ordering):
    """Somebody brings something back."""

    def request_refund(self) -> None:
        if not self.orders:
            return
        order = self.draws.one_of(self.orders[-2:])
        lines = list(order.lines)[: self.draws.number(1, len(order.lines))]
        wanted = {name: self.some_pieces(order, name) for name in lines}
        reason, way = self.draws.one_of(self.reasons), self.draws.one_of(("credit", "money"))
        holder = None if self.is_one_in(2) else self.draws.one_of(HOLDERS)
        too_many = any(self.left_of(order, name) < count for name, count in wanted.items())
        if order.by_checkout:
            if too_many:
                with pytest.raises(QuantityExceedsRest):
                    self.credit.return_lines(order.id, wanted)
                self.seen["return_lines: QuantityExceedsRest"] += 1
                return
            known = self.credit.return_lines(order.id, wanted)
            shares = {
                each.id: Share(
                    each.pieces,
                    each.external.minor,
                    {amount.unit.code: amount.minor for amount in each.restored},
                )
                for each in known
            }
            self.check_shares(order, shares)
        else:
            shares = {name: self.share_of(order.lines[name], wanted[name]) for name in lines}
        case = Case(f"c-{len(self.cases)}", order, holder, way, reason, shares)
        reckon(case.shares, case.terms, way)
        decision = self.decide(case)
        refused: Expected = RestoreExceedsRedemption if self.exceeds(case) else None
        self.request(case, decision, PiecesTaken if too_many and refused is None else refused)

    def exceeds(self, case: Case) -> bool:
        """Tell whether less is left of what the host names than all the pieces would restore."""
        if case.order.by_checkout:
            return False
        back = Counter[str]()
        for share in case.shares.values():
            back.update(share.restored)
        return any(part and part > case.order.spent[u].left for u, part in back.items())

    def some_pieces(self, order: Bought, line: str) -> int:
        """Seldom more than are left."""
        left = self.left_of(order, line)
        return self.draws.number(1, order.lines[line].pieces if self.is_one_in(4) else max(left, 1))

    def share_of(self, line: Line, pieces: int) -> Share:
        """What the host's own books say was paid for some pieces: each costs the same."""
        paid = {unit: part // line.pieces * pieces for unit, part in line.paid.items()}
        return Share(pieces, line.external // line.pieces * pieces, paid)

    def check_shares(self, order: Bought, shares: Mapping[str, Share]) -> None:
        """What a checkout says was paid is never more than is left, and in proportion (V5, P6)."""
        for name, share in shares.items():
            line = order.lines[name]
            others = [
                c for c in self.cases if c.order is order and c.is_taking and name in c.shares
            ]
            external = line.external - sum(self.takes(c, name)[0] for c in others)
            paid = line.paid.get("USD", 0) - sum(self.takes(c, name)[1] for c in others)
            left = self.left_of(order, name)
            back = share.external + share.paid.get("USD", 0)
            assert share.external <= external, "more than a card paid"
            assert share.paid.get("USD", 0) <= paid, "more than credit paid"
            assert back == halves_up(external + paid, share.pieces, left), "not in proportion"

    def takes(self, case: Case, line: str) -> tuple[int, int]:
        """What a case has for itself of what a card and credit paid for a line, with its fee."""
        share = case.shares[line]
        paid = share.paid.get("USD", 0)
        if case.state == "completed" and case.accepted is not None:
            parts = case.accepted[line]
            return (
                halves_up(share.external, parts, share.pieces),
                halves_up(paid, parts, share.pieces),
            )
        return share.external, paid

    def decide(self, case: Case) -> Any:
        lines = [
            ReturnLine(
                id=name,
                external=usd(share.external),
                restored=Balance.of(*(money(unit, part) for unit, part in share.paid.items())),
                pieces=share.pieces,
                reason=case.reason,
            )
            for name, share in case.shares.items()
        ]
        request = ReturnRequest(
            id=case.id,
            merchant="acme",
            lines=tuple(lines),
            at=self.now,
            order=case.order.id,
            holder=case.holder,
        )
        decision = POLICY.offers(request, agent="ann").choose(case.way, consent=True)
        for each in decision.offer.lines:
            share = case.shares[each.line]
            found = (each.credit.minor, each.bonus.minor, each.tenders.minor)
            assert found == (share.credit, share.bonus, share.tenders)
            restored = {unit: part for unit, part in share.restored.items() if part}
            assert {a.unit.code: a.minor for a in each.restored} == restored
        assert len(decision.offer.lines) == len(case.shares)
        return decision

    def request(self, case: Case, decision: Any, refused: Expected) -> None:
        key, order = next(self.keys), case.order
        entries = {
            name: [order.spent[unit].entry for unit, part in share.paid.items() if part]
            for name, share in case.shares.items()
        }
        pieces = {name: order.lines[name].pieces for name in case.shares}
        told: dict[str, Any] = (
            {} if order.by_checkout else {"redemptions": entries, "bought": pieces}
        )

        def act(credit: StoreCredit, asked: Any = decision) -> Any:
            return credit.request_refund(asked, key=key, actor="ann", **told).id

        if self.attempt(
            "request_refund",
            act,
            refused,
            other=lambda credit: act(credit, attrs.evolve(decision, agent="eve")),
        ):
            self.cases.append(case)

    def advance(self) -> None:
        """Somebody takes a step of a case: most often one that comes next."""
        going = [case for case in self.cases if case.state != "completed"][-3:]
        if self.cases and (not going or self.is_one_in(8)):
            self.take(self.draws.one_of(self.cases), self.draws.one_of(sorted(LEADS)))
            return
        if not going:
            return
        case = self.draws.one_of(going)
        likely = sorted(case.allowed() - {"deny", "cancel", "goods_missing"})
        if case.state in ("requested", "reopened") or not self.is_one_in(6):
            likely = [s for s in likely if s != "approve" or len(likely) == 1] or likely
        if case.state in ("awaiting_return", "in_transit") and self.is_one_in(4):
            self.take(case, "goods_missing")
        elif case.given and self.is_one_in(2):
            self.tempt(case)
        elif not self.is_one_in(5):
            self.take(case, self.draws.one_of(likely))
        else:
            self.take(case, self.draws.one_of(["approve", "deny", "cancel", *sorted(LEADS)]))

    def tempt_at_once(self, case: Case) -> None:
        """Perhaps all of it is spent at once; perhaps somebody is too quick to miss the goods."""
        purse = self.purses[str(case.holder)]
        if case.given and self.is_one_in(3):
            self.redeem(purse, all_of_it=True)
            self.take(case, "deny")
        elif self.is_one_in(3):
            self.take(case, "ship")
            self.take(case, "goods_missing")

    def tempt(self, case: Case) -> None:
        """Somebody has credit for goods that are not back yet: it is spent, or they never come."""
        if self.is_one_in(3):
            self.redeem(self.purses[str(case.holder)])
        elif case.state == "approved":
            self.take(case, self.draws.one_of(("await_return", "ship", "deny")))
        else:
            self.take(case, self.draws.one_of(("goods_missing", "cancel")))

    def finish(self) -> None:
        """Somebody sees a case through to its end."""
        going = [case for case in self.cases if case.state in AHEAD]
        going = [case for case in going if not case.given or self.is_one_in(6)]
        if not going:
            return
        case = self.draws.one_of(going)
        for _ in AHEAD:
            before = case.state
            step = AHEAD.get(before)
            if step is None:
                break
            self.take(case, "complete" if before == "approved" and case.terms.keeps else step)
            if case.state == before:
                break
        self.seen["finish: done"] += 1

    def take(self, case: Case, step: str) -> None:
        if step not in case.allowed():
            self.step(case, step, CaseStepRefused)
        elif step == "approve":
            self.approve(case)
        elif step == "inspect":
            self.inspect(case)
        elif step == "complete":
            self.complete(case)
        elif step in ("deny", "cancel", "goods_missing"):
            self.end(case, step)
        elif step == "reopen":
            self.reopen(case)
        else:
            self.step(case, step)

    def step(
        self, case: Case, step: str, expected: Expected = None, *, actor: str = "boss", **told: Any
    ) -> Any:
        """Take the step in the library; if it is taken, in the book, too."""
        key = next(self.keys)

        def act(credit: StoreCredit, reason: str = "a reason") -> Shown:
            handle = credit.refund_case(case.id)
            record = getattr(handle, step)(key=key, actor=actor, reason=reason, **told)
            assert handle.record == record
            return Shown(handle, handle.code)

        shown = self.attempt(step, act, expected, other=lambda credit: act(credit, "another"))
        if shown is not None:
            case.state = LEADS.get(step, case.state)
        return shown

    def approve(self, case: Case) -> None:
        actor = "ann" if self.is_one_in(4) else "boss"
        alone = case.terms.approval and actor == "ann" and not case.is_approved
        begins = case.state in ("requested", "reopened")
        refused: Expected = ApprovalNeeded if alone else None
        if self.step(case, "approve", refused, actor=actor) is None:
            return
        case.is_approved |= actor == "boss"
        case.state = "approved" if begins else case.state
        if case.gives_at_once:
            case.arrive_by = self.now + ARRIVE
            if begins:
                self.settle(case, case.shares)
                self.tempt_at_once(case)

    def inspect(self, case: Case) -> None:
        most = case.accepted or {name: share.pieces for name, share in case.shares.items()}
        accepted = None
        if not self.is_one_in(4):
            least = 0 if self.is_one_in(4) else 1
            accepted = {n: self.draws.number(min(least, count), count) for n, count in most.items()}
        if self.step(case, "inspect", accepted=accepted):
            case.accepted = dict(most) if accepted is None else accepted

    def final(self, case: Case) -> dict[str, Share]:
        """What a case comes to, for the pieces that were accepted."""
        if case.accepted is None:
            return case.shares
        found = {}
        for name, share in case.shares.items():
            parts, of = case.accepted[name], share.pieces
            found[name] = Share(
                parts,
                share.external,
                share.paid,
                credit=halves_up(share.credit, parts, of),
                bonus=share.bonus * parts // of,
                tenders=halves_up(share.tenders, parts, of),
                restored={u: halves_up(part, parts, of) for u, part in share.restored.items()},
            )
        return found

    def complete(self, case: Case) -> None:
        final = self.final(case)
        total = sum(
            s.credit + s.bonus + s.tenders + sum(s.restored.values()) for s in final.values()
        )
        back = Counter[str]()
        for share in final.values():
            back.update(share.restored)
        told = {}
        if case.holder is None and self.is_one_in(2):
            told["holder"] = self.draws.one_of(HOLDERS)
        refused: set[type[StoreCreditError]] = set()
        if not total and case.accepted is not None:
            refused.add(NothingAccepted)
        for unit, amount in back.items():
            if amount and amount > case.order.spent[unit].left:
                refused.add(RestoreExceedsRedemption)
        refused |= self.held_back(case, final)
        shown = self.step(case, "complete", tuple(refused) or None, **told)
        if shown is None:
            return
        case.completions += 1
        case.holder = told.get("holder", case.holder)
        self.give_back_paid(case, back)
        if self.settle(case, final):
            self.learn_code(shown.code)
        tenders = sum(share.tenders for share in final.values())
        self.learn_refunds(case, tenders)
        for name, share in final.items():
            gone, line = case.order.lines[name].gone, case.order.lines[name]
            gone["pieces"] += share.pieces
            gone["external"] += share.credit + share.tenders
            gone["paid"] += share.restored.get("USD", 0)
            assert gone["pieces"] <= line.pieces, "more pieces come back than were bought"
            assert gone["external"] <= line.external, "more comes back than cards paid"
            assert gone["paid"] <= line.paid.get("USD", 0), "more comes back than credit paid"
        self.seen[f"complete {case.way} {'guest' if case.holder is None else 'holder'}"] += 1

    def give_back_paid(self, case: Case, back: Counter[str]) -> None:
        """Let what credit paid go back to it."""
        if not case.order.by_checkout:
            for unit, amount in sorted(back.items()):
                if amount:
                    self.give_back_last(case.order.spent[unit], amount)
            return
        returned = self.credit.checkout(case.order.id).record.returned(f"case/{case.id}")
        by_lot = Counter[str]()
        for part in () if returned is None else returned.parts:
            if part.to is Destination.TENDER and part.lot is not None:
                by_lot[part.lot] += part.amount.minor
        assert by_lot.total() == back["USD"], "what credit paid comes back otherwise"
        self.entries += 1
        for lot, amount in by_lot.items():
            spent = case.order.spent["USD"]
            places = [at for at, (piece, _) in enumerate(spent.parts) if piece.lot == lot]
            if amount:
                self.give_back(spent, places[0], amount)
        self.seen["restored by checkout: done"] += 1

    def reductions(
        self, case: Case, shares: Mapping[str, Share] | None
    ) -> tuple[list[tuple[Piece, int]], dict[str, int]]:
        """What has to be taken back of which piece, and what has to be given."""
        missing, less = wanted(shares), []
        for funding, piece in case.given:
            standing = piece.issued - piece.taken_back
            kept = min(standing, missing[funding])
            if kept < standing:
                less.append((piece, standing - kept))
            missing[funding] -= kept
        return less, missing

    def held_back(
        self, case: Case, shares: Mapping[str, Share] | None
    ) -> set[type[StoreCreditError]]:
        """Why something cannot be taken back now."""
        found: set[type[StoreCreditError]] = set()
        for piece, _ in self.reductions(case, shares)[0]:
            if any(each.held for each in self.carriers(piece)):
                found.add(LotHeld)
        return found

    def carriers(self, piece: Piece) -> list[Piece]:
        """
        Where the value of a piece is by now, as long as it belongs to the same person.

        What was sent to somebody else is spent, unless it has come home since.
        """
        assert piece.purse is not None
        owner = piece.purse.last

        def leads(each: Piece) -> bool:
            if each.purse is None or each.purse.last is not owner:
                return False
            return each is piece or (each.origin is not None and leads(each.origin))

        every = {id(p): p for purse in self.every_purse() for p in purse.pieces}.values()
        home = [each for each in every if each.purse is owner or not each.was_sent]
        return [each for each in home if leads(each)]

    def settle(self, case: Case, shares: Mapping[str, Share] | None) -> bool:
        """Give what is missing, and take back what is too much; tell whether a code was made."""
        less, missing = self.reductions(case, shares)
        for piece, amount in less:
            carriers = self.carriers(piece)
            spent = piece.issued - piece.taken_back - sum(each.rest for each in carriers)
            rest = amount
            for each in sorted(carriers, key=lambda each: (each is not piece, each.born, each.lot)):
                taken = min(each.free(self.now), rest)
                if taken:
                    rest -= taken
                    piece.taken_back += taken
                    self.take_out(each, taken)
            short = min(rest, max(spent - piece.short, 0))
            piece.short += short
            self.seen["taken back: done"] += 1
            self.seen[f"taken back{' short' * bool(short)}{' else' * (len(carriers) > 1)}"] += 1
        if not any(missing.values()):
            return False
        purse = Purse("") if case.holder is None else self.purses[case.holder].last
        lives = {"refund": case.terms.lives, "promotional": case.terms.bonus_lives}
        lives["promotional"] = lives["promotional"] or lives["refund"]
        for funding, amount in missing.items():
            days = lives[funding]
            ends = None if days is None else self.now + dt.timedelta(days=days)
            if amount:
                piece = self.bring(purse, "USD", funding, amount, ends)
                case.given.append((funding, piece))
        if case.holder is None:
            self.codes.append(Code(None, "", purse))
            return True
        return False

    def learn_code(self, shown: IssuedCode | None) -> None:
        """Learn the name of the code that a guest got; its text, too, unless the answer was lost."""
        known = {code.id for code in self.codes}
        (made,) = [claim for claim in self.credit.codes() if claim.id not in known]
        code = self.codes[-1]
        code.id, code.purse.name = made.id, made.holder
        if shown is not None:
            assert shown.id == made.id
            code.text = shown.code
        self.seen[f"code {'lost' if shown is None else 'shown'}"] += 1

    def learn_refunds(self, case: Case, tenders: int) -> None:
        """Learn under which keys money is to be given back: each is a new one, and the sum is right."""
        known = {key for each in self.cases for key in each.instructed}
        found = self.credit.refund_case(case.id).record.refunds
        for each in found:
            assert each.key not in known, "one instruction for two refunds"
            case.instructed[each.key] = (each.amount.minor, "pending")
        assert sum(amount for amount, _ in case.instructed.values()) == tenders
        if tenders:
            self.seen["money instructed"] += 1

    def end(self, case: Case, step: str) -> None:
        refused = self.held_back(case, None)
        if step == "goods_missing" and case.arrive_by and self.now < case.arrive_by:
            refused = {GoodsNotDue}
        if self.step(case, step, tuple(refused) or None):
            self.settle(case, None)

    def reopen(self, case: Case) -> None:
        order = case.order
        mine = {name: share.pieces for name, share in case.shares.items()}
        taken = any(self.left_of(order, name) < count for name, count in mine.items())
        refused: Expected = PiecesTaken if taken else None
        if self.exceeds(case):
            refused = RestoreExceedsRedemption
        if order.by_checkout:
            # What is left may have been divided otherwise meanwhile.
            others = [c for c in self.cases if c.order is order and c is not case]
            refused = (PiecesTaken, QuantityExceedsRest) if taken else None
            if others and not taken:
                refused = (ReturnOutdated, None)  # type: ignore[assignment]  # or not at all
        if self.step(case, "reopen", refused):
            case.accepted, case.arrive_by, case.is_approved = None, None, False

    def settle_refund(self) -> None:
        """The processor answers."""
        open_ = [
            (c, key) for c in self.cases for key, (_, a) in c.instructed.items() if a == "pending"
        ]
        if not open_:
            return
        case, key = self.draws.one_of(open_)
        answer, otherwise = (
            ("failed", "confirmed") if self.is_one_in(2) else ("confirmed", "failed")
        )

        def act(credit: StoreCredit, said: str = answer) -> Any:
            handle = credit.refund_case(case.id)
            handle.settle_refund(key, said)
            return Shown(handle, None)

        self.attempt("settle_refund", act, other=lambda credit: act(credit, otherwise))
        case.instructed[key] = (case.instructed[key][0], answer)

    def redirect(self) -> None:
        """Money that could not be given back becomes credit."""
        asked = [(c, key) for c in self.cases for key in c.instructed]
        if not asked:
            return
        failed = [(c, key) for c, key in asked if c.instructed[key][1] == "failed"]
        case, refund = self.draws.one_of(asked if self.is_one_in(4) or not failed else failed)
        amount, answer = case.instructed[refund]
        key = next(self.keys)

        def act(credit: StoreCredit, reason: str = "a reason") -> Shown:
            handle = credit.refund_case(case.id)
            handle.redirect(refund, key=key, consent=True, actor="boss", reason=reason)
            return Shown(handle, handle.code)

        refused: Expected = None
        if answer != "failed":
            refused = (CaseStepRefused, CaseStepRepeated)
        shown = self.attempt("redirect", act, refused, other=lambda credit: act(credit, "another"))
        if shown is None:
            return
        case.instructed[refund] = (amount, "redirected")
        purse = Purse("") if case.holder is None else self.purses[case.holder].last
        case.given.append(("refund", self.bring(purse, "USD", "refund", amount, None)))
        if case.holder is None:
            self.codes.append(Code(None, "", purse))
            self.learn_code(shown.code)
