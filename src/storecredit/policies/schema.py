"""The JSON Schema of policy files, made of the classes that they become (P1)."""

import enum
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Union, get_args, get_origin

import attrs

from storecredit.policies.policy import SECTIONS, Policy
from storecredit.policies.reading import SCHEMA
from storecredit.policies.structuring import WrittenPeriod, WrittenUnit
from storecredit.values import CustomUnit, Money, Period

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MONEY: Final = r"^[A-Z][A-Z0-9_]{1,11} -?[0-9]+(\.[0-9]+)?$"
_PERIOD: Final = (
    r"^P(?=[0-9T])([0-9]{1,9}Y)?([0-9]{1,9}M)?([0-9]{1,9}W)?([0-9]{1,9}D)?"
    r"(T(?=[0-9])([0-9]{1,9}H)?([0-9]{1,9}M)?)?$"
)
_NUMBER: Final = r"^[0-9]{1,9}(\.[0-9]{1,9})?$"


def policy_schema() -> dict[str, Any]:
    """
    Return the JSON Schema, draft 2020-12, of policies as they are written in JSON; and in TOML,
    whose data are the same.

    It knows every key and form. What takes more than a form to tell, such as a rule that is never
    used, only `read_policy` tells.
    """
    found: dict[str, Any] = {}
    policy = _table(Policy, found)
    first = {"$schema": {"type": "string"}, "schema": {"const": SCHEMA}}
    properties = {**first, **policy.pop("properties")}
    return {
        "$schema": DIALECT,
        "title": "A policy of a shop",
        **policy,
        "properties": properties,
        "anyOf": [{"required": [section]} for section in SECTIONS],
        "$defs": {name: found[name] for name in sorted(found)},
    }


def _form(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what a field of that type may be; tables go to *found*, by name."""
    if get_origin(kind) in (Union, types.UnionType):
        (inner,) = [each for each in get_args(kind) if each is not type(None)]
        return _or_null(_form(inner, found))
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _form(get_args(kind)[0], found)}
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if kind is Period:
        return {
            "anyOf": [_named("period", _text(_PERIOD, "P30D"), found), _ref(WrittenPeriod, found)]
        }
    if kind is Money:
        return _named("amount", _text(_MONEY, "EUR 5.00"), found)
    if issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    return _ref(WrittenUnit if kind is CustomUnit else kind, found)


def _or_null(form: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in form:
        return {"anyOf": [*form["anyOf"], {"type": "null"}]}
    return {"anyOf": [form, {"type": "null"}]}


def _named(name: str, form: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    found.setdefault(name, form)
    return {"$ref": f"#/$defs/{name}"}


def _text(pattern: str, example: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern, "examples": [example]}


def _ref(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    name = kind.__name__.removeprefix("Written")
    if name not in found:
        found[name] = {}  # before its fields, for what has itself within
        found[name] = _table(kind, found)
    return {"$ref": f"#/$defs/{name}"}


def _table(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    properties = {each.name: _form(hints[each.name], found) for each in attrs.fields(kind)}
    if kind is WrittenPeriod:
        properties["period"] = _named("period", _text(_PERIOD, "P30D"), found)
    return {
        "description": " ".join((kind.__doc__ or "").split("\n\n")[0].split()),
        "type": "object",
        "additionalProperties": False,
        "required": [each.name for each in attrs.fields(kind) if each.default is attrs.NOTHING],
        "properties": properties,
    }


_PLAIN: Final[Mapping[Any, Mapping[str, Any]]] = MappingProxyType(
    {
        str: {"type": "string", "minLength": 1},
        int: {"type": "integer"},
        bool: {"type": "boolean"},
        Decimal: {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": _NUMBER, "examples": ["12.5"]},
            ]
        },
    }
)
