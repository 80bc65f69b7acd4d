"""Balance files: opening balances, or any other grants, as people write them in CSV (S9)."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, cast, final

import attrs

from storecredit.errors import (
    AccountClosed,
    AccountFrozen,
    AmountNotPositive,
    AmountOutOfRange,
    CeilingReached,
    ExpiryTooEarly,
    InvalidTerms,
    InvalidText,
    KeyReused,
    MisuseError,
    RefusalError,
    UnitRedefined,
    UnitWithdrawn,
)
from storecredit.ledger import (
    LONGEST,
    LONGEST_NOTE,
    Expiry,
    Funding,
    Issue,
    Merchant,
    require_key,
    require_text,
)
from storecredit.service.about import About
from storecredit.service.file_source import BadCell, BadRows, Source
from storecredit.service.table_file import rows_by_column
from storecredit.values import Money, Unit, end_of_day, instant

REQUIRED: Final = ("holder", "amount")
COLUMNS: Final = (
    *REQUIRED,
    "unit",
    "funding",
    "expires",
    "effective",
    "priority",
    "paid",
    "reference",
    "key",
    "actor",
    "reason",
    "note",
    "channel",
    "location",
    "occurred_at",
)
_ABOUT: Final = ("reference", "actor", "reason", "note", "channel", "location")

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_WRITTEN: Final = "the day 2026-12-31 or the instant 2026-12-31T18:00:00+01:00"
_WHOLE: Final = re.compile(r"-?[0-9]{1,7}")
_KEY_DIGITS: Final = 16


@final
@attrs.frozen
class BalanceDefaults:
    """What holds for every row that does not say otherwise."""

    key_prefix: str
    unit: Unit | None
    funding: Funding | None
    about: About


@final
@attrs.frozen
class BalanceRow:
    """One row that can be read: what to issue to whom."""

    line: int
    holder: str
    command: Issue
    key: str
    about: About


def balance_rows(
    source: Source, bad: BadRows, merchant: Merchant, defaults: BalanceDefaults
) -> Iterator[BalanceRow]:
    """Yield every row of *source* that can be read, and note in *bad* every one that cannot."""
    names = _Keys(defaults.key_prefix)
    for line, cells in rows_by_column(source, bad, REQUIRED, COLUMNS):
        try:
            _check_cells(cells, source.limits.field_characters)
            yield _read(line, cells, merchant, defaults, names)
        except BadCell as wrong:
            bad.add(line, wrong.column, wrong.problem)


def _read(
    line: int,
    cells: Mapping[str, str],
    merchant: Merchant,
    defaults: BalanceDefaults,
    keys: "_Keys",
) -> BalanceRow:
    holder = _cell("holder", cells, lambda text: require_text("holder", text))
    unit = _cell("unit", cells, merchant.unit, instead=defaults.unit)
    amount = _cell("amount", cells, lambda text: Money.of(text, unit))
    funding = _cell("funding", cells, _funding, instead=defaults.funding)
    terms: dict[str, Any] = {}
    for column, read in _TERMS.items():
        if column in cells:
            terms[column] = _cell(column, cells, read(merchant, unit))
    command = Issue(amount=amount, funding=funding, **terms)
    told: dict[str, Any] = {name: cells[name] for name in _ABOUT if name in cells}
    if "occurred_at" in cells:
        told["occurred_at"] = _cell("occurred_at", cells, _instant)
    about = cast("About", {**defaults.about, **told})
    given = _cell("key", cells, require_key) if "key" in cells else None
    return BalanceRow(line, holder, command, keys.name(line, holder, unit.code, given), about)


def _check_cells(cells: Mapping[str, str], longest: int) -> None:
    for column, text in cells.items():
        most = min(longest, LONGEST_NOTE if column in {"reason", "note"} else LONGEST)
        if len(text) > most:
            raise BadCell(column, f"it has {len(text)} characters; at most {most} are read")
        if text != text.strip():
            raise BadCell(column, "it has spaces around it")


def _cell(
    column: str, cells: Mapping[str, str], read: Callable[[str], Any], *, instead: Any = None
) -> Any:
    """Read a cell, or take what stands for an empty one; name the column of whatever is wrong."""
    text = cells.get(column)
    if text is None:
        if instead is None:
            raise BadCell(column, "it is empty")
        return instead
    try:
        return read(text)
    except BadCell as wrong:
        raise BadCell(column, wrong.problem) from None
    except (MisuseError, RefusalError) as wrong:
        raise BadCell(column, str(wrong)) from None


def _funding(text: str) -> Funding:
    try:
        return Funding(text)
    except ValueError:
        raise BadCell("", f"{text[:40]!a} is none of {', '.join(Funding)}") from None


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise BadCell("", f"{text[:40]!a} is no whole number")
    return int(text)


def _day(text: str) -> date | None:
    """Read a day; return None for what does not look like one."""
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadCell("", f"there is no day {text}") from None


def _instant(text: str) -> datetime:
    if not _INSTANT.fullmatch(text):
        raise BadCell("", f"{text[:40]!a} is not written like {_WRITTEN}")
    try:
        return instant(datetime.fromisoformat(text))
    except ValueError:
        raise BadCell("", f"there is no instant {text}") from None


def _start(merchant: Merchant) -> Callable[[str], datetime]:
    def read(text: str) -> datetime:
        day = _day(text)
        if day is None:
            return _instant(text)
        if day == date.min:
            raise BadCell("", "there is no day before it")
        return end_of_day(day - timedelta(days=1), merchant.zone)

    return read


def _paid(merchant: Merchant, unit: Unit) -> Callable[[str], Money]:
    def read(text: str) -> Money:
        return Money.parse(text, customs=merchant.units) if " " in text else Money.of(text, unit)

    return read


def _expiry(text: str) -> Expiry:
    return _day(text) or _instant(text)


_TERMS: Final[Mapping[str, Callable[[Merchant, Unit], Callable[[str], Any]]]] = MappingProxyType(
    {
        "expires": lambda _merchant, _unit: _expiry,
        "effective": lambda merchant, _unit: _start(merchant),
        "priority": lambda _merchant, _unit: _whole,
        "paid": _paid,
    }
)
"""How to read each column that becomes a term of the lot."""


_BLAMED: Final[Mapping[type[Exception], str]] = MappingProxyType(
    {
        AccountClosed: "holder",
        AccountFrozen: "holder",
        AmountNotPositive: "amount",
        AmountOutOfRange: "amount",
        CeilingReached: "amount",
        ExpiryTooEarly: "expires",
        KeyReused: "key",
        UnitRedefined: "unit",
        UnitWithdrawn: "unit",
    }
)


def column_of(refused: Exception) -> str:
    """Return the column that the refusal of a row is about, or ``row`` where it is no single one."""
    if isinstance(refused, InvalidText | InvalidTerms) and refused.field in COLUMNS:
        return refused.field
    return _BLAMED.get(type(refused), "row")


@final
class _Keys:
    """
    The keys of rows that name none: the same file, run again, makes the same keys.

    A key counts the rows of its holder and unit, so other holders' rows may come, go and change
    places. It covers no amount: a row whose amount was changed between two runs meets its old
    key, and is refused instead of being issued beside the old one.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix: Final = prefix
        self._rows: Final[dict[tuple[str, str], int]] = {}
        self._lines: Final[dict[tuple[str, str, str], int]] = {}

    def name(self, line: int, holder: str, unit: str, given: str | None) -> str:
        """Return the key of a row: the one that was given, or one made for it."""
        if given is None:
            row = self._rows[holder, unit] = self._rows.get((holder, unit), 0) + 1
            # The holder is in the key because merged holders share one account.
            known_by = hashlib.sha256(holder.encode()).hexdigest()[:_KEY_DIGITS]
            given = f"{self._prefix}:{known_by}:{row}"
        first = self._lines.setdefault((holder, unit, given), line)
        if first != line:
            raise BadCell("key", f"line {first} has the same key for this holder and unit")
        return given
