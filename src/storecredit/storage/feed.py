"""The feed of committed entries as a storage gives it: positions, and pages of entries (S7)."""

from typing import Final, NewType, final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.ledger import AccountId, Entry

FeedPosition = NewType("FeedPosition", str)
"""A place in the feed of one storage: text that only that storage reads, and that stays valid."""

BEGINNING: Final = FeedPosition("")
"""The position before the first entry, on every storage."""


@final
@attrs.frozen(kw_only=True)
class FeedPage:
    """The next committed entries, and where to read on."""

    entries: "tuple[Fed, ...]"
    """In account order. May be fewer than there are, and even none: look at `is_last`."""
    position: FeedPosition
    """Where to read on: at the last of the entries, or behind it."""
    is_last: bool
    """Whether nothing that can be read by now comes after this page."""


@final
@attrs.frozen(kw_only=True)
class Fed:
    """One committed entry at its place in the feed."""

    position: FeedPosition
    """Reading on after it leaves out this entry and all that came before it."""
    holder: str
    """What the holder of the account is called now; a pseudonym replaces the name (A18)."""
    entry: Entry
    """Private fields that were erased read as absent (A14)."""

    @property
    def account(self) -> AccountId:
        """The account that the entry is in."""
        return self.entry.account


def counted(position: FeedPosition, *, last: int) -> int:
    """
    Read a position of a storage that counts committed entries: how many come before it.

    Args:
        last: How many there are. A position behind them is of another storage, or of a younger
            state of this one: whoever read on there would miss what is committed meanwhile.

    Raises:
        InvalidTerms: The text is no such position.
    """
    if position == BEGINNING:
        return 0
    digits = position.isascii() and position.isdecimal() and len(position) <= len(str(last))
    if not digits or not 0 < int(position) <= last or position.startswith("0"):
        expected = "a position that this storage's feed has given, or '' for its beginning"
        raise InvalidTerms("position", position, expected)
    return int(position)
