"""The records of what limits and ceilings have counted: by whose doing, and how they follow him (P3, P4)."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol, Self, TypeVar, final

import attrs

from storecredit.ledger.canonical import canonical
from storecredit.policies.granted import GrantTally
from storecredit.policies.limits import Limit, LimitPer
from storecredit.refunds.tallies import TallyBook, binding
from storecredit.service._door import Door
from storecredit.storage.protocols import Reader, Record, UnitOfWork, Wallet

REFUND_TALLY: Final = "refund-tally"
"""The kind of the records of what limits of refunds have counted (S11)."""
GRANT_TALLY: Final = "grant-tally"
"""The kind of the records of what ceilings of gifts and top-ups have counted (S11)."""
_KINDS: Final[dict[type, str]] = {TallyBook: REFUND_TALLY, GrantTally: GRANT_TALLY}
_REFERENCE: Final = "of"
_PAGE: Final = 200


class _Form(Protocol):
    """What tallies of both kinds can do."""

    def with_all(self, other: Self) -> Self: ...

    def to_json(self) -> dict[str, Any]: ...

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> Self: ...


_Tally = TypeVar("_Tally", bound=_Form)


@final
@attrs.frozen(kw_only=True)
class Counted:
    """What one tally counts: under which limit, and whose doing. All versions of a policy share it."""

    section: tuple[str, ...]
    """What the limit is a part of: the policy, and what else tells it apart."""
    limit: str
    per: LimitPer
    subject: str
    """Whose doing: a holder or his wallet, or an agent."""

    @property
    def id(self) -> str:
        """Return the id of the record: a digest, which does not say whose it is."""
        named = [*self.section, self.limit, self.per.value, self.subject]
        return hashlib.sha256(canonical(named).encode()).hexdigest()


def binding_refunds(
    door: Door,
    reader: Reader,
    policy: str,
    limits: Iterable[Limit],
    *,
    holder: str | None,
    agent: str | None,
) -> tuple[tuple[Limit, Counted], ...]:
    """Return the limits of refunds that bind whoever is here, each with what its tally counts."""
    wallet = None if holder is None else reader.wallet(door.merchant.id, holder)
    # Whoever was merged into another counts as the other, who need not have an account yet.
    who = holder if wallet is None else door._surviving(reader, wallet).holder
    return tuple(
        (limit, Counted(section=(policy,), limit=limit.id, per=limit.per, subject=subject))
        for limit, subject in binding(limits, holder=who, agent=agent)
    )


def read_tally(
    reader: Reader, merchant: str, form: type[_Tally], counted: Counted
) -> tuple[int, _Tally]:
    """Return a tally as it is stored, and its version; an empty one is none."""
    row = reader.record(merchant, _KINDS[form], counted.id)
    return (0, form()) if row is None else (row.version, form.from_json(row.body["tally"]))


def put_tally(
    tx: UnitOfWork,
    merchant: str,
    counted: Counted,
    tally: _Form,
    *,
    version: int,
) -> None:
    """
    Write a tally in place of the one that was read.

    Raises:
        ConcurrentChange: It is no longer as it was read.
    """
    body = {
        "section": list(counted.section),
        "limit": counted.limit,
        "per": counted.per.value,
        "tally": tally.to_json(),
    }
    record = Record(
        merchant=merchant,
        kind=_KINDS[type(tally)],
        id=counted.id,
        version=version,
        body=body,
        references={_REFERENCE: _reference_to(counted.subject)},
    )
    tx.put(record)


def has_tallies(reader: Reader, merchant: str, holder: str) -> bool:
    """Tell whether limits of refunds have counted anything for *holder*."""
    reference = (_REFERENCE, _reference_to(holder))
    rows = reader.records(merchant, REFUND_TALLY, reference=reference, limit=_PAGE)
    return any(row.body["per"] == LimitPer.HOLDER for row in rows)


def hold_still(door: Door, tx: UnitOfWork, holder: str) -> None:
    """Let nobody rename or merge *holder*, or whoever took him over, until this is committed."""
    wallet = tx.wallet(door.merchant.id, holder)
    if wallet is not None:
        tx.replace_wallet(door._surviving(tx, wallet))


def follow_merger(tx: UnitOfWork, merchant: str, source: Wallet, target: Wallet) -> None:
    """Let what was counted for *source* count for *target*, which takes it over (A17)."""
    # Refunds count by the name, as a holder may have no account yet; gifts count by the wallet.
    _follow(tx, merchant, TallyBook, source.holder, target.holder)
    _follow(tx, merchant, GrantTally, source.id, target.id)


def follow_name(tx: UnitOfWork, merchant: str, holder: str, pseudonym: str) -> None:
    """Let what was counted for *holder* count for *pseudonym*, his new name (A18)."""
    _follow(tx, merchant, TallyBook, holder, pseudonym)


def _follow(tx: UnitOfWork, merchant: str, form: type[_Tally], old: str, new: str) -> None:
    if old == new:
        return
    reference, after = (_REFERENCE, _reference_to(old)), ""
    while True:
        rows = tx.records(merchant, _KINDS[form], reference=reference, after=after, limit=_PAGE)
        for row in rows:
            counted = Counted(
                section=tuple(row.body["section"]),
                limit=row.body["limit"],
                per=LimitPer(row.body["per"]),
                subject=new,
            )
            # An agent of the same name is somebody else.
            if counted.per is LimitPer.HOLDER:
                _move(tx, row, form, counted)
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def _move(tx: UnitOfWork, row: Record, form: type[_Tally], counted: Counted) -> None:
    """Add what *row* has counted to the tally *counted*, and leave nothing of it there."""
    version, there = read_tally(tx, row.merchant, form, counted)
    both = there.with_all(form.from_json(row.body["tally"]))
    put_tally(tx, row.merchant, counted, both, version=version + 1)
    body = {**row.body, "tally": form().to_json()}
    tx.put(attrs.evolve(row, version=row.version + 1, body=body, references={}))


def _reference_to(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()
