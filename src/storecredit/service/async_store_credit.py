"""`AsyncStoreCredit`: the same door, for the tasks of an event loop."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Unpack, final

from storecredit.claims import ClaimRules
from storecredit.ledger import Funding, Merchant
from storecredit.service._async_refunding import AsyncRefunding
from storecredit.service._awaiting import awaits, iterates
from storecredit.service.about import About
from storecredit.service.async_checkout import AsyncCheckout
from storecredit.service.async_feed import AsyncFeed
from storecredit.service.store_credit import StoreCredit
from storecredit.storage.protocols import AsyncStorage
from storecredit.tenders import (
    Aim,
    CreditRule,
    Order,
    PaymentPlan,
    PaymentState,
    PlanPart,
    Tender,
)
from storecredit.values import Period


def _now() -> datetime:
    return datetime.now(UTC)


def _salt() -> bytes:
    return secrets.token_bytes(16)


@final
class AsyncStoreCredit(AsyncRefunding):
    """
    Store credit, points and open balances of one merchant of record, awaited.

    It decides nothing itself: each verb is that of `StoreCredit`, with the same arguments, the
    same result and the same errors, and lets other tasks run while it waits for the database or
    for its next attempt. What it computes, and files that it reads or writes, are not taken off
    the event loop.

    A task that is cancelled in the middle of a command leaves nothing behind, or all of it;
    repeating the command with the same key finds out which (A12).

    Args:
        storage: Where accounts are kept, such as an `AsyncSQLStorage`.

        merchant: The id of the merchant of record, or a `Merchant` with its rules.

        clock: Returns the present instant, aware; the one clock there is.

        new_id: Makes the random UUID of each new wallet.

        salt: Makes the salt of each private field.

        attempts: How often a transaction is tried while others are faster (S5).

        claims: The keys and rules of claim codes, where there are any (A15).

        random_bytes: Makes so many bytes that nobody can guess, for codes.
    """

    def __init__(
        self,
        storage: AsyncStorage,
        merchant: Merchant | str,
        *,
        clock: Callable[[], datetime] = _now,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
        salt: Callable[[], bytes] = _salt,
        attempts: int = 8,
        claims: ClaimRules | None = None,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._credit: Final = StoreCredit(
            storage.blocking,
            merchant,
            clock=clock,
            new_id=new_id,
            salt=salt,
            attempts=attempts,
            sleep=lambda seconds: storage.wait(asyncio.sleep(seconds)),
            claims=claims,
            random_bytes=random_bytes,
        )
        super().__init__(self._credit, storage)

    @property
    def merchant(self) -> Merchant:
        """The merchant of record, with its rules."""
        return self._credit.merchant

    def feed(self, name: str, *, lease: Period = Period(minutes=1)) -> AsyncFeed:  # noqa: B008  # frozen
        """
        Return the feed of a consumer, as `StoreCredit.feed` does; its verbs are awaited.

        Raises:
            InvalidText: The name is no text of up to 64 characters.
            InvalidTerms: The lease is no period.
        """
        return AsyncFeed(self._credit.feed(name, lease=lease), self._storage)

    # Giving

    @awaits(StoreCredit.issue)
    def issue(self) -> None:
        """As `StoreCredit.issue`."""

    @awaits(StoreCredit.issue_many)
    def issue_many(self) -> None:
        """As `StoreCredit.issue_many`."""

    @iterates(StoreCredit.issue_each)
    def issue_each(self) -> None:
        """As `StoreCredit.issue_each`."""

    @awaits(StoreCredit.restore)
    def restore(self) -> None:
        """As `StoreCredit.restore`."""

    @awaits(StoreCredit.reinstate)
    def reinstate(self) -> None:
        """As `StoreCredit.reinstate`."""

    # Spending

    @awaits(StoreCredit.redeem)
    def redeem(self) -> None:
        """As `StoreCredit.redeem`."""

    @awaits(StoreCredit.hold)
    def hold(self) -> None:
        """As `StoreCredit.hold`."""

    @awaits(StoreCredit.resize)
    def resize(self) -> None:
        """As `StoreCredit.resize`."""

    @awaits(StoreCredit.capture)
    def capture(self) -> None:
        """As `StoreCredit.capture`."""

    @awaits(StoreCredit.capture_part)
    def capture_part(self) -> None:
        """As `StoreCredit.capture_part`."""

    @awaits(StoreCredit.release)
    def release(self) -> None:
        """As `StoreCredit.release`."""

    @awaits(StoreCredit.release_order)
    def release_order(self) -> None:
        """As `StoreCredit.release_order`."""

    # Correcting

    @awaits(StoreCredit.revoke)
    def revoke(self) -> None:
        """As `StoreCredit.revoke`."""

    @awaits(StoreCredit.adjust)
    def adjust(self) -> None:
        """As `StoreCredit.adjust`."""

    @awaits(StoreCredit.extend_expiry)
    def extend_expiry(self) -> None:
        """As `StoreCredit.extend_expiry`."""

    @awaits(StoreCredit.cash_out)
    def cash_out(self) -> None:
        """As `StoreCredit.cash_out`."""

    @awaits(StoreCredit.refund_bought)
    def refund_bought(self) -> None:
        """As `StoreCredit.refund_bought`."""

    @awaits(StoreCredit.settle)
    def settle(self) -> None:
        """As `StoreCredit.settle`."""

    @awaits(StoreCredit.set_limit)
    def set_limit(self) -> None:
        """As `StoreCredit.set_limit`."""

    @awaits(StoreCredit.set_spenders)
    def set_spenders(self) -> None:
        """As `StoreCredit.set_spenders`."""

    @awaits(StoreCredit.freeze)
    def freeze(self) -> None:
        """As `StoreCredit.freeze`."""

    @awaits(StoreCredit.close)
    def close(self) -> None:
        """As `StoreCredit.close`."""

    @awaits(StoreCredit.reopen)
    def reopen(self) -> None:
        """As `StoreCredit.reopen`."""

    # Moving

    @awaits(StoreCredit.transfer)
    def transfer(self) -> None:
        """As `StoreCredit.transfer`."""

    @awaits(StoreCredit.reverse_transfer)
    def reverse_transfer(self) -> None:
        """As `StoreCredit.reverse_transfer`."""

    @awaits(StoreCredit.convert)
    def convert(self) -> None:
        """As `StoreCredit.convert`."""

    @awaits(StoreCredit.merge)
    def merge(self) -> None:
        """As `StoreCredit.merge`."""

    # Checking out

    @awaits(StoreCredit.tender)
    def tender(self) -> None:
        """As `StoreCredit.tender`."""

    def plan_payment(
        self,
        order: Order,
        tenders: Iterable[Tender] | Tender,
        *,
        at: datetime | None = None,
        channel: str | None = None,
        prices: Mapping[str, int] | Aim | str | None = None,
        rules: Iterable[CreditRule] = (),
        as_discount: Iterable[Funding | str] = (),
        reductions: Iterable[PlanPart] = (),
        spender: str | None = None,
    ) -> PaymentPlan:
        """
        As `StoreCredit.plan_payment`, which reads nothing that has to be waited for.

        Raises:
            As `StoreCredit.plan_payment`.
        """
        return self._credit.plan_payment(
            order,
            tenders,
            at=at,
            channel=channel,
            prices=prices,
            rules=rules,
            as_discount=as_discount,
            reductions=reductions,
            spender=spender,
        )

    async def begin_checkout(
        self,
        plan: PaymentPlan,
        *,
        key: str,
        lapses: Period | datetime | None = None,
        spender: str | None = None,
        **about: Unpack[About],
    ) -> AsyncCheckout:
        """
        As `StoreCredit.begin_checkout`; the steps of the checkout are awaited.

        Raises:
            As `StoreCredit.begin_checkout`.
        """
        begun = await self._storage.run(
            lambda: self._credit.begin_checkout(
                plan, key=key, lapses=lapses, spender=spender, **about
            )
        )
        return AsyncCheckout(begun, self._storage)

    async def checkout(self, order: str) -> AsyncCheckout:
        """
        As `StoreCredit.checkout`; the steps of the checkout are awaited.

        Raises:
            As `StoreCredit.checkout`.
        """
        found = await self._storage.run(lambda: self._credit.checkout(order))
        return AsyncCheckout(found, self._storage)

    async def find_checkout(self, order: str) -> AsyncCheckout | None:
        """
        As `StoreCredit.find_checkout`; the steps of the checkout are awaited.

        Raises:
            As `StoreCredit.find_checkout`.
        """
        found = await self._storage.run(lambda: self._credit.find_checkout(order))
        return None if found is None else AsyncCheckout(found, self._storage)

    async def checkouts(
        self, *, state: PaymentState | str | None = None
    ) -> AsyncIterator[AsyncCheckout]:
        """
        As `StoreCredit.checkouts`, for an ``async for``; their steps are awaited.

        Raises:
            As `StoreCredit.checkouts`.
        """
        async for found in self._all_checkouts(state=state):
            yield AsyncCheckout(found, self._storage)

    @iterates(StoreCredit.checkouts)
    def _all_checkouts(self) -> None:
        """Yield the checkouts as they are without awaiting."""

    # Claiming

    @awaits(StoreCredit.issue_code)
    def issue_code(self) -> None:
        """As `StoreCredit.issue_code`."""

    @awaits(StoreCredit.open_code)
    def open_code(self) -> None:
        """As `StoreCredit.open_code`."""

    @awaits(StoreCredit.claim)
    def claim(self) -> None:
        """As `StoreCredit.claim`."""

    @awaits(StoreCredit.revoke_code)
    def revoke_code(self) -> None:
        """As `StoreCredit.revoke_code`."""

    @awaits(StoreCredit.reissue_code)
    def reissue_code(self) -> None:
        """As `StoreCredit.reissue_code`."""

    @awaits(StoreCredit.code)
    def code(self) -> None:
        """As `StoreCredit.code`."""

    @iterates(StoreCredit.codes)
    def codes(self) -> None:
        """As `StoreCredit.codes`."""

    # Granting

    @awaits(StoreCredit.grant)
    def grant(self) -> None:
        """As `StoreCredit.grant`."""

    @awaits(StoreCredit.earn)
    def earn(self) -> None:
        """As `StoreCredit.earn`."""

    @awaits(StoreCredit.remove_earned)
    def remove_earned(self) -> None:
        """As `StoreCredit.remove_earned`."""

    @awaits(StoreCredit.earning)
    def earning(self) -> None:
        """As `StoreCredit.earning`."""

    @awaits(StoreCredit.earned)
    def earned(self) -> None:
        """As `StoreCredit.earned`."""

    @awaits(StoreCredit.quote_top_up)
    def quote_top_up(self) -> None:
        """As `StoreCredit.quote_top_up`."""

    @awaits(StoreCredit.top_up)
    def top_up(self) -> None:
        """As `StoreCredit.top_up`."""

    @awaits(StoreCredit.top_up_of)
    def top_up_of(self) -> None:
        """As `StoreCredit.top_up_of`."""

    @awaits(StoreCredit.refund_top_up)
    def refund_top_up(self) -> None:
        """As `StoreCredit.refund_top_up`."""

    # Explaining

    @awaits(StoreCredit.preview)
    def preview(self) -> None:
        """As `StoreCredit.preview`."""

    @awaits(StoreCredit.preview_resize)
    def preview_resize(self) -> None:
        """As `StoreCredit.preview_resize`."""

    @awaits(StoreCredit.preview_revoke)
    def preview_revoke(self) -> None:
        """As `StoreCredit.preview_revoke`."""

    @awaits(StoreCredit.preview_cash_out)
    def preview_cash_out(self) -> None:
        """As `StoreCredit.preview_cash_out`."""

    @awaits(StoreCredit.preview_transfer)
    def preview_transfer(self) -> None:
        """As `StoreCredit.preview_transfer`."""

    @awaits(StoreCredit.preview_convert)
    def preview_convert(self) -> None:
        """As `StoreCredit.preview_convert`."""

    @awaits(StoreCredit.explain)
    def explain(self) -> None:
        """As `StoreCredit.explain`."""

    # Reading

    @awaits(StoreCredit.wallet)
    def wallet(self) -> None:
        """As `StoreCredit.wallet`."""

    @awaits(StoreCredit.account)
    def account(self) -> None:
        """As `StoreCredit.account`."""

    @awaits(StoreCredit.statement)
    def statement(self) -> None:
        """As `StoreCredit.statement`."""

    @iterates(StoreCredit.journal)
    def journal(self) -> None:
        """As `StoreCredit.journal`."""

    # Keeping

    @awaits(StoreCredit.expire_due)
    def expire_due(self) -> None:
        """As `StoreCredit.expire_due`."""

    @awaits(StoreCredit.release_lapsed)
    def release_lapsed(self) -> None:
        """As `StoreCredit.release_lapsed`."""

    @awaits(StoreCredit.verify)
    def verify(self) -> None:
        """As `StoreCredit.verify`."""

    @awaits(StoreCredit.heads)
    def heads(self) -> None:
        """As `StoreCredit.heads`."""

    @awaits(StoreCredit.rebuild)
    def rebuild(self) -> None:
        """As `StoreCredit.rebuild`."""

    @awaits(StoreCredit.pseudonymise)
    def pseudonymise(self) -> None:
        """As `StoreCredit.pseudonymise`."""

    @awaits(StoreCredit.erase)
    def erase(self) -> None:
        """As `StoreCredit.erase`."""

    # Reminding

    @iterates(StoreCredit.due_reminders)
    def due_reminders(self) -> None:
        """As `StoreCredit.due_reminders`."""

    @awaits(StoreCredit.acknowledge_reminders)
    def acknowledge_reminders(self) -> None:
        """As `StoreCredit.acknowledge_reminders`."""

    # Porting

    @awaits(StoreCredit.export_journal)
    def export_journal(self) -> None:
        """As `StoreCredit.export_journal`."""

    @awaits(StoreCredit.import_journal)
    def import_journal(self) -> None:
        """As `StoreCredit.import_journal`."""

    @awaits(StoreCredit.import_balances)
    def import_balances(self) -> None:
        """As `StoreCredit.import_balances`."""

    @awaits(StoreCredit.export_csv)
    def export_csv(self) -> None:
        """As `StoreCredit.export_csv`."""
