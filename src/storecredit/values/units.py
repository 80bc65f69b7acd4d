"""
Units: what an amount is counted in (rule V4).

A unit is an ISO 4217 currency or a `CustomUnit` such as points. Active currencies and their
minor units come from the `iso4217` package, withdrawn ones from py-moneyed. Display digits
(CLDR) are never used for storage.

Known limits of the withdrawn table: py-moneyed has no entry for the seventeen oldest codes
(ARY, AYM, BGJ, BGK, CHC, CSJ, GHP, GNE, LAJ, LSM, MVQ, PEH, ROK, UGW, UYN, VNC, ZWC); they are
unknown here. For a withdrawn currency the digits are those of py-moneyed's sub-unit.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, final

import attrs
import iso4217
import moneyed
from babel.numbers import list_currencies

from storecredit.errors.values import (
    ArgumentRefused,
    NoMinorUnit,
    UnitCollision,
    UnitRefused,
    UnitWithdrawn,
    UnknownCurrency,
)

if TYPE_CHECKING:
    from storecredit.values.cost import CostBasis

MAX_DIGITS: Final = 9
_LONGEST_GUESS: Final = 64
_ISO_CODE: Final = re.compile(r"[A-Z]{3}")
_CUSTOM_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{1,11}")
_NAME: Final = re.compile(r"\S(?:.{0,78}\S)?")

# py-moneyed lists these beside the real ones: never ISO 4217, or from before it (1978).
_NEVER_ISO: Final = frozenset(
    "ARL ARM BAN BGM BGO BOL BRZ CLE CNH CNX IMP KRH KRO MAF MCF MDC MKN MVP TVD VNN YUR".split()
)
# A real withdrawn code that CLDR, unlike ISO and py-moneyed, does not list.
_ISO_BUT_NOT_CLDR: Final = frozenset({"ZWN"})


@final
@attrs.frozen(repr=False, cache_hash=True)
class Currency:
    """
    An ISO 4217 currency with its minor unit; get one with `currency("USD")`.

    Equal by code and digits; the rest is description.

    Raises:
        ArgumentRefused: The code is not three capitals, or the digits are not 0 to 9.
    """

    code: str
    """Three capital letters."""

    digits: int
    """Decimal places of the minor unit: 2 for USD, 0 for JPY, 3 for KWD."""

    name: str = attrs.field(eq=False)
    """English name."""

    numeric: str = attrs.field(eq=False, default="")
    """Three digits, or empty where the source gives none."""

    withdrawn: bool = attrs.field(eq=False, default=False)
    """Whether ISO has withdrawn it: readable, spendable, convertible, not issuable."""

    def __attrs_post_init__(self) -> None:
        if not _is_code(_ISO_CODE, self.code):
            raise ArgumentRefused("code", self.code, 'three capitals; use currency("USD")')
        if type(self.digits) is not int or not 0 <= self.digits <= MAX_DIGITS:
            raise ArgumentRefused("digits", self.digits, 'from 0 to 9; use currency("USD")')

    @property
    def issuable(self) -> bool:
        """Whether new value may be created in it."""
        return not self.withdrawn

    def __repr__(self) -> str:
        return f"currency({self.code!r})"

    def __str__(self) -> str:
        return self.code


@final
@attrs.frozen(repr=False, cache_hash=True)
class CustomUnit:
    """
    Points, miles or tokens: a unit that a shop makes up.

    Equal by code and digits; name and cost basis are description.

    Raises:
        UnitRefused: The code is not 2 to 12 of `A-Z 0-9 _` beginning with a letter, or the
            digits are not 0 to 9, or the name is no text.
        UnitCollision: The code is an ISO 4217 code, active or withdrawn.
        ArgumentRefused: The cost basis is not a `CostBasis`.
    """

    code: str
    """2 to 12 characters, `A-Z`, `0-9` and `_`, beginning with a letter."""

    digits: int = 0
    """Decimal places of the smallest amount, 0 to 9."""

    name: str | None = attrs.field(eq=False, default=None, kw_only=True)
    """What customers read, such as "Points"; the code where absent."""

    cost_basis: CostBasis | None = attrs.field(eq=False, default=None, kw_only=True)
    """What the units cost in money, so that points have a liability in money."""

    def __attrs_post_init__(self) -> None:
        _check_custom_unit(self)

    @property
    def issuable(self) -> bool:
        """Whether new value may be created in it: always."""
        return True

    def __repr__(self) -> str:
        described = "" if self.name is None else f", name={self.name!r}"
        if self.cost_basis is not None:
            described += f", cost_basis={self.cost_basis!r}"
        return f"CustomUnit({self.code!r}, {self.digits}{described})"

    def __str__(self) -> str:
        return self.code


Unit = Currency | CustomUnit


def currency(code: str) -> Currency:
    """
    The ISO 4217 currency named *code*, active or withdrawn.

    Raises:
        NoMinorUnit: A metal, a fund of account or a test code (XAU, XDR, XTS, ...).
        UnknownCurrency: No such code; near ones are suggested. Only capitals are a code.
    """
    return _currency_among(code, {})


def currencies() -> tuple[Currency, ...]:
    """Every currency known here, active and withdrawn, by code."""
    return tuple(_CURRENCIES[code] for code in sorted(_CURRENCIES))


def unit(unit_or_code: Unit | str, *, customs: Iterable[CustomUnit] = ()) -> Unit:
    """
    The unit that a code names: one of *customs*, or else a currency.

    A unit passes through unchanged, if it is a custom unit or a currency that there is.

    Raises:
        ArgumentRefused: Neither a unit nor a code.
        NoMinorUnit: As `currency`.
        UnknownCurrency: As `currency`; the custom codes are suggested too.
    """
    if isinstance(unit_or_code, Currency):
        if _CURRENCIES.get(unit_or_code.code) != unit_or_code:
            raise UnknownCurrency(repr(unit_or_code), ())
        return unit_or_code
    if isinstance(unit_or_code, CustomUnit):
        return unit_or_code
    if not isinstance(unit_or_code, str):
        raise ArgumentRefused("unit", unit_or_code, 'a Currency, a CustomUnit or a code like "USD"')
    offered = {custom.code: custom for custom in customs} if customs else {}
    if unit_or_code in offered:
        return offered[unit_or_code]
    return _currency_among(unit_or_code, offered)


def require_issuable(unit: Unit) -> None:
    """
    Check that new value may be created in *unit*.

    Raises:
        UnitWithdrawn: ISO has withdrawn the currency.
    """
    # The table decides, and not what a hand-made currency says of itself.
    if isinstance(unit, Currency) and _CURRENCIES.get(unit.code, unit).withdrawn:
        raise UnitWithdrawn(unit)


def _currency_among(code: object, offered: Mapping[str, CustomUnit]) -> Currency:
    """The currency named *code*, or an error that suggests what else there is."""
    if not isinstance(code, str):
        raise UnknownCurrency(code, ())
    found = _CURRENCIES.get(code)
    if found is not None:
        return found
    if code in _WITHOUT_MINOR_UNIT:
        raise NoMinorUnit(code, _WITHOUT_MINOR_UNIT[code])
    raise UnknownCurrency(code, _near(code, (*offered, *_CURRENCIES)))


def _near(code: str, known: Iterable[str]) -> tuple[str, ...]:
    if len(code) > _LONGEST_GUESS:
        return ()
    tidy = code.strip().upper()
    codes = sorted(known)
    return (tidy,) if tidy in codes else tuple(difflib.get_close_matches(tidy, codes, n=3))


def _is_code(form: re.Pattern[str], code: object) -> bool:
    return isinstance(code, str) and form.fullmatch(code) is not None


def _check_custom_unit(custom: CustomUnit) -> None:
    code, digits = custom.code, custom.digits
    if not _is_code(_CUSTOM_CODE, code):
        raise UnitRefused(
            code, digits, "a code is 2 to 12 capital letters, digits or _, beginning with a letter"
        )
    if type(digits) is not int or not 0 <= digits <= MAX_DIGITS:
        raise UnitRefused(code, digits, f"digits are a whole number from 0 to {MAX_DIGITS}")
    if code in _CURRENCIES:
        raise UnitCollision(code, _CURRENCIES[code].name)
    if code in _WITHOUT_MINOR_UNIT:
        raise UnitCollision(code, _WITHOUT_MINOR_UNIT[code])
    if custom.name is not None and not _is_code(_NAME, custom.name):
        raise UnitRefused(
            code,
            digits,
            "a name is a text of 1 to 80 characters without spaces around it, or absent",
        )
    if custom.cost_basis is not None:
        from storecredit.values.cost import (  # noqa: PLC0415 - a cost basis is made of Money, and Money of units
            CostBasis,
        )

        if custom.cost_basis.__class__ is not CostBasis:
            raise ArgumentRefused("cost_basis", custom.cost_basis, "a CostBasis")


def _read_currencies() -> Mapping[str, Currency]:
    table = {
        active.code: Currency(
            active.code, active.exponent, active.currency_name, f"{active.number:03d}"
        )
        for active in iso4217.Currency
        if active.exponent is not None
    }
    # What a host has added to py-moneyed is no ISO currency: CLDR is asked as a second source.
    recorded = set(list_currencies()) | _ISO_BUT_NOT_CLDR
    active_codes = {active.code for active in iso4217.Currency}
    for code, known in moneyed.CURRENCIES.items():
        if code in active_codes or code in _NEVER_ISO or code not in recorded:
            continue
        digits = len(str(known.sub_unit)) - 1
        table[code] = Currency(code, digits, known.name, known.numeric or "", withdrawn=True)
    return MappingProxyType(table)


_CURRENCIES: Final = _read_currencies()
_WITHOUT_MINOR_UNIT: Final = MappingProxyType(
    {c.code: c.currency_name for c in iso4217.Currency if c.exponent is None}
)
