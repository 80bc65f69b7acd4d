"""What an entry keeps of its request: what a repeat is compared by, and what may be erased."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Final, cast

from storecredit.service import Grant
from storecredit.service.about import About
from storecredit.testing.machine.requests import Request

PRIVATE: Final = ("actor", "note", "data")
"""What may be erased of an entry (A14)."""

_NUMBERS: Final = count()

_UNCOMPARED: Final = frozenset(
    {"at", "actor", "note", "data", "key", "holder", "sender", "receiver", "into"}
)
"""``data`` is compared apart, for as long as it is there; holders by who they are by then."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Filed:
    """The request of one entry, as far as the ledger remembers it."""

    call: int
    """The number of the call; the entries of one call in several accounts have the same."""
    compared: str
    """Everything that a repeat is compared by, but for its ``data`` (A12)."""
    private: Mapping[str, object]
    """The private fields that are still there."""
    erased: frozenset[str] = frozenset()
    channel: str | None = None

    def is_that_of(self, other: Filed) -> bool:
        """Tell whether *other* is the same request; what was erased cannot tell them apart."""
        if self.compared != other.compared:
            return False
        return "data" in self.erased or self.private.get("data") == other.private.get("data")

    def without(self, fields: Iterable[str]) -> Filed:
        """Forget *fields*."""
        gone = {name for name in fields if name in self.private}
        return dataclasses.replace(
            self,
            private={name: value for name, value in self.private.items() if name not in gone},
            erased=self.erased | gone,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Call:
    """One request, taken apart."""

    verb: str
    key: str
    about: About
    asked: Mapping[str, Any]
    """The arguments of the verb itself."""
    filed: Filed

    def get(self, name: str) -> Any:
        """Return an argument, None where it was left out."""
        return self.asked.get(name)

    def rest(self, *taken: str) -> dict[str, Any]:
        """Return the arguments besides those *taken*."""
        return {name: value for name, value in self.asked.items() if name not in taken}

    def about_whom(self, text: str) -> Call:
        """Return the same call, compared also by the other party that it leads to."""
        filed = dataclasses.replace(self.filed, compared=f"{self.filed.compared} {text}")
        return dataclasses.replace(self, filed=filed)

    @property
    def for_the_far_side(self) -> Filed:
        """What the other entry keeps: no request, but all that was told about it (A17)."""
        return dataclasses.replace(self.filed, compared="")


def taken_apart(request: Request) -> Call:
    """Divide the arguments of *request* into the verb's own and what all commands share."""
    about: dict[str, Any] = {}
    asked: dict[str, Any] = {}
    for name, value in request.arguments.items():
        if name in About.__annotations__:
            about[name] = value
        elif name != "key":
            asked[name] = value
    compared = sorted(
        (name, repr(value))
        for name, value in request.arguments.items()
        if name not in _UNCOMPARED and value is not None
    )
    return Call(
        verb=request.verb,
        key=request.arguments.get("key", ""),
        about=cast(About, about),
        asked=asked,
        filed=Filed(
            call=next(_NUMBERS),
            compared=f"{request.verb}{compared}",
            private={name: about[name] for name in PRIVATE if about.get(name)},
            channel=about.get("channel"),
        ),
    )


def issue_of(merchant: str, grant: Grant, about: About) -> Request:
    """Return the issue that *grant* asks for; what it says itself comes before *about*."""
    return Request(
        merchant,
        "issue",
        {
            "holder": grant.holder,
            "amount": grant.amount,
            "funding": grant.funding,
            "expires": grant.expires,
            "effective": grant.effective,
            "priority": grant.priority,
            "limits": grant.limits,
            "paid": grant.paid,
            "key": grant.key,
            **about,
            **grant.about,
        },
    )
