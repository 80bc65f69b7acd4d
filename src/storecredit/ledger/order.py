"""The order of use: which lot is drawn from first (A3), as data."""

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger.lot import Lot
from storecredit.ledger.terms import Funding


@final
class OrderKey(enum.StrEnum):
    """One named reason to draw from a lot before another."""

    RESTRICTED = "restricted"
    """Lots with limits first."""
    PRIORITY = "priority"
    """Lower priority first."""
    EXPIRY = "expiry"
    """Sooner expiry first, never-expiring last."""
    FUNDING = "funding"
    """Promotional before the rest."""
    EFFECTIVE = "effective"
    """Earlier effective date first."""
    ISSUED = "issued"
    """Earlier issue first."""
    COST = "cost"
    """Given value first; then less paid for each unit first, currency by currency in order of code."""
    ID = "id"
    """By lot id, which is never equal."""


def _ending_in_the_id(names: Iterable[str]) -> tuple[OrderKey, ...]:
    """Accept keys by name, each once, and let the id end them: the order is total (A3)."""
    known = {key.value for key in OrderKey}
    keys = list[OrderKey]()
    for name in names:
        if name not in known:
            raise InvalidTerms("order of use", name, f"one of {', '.join(sorted(known))}")
        if name in keys:
            raise InvalidTerms("order of use", name, "each key once")
        keys.append(OrderKey(name))
    return tuple(keys) if OrderKey.ID in keys else (*keys, OrderKey.ID)


@final
@attrs.frozen
class OrderOfUse:
    """A tuple of named keys, compared one after the other; the lot id always decides last."""

    keys: tuple[OrderKey, ...] = attrs.field(converter=_ending_in_the_id)

    @classmethod
    def of(cls, *names: str) -> "OrderOfUse":
        """
        Build an order from the *names* of its keys, the strongest first.

        Raises:
            InvalidTerms: A name is not a key, or stands twice.
        """
        return cls(names)

    def key(self, lot: Lot) -> tuple[Any, ...]:
        """Return what *lot* is sorted by."""
        return tuple([_VALUES[name](lot) for name in self.keys])

    def walk(self, lots: Iterable[Lot]) -> Iterator[Lot]:
        """
        Yield *lots* one after the other, the first to be used first.

        Few commands need more than a lot or two of many, so only what is asked for is put in
        order: the lots are parted by the strongest key, and each part, when its turn has come,
        by the next.
        """
        return _walk(list(lots), self.keys)

    def sorted(self, lots: Iterable[Lot]) -> list[Lot]:
        """Return *lots*, the first to be used first."""
        found = lots if isinstance(lots, list) else list(lots)
        return sorted(found, key=self.key) if len(found) > 1 else found


def _walk(lots: list[Lot], keys: tuple[OrderKey, ...]) -> Iterator[Lot]:
    if len(lots) < 2:
        yield from lots
        return
    value = _VALUES[keys[0]]
    parts: dict[Any, list[Lot]] = {}
    for lot in lots:
        parts.setdefault(value(lot), []).append(lot)
    for each in sorted(parts):
        yield from _walk(parts[each], keys[1:])


def _cost(lot: Lot) -> tuple[str, Fraction]:
    # Amounts of unlike currencies are never compared (V3).
    paid = lot.terms.paid
    return (
        ("", Fraction(0))
        if paid is None
        else (paid.money.unit.code, Fraction(paid.money.minor, paid.face))
    )


_NEVER: Final = datetime.max.replace(tzinfo=UTC)

_VALUES: Final[Mapping[OrderKey, Callable[[Lot], Any]]] = MappingProxyType(
    {
        OrderKey.RESTRICTED: lambda lot: lot.terms.limits is None,
        OrderKey.PRIORITY: lambda lot: lot.terms.priority,
        OrderKey.EXPIRY: lambda lot: lot.terms.expires_at or _NEVER,
        OrderKey.FUNDING: lambda lot: lot.terms.funding is not Funding.PROMOTIONAL,
        OrderKey.EFFECTIVE: lambda lot: lot.terms.effective_at,
        OrderKey.ISSUED: lambda lot: lot.sequence,
        OrderKey.COST: _cost,
        OrderKey.ID: lambda lot: lot.id,
    }
)

DEFAULT_ORDER: Final = OrderOfUse.of("priority", "expiry", "funding", "effective", "issued")
"""The default of A3."""
