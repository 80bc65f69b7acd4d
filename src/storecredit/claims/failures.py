"""What is remembered of failed claims: so many callers at most, and of each a few numbers (A15)."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, final

import attrs

from storecredit.claims.throttle import Failures, Throttle

FAILURES: Final = "claim-failures"
"""The kind of the records that failed claims are kept in (S11)."""
OF_MERCHANT: Final = "merchant"
"""The id of the record about everybody's failures."""
PAGES: Final = 1024
"""How many records the callers of one merchant are spread over."""
MOST: Final = 64
"""How many callers one record remembers."""


def page_of(caller: str) -> str:
    """Return the id of the record that remembers a caller, by the digest of who that is."""
    return f"caller-{int(caller[:8], 16) % PAGES:04}"


def _kept(callers: Mapping[str, Failures]) -> Mapping[str, Failures]:
    return MappingProxyType(dict(callers))


@final
@attrs.frozen
class FailurePage:
    """
    The callers that one record remembers, by digest.

    Who is forgotten by the rule goes when the page is written next. Where that leaves too many,
    those with the fewest failures go first, and of these the earliest.
    """

    callers: Mapping[str, Failures] = attrs.field(factory=dict, converter=_kept)

    def of(self, caller: str) -> Failures:
        """Return what is remembered of that caller."""
        return self.callers.get(caller, Failures())

    def noting(
        self, caller: str, failures: Failures, *, rule: Throttle, at: datetime
    ) -> "FailurePage":
        """Return the page with what is now remembered of that caller, and without the forgotten."""
        every = {**self.callers, caller: failures}
        known = {name: rule.remembered(each, at) for name, each in every.items()}
        kept = [name for name, each in known.items() if each.count]
        kept.sort(key=lambda name: (known[name].count, known[name].last, name))
        return FailurePage({name: known[name] for name in kept[-MOST:]})

    def to_json(self) -> dict[str, Any]:
        """Return the page as JSON data."""
        return {"callers": {name: each.to_json() for name, each in sorted(self.callers.items())}}

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "FailurePage":
        """Read what `to_json` wrote."""
        callers = form["callers"]
        return cls({name: Failures.from_json(each) for name, each in callers.items()})
