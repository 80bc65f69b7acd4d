"""Canonical JSON: the one text that a digest covers. Sorted keys, no white space, ASCII."""

import json
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any, Final

canonical: Final[Callable[[Any], str]] = json.JSONEncoder(
    ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode
"""Write any JSON data in its canonical form."""

quoted: Final[Callable[[str], str]] = encode_basestring_ascii
"""Write one text in its canonical form."""


def canonical_map(data: Mapping[str, Any]) -> str:
    """Write a mapping of mostly texts and whole numbers: what `canonical` gives, but sooner."""
    parts = []
    for name in sorted(data):
        value = data[name]
        kind = type(value)
        if kind is str:
            written = quoted(value)
        elif kind is int:
            written = str(value)
        else:
            written = canonical(value)
        parts.append(f"{quoted(name)}:{written}")
    return f"{{{','.join(parts)}}}"
