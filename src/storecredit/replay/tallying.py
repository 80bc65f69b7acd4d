"""Tallies: what a replay has granted under the limits of a policy, by whom they bind (P3)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, final

from storecredit.policies import Limit, LimitPer, RefundDecision, ReturnRequest, Tally
from storecredit.values import Money


@final
class Tallies:
    """
    What was decided so far, in the memory of one run: a history is decided from its start.

    Nobody knows which agent would have decided, so limits of agents never bind.
    """

    def __init__(self, limits: tuple[Limit, ...]) -> None:
        self._limits: Final = tuple(limit for limit in limits if limit.per is LimitPer.HOLDER)
        self._counted: Final[dict[tuple[str, str], list[tuple[datetime, Money]]]] = {}

    def before(self, request: ReturnRequest) -> Iterator[Tally]:
        """Yield what counts under each limit when *request* is asked."""
        for limit in self._limits:
            begins = limit.begins(request.at)
            those = self._counted.get((limit.id, str(request.holder)), [])
            amounts = [amount for at, amount in those if at >= begins]
            same = limit.amount is not None and limit.amount.unit == request.unit
            yield Tally(
                limit=limit.id,
                amount=Money.total(amounts, request.unit) if same else None,
                count=len(amounts),
            )

    def add(self, decision: RefundDecision) -> None:
        """Count *decision*, wherever it gives something."""
        request = decision.request
        for limit in self._limits:
            amount = decision.offer.counted[limit.on]
            if amount.is_positive:
                name = (limit.id, str(request.holder))
                self._counted.setdefault(name, []).append((request.at, amount))
