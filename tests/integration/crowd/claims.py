"""Processes that claim codes and spend from them: the same ones, and until they are killed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from crowd.checkouts import Life, Mortal
from storecredit import ClaimKeys, ClaimRules, Money, StoreCredit, Throttle
from storecredit.errors import ClaimFailed, CodeClaimed, InsufficientCredit

Ready = Callable[[], None]

RULES = ClaimRules(
    keys=ClaimKeys(current="b", keys={"a": bytes(range(32)), "b": bytes(range(1, 33))}),
    per_caller=Throttle(free=10**6),
    per_merchant=Throttle(free=10**6),
)
DOLLAR = Money.of("1.00", "USD")


class Claimer(Mortal):
    """A client whose service knows the keys of codes."""

    def credit(self, bind: Any = None) -> StoreCredit:
        """Return the service, with the rules of claims."""
        made = super().credit(bind)
        return StoreCredit(made.storage, self.merchant, attempts=self.attempts, claims=RULES)


def claim_the_same_codes(
    ready: Ready, *, client: dict[str, Any], codes: Sequence[str], holder: str, seed: int
) -> dict[str, Any]:
    """Claim every code there is, in an order of one's own; spend a dollar of some before."""
    mine = Claimer(Life(None), **client)
    mine.connect()
    chance = random.Random(seed)
    order = chance.sample(codes, len(codes))
    won: list[str] = []
    told: Counter[str] = Counter()
    spent = 0
    ready()
    for code in order:
        if chance.random() < 0.5:
            spent += spend(mine, code, f"{holder}/{code[:9]}")
        try:
            mine.do(lambda credit, code=code: credit.claim(code, holder, key=holder, caller=holder))  # type: ignore[misc]  # one code of each
            won.append(code)
        except ClaimFailed as failed:
            told[str(failed.reason)] += 1
    return {"won": won, "told": dict(told), "spent": spent}


def spend(mine: Claimer, code: str, key: str) -> int:
    """Spend a dollar of a code, if it is there and nobody was faster; return how many."""
    try:
        opened = mine.do(lambda credit: credit.open_code(code, caller="till"))
        mine.do(lambda credit: credit.redeem(opened.holder, DOLLAR, key=key))
    except (ClaimFailed, CodeClaimed, InsufficientCredit):
        return 0
    return 1


def claim_until_killed(
    ready: Ready,
    *,
    client: dict[str, Any],
    codes: Sequence[tuple[str, str]],
    dies_at: int | None,
) -> dict[str, Any]:
    """Claim each code for whom it is, under the key that everybody has for it."""
    mine = Claimer(Life(dies_at), **client)
    mine.connect()
    ready()
    for code, holder in codes:
        mine.do(lambda credit, code=code, to=holder: credit.claim(code, to, key=code, caller="job"))  # type: ignore[misc]  # one code of each
    return {"asked": mine.life.lived}
