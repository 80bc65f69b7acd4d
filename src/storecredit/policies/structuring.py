"""From data as TOML and JSON give it to the frozen values of a policy (P1)."""

import enum
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, final, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter, IterableValidationError
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn, override

from storecredit.errors import InvalidTerms, PolicyProblem
from storecredit.policies.policy import Policy
from storecredit.policies.problems import problems_of
from storecredit.values import CalendarSpan, CustomUnit, Money, Period

NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
"""How a number that need not be whole is written, as a text."""


@final
class Written(str):
    """A number with a point or an exponent, as it was written: it is exact as a text only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@final
@attrs.frozen(kw_only=True)
class WrittenPeriod:
    """A period that is more than "P30D": it ends with a month or year, or is counted in a zone."""

    period: str
    round_up_to: CalendarSpan | None = None
    zone: str = "UTC"


@final
@attrs.frozen(kw_only=True)
class WrittenUnit:
    """A custom unit as a policy declares it."""

    code: str
    digits: int
    name: str | None = None


def structure(data: Mapping[str, Any], customs: Iterable[CustomUnit]) -> Policy:
    """
    Return the policy that *data* is, with amounts in currencies and in *customs*.

    Raises:
        ClassValidationError: It is none; `problems_of` tells why.
        StoreCreditError: The whole of it is none.
    """
    described = tuple((unit.code, unit.digits, unit.name) for unit in customs)
    return _converter(described).structure(data, Policy)


def units_of(data: Mapping[str, Any]) -> tuple[tuple[CustomUnit, ...], list[PolicyProblem]]:
    """Return the custom units that *data* declares, which amounts need, and what is wrong there."""
    try:
        found = _converter(()).structure(data.get("units", []), tuple[CustomUnit, ...])
    except (ClassValidationError, IterableValidationError, InvalidTerms) as invalid:
        return (), list(problems_of(invalid, data, path=("units",)))
    codes = [unit.code for unit in found]
    twice = [
        PolicyProblem(f"units[{at}].code", code, f"units[{codes.index(code)}] has that code")
        for at, code in enumerate(codes)
        if codes.index(code) < at
    ]
    return found, twice


@lru_cache(maxsize=16)
def _converter(described: tuple[tuple[str, int, str | None], ...]) -> Converter:
    """Return what reads policies with these units; by their names too: units that are equal may differ there."""
    customs = tuple(CustomUnit(code, digits, name=name) for code, digits, name in described)
    converter = Converter(forbid_extra_keys=True)
    # The later a hook is registered, the sooner it is asked.
    converter.register_structure_hook_factory(attrs.has, lambda kind: _table_of(converter, kind))
    converter.register_structure_hook_factory(_is_list, lambda kind: _list_of(converter, kind))
    # Texts and closed lists: cattrs asks the first for whatever is a kind of text.
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook_func(_is_closed_list, _text)
    converter.register_structure_hook(int, _hook(_whole))
    converter.register_structure_hook(bool, _hook(_truth))
    for kind, read in (
        (Decimal, _number),
        (Period, lambda value: _period(converter, value)),
        (CustomUnit, lambda value: _unit(converter, value)),
        (Money, lambda value: _money(value, customs)),
    ):
        converter.register_structure_hook_func(_is(kind), _hook(read))
    return converter


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda asked: asked is kind


def _is_closed_list(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _list_of(converter: Converter, kind: Any) -> Callable[[Any, Any], Any]:
    of: Any = list
    structured = list_structure_factory(of[get_args(kind)[0]], converter)

    def read(value: Any, _: Any) -> Any:
        if type(value) is not list:
            raise InvalidTerms("", value, "a list")
        return tuple(structured(value, kind))

    return read


def _table_of(converter: Converter, kind: Any) -> Callable[[Any, Any], Any]:
    known = ", ".join(field.name for field in attrs.fields(kind))
    fields: dict[str, Any] = {
        name: override(struct_hook=read) for name, read in _fields_of(converter, kind)
    }
    structured = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True, **fields)

    def read(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise InvalidTerms("", value, f"a table of {known}")
        return structured(value, kind)

    return read


def _fields_of(converter: Converter, kind: Any) -> Iterable[tuple[str, Callable[[Any, Any], Any]]]:
    """Yield what reads each field, and refuses there what the class would refuse as a whole."""
    types = typing.get_type_hints(kind)
    for field in attrs.fields(kind):
        yield field.name, _checked(converter, types[field.name], field.converter)


def _checked(
    converter: Converter, kind: Any, check: Callable[[Any], Any] | None
) -> Callable[[Any, Any], Any]:
    def read(value: Any, _: Any) -> Any:
        found = converter.structure(value, kind)
        return found if check is None else check(found)

    return read


def _hook(read: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: read(value)


def _text(value: Any, kind: Any) -> Any:
    if not issubclass(kind, enum.Enum):
        if type(value) is not str:
            raise InvalidTerms("", value, "a text")
        return value
    for member in kind:
        if type(value) is str and member.value == value:
            return member
    raise InvalidTerms("", value, f"one of {', '.join(str(each.value) for each in kind)}")


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise InvalidTerms("", value, "a whole number")
    return value


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise InvalidTerms("", value, "true or false")
    return value


def _number(value: Any) -> Decimal:
    if type(value) is int or (type(value) is str and NUMBER.fullmatch(value)):
        return Decimal(value)
    if type(value) is Written and NUMBER.fullmatch(value) and "." in value:
        raise InvalidTerms("", value, f'between quotes, as "{value}": a float is not exact')
    raise InvalidTerms("", value, 'a number, as 10 or "12.5"')


def _period(converter: Converter, value: Any) -> Period:
    if type(value) is dict:
        found = converter.structure(value, WrittenPeriod)
        return Period.of(found.period, round_up_to=found.round_up_to, zone=found.zone)
    if type(value) is not str:
        raise InvalidTerms("", value, 'a period as ISO 8601 writes it, as "P30D" or "P12M"')
    return Period.of(value)


def _money(value: Any, customs: tuple[CustomUnit, ...]) -> Money:
    if type(value) is not str:
        raise InvalidTerms("", value, 'an amount, as "EUR 5.00"; a number says no currency')
    return Money.parse(value, customs=customs)


def _unit(converter: Converter, value: Any) -> CustomUnit:
    found = converter.structure(value, WrittenUnit)
    return CustomUnit(found.code, found.digits, name=found.name)
