"""Messages read back from JSON, and the schema that tells other programs what to expect (P7)."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from storecredit.errors import InvalidTerms
from storecredit.messages.json_form import DEFINITIONS, SCHEMA, fields_schema, read_fields
from storecredit.messages.payloads import MESSAGES, Message
from storecredit.values import CustomUnit


def message_from_json(data: object, *, units: Iterable[CustomUnit] = ()) -> Message:
    """
    Read a message that ``to_json`` wrote. Keys that are not known are ignored.

    Args:
        data: The JSON data. Of a claim code, it may have the code or not.

        units: The merchant's custom units: JSON has their codes only.

    Raises:
        InvalidTerms: It is no such message, of another version, or a field is wrong.
    """
    if not isinstance(data, Mapping):
        raise InvalidTerms("message", data, "a JSON object")
    if data.get("schema") != SCHEMA:
        shown = data.get("schema")
        raise InvalidTerms("schema", shown, f"{SCHEMA!r}, as this version reads and writes it")
    for each in MESSAGES:
        if each.kind.value == data.get("kind"):
            # The form was chosen by the kind.
            return cast(Message, read_fields(each, data, units=units))
    known = ", ".join(each.kind.value for each in MESSAGES)
    raise InvalidTerms("kind", data.get("kind"), f"one of {known}")


def message_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of every message that ``to_json`` writes."""
    kinds = []
    for each in MESSAGES:
        properties = {
            "schema": {"const": SCHEMA},
            "kind": {"const": each.kind.value},
            "id": {"type": "string", "format": "uuid"},
            **fields_schema(each),
        }
        kinds.append(
            {
                "title": each.__name__,
                "type": "object",
                "properties": properties,
                "required": list(properties),
            }
        )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        "oneOf": kinds,
        "$defs": dict(DEFINITIONS),
    }
