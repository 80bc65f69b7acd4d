"""A holder's name in a refund case, replaced by a pseudonym (A18)."""

import attrs

from storecredit.refunds.case import CaseRecord


def renamed(case: CaseRecord, holder: str, pseudonym: str) -> CaseRecord:
    """Return *case* with *pseudonym* wherever it names *holder*: as holder, buyer or actor."""
    names = {holder: pseudonym}
    asked = case.decision.request
    request = attrs.evolve(
        asked,
        holder=None if asked.holder is None else names.get(asked.holder, asked.holder),
        buyer=None if asked.buyer is None else names.get(asked.buyer, asked.buyer),
    )
    events = tuple(
        event if event.actor != holder else attrs.evolve(event, actor=pseudonym)
        for event in case.events
    )
    return attrs.evolve(
        case,
        decision=attrs.evolve(case.decision, request=request),
        events=events,
        holder=None if case.holder is None else names.get(case.holder, case.holder),
    )
