"""What a merchant decides about claim codes: the keys, and how guessing is slowed (A15)."""

from datetime import timedelta
from typing import Final, final

import attrs

from storecredit.claims.digests import ClaimKeys
from storecredit.claims.throttle import Throttle
from storecredit.errors import InvalidTerms
from storecredit.values import Period

_OF_A_CALLER: Final = Throttle()
_OF_A_MERCHANT: Final = Throttle(free=1000, longest=timedelta(seconds=30), forget=Period(hours=1))


@final
@attrs.frozen(kw_only=True)
class ClaimRules:
    """
    What `StoreCredit` needs to know to issue codes and to let them be claimed.

    Raises:
        InvalidTerms: No key ring, or a rule that is none.
    """

    keys: ClaimKeys
    per_caller: Throttle = _OF_A_CALLER
    """For each caller: five failures are free, then a pause that doubles, up to an hour."""
    per_merchant: Throttle = _OF_A_MERCHANT
    """
    For all callers together. Everybody waits for it, so by default it begins after a thousand
    failures within an hour of each other, and a pause has at most half a minute.
    """

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.keys, ClaimKeys):
            raise InvalidTerms("keys", "no ring", "a ClaimKeys")
        for name in ("per_caller", "per_merchant"):
            if not isinstance(getattr(self, name), Throttle):
                raise InvalidTerms(name, getattr(self, name), "a Throttle")
