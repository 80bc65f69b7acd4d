"""The record of a claim code: what is known of it, except the code itself (A15, S11)."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, final

import attrs

from storecredit.claims.life import TRANSITIONS, ClaimState, ClaimStep
from storecredit.errors import CodeStepRefused
from storecredit.ledger.ids import AccountId, EntryId, WalletId, account_id
from storecredit.ledger.instants import read_instant, write_instant

KIND: Final = "claim"
"""The kind of the records that codes are kept in (S11)."""
_NAMES: Final = uuid.UUID("5f5bb1a6-4a0f-5f0e-9a5c-0b0f3a3f5d1e")
"""The namespace of the ids of codes."""


def claim_id(merchant: str, *names: str) -> str:
    """Return the id of the code that *merchant* issues under these names: a retry names the same."""
    return str(uuid.uuid5(_NAMES, "\n".join((merchant, *names))))


@final
@attrs.frozen(kw_only=True)
class ClaimFact:
    """One step of a code's life."""

    step: ClaimStep
    key: str
    """Names the request, so that its repeat is known."""
    at: datetime
    entries: tuple[EntryId, ...] = ()
    """What it appended to the account of the code; they say who did it."""
    to: str | None = None
    """The wallet that claimed it, or the id of the code that replaces it."""
    actor: str | None = None
    """Who reissued it, as no entry says that. For good: give opaque ids."""
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fact as JSON data; what is at its default is left out."""
        form: dict[str, Any] = {
            "step": self.step.value,
            "key": self.key,
            "at": write_instant(self.at),
        }
        if self.entries:
            form["entries"] = list(self.entries)
        for name in ("to", "actor", "reason"):
            if (value := getattr(self, name)) is not None:
                form[name] = value
        return form

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "ClaimFact":
        """Read what `to_json` wrote."""
        read = {
            "step": ClaimStep(form["step"]),
            "at": read_instant(form["at"]),
            "entries": tuple(EntryId(entry) for entry in form.get("entries", ())),
        }
        return cls(**{**form, **read})


@final
@attrs.frozen(kw_only=True)
class Claim:
    """
    What is kept of a claim code: everything but the code.

    A step returns the next record. Steps that the state does not allow are refused.
    """

    id: str
    """A UUID: for the host's records and its support; it opens nothing."""
    digest: str = attrs.field(repr=False)
    """How the code is found: the id of a key, and the keyed digest."""
    holder: str
    """The holder of its account, a name of the library's own."""
    account: AccountId
    state: ClaimState = ClaimState.OPEN
    reserved_for: str | None = None
    """The one holder who may claim it; None for whoever has it."""
    reissues: int = 0
    """How many codes were the bearer of this account before."""
    facts: tuple[ClaimFact, ...]
    """What has happened to it, oldest first."""

    @property
    def issued_at(self) -> datetime:
        """When this code was made."""
        return self.facts[0].at

    @property
    def references(self) -> dict[str, str]:
        """What the record is found by."""
        found = {"digest": self.digest, "state": self.state.value}
        return found if self.reserved_for is None else {**found, "reserved": self.reserved_for}

    def fact(self, step: ClaimStep) -> ClaimFact | None:
        """Return when and how that step was taken, or None."""
        return next((fact for fact in self.facts if fact.step is step), None)

    def was_taken(self, step: ClaimStep, key: str) -> bool:
        """Tell whether a request with that key took the step: then it is a repeat (A12)."""
        fact = self.fact(step)
        return fact is not None and fact.key == key

    def require(self, step: ClaimStep) -> None:
        """
        Require that the state allows *step*.

        Raises:
            CodeStepRefused: It does not.
        """
        allowed = TRANSITIONS[self.state]
        if step not in allowed:
            raise CodeStepRefused(
                self.id, step.value, self.state.value, tuple(each.value for each in allowed)
            )

    def take(self, fact: ClaimFact) -> "Claim":
        """
        Return the record after that step.

        Raises:
            CodeStepRefused: The state does not allow it.
        """
        self.require(fact.step)
        state = TRANSITIONS[self.state][fact.step]
        return attrs.evolve(self, state=state, facts=(*self.facts, fact))

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON data; who claimed it stands beside the facts, too."""
        claimed = self.fact(ClaimStep.CLAIM)
        return {
            "id": self.id,
            "digest": self.digest,
            "holder": self.holder,
            "account": self.account,
            "state": self.state.value,
            "reserved_for": self.reserved_for,
            "reissues": self.reissues,
            "claimed": None if claimed is None else [claimed.key, claimed.to],
            "facts": [fact.to_json() for fact in self.facts],
        }

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "Claim":
        """Read what `to_json` wrote."""
        read = {
            "account": AccountId(form["account"]),
            "state": ClaimState(form["state"]),
            "facts": tuple(ClaimFact.from_json(fact) for fact in form["facts"]),
        }
        kept = {name: value for name, value in form.items() if name != "claimed"}
        return cls(**{**kept, **read})


@final
@attrs.frozen
class ClaimHead:
    """The few fields of a record that a claim is judged by: as many, whatever has happened."""

    digest: str
    account: AccountId
    state: ClaimState
    reserved_for: str | None
    claimed: tuple[str, str] | None
    """The key of the claim, and the wallet that claimed it."""

    @classmethod
    def of(cls, form: Mapping[str, Any]) -> "ClaimHead":
        """Read the fields of what `Claim.to_json` wrote."""
        claimed = form["claimed"]
        return cls(
            form["digest"],
            AccountId(form["account"]),
            ClaimState(form["state"]),
            form["reserved_for"],
            None if claimed is None else tuple(claimed),
        )


NOBODYS_ACCOUNT: Final = account_id(WalletId("0" * 32), "XXX")
"""The account that is looked for in place of that of an unknown code; there is none."""
NOBODY: Final = Claim(
    id=str(uuid.UUID(int=0)),
    digest="~:" + "0" * 64,
    holder="~nobody",
    account=NOBODYS_ACCOUNT,
    facts=(),
)
"""What is read in place of an unknown code's record, so that as much is done (A15)."""
