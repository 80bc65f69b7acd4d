"""Strict JSON: text that means exactly one thing, everywhere; anything else is refused (S9)."""

import json
import re
from typing import Any, Final, NoReturn

from storecredit.service.file_source import BadCell, ImportLimits

_MARKS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_MOST_DIGITS: Final = 20


def read_strict(text: str, column: str, limits: ImportLimits) -> Any:
    """
    Read JSON without floats, special numbers, repeated names, and nesting beyond the limit.

    Args:
        text: The text.

        column: What it is, for the message.

        limits: How deep it may nest, and how long a text in it may be.

    Raises:
        BadCell: It is not such JSON.
    """
    if text.count("[") + text.count("{") > limits.depth and _depth(text) > limits.depth:
        raise BadCell(column, f"it nests deeper than {limits.depth} levels")

    def no_number(written: str) -> NoReturn:
        raise BadCell(column, f"{written[:40]} is no exact number; write a whole number or a text")

    def whole(written: str) -> int:
        if len(written) > _MOST_DIGITS:
            raise BadCell(column, f"a number has {len(written)} digits; no amount has so many")
        return int(written)

    def named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise BadCell(column, f"it has the name {twice[:40]!a} twice")
        for value in found.values():
            if isinstance(value, str) and len(value) > limits.field_characters:
                raise BadCell(
                    column,
                    f"it has a text of {len(value)} characters; at most "
                    f"{limits.field_characters} are read",
                )
        return found

    try:
        return json.loads(
            text,
            parse_float=no_number,
            parse_constant=no_number,
            parse_int=whole,
            object_pairs_hook=named_once,
        )
    except BadCell:
        raise
    except RecursionError:
        raise BadCell(column, "it nests too deep") from None
    except ValueError as wrong:
        problem = wrong.msg if isinstance(wrong, json.JSONDecodeError) else "not JSON"
        raise BadCell(column, f"it is not JSON: {problem}") from None


def take(data: object, column: str, forms: dict[str, type]) -> dict[str, Any]:
    """
    Return *data* if it is an object with exactly these names, each with a value of its type.

    Raises:
        BadCell: Something is missing, more than there should be, or of another type.
    """
    if not isinstance(data, dict):
        raise BadCell(column, f"it has to be an object with {', '.join(forms)}")
    for name in (*forms, *data):
        if name not in data:
            raise BadCell(f"{column}.{name}", "it is missing")
        if name not in forms:
            raise BadCell(f"{column}.{name[:40]}", "nobody knows this name")
        if type(data[name]) is not forms[name]:
            raise BadCell(f"{column}.{name}", f"it has to be of type {forms[name].__name__}")
    return data


def _depth(text: str) -> int:
    depth = deepest = 0
    for mark in _MARKS.finditer(text):
        if mark[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark[0] in "]}":
            depth -= 1
    return deepest
