"""A refund case: a return request on its way, step by step (P5)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Unpack, final

from storecredit.ledger import ExpiredRestore, Expiry, Shortfall
from storecredit.ledger.arguments import as_expiry, one_of
from storecredit.policies.purchase import Returned, as_returned
from storecredit.refunds import CaseRecord, CaseState, GivenCredit, Tracked, track
from storecredit.refunds.tracking import ENGLISH
from storecredit.service._case_desk import CaseDesk, CaseTold
from storecredit.service._case_giving import CaseTerms
from storecredit.service.about import About
from storecredit.service.codes import IssuedCode
from storecredit.tenders import Answer, ExternalRefund
from storecredit.values import Period


@final
class RefundCase:
    """
    The refund of one request.

    `StoreCredit.request_refund` and `StoreCredit.refund_case` make it. Every step is one
    transaction over the record of the case and all that the step means; it may be repeated with
    its key, come from two triggers, or be cut off by a crash: it happens once. What is stored
    decides, never what this object has seen.

    All steps but `settle_refund` take ``**about``, see `About`: `at`, `actor` and `reason` are kept
    in the case, and the entries carry all of it. The reference is the id of the case unless
    another is given.
    """

    def __init__(self, desk: CaseDesk, record: CaseRecord) -> None:
        self._desk: Final = desk
        self._record = record

    def __repr__(self) -> str:
        return f"RefundCase({self.id!r}, {self.state.value})"

    # Seeing

    @property
    def id(self) -> str:
        """The id of the case: that of its request."""
        return self._desk.case

    @property
    def record(self) -> CaseRecord:
        """The record as this object has seen it last; `reload` looks again."""
        return self._record

    @property
    def state(self) -> CaseState:
        """Where the case is in its life."""
        return self._record.state

    @property
    def refunds_due(self) -> tuple[ExternalRefund, ...]:
        """What the host has to give back through external tenders, with keys, and is not settled."""
        return self._record.refunds_due

    @property
    def given(self) -> tuple[GivenCredit, ...]:
        """The lots that the case has issued, and what was taken back of them."""
        return self._record.given

    @property
    def code(self) -> IssuedCode | None:
        """The claim code that a guest got by the last step of this object: shown once (A15)."""
        return self._desk.code

    def reload(self) -> CaseRecord:
        """Look again at what is stored, and return it."""
        self._record = self._desk.read()
        return self._record

    def track(self, *, words: Mapping[str, str] = ENGLISH) -> Tracked:
        """Return what the customer may see, as seen last: in plain words and as data."""
        return track(self._record, words=words)

    # Deciding

    def approve(
        self,
        *,
        key: str,
        arrive_by: Period | datetime | None = None,
        **about: Unpack[About],
    ) -> CaseRecord:
        """
        Approve the refund, or what a limit asks of it later on.

        Where the offer is instant, the credit is given at once, to be taken back if the goods never
        come. Where the offer or a limit asks for it, the actor is somebody else than the
        customer, the requester and the agent who decided (P3).

        Args:
            key: Names this step; the same again changes nothing.

            arrive_by: How long, or until when, the goods may be on their way, where credit is given
                at once; None for 30 days.

            about: See `About`.

        Raises:
            InvalidKey, InvalidText, NaiveInstant, FutureInstant: The request.
            CaseStepRepeated: The key has other facts.
            CaseStepRefused: The state does not allow it.
            ApprovalNeeded: Somebody else has to.
            LimitReached: For credit that is given at once: others have used up a limit.
            AccountFrozen, AccountClosed, CeilingReached, ExpiryTooEarly: As `issue`.
        """
        told = self._told(key, about)
        self._record = self._desk.approve(
            told, lambda case: case.approve(told.by, arrive_by=arrive_by)
        )
        return self._record

    def deny(
        self, *, key: str, shortfall: Shortfall | str = Shortfall.UP_TO, **about: Unpack[About]
    ) -> CaseRecord:
        """
        Deny the refund, at any time before it is complete. Its pieces are free for another case.

        Credit that was given before the goods were back is taken back; for that, actor and reason
        are required (A10).

        Args:
            key: Names this step.

            shortfall: What to do about credit that is spent: ``up_to`` records it,
                ``all_or_nothing`` refuses, ``owe`` lets the holder owe it (A8).

            about: See `About`.

        Raises:
            InvalidKey, InvalidText, NaiveInstant, FutureInstant, InvalidTerms: The request.
            CaseStepRepeated, CaseStepRefused: As `approve`.
            ReasonAndActorRequired, LotHeld, LotExhausted, AccountFrozen, AccountClosed: As
                `revoke`, for what is taken back.
        """
        told, terms = self._told(key, about), _taking(shortfall)
        self._record = self._desk.end(told, lambda case: case.deny(told.by), terms)
        return self._record

    def cancel(
        self, *, key: str, shortfall: Shortfall | str = Shortfall.UP_TO, **about: Unpack[About]
    ) -> CaseRecord:
        """
        Record that the customer has changed their mind; all else is as `deny`.

        Raises:
            As `deny`.
        """
        told, terms = self._told(key, about), _taking(shortfall)
        self._record = self._desk.end(told, lambda case: case.cancel(told.by), terms)
        return self._record

    def reopen(self, *, key: str, **about: Unpack[About]) -> CaseRecord:
        """
        Look again at a case that was denied or cancelled; it takes its pieces again.

        Raises:
            InvalidKey, InvalidText, NaiveInstant, FutureInstant: The request.
            CaseStepRepeated, CaseStepRefused: As `approve`; a completed case stays so.
            QuantityExceedsRest, ReturnOutdated, RestoreExceedsRedemption: The order was refunded
                otherwise meanwhile.
            PiecesTaken: Another case refunds the pieces by now.
        """
        told = self._told(key, about)
        self._record = self._desk.reopen(told, lambda case: case.reopen(told.by))
        return self._record

    # The goods

    def await_return(self, *, key: str, **about: Unpack[About]) -> CaseRecord:
        """
        Record that the customer was told how to send the goods back.

        Raises:
            InvalidKey, InvalidText, NaiveInstant, FutureInstant: The request.
            CaseStepRepeated, CaseStepRefused: As `approve`.
        """
        told = self._told(key, about)
        self._record = self._desk.step(told, lambda case: case.await_return(told.by))
        return self._record

    def ship(self, *, key: str, **about: Unpack[About]) -> CaseRecord:
        """
        Record that the goods are on their way.

        Raises:
            As `await_return`.
        """
        told = self._told(key, about)
        self._record = self._desk.step(told, lambda case: case.ship(told.by))
        return self._record

    def receive(self, *, key: str, **about: Unpack[About]) -> CaseRecord:
        """
        Record that the goods are back.

        Raises:
            As `await_return`.
        """
        told = self._told(key, about)
        self._record = self._desk.step(told, lambda case: case.receive(told.by))
        return self._record

    def inspect(
        self, *, key: str, accepted: Mapping[str, int] | None = None, **about: Unpack[About]
    ) -> CaseRecord:
        """
        Record how many pieces of each line are accepted.

        What is refunded is divided by pieces, exactly; a later inspection never accepts more. What
        is no goods follows: tax in proportion, anything else as long as some goods are accepted.

        Args:
            key: Names this step.

            accepted: Pieces by line, for every line whose goods come back; None for all of them.

            about: See `About`.

        Raises:
            InvalidKey, InvalidText, NaiveInstant, FutureInstant: The request.
            CaseStepRepeated, CaseStepRefused: As `approve`.
            InvalidReturn, InvalidTerms: Lines or numbers that cannot be.
            AcceptsTooMuch: More than comes back, or than was accepted before.
        """
        told = self._told(key, about)
        self._record = self._desk.step(told, lambda case: case.inspect(told.by, accepted=accepted))
        return self._record

    def goods_missing(
        self, *, key: str, shortfall: Shortfall | str = Shortfall.UP_TO, **about: Unpack[About]
    ) -> CaseRecord:
        """
        Record that the goods never came: the case is denied, and credit given before taken back.

        Raises:
            GoodsNotDue: They may still arrive, where credit was given before.
            As `deny`.
        """
        told, terms = self._told(key, about), _taking(shortfall)
        self._record = self._desk.end(told, lambda case: case.goods_missing(told.by), terms)
        return self._record

    # Giving

    def complete(
        self,
        *,
        key: str,
        holder: str | None = None,
        expired: ExpiredRestore | str | None = None,
        shortfall: Shortfall | str = Shortfall.UP_TO,
        returned: Iterable[Returned] | Returned | None = None,
        **about: Unpack[About],
    ) -> CaseRecord:
        """
        Give everything, once: credit and its bonus, what credit had paid, and external refunds.

        What external tenders have to give back is in `refunds_due` afterwards, each with a key for
        the processor. A guest gets a claim code for the credit, which is in `code` now and never
        again. Limits are checked again, and counted (P3).

        Args:
            key: Names this step; the same again changes nothing.

            holder: Who gets the credit, where the request names nobody: a guest who has registered.

            expired: Where value goes whose lot has expired; None for the merchant's rule (A7).

            shortfall: As in `deny`, where less was accepted than was given before.

            returned: What comes back of the purchase that earned points by `StoreCredit.earn`: they
                go in the same step, as by `StoreCredit.remove_earned`, with actor and reason (P4).

            about: See `About`.

        Raises:
            InvalidKey, InvalidText, NaiveInstant, FutureInstant, InvalidTerms: The request.
            InvalidReturn: A holder, where the request names one.
            CaseStepRepeated, CaseStepRefused: As `approve`.
            NothingAccepted: There is nothing to refund.
            InvalidReturn, UnknownGrant, InvalidOrder: There is something *returned*, and no order,
                none that earned, or less of the purchase than that is kept.
            LimitReached: Others have used up a limit since it was decided.
            ApprovalNeeded: A limit asks for somebody's approval by now.
            RefundExceedsPaid, QuantityExceedsRest: The order was refunded otherwise meanwhile.
            AccountFrozen, AccountClosed, CeilingReached, ExpiryTooEarly: As `issue` and `restore`.
            RestoreExceedsRedemption, NotARedemption: As `restore`.
            CaseNeedsHolder: Credit for a guest, and no keys for claim codes.
            ReasonAndActorRequired, LotHeld, LotExhausted: As `deny`.
        """
        told = self._told(key, about)
        rule = None if expired is None else one_of(ExpiredRestore, "expired", expired)
        terms = CaseTerms(
            expired=rule,
            shortfall=one_of(Shortfall, "shortfall", shortfall),
            returned=None if returned is None else as_returned(returned),
        )
        self._record = self._desk.complete(
            told, lambda case: case.complete(told.by, holder=holder), terms
        )
        return self._record

    def settle_refund(self, refund: str, answer: Answer | str) -> CaseRecord:
        """
        Record what the processor says about an external refund, however late.

        The payment of the order is told, too, where a checkout knows it.

        Args:
            refund: The key of the instruction, from `refunds_due`.

            answer: ``confirmed`` or ``failed``.

        Raises:
            InvalidTerms: There is no such answer.
            UnknownCaseRefund: The case has no such refund.
            CaseStepRepeated, PaymentStepRepeated: It has said otherwise before.
        """
        self._record = self._desk.settle_refund(refund, one_of(Answer, "answer", answer))
        return self._record

    def redirect(
        self,
        refund: str,
        *,
        key: str,
        consent: bool = False,
        holder: str | None = None,
        expires: Expiry = None,
        **about: Unpack[About],
    ) -> CaseRecord:
        """
        Give credit in place of an external refund that has failed; the customer has to agree (P6).

        Args:
            refund: The key of the instruction that failed.

            key: Names this step.

            consent: Whether the customer has accepted credit in place of money; the step keeps it.

            holder: Who gets it, where the request names nobody.

            expires: When it expires; a period counts from now.

            about: See `About`.

        Raises:
            InvalidKey, InvalidText, NaiveInstant, FutureInstant: The request.
            UnknownCaseRefund: The case has no such refund.
            InvalidReturn: A holder, where the request names one.
            CaseStepRepeated, CaseStepRefused: As `approve`; the refund has not failed.
            ConsentMissing: The customer has not agreed.
            AccountFrozen, AccountClosed, CeilingReached, ExpiryTooEarly: As `issue`.
            CaseNeedsHolder: A guest, and no keys for claim codes.
        """
        told, terms = self._told(key, about), CaseTerms(expires=as_expiry(expires))
        self._record = self._desk.redirect(
            told,
            lambda case: case.redirect(told.by, refund, consent=consent, holder=holder),
            refund,
            terms,
        )
        return self._record

    def _told(self, key: str, about: About) -> CaseTold:
        return CaseTold(self._desk.door, self.id, key, about)


def _taking(shortfall: Shortfall | str) -> CaseTerms:
    return CaseTerms(shortfall=one_of(Shortfall, "shortfall", shortfall))
