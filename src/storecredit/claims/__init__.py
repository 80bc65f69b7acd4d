"""
Claim codes (rule A15): value for guests and gifts, borne by whoever has the code.

How codes are written and found again, the life of their records, why a claim fails, and how
guessing is slowed. `StoreCredit.issue_code` and its neighbours carry it out.
"""

from storecredit.claims.claim import (
    KIND,
    NOBODY,
    NOBODYS_ACCOUNT,
    Claim,
    ClaimFact,
    ClaimHead,
    claim_id,
)
from storecredit.claims.code import (
    LENGTH,
    RANDOM_BYTES,
    SYMBOLS,
    make_code,
    read_code,
)
from storecredit.claims.digests import (
    SHORTEST_KEY,
    ClaimKeys,
    is_same,
    shown_digest,
)
from storecredit.claims.failures import FAILURES, OF_MERCHANT, FailurePage, page_of
from storecredit.claims.holder import (
    CODE_HOLDER,
    code_holder,
    is_code_holder,
    require_registered,
)
from storecredit.claims.judging import Contents, why_not
from storecredit.claims.life import TRANSITIONS, ClaimState, ClaimStep
from storecredit.claims.reasons import ClaimReason
from storecredit.claims.revoking import RevokeCode
from storecredit.claims.rules import ClaimRules
from storecredit.claims.throttle import Failures, Throttle

__all__ = [
    "CODE_HOLDER",
    "FAILURES",
    "KIND",
    "LENGTH",
    "NOBODY",
    "NOBODYS_ACCOUNT",
    "OF_MERCHANT",
    "RANDOM_BYTES",
    "SHORTEST_KEY",
    "SYMBOLS",
    "TRANSITIONS",
    "Claim",
    "ClaimFact",
    "ClaimHead",
    "ClaimKeys",
    "ClaimReason",
    "ClaimRules",
    "ClaimState",
    "ClaimStep",
    "Contents",
    "FailurePage",
    "Failures",
    "RevokeCode",
    "Throttle",
    "claim_id",
    "code_holder",
    "is_code_holder",
    "is_same",
    "make_code",
    "page_of",
    "read_code",
    "require_registered",
    "shown_digest",
    "why_not",
]
