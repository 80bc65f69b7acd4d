"""
Messages of what is kept as records, and so is in no feed: refund cases and claim codes (P5, A15).

A host makes them where it takes the step. Made again, they have the same ids.
"""

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import Merchant
from storecredit.messages.payloads import ClaimCodeCreated, RefundStatus, RefundStatusChanged
from storecredit.refunds import Back, CaseRecord, track
from storecredit.service.codes import IssuedCode
from storecredit.values import Money

_COMES_BACK = frozenset({Back.MONEY, Back.CREDIT, Back.BONUS, Back.RESTORED})


def refund_messages(
    case: CaseRecord, merchant: Merchant | str, *, told: str | None = None
) -> tuple[RefundStatusChanged, ...]:
    """
    Return a message for each status that a refund case has come to, the oldest first.

    The last of them has the amount that comes back, where all of it is in one unit, and *told*.
    Whoever keeps messages by their ids may pass all of them on after every step.

    Args:
        case: The record of the case: ``credit.refund_case(...).record``.

        merchant: Whose case it is.

        told: What the customer may see besides, in plain words.

    Raises:
        InvalidTerms: No record of a case.
        InvalidText: *told*, or the merchant's id.
    """
    if not isinstance(case, CaseRecord):
        raise InvalidTerms("case", case, "the record of a refund case: RefundCase.record")
    # The first step leads from nothing to something.
    states = [None, *(event.state for event in case.events)]
    found = [
        RefundStatusChanged(
            merchant=merchant if isinstance(merchant, str) else merchant.id,
            holder=case.credit_holder,
            at=event.at,
            case=case.id,
            order=case.decision.request.order,
            status=RefundStatus(event.state.value),
            previous=None if before is None else RefundStatus(before.value),
        )
        for before, event in zip(states, case.events, strict=False)
        if event.state is not before
    ]
    return (*found[:-1], attrs.evolve(found[-1], amount=_amount(case), told=told))


def code_message(issued: IssuedCode, merchant: Merchant | str) -> ClaimCodeCreated:
    """
    Return the message for whoever gets a claim code that was just issued or reissued.

    The code is in it where *issued* has it: once. A message that was made of a repeat cannot be
    rendered, so a code that was lost on the way has to be reissued.

    Args:
        issued: From `StoreCredit.issue_code` or `StoreCredit.reissue_code`.

        merchant: Whose code it is.

    Raises:
        InvalidTerms: No code that was issued.
        InvalidText: The merchant's id.
    """
    if not isinstance(issued, IssuedCode):
        # Its class, not the value: whoever passes the code itself would find it in a log.
        raise InvalidTerms("issued", type(issued).__name__, "what issue_code() returned")
    return ClaimCodeCreated(
        merchant=merchant if isinstance(merchant, str) else merchant.id,
        holder=issued.reserved_for,
        at=issued.claim.issued_at,
        claim=issued.id,
        number=issued.claim.reissues + 1,
        amount=issued.worth,
        expires_at=issued.expires_at,
        code=issued.code,
    )


def _amount(case: CaseRecord) -> Money | None:
    amounts = [back.amount for back in track(case).backs if back.back in _COMES_BACK]
    if len({amount.unit for amount in amounts}) != 1:
        return None
    return Money.total(amounts, amounts[0].unit)
