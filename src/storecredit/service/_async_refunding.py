"""The verbs of refund cases, awaited (P5)."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Unpack

from storecredit.policies import RefundDecision
from storecredit.refunds import CaseState
from storecredit.service._awaiting import Awaiting, awaits, iterates
from storecredit.service._refunding_cases import RefundingCases
from storecredit.service.about import About
from storecredit.service.async_refund_case import AsyncRefundCase


class AsyncRefunding(Awaiting):
    """Request, go on, list."""

    @awaits(RefundingCases.return_lines)
    def return_lines(self) -> None:
        """As `StoreCredit.return_lines`."""

    @awaits(RefundingCases.tallies)
    def tallies(self) -> None:
        """As `StoreCredit.tallies`."""

    async def request_refund(
        self,
        decision: RefundDecision,
        *,
        key: str,
        redemptions: Mapping[str, Any] | None = None,
        bought: Mapping[str, int] | None = None,
        **about: Unpack[About],
    ) -> AsyncRefundCase:
        """
        As `StoreCredit.request_refund`; the steps of the case are awaited.

        Raises:
            As `StoreCredit.request_refund`.
        """
        begun = await self._storage.run(
            lambda: self._plain.request_refund(
                decision, key=key, redemptions=redemptions, bought=bought, **about
            )
        )
        return AsyncRefundCase(begun, self._storage)

    async def refund_case(self, case: str) -> AsyncRefundCase:
        """
        As `StoreCredit.refund_case`; the steps of the case are awaited.

        Raises:
            As `StoreCredit.refund_case`.
        """
        found = await self._storage.run(lambda: self._plain.refund_case(case))
        return AsyncRefundCase(found, self._storage)

    async def find_refund_case(self, case: str) -> AsyncRefundCase | None:
        """
        As `StoreCredit.find_refund_case`; the steps of the case are awaited.

        Raises:
            As `StoreCredit.find_refund_case`.
        """
        found = await self._storage.run(lambda: self._plain.find_refund_case(case))
        return None if found is None else AsyncRefundCase(found, self._storage)

    async def refund_cases(
        self,
        *,
        state: CaseState | str | None = None,
        order: str | None = None,
        holder: str | None = None,
    ) -> AsyncIterator[AsyncRefundCase]:
        """
        As `StoreCredit.refund_cases`, for an ``async for``; their steps are awaited.

        Raises:
            As `StoreCredit.refund_cases`.
        """
        async for found in self._all_refund_cases(state=state, order=order, holder=holder):
            yield AsyncRefundCase(found, self._storage)

    @iterates(RefundingCases.refund_cases)
    def _all_refund_cases(self) -> None:
        """Yield the refund cases as they are without awaiting."""
