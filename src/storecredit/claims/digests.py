"""Keyed digests: how a code is found again that nobody has kept (A15)."""

import hashlib
import hmac
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, final

import attrs

from storecredit.claims.code import read_code
from storecredit.errors import InvalidTerms
from storecredit.ledger.texts import require_text

SHORTEST_KEY: Final = 32
"""How many bytes a key has at least: as many as the digest (RFC 2104, section 3)."""
LONGEST_ID: Final = 32
SHOWN_DIGITS: Final = 8
"""How many digits of a digest a log may show."""


def _keys(keys: Mapping[str, bytes]) -> Mapping[str, bytes]:
    given: Any = keys
    if not isinstance(given, Mapping) or not given:
        raise InvalidTerms("keys", "a key ring", "keys by id, at least one")
    for name, key in given.items():
        require_text("key id", name, longest=LONGEST_ID)
        if ":" in name:
            raise InvalidTerms("key id", name, "a text without a colon")
        if not isinstance(key, bytes) or len(key) < SHORTEST_KEY:
            # Nothing of a key is ever in a message.
            what = f"that of {name!a}"
            raise InvalidTerms("keys", what, f"{SHORTEST_KEY} random bytes or more")
    return MappingProxyType(dict(keys))


@final
@attrs.frozen(kw_only=True)
class ClaimKeys:
    """
    The secret keys by which codes are found, as the host keeps them.

    New codes are written under the current key; codes that were written under another are found as
    long as that key is here. A key that is taken away makes its codes unknown for good.

    Raises:
        InvalidTerms: No keys, one that is too short, or a current one that is not among them.
        InvalidText: An id that cannot be kept.
    """

    current: str
    """The id of the key for new codes."""
    keys: Mapping[str, bytes] = attrs.field(converter=_keys, repr=False)
    """The keys by id, 32 random bytes or more each."""

    def __attrs_post_init__(self) -> None:
        if self.current not in self.keys:
            raise InvalidTerms("current", self.current, f"one of {', '.join(self.keys)}")

    def digest(self, merchant: str, code: str) -> str:
        """
        Return what is stored of *code* in its place: the key's id and a digest.

        Raises:
            CodeMistyped: It is no code.
        """
        return self._digest(self.current, merchant, read_code(code))

    def digests(self, merchant: str, code: str) -> tuple[str, ...]:
        """
        Return what *code* may be stored as: one digest for each key, the current one first.

        Every key is tried for every code, so that the time tells nothing about the code.

        Raises:
            CodeMistyped: It is no code.
        """
        symbols = read_code(code)
        names = [self.current, *(name for name in self.keys if name != self.current)]
        return tuple(self._digest(name, merchant, symbols) for name in names)

    def caller(self, merchant: str, caller: str) -> str:
        """
        Return what is stored of a caller in the place of an address: 32 hexadecimal digits.

        They belong to the current key: under another, everybody begins anew.
        """
        message = f"storecredit caller\n{merchant}\n{caller}".encode()
        return hmac.new(self.keys[self.current], message, hashlib.sha256).hexdigest()[:32]

    def _digest(self, name: str, merchant: str, symbols: str) -> str:
        message = f"storecredit claim\n{merchant}\n{symbols}".encode()
        return f"{name}:{hmac.new(self.keys[name], message, hashlib.sha256).hexdigest()}"


def is_same(stored: str, given: str) -> bool:
    """Compare two digests in a time that says nothing about where they differ."""
    return hmac.compare_digest(stored.encode(), given.encode())


def shown_digest(digest: str) -> str:
    """Return what of a digest may stand in a log: the key's id, and eight digits."""
    name, _, digits = digest.partition(":")
    return f"{name}:{digits[:SHOWN_DIGITS]}"
