"""A whole story of refund cases and claim codes: its steps, and what holds after each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from returns_book import NEVER, UNITS, ByNumber
from returns_cases import Returning

from storecredit.ledger import Account, Lot, imbalance
from storecredit.refunds import CaseRecord
from storecredit.storage import MemoryStorage
from storecredit.storage.protocols import Storage
from storecredit.values import Money


class Story(Returning):
    """Does the same in the library and in the book, and compares them."""

    def agree(self) -> None:
        self.lapse()
        with self.storage.snapshot() as reader:
            accounts = {name: reader.whole("acme", name) for _, name in reader.account_ids("acme")}
        self.agree_on_purses()
        self.agree_on_sums([account for account in accounts.values() if account is not None])
        self.agree_on_cases()
        states = {claim.id: claim.state.value for claim in self.credit.codes()}
        assert states == {code.id: code.state for code in self.codes}
        assert Counter(states.values())["claimed"] == self.claimed

    def agree_on_purses(self) -> None:
        """Lot by lot, what can be spent, what is reserved, until when, and who has paid for it."""
        bearers = {code.purse.name: code.purse for code in self.codes}
        for purse in {**self.purses, **bearers}.values():
            for unit in UNITS:
                mine = [p for p in purse.pieces if p.unit == unit and (p.free(self.now) or p.held)]
                if purse.follows is not None:
                    assert not mine, "value is stranded where nobody can reach it"
                    continue
                with self.storage.snapshot() as reader:
                    account = reader.account("acme", purse.name, unit)
                found = []
                for lot, free, held in self.lots_of(account):
                    if free or held:
                        terms, origin = lot.terms, str(lot.origin or "")
                        ends, is_other = terms.expires_at or NEVER, terms.funding != "promotional"
                        kind = (ends, is_other, terms.effective_at)
                        place = (lot.sequence, lot.id)
                        found.append((*kind, terms.funding.value, free, held, origin, *place))
                pairs = [
                    (
                        *(*piece.kind, piece.funding, piece.free(self.now), piece.held),
                        *(piece.origin.lot if piece.origin else "", piece.born, place),
                    )
                    for place, piece in enumerate(mine)
                ]
                found.sort()
                pairs.sort()
                assert [each[:-2] for each in found] == [each[:-2] for each in pairs], (
                    f"{purse.name} in {unit}"
                )
                for pair, each in zip(pairs, found, strict=True):
                    mine[pair[-1]].lot = each[-1]

    def lots_of(self, account: Account | None) -> Iterator[tuple[Lot, int, int]]:
        """What is free now, and what is held by holds that live, lot by lot."""
        if account is None:
            return
        held = Counter[str]()
        for hold in account.holds.values():
            for draw in hold.draws if hold.is_live(self.now) else ():
                held[str(draw.lot)] += draw.amount
        for lot in account.lots.values():
            rest = lot.remaining - held[lot.id]
            yield lot, 0 if lot.is_expired(self.now) else rest, held[lot.id]

    def agree_on_sums(self, accounts: Iterable[Account]) -> None:
        """Over all accounts: by unit and funding, nothing is lost, and nothing is made."""
        there: Counter[tuple[str, str]] = Counter()
        brought: Counter[str] = Counter()
        for account in accounts:
            assert imbalance(account.totals) == 0
            unit = account.unit.code
            totals = account.totals
            brought[unit] += totals["issued"] - totals["revoked"]
            for lot, free, held in self.lots_of(account):
                there[unit, lot.terms.funding.value] += free + held
        pieces = {id(p): p for purse in self.every_purse() for p in purse.pieces}.values()
        in_book: Counter[tuple[str, str]] = Counter()
        rest: Counter[tuple[str, str]] = Counter()
        for piece in pieces:
            in_book[piece.unit, piece.funding] += piece.free(self.now) + piece.held
            rest[piece.unit, piece.funding] += piece.rest
        assert +there == +in_book, "value was lost or made, or is somebody else's now"
        of_orders = [spent for order in self.orders for spent in order.spent.values()]
        for spent in {id(each): each for each in (*self.spent, *of_orders)}.values():
            for (piece, part), back in zip(spent.parts, spent.backs, strict=True):
                rest[piece.unit, piece.funding] += part - back
        assert +rest == +self.given, "the book itself is wrong"
        for unit in UNITS:
            given = sum(part for (of, _), part in self.given.items() if of == unit)
            assert brought[unit] == given, "more was issued, or less, than there was a reason for"

    def agree_on_cases(self) -> None:
        """Each is where the book has it, completed once at most, and has given what it should."""
        with self.storage.snapshot() as reader:
            rows = reader.records("acme", "refund-case", limit=10_000)
        for row in rows:
            if row.id not in self.read or self.read[row.id][0] != row.version:
                self.read[row.id] = (row.version, CaseRecord.from_json(row.body))
        found = {row.id: self.read[row.id][1] for row in rows}
        assert {name: record.state.value for name, record in found.items()} == {
            case.id: case.state for case in self.cases
        }
        lots: list[str] = []
        for case in self.cases:
            record = found[case.id]
            steps = Counter(event.step.value for event in record.events)
            assert steps["complete"] == case.completions <= 1, "a case completes twice"
            lots += [each.lot for each in record.given]
            assert [
                (e.funding.value, e.amount.minor, _minor(e.taken), _minor(e.short))
                for e in record.given
            ] == [(f, p.issued, p.taken_back, p.short) for f, p in case.given]
            asked = {
                e.key: (e.amount.minor, "redirected" if e.lot else e.answer.value)
                for e in record.refunds
            }
            assert asked == case.instructed, "money is asked for that was not to be given back"
        assert len(set(lots)) == len(lots), "one lot for two cases"

    def close(self) -> None:
        """The end: every journal is whole, and the lists that a host may ask for are right."""
        verified = self.credit.verify()
        assert verified.ok, verified.problems
        for state in {case.state for case in self.cases}:
            found = {handle.id for handle in self.credit.refund_cases(state=state)}
            assert found == {case.id for case in self.cases if case.state == state}
        self.storage.close()


def _minor(amount: Money | None) -> int:
    return 0 if amount is None else amount.minor


STEPS: Final = {
    "issue": 4,
    "redeem": 1,
    "hold": 2,
    "end_hold": 1,
    "restore": 1,
    "transfer": 1,
    "merge": 1,
    "wait": 1,
    "wait_long": 1,
    "issue_code": 1,
    "claim": 3,
    "revoke_code": 1,
    "reissue_code": 1,
    "buy": 1,
    "check_out": 2,
    "request_refund": 8,
    "advance": 10,
    "finish": 8,
    "settle_refund": 2,
    "redirect": 2,
    "repeat": 2,
}
"""What may happen, and how often beside the rest."""
LIKELY: Final = tuple(step for step, often in STEPS.items() for _ in range(often))


def tell(storage: Storage, seed: int, steps: int) -> Counter[str]:
    """Tell the story of a number, and return what it has come to."""
    draws, story = ByNumber(seed), Story(storage)
    try:
        story.tell("begin", draws)
        story.agree()
        for _ in range(steps):
            story.tell(draws.one_of(LIKELY), draws)
            story.agree()
        story.close()
    finally:
        storage.close()
    return story.seen


def tell_many(stories: int) -> None:
    for seed in range(stories):
        tell(MemoryStorage(), seed, 60)
