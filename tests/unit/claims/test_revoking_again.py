"""A code is revoked once: what comes to its account later is left alone by a repeat (A12, A15)."""

from __future__ import annotations

from storecredit.claims import ClaimKeys, ClaimRules
from storecredit.ledger import Merchant
from storecredit.storage import MemoryStorage
from storecredit.testing.contract.scene import Shop
from storecredit.testing.tender_strategies import POINTS, pts, usd


def test_a12_a_repeat_leaves_what_came_in_another_unit_since() -> None:
    rules = ClaimRules(keys=ClaimKeys(current="k1", keys={"k1": b"k" * 32}))
    merchant = Merchant(id="acme", units=(POINTS,))
    credit = Shop(MemoryStorage(), merchant, claims=rules).credit
    made = credit.issue_code(usd(500), funding="goodwill", key="made")
    first = credit.revoke_code(made.id, key="off", actor="bo", reason="lost")
    credit.issue(made.holder, pts(7), funding="goodwill", key="later")
    assert credit.revoke_code(made.id, key="off", actor="bo", reason="lost") == first
    assert credit.account(made.holder, "PTS").available == pts(7)
