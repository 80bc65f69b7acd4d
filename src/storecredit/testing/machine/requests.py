"""A request: one call of one verb of `StoreCredit`, as data that can be repeated and changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final, cast, final

import attrs

from storecredit.service import Grant, StoreCredit
from storecredit.service.about import About
from storecredit.values import Money

_COLUMNS: Final = ("holder", "amount", "unit", "funding", "expires", "effective", "priority")
_MORE: Final = ("paid", "key", "reference", "actor", "reason", "note", "channel")
_HOLDERS: Final = frozenset({"holder", "sender", "receiver", "into", "pseudonym"})
"""Arguments that name a holder."""


@final
@attrs.frozen
class Sheet:
    """Grants as the rows of a balance file; each row has a key of its own."""

    grants: tuple[Grant, ...]

    def written(self) -> str:
        """Write the file: one line of names, then one for each grant."""
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow((*_COLUMNS, *_MORE))
        for grant in self.grants:
            paid = "" if grant.paid is None else str(grant.paid)
            about = [_cell(grant.about.get(name)) for name in _MORE[2:]]
            code, _, digits = str(grant.amount).partition(" ")
            terms = [_cell(each) for each in (grant.expires, grant.effective, grant.priority)]
            rows.writerow(
                (grant.holder, digits, code, grant.funding, *terms, paid, grant.key, *about)
            )
        return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


@final
@attrs.frozen
class Request:
    """One call: which merchant's service, which verb, which arguments."""

    merchant: str
    verb: str
    arguments: Mapping[str, Any]

    def send(self, services: Mapping[str, StoreCredit]) -> Any:
        """Make the call, and return what the service answers; a stream is read to its end."""
        answer = self.begin(services)
        return tuple(answer) if isinstance(answer, Iterator) else answer

    def begin(self, services: Mapping[str, StoreCredit]) -> Any:
        """Make the call, and return what the service answers; a stream is not read yet."""
        arguments = {
            name: io.StringIO(each.written(), newline="") if isinstance(each, Sheet) else each
            for name, each in self.arguments.items()
        }
        return getattr(services[self.merchant], self.verb)(**arguments)

    @property
    def grants(self) -> tuple[Grant, ...]:
        """The grants that it lists, of whatever kind the list is."""
        listed = self.arguments.get("grants", ())
        sheet = self.arguments.get("source")
        return sheet.grants if isinstance(sheet, Sheet) else tuple(listed)

    def changed(self, name: str, argument: object) -> Request:
        """Return the same call with another value for one argument."""
        return attrs.evolve(self, arguments={**self.arguments, name: argument})

    def with_grants(self, grants: tuple[Grant, ...]) -> Request:
        """Return the same call with other grants."""
        if "source" in self.arguments:
            return self.changed("source", Sheet(grants))
        return self.changed("grants", grants)

    def with_another(self, field: str) -> tuple[Request, str]:
        """
        Return the same call with one argument changed, and which it is.

        *field* is ``amount``, ``data`` or ``reference``; the reference also stands in for an
        amount where there is none. Of a list, the first grant is changed.
        """
        amount = self.arguments.get("amount")
        if field == "amount" and isinstance(amount, Money):
            other = amount.minor - 1 if amount.minor > 1 else amount.minor + 1
            return self.changed(field, Money.of_minor(other, amount.unit)), field
        field = "data" if field == "data" else "reference"
        value: Any = {"ticket": "another"} if field == "data" else "order 3"
        in_a_row = field == "reference" or "source" not in self.arguments
        if not self.grants or not in_a_row:
            return self.changed(field, value), field
        first, *rest = self.grants
        about = cast(About, {**first.about, field: value})
        return self.with_grants((attrs.evolve(first, about=about), *rest)), field

    def renamed(self, holder: str, name: str) -> Request:
        """Return the same call with *name* wherever it named *holder*."""
        request = self
        for argument in _HOLDERS & self.arguments.keys():
            if self.arguments[argument] == holder:
                request = request.changed(argument, name)
        if not self.grants:
            return request
        return request.with_grants(
            tuple(
                attrs.evolve(grant, holder=name) if grant.holder == holder else grant
                for grant in self.grants
            )
        )
