"""
The JSON form of messages, and its schema: what webhooks and queues may rely on (P7).

A reader ignores keys that it does not know, so that a later version may add some. Anything else
that changes makes a new `SCHEMA`.
"""

import enum
import types
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Union, get_args, get_origin

import attrs

from storecredit.errors import InvalidTerms, StoreCreditError
from storecredit.ledger import read_instant, write_instant
from storecredit.values import CustomUnit, Money, Period

SCHEMA: Final = "storecredit.message/1"
"""The name and version of the form; every message carries it."""

LEFT_OUT: Final = types.MappingProxyType({"json": False})
"""Metadata of a field that `write_message` leaves out."""

_INSTANT: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"


def write_message(message: object, kind: enum.StrEnum, name: str) -> dict[str, Any]:
    """Return the JSON form: schema, kind and id, then every field; what is absent is null."""
    return {"schema": SCHEMA, "kind": kind.value, "id": name, **_write_fields(message)}


def read_fields(kind: type, data: Mapping[str, Any], *, units: Iterable[CustomUnit]) -> Any:
    """
    Read an attrs object of *kind* from the JSON data that its fields were written as.

    Raises:
        InvalidTerms: A field is missing, or is not of the form it has to have.
    """
    found: dict[str, Any] = {}
    for field in attrs.fields(kind):
        left_out = field.metadata.get("json") is False
        if field.name not in data and not left_out:
            raise InvalidTerms(field.name, None, f"there, as in every {kind.__name__}")
        value = data.get(field.name)
        try:
            found[field.name] = _read(field.type, value, tuple(units))
        except (KeyError, TypeError, ValueError, AttributeError, StoreCreditError):
            shown = "(not shown)" if left_out else value
            raise InvalidTerms(field.name, shown, f"as {kind.__name__}.to_json writes it") from None
    return kind(**found)


def fields_schema(kind: type) -> dict[str, Any]:
    """Return the JSON Schema of the fields of an attrs class, by name."""
    return {
        field.name: _schema(field.type)
        for field in attrs.fields(kind)
        if field.metadata.get("json") is not False
    }


def _write_fields(value: Any) -> dict[str, Any]:
    return {
        field.name: _write(getattr(value, field.name))
        for field in attrs.fields(type(value))
        if field.metadata.get("json") is not False
    }


def _write(value: Any) -> Any:
    if isinstance(value, Money | Period):
        return value.to_json()
    if isinstance(value, datetime):
        return write_instant(value)
    if isinstance(value, tuple):
        return [_write(each) for each in value]
    if isinstance(value, enum.StrEnum):
        return value.value
    return _write_fields(value) if attrs.has(type(value)) else value


def _read(kind: Any, given: Any, units: tuple[CustomUnit, ...]) -> Any:
    plain, optional = _plain(kind)
    if given is None and optional:
        return None
    value: Any = given
    if get_origin(plain) is tuple:
        if not isinstance(value, list):
            raise TypeError(value)
        each, _ = get_args(plain)
        return tuple(_read(each, item, units) for item in value)
    if plain is Money:
        return Money.from_json(value, customs=units)
    if plain is Period:
        return Period.from_json(value)
    if plain is datetime:
        return read_instant(value)
    if attrs.has(plain):
        return read_fields(plain, value, units=units)
    if issubclass(plain, enum.Enum):
        return plain(value)
    if type(value) is not plain:
        raise TypeError(value)
    return value


def _schema(kind: Any) -> dict[str, Any]:
    plain, optional = _plain(kind)
    found = _plain_schema(plain)
    return {"anyOf": [found, {"type": "null"}]} if optional else found


def _plain_schema(plain: Any) -> dict[str, Any]:
    if get_origin(plain) is tuple:
        return {"type": "array", "items": _schema(get_args(plain)[0])}
    if plain is Money:
        return {"$ref": "#/$defs/money"}
    if plain is Period:
        return {"$ref": "#/$defs/period"}
    if plain is datetime:
        return {"$ref": "#/$defs/instant"}
    if attrs.has(plain):
        properties = fields_schema(plain)
        return {"type": "object", "properties": properties, "required": list(properties)}
    if issubclass(plain, enum.Enum):
        return {"enum": [each.value for each in plain]}
    return {"type": _JSON_TYPES[plain]}


_JSON_TYPES: Final[Mapping[type, str]] = types.MappingProxyType(
    {str: "string", int: "integer", bool: "boolean"}
)

DEFINITIONS: Final[Mapping[str, Any]] = types.MappingProxyType(
    {
        "money": {
            "type": "object",
            "properties": {
                "amount": {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"},
                "unit": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]{1,11}$"},
            },
            "required": ["amount", "unit"],
        },
        "instant": {"type": "string", "pattern": _INSTANT},
        "period": {
            "type": "object",
            "properties": {
                "period": {"type": "string", "pattern": "^P"},
                "round_up_to": {"type": ["string", "null"]},
                "zone": {"type": "string"},
            },
            "required": ["period", "round_up_to", "zone"],
        },
    }
)


def _plain(kind: Any) -> tuple[Any, bool]:
    """Return a type without None and without the names that ids have, and whether it had None."""
    # An id's type and None make another union than a class and None.
    if get_origin(kind) in {Union, types.UnionType}:
        (plain,) = (each for each in get_args(kind) if each is not type(None))
        return _plain(plain)[0], True
    return getattr(kind, "__supertype__", kind), False
