"""Refund cases and tallies of a holder who is replaced by a pseudonym (A18, S11)."""

from typing import Final

from storecredit.policies import LimitPer, RefundDecision
from storecredit.refunds import CaseRecord, TallyBook
from storecredit.refunds.renaming import renamed
from storecredit.refunds.tallies import book_id
from storecredit.service._case_giving import CASE_KIND, TALLY_KIND, book_of, references_of
from storecredit.storage.protocols import Record, UnitOfWork

_PAGE: Final = 200


def rename_cases(tx: UnitOfWork, merchant: str, holder: str, pseudonym: str) -> bool:
    """
    Let the refund cases of *holder* name *pseudonym*, and what limits have counted follow.

    What is given later goes to whom the pseudonym names. A buyer is renamed in the cases of that
    holder alone: in those of somebody who got a gift, the host knows where.

    Returns:
        Whether there was any.
    """
    moved = set[str]()
    after, found = "", False
    while True:
        rows = tx.records(
            merchant, CASE_KIND, reference=("holder", holder), after=after, limit=_PAGE
        )
        for row in rows:
            found = True
            case = CaseRecord.from_json(row.body)
            moved |= _move_tallies(tx, merchant, case.decision, (holder, pseudonym), moved)
            then = renamed(case, holder, pseudonym)
            tx.put(
                Record(
                    merchant=merchant,
                    kind=CASE_KIND,
                    id=row.id,
                    version=row.version + 1,
                    body=then.to_json(),
                    references=references_of(then),
                )
            )
        if len(rows) < _PAGE:
            return found
        after = rows[-1].id


def _move_tallies(
    tx: UnitOfWork, merchant: str, decision: RefundDecision, names: tuple[str, str], done: set[str]
) -> set[str]:
    """Move what the limits of a decision have counted for the one name to the other."""
    moved = set[str]()
    for limit in decision.limits:
        old, new = (book_id(decision.policy.name, limit, name) for name in names)
        if limit.per is not LimitPer.HOLDER or old == new or old in done | moved:
            continue
        moved.add(old)
        version, book = book_of(tx, merchant, old)
        if version:
            newer, _ = book_of(tx, merchant, new)
            for name, known, body in ((new, newer, book), (old, version, TallyBook())):
                tx.put(
                    Record(
                        merchant=merchant,
                        kind=TALLY_KIND,
                        id=name,
                        version=known + 1,
                        body=body.to_json(),
                    )
                )
    return moved
