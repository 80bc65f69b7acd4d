"""Refund cases and tallies of a holder who is replaced by a pseudonym (A18, S11)."""

from typing import Final

from storecredit.refunds import CaseRecord
from storecredit.refunds.renaming import renamed
from storecredit.service._case_giving import CASE_KIND, references_of
from storecredit.service._tally_records import follow_name
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
    after, found = "", False
    while True:
        rows = tx.records(
            merchant, CASE_KIND, reference=("holder", holder), after=after, limit=_PAGE
        )
        for row in rows:
            found = True
            case = CaseRecord.from_json(row.body)
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
            break
        after = rows[-1].id
    # At the end: a case that has counted since it was read is no longer as it was read.
    follow_name(tx, merchant, holder, pseudonym)
    return found


def has_cases(tx: UnitOfWork, merchant: str, holder: str) -> bool:
    """Tell whether there is a refund case of *holder*."""
    return bool(tx.records(merchant, CASE_KIND, reference=("holder", holder), limit=1))
