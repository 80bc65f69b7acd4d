"""The JSON form of plans and payments: driven by the fields of frozen values, exact both ways."""

import enum
import types
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs

from storecredit.errors import TextUnreadable
from storecredit.ledger.instants import read_instant, write_instant
from storecredit.values import CustomUnit, Money

_T = TypeVar("_T")
_Read = Callable[[Any, Mapping[str, CustomUnit]], Any]


def write_form(value: object) -> dict[str, Any]:
    """
    Return *value*, a frozen value of this package, as JSON data.

    What is at its default is left out. The digits of custom units are written beside it, for a
    code alone does not say what such a unit is.
    """
    units: dict[str, int] = {}
    form = _write(value, units)
    return {"units": units, **form} if units else form


def read_form(kind: type[_T], form: Mapping[str, Any]) -> _T:
    """
    Read what `write_form` wrote.

    Raises:
        TextUnreadable: It is not the form of a *kind*.
        As the values themselves.
    """
    if not isinstance(form, Mapping):
        raise TextUnreadable(form, f"the JSON form of a {kind.__name__}")
    body = dict(form)
    units = body.pop("units", {})
    customs = {code: CustomUnit(code, digits) for code, digits in _of(dict, units).items()}
    named: Any = kind
    read = _reader(named)
    try:
        found: _T = read(body, customs)
    except TextUnreadable as error:
        raise _with_path(error) from None
    return found


def _with_path(error: TextUnreadable) -> TextUnreadable:
    """Return the error with the place that its notes name, the innermost first."""
    place = "".join(reversed(getattr(error, "__notes__", []))).removeprefix(".")
    return TextUnreadable(error.text, f"{error.expected}, for {place!r}") if place else error


def _write(value: Any, units: dict[str, int]) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Money):
        if isinstance(value.unit, CustomUnit):
            units[value.unit.code] = value.unit.digits
        return value.to_json()
    if isinstance(value, datetime):
        return write_instant(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple):
        return [_write(each, units) for each in value]
    form = {}
    for field in attrs.fields(type(value)):
        part = getattr(value, field.name)
        if field.default is attrs.NOTHING or part != field.default:
            form[field.name] = _write(part, units)
    return form


@cache
def _reader(kind: Any) -> _Read:
    """Return what reads a field of the annotated *kind*."""
    origin: Any = get_origin(kind)
    inner = get_args(kind)
    if origin in (Union, types.UnionType):
        (only,) = [each for each in inner if each is not type(None)]
        read = _reader(only)
        return lambda data, units: None if data is None else read(data, units)
    if origin is tuple:
        return _list_reader(_reader(inner[0]))
    if attrs.has(kind) and kind is not Money:
        return _fields_reader(kind)
    if issubclass(kind, enum.Enum):
        return lambda data, _: _member(kind, data)
    if kind is Money:
        return lambda data, units: Money.from_json(data, customs=units.values())
    if kind is datetime:
        return lambda data, _: _instant(data)
    if kind is Decimal:
        return lambda data, _: _decimal(data)
    return lambda data, _: _of(kind, data)


def _list_reader(each: _Read) -> _Read:
    def read(data: Any, units: Mapping[str, CustomUnit]) -> Any:
        found: list[Any] = []
        try:
            for part in _of(list, data):
                found.append(each(part, units))
        except TextUnreadable as error:
            error.add_note(f"[{len(found)}]" if type(data) is list else "")
            raise
        return tuple(found)

    return read


def _fields_reader(kind: Any) -> _Read:
    hints = get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in attrs.fields(kind)}
    needed = {field.name for field in attrs.fields(kind) if field.default is attrs.NOTHING}

    def read(data: Any, units: Mapping[str, CustomUnit]) -> Any:
        found = _of(dict, data)
        if not needed <= found.keys() <= readers.keys():
            raise TextUnreadable(
                data, _form_of(kind, needed - found.keys(), found.keys() - readers)
            )
        parts = {}
        for name, part in found.items():
            try:
                parts[name] = readers[name](part, units)
            except TextUnreadable as error:
                error.add_note(f".{name}")
                raise
        return kind(**parts)

    return read


def _form_of(kind: type, missing: Iterable[str], unknown: Iterable[str]) -> str:
    """Return what would be right in place of a form with these keys missing, and these too many."""
    what = [f"with {', '.join(map(repr, sorted(missing)))}"] if missing else []
    what += [f"without {', '.join(map(repr, sorted(map(str, unknown))))}"] if unknown else []
    return f"the JSON form of a {kind.__name__}, {' and '.join(what)}"


def _of(kind: type, data: Any) -> Any:
    if type(data) is not kind:
        raise TextUnreadable(data, f"a {kind.__name__}")
    return data


def _member(kind: type[enum.Enum], data: Any) -> enum.Enum:
    try:
        return kind(data)
    except ValueError:
        known = ", ".join(str(each.value) for each in kind)
        raise TextUnreadable(data, f"one of {known}") from None


def _instant(data: Any) -> datetime:
    try:
        return read_instant(_of(str, data))
    except ValueError:
        raise TextUnreadable(data, "an instant in UTC") from None


def _decimal(data: Any) -> Decimal:
    try:
        return Decimal(_of(str, data))
    except InvalidOperation:
        raise TextUnreadable(data, "a number as it is written") from None
