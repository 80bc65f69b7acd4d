"""A request: one call of one verb of `StoreCredit`, as data that can be repeated and changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import attrs

from storecredit.service import StoreCredit


@final
@attrs.frozen
class Request:
    """One call: which merchant's service, which verb, which arguments."""

    merchant: str
    verb: str
    arguments: Mapping[str, Any]

    def send(self, services: Mapping[str, StoreCredit]) -> Any:
        """Make the call, and return what the service answers."""
        return getattr(services[self.merchant], self.verb)(**self.arguments)

    def changed(self, name: str, argument: object) -> Request:
        """Return the same call with another value for one argument."""
        return attrs.evolve(self, arguments={**self.arguments, name: argument})
