"""What every command may be told besides its own arguments: when, who, why, for what (A13, A18)."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

from storecredit.errors import InvalidText
from storecredit.ledger import LONGEST_NOTE, NO_CONTEXT, Context, require_text
from storecredit.values import instant


class About(TypedDict, total=False):
    """The keyword arguments that all commands share; all of them may be left out."""

    at: datetime | None
    """The instant of the command; now, by the service's clock, where absent."""
    actor: str | None
    """Who does it: a clerk, a job, the customer. Kept apart from the digest, so erasable."""
    reason: str | None
    reference: str | None
    """The order, refund or ticket that it is about."""
    channel: str | None
    """Where the sale happens; one of the merchant's channels."""
    location: str | None
    note: str | None
    data: Mapping[str, str] | None
    """A small map of the host's own: at most 20 names."""
    occurred_at: datetime | None
    """Business time, where it is not the time of recording."""


MOST_DATA = 20
_PLAIN = ("actor", "reference", "channel", "location")
_LONG = ("reason", "note")


def context_of(about: About) -> Context:
    """
    Check and freeze what a command was told.

    Raises:
        TypeError: An unknown keyword.
        InvalidText: A text that cannot be kept (see `require_text`).
        NaiveInstant: ``occurred_at`` without a zone.
    """
    if not about:
        return NO_CONTEXT
    unknown = about.keys() - About.__annotations__.keys()
    if unknown:
        raise TypeError(f"unexpected keyword argument {sorted(unknown)[0]!r}")
    found: dict[str, object] = {}
    for name in _PLAIN:
        if (text := about.get(name)) is not None:
            found[name] = require_text(name, text)
    for name in _LONG:
        if (text := about.get(name)) is not None:
            found[name] = require_text(name, text, longest=LONGEST_NOTE)
    if data := about.get("data"):
        found["data"] = _small_map(data)
    if (occurred_at := about.get("occurred_at")) is not None:
        found["occurred_at"] = instant(occurred_at)
    return Context(**found) if found else NO_CONTEXT  # type: ignore[arg-type]  # checked above


def _small_map(data: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(data, Mapping):
        raise InvalidText("data", data, "is not a map of text to text")
    if len(data) > MOST_DATA:
        raise InvalidText("data", data, f"has {len(data)} names, and at most {MOST_DATA} are kept")
    for name in data:
        require_text("data name", name)
    return {
        name: require_text("data value", value, longest=LONGEST_NOTE)
        for name, value in sorted(data.items())
    }
