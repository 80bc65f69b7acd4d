"""What a key, a holder and every other text of a command must look like."""

from typing import Final

from storecredit.errors import InvalidKey, InvalidText

LONGEST: Final = 200
"""The longest key, holder, reference, actor or channel, in characters."""
LONGEST_NOTE: Final = 2000
"""The longest note or reason."""
RESERVED: Final = "~"
"""Keys that begin with it are the library's own (A1)."""


def require_key(key: object) -> str:
    """
    Return *key* if a host may name a command with it (A12).

    Raises:
        InvalidKey: It is not text, is empty, is longer than 200 characters, begins with ``~``,
            or contains a control character or a lone surrogate.
    """
    if not isinstance(key, str):
        raise InvalidKey(key, "is not text")
    if key.isascii() and key.isprintable() and 0 < len(key) <= LONGEST and key[0] != RESERVED:
        return key
    if key.startswith(RESERVED):
        raise InvalidKey(key, "begins with '~', which is reserved for keys the library makes")
    if problem := _problem(key, LONGEST):
        raise InvalidKey(key, problem)
    return key


def require_text(field: str, text: object, *, longest: int = LONGEST) -> str:
    """
    Return *text* if it can be kept and compared exactly on every storage.

    Any Unicode is welcome; it is compared code point by code point and never normalised.

    Raises:
        InvalidText: It is not text, is empty or too long, or contains a control character or a
            lone surrogate.
    """
    if not isinstance(text, str):
        raise InvalidText(field, text, "is not text")
    if text.isascii() and text.isprintable() and 0 < len(text) <= longest:
        return text
    if problem := _problem(text, longest):
        raise InvalidText(field, text, problem)
    return text


def _problem(text: str, longest: int) -> str | None:
    if not text:
        return "is empty"
    if len(text) > longest:
        return f"has {len(text)} characters, and at most {longest} are kept"
    for character in text:
        if "\ud800" <= character <= "\udfff":
            return "contains a lone surrogate, which UTF-8 cannot store"
        if (
            character < " " and not (longest > LONGEST and character in "\n\t")
        ) or "\x7f" <= character <= "\x9f":
            return f"contains the control character {character!a}"
    return None
