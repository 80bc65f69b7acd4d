"""The feed of a storage in memory: a list that every commit adds its entries to (S7)."""

from collections.abc import Callable
from typing import final

import attrs

from storecredit.ledger import AccountId, Entry
from storecredit.storage.feed import BEGINNING, Fed, FeedPage, FeedPosition, counted


@final
@attrs.define
class Order:
    """The committed entries of one merchant; a position is how many of them come before it."""

    places: list[tuple[AccountId, int]] = attrs.field(factory=list)
    """Account and sequence of each."""

    def page(
        self,
        after: FeedPosition,
        limit: int,
        read: Callable[[AccountId, int], tuple[str, Entry]],
    ) -> FeedPage:
        """
        Return the entries after a position; *read* gives the holder and the entry of a place.

        Raises:
            InvalidTerms: The position is none of this storage.
        """
        start = counted(after, last=len(self.places))
        fed = []
        for place, named in enumerate(self.places[start : start + limit], start + 1):
            holder, entry = read(*named)
            fed.append(Fed(position=FeedPosition(str(place)), holder=holder, entry=entry))
        return FeedPage(
            entries=tuple(fed),
            position=fed[-1].position if fed else after,
            is_last=start + len(fed) == len(self.places),
        )

    @property
    def end(self) -> FeedPosition:
        """The position after everything that is committed."""
        return FeedPosition(str(len(self.places))) if self.places else BEGINNING
