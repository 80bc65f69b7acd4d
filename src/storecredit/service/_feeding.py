"""The verb that lets other programs follow: the feed of committed entries (S7)."""

from storecredit.errors import InvalidTerms
from storecredit.ledger import require_text
from storecredit.service._door import Door
from storecredit.service.feed import Feed
from storecredit.values import Period

_LONGEST_NAME = 64


class Feeding(Door):
    """The feed."""

    def feed(self, name: str, *, lease: Period = Period(minutes=1)) -> Feed:  # noqa: B008  # frozen
        """
        Return the feed of a consumer, which goes on where its name stopped last (S7).

        A name that has never read begins with the first entry. Nothing is stored yet.

        Args:
            name: Names the consumer, and nobody else: whoever reads under one name shares what
                there is to read.

            lease: How long a batch belongs to whoever took it. After that another consumer of
                the name takes over; a dead one keeps nobody waiting for longer.

        Raises:
            InvalidText: The name is no text of up to 64 characters.
            InvalidTerms: The lease is no period.
        """
        require_text("feed", name, longest=_LONGEST_NAME)
        if not isinstance(lease, Period):
            raise InvalidTerms("lease", lease, "a period, such as Period(minutes=5)")
        return Feed(self, name, lease)
