"""A refund case whose steps are awaited, for the tasks of an event loop (P5)."""

from collections.abc import Mapping
from typing import Final, final

from storecredit.refunds import ENGLISH, CaseRecord, CaseState, GivenCredit, Tracked
from storecredit.service._awaiting import Awaiting, awaits
from storecredit.service.codes import IssuedCode
from storecredit.service.refund_case import RefundCase
from storecredit.storage.protocols import AsyncStorage
from storecredit.tenders import ExternalRefund


@final
class AsyncRefundCase(Awaiting):
    """The refund of one request: a `RefundCase`, awaited; what it has seen is there already."""

    def __init__(self, case: RefundCase, storage: AsyncStorage) -> None:
        self._case: Final = case
        super().__init__(case, storage)

    def __repr__(self) -> str:
        return f"Async{self._case!r}"

    # Seeing

    @property
    def id(self) -> str:
        """The id of the case: that of its request."""
        return self._case.id

    @property
    def record(self) -> CaseRecord:
        """The record as this object has seen it last; `reload` looks again."""
        return self._case.record

    @property
    def state(self) -> CaseState:
        """Where the case is in its life."""
        return self._case.state

    @property
    def refunds_due(self) -> tuple[ExternalRefund, ...]:
        """What the host has to give back through external tenders, with keys, and is not settled."""
        return self._case.refunds_due

    @property
    def given(self) -> tuple[GivenCredit, ...]:
        """The lots that the case has issued, and what was taken back of them."""
        return self._case.given

    @property
    def code(self) -> IssuedCode | None:
        """The claim code that a guest got by the last step of this object: shown once (A15)."""
        return self._case.code

    def track(self, *, words: Mapping[str, str] = ENGLISH) -> Tracked:
        """Return what the customer may see, as seen last: in plain words and as data."""
        return self._case.track(words=words)

    @awaits(RefundCase.reload)
    def reload(self) -> None:
        """As `RefundCase.reload`."""

    # Deciding

    @awaits(RefundCase.approve)
    def approve(self) -> None:
        """As `RefundCase.approve`."""

    @awaits(RefundCase.deny)
    def deny(self) -> None:
        """As `RefundCase.deny`."""

    @awaits(RefundCase.cancel)
    def cancel(self) -> None:
        """As `RefundCase.cancel`."""

    @awaits(RefundCase.reopen)
    def reopen(self) -> None:
        """As `RefundCase.reopen`."""

    # The goods

    @awaits(RefundCase.await_return)
    def await_return(self) -> None:
        """As `RefundCase.await_return`."""

    @awaits(RefundCase.ship)
    def ship(self) -> None:
        """As `RefundCase.ship`."""

    @awaits(RefundCase.receive)
    def receive(self) -> None:
        """As `RefundCase.receive`."""

    @awaits(RefundCase.inspect)
    def inspect(self) -> None:
        """As `RefundCase.inspect`."""

    @awaits(RefundCase.goods_missing)
    def goods_missing(self) -> None:
        """As `RefundCase.goods_missing`."""

    # Giving

    @awaits(RefundCase.complete)
    def complete(self) -> None:
        """As `RefundCase.complete`."""

    @awaits(RefundCase.settle_refund)
    def settle_refund(self) -> None:
        """As `RefundCase.settle_refund`."""

    @awaits(RefundCase.redirect)
    def redirect(self) -> None:
        """As `RefundCase.redirect`."""
