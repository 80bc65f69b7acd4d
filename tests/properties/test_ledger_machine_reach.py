"""The state machine reaches every command: no verb is forgotten, and none is asked for in vain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis.stateful import get_state_machine_test

from storecredit.service import StoreCredit
from storecredit.testing.machine import COMMANDS, KEYLESS, LedgerMachine, tally_of

READING = {
    "wallet": "shows all accounts of a holder",
    "account": "shows one account",
    "statement": "shows a history to a customer",
    "journal": "shows a history to an operator",
    "preview": "says what a redemption or a hold would take",
    "preview_resize": "says what a growing hold would take",
    "preview_revoke": "says what a revocation would take",
    "preview_cash_out": "says what a cash-out would take",
    "preview_transfer": "says what a transfer would take",
    "preview_convert": "says what a conversion would take",
    "explain": "says what an entry took, and why",
    "verify": "checks journals",
    "heads": "returns anchors",
    "feed": "hands committed entries on; where a consumer is lies beside the accounts",
    "export_journal": "writes a file, and nothing into the ledger",
    "export_csv": "writes a file, and nothing into the ledger",
    "tender": "shows an account as what may pay an order",
    "plan_payment": "plans, and does nothing",
    "checkout": "shows the payment of an order; its steps are those of begin_checkout",
    "find_checkout": "shows the payment of an order, if any was begun",
    "checkouts": "shows the payments of all orders",
    "code": "shows what is known of a claim code",
    "codes": "shows what is known of all claim codes",
    "due_reminders": "says who is to be reminded; what was acknowledged lies beside the accounts",
    "earned": "says what a refund of an order takes of its points",
    "earning": "shows what an order has earned",
    "find_refund_case": "shows a refund case, if there is one",
    "quote_top_up": "says what a top-up would give",
    "refund_case": "shows a refund case; its steps are those of request_refund",
    "refund_cases": "shows refund cases",
    "return_lines": "says what was paid for pieces of an order",
    "tallies": "says what was done under the limits of a policy",
    "top_up_of": "shows a top-up",
}
"""The verbs that write nothing, and what they do instead."""

ELSEWHERE = {
    "begin_checkout": (
        "a checkout has a life of many steps, over a record beside the accounts: another machine, "
        "in tests/properties/test_checkout_machine.py, drives all of them against its own model"
    ),
    "request_refund": "refund cases, too: tests/properties/test_case_machine.py",
    **dict.fromkeys(
        ("issue_code", "open_code", "claim", "revoke_code", "reissue_code"),
        "codes, too: tests/properties/test_claim_machine.py, and test_returns_machine.py with cases",
    ),
    **dict.fromkeys(
        ("grant", "earn", "remove_earned", "top_up", "refund_top_up"),
        "what policies give: tests/properties/test_granting_machine.py",
    ),
    "acknowledge_reminders": "writes beside the accounts: tests/properties/test_reminder_laws.py",
}
"""The verbs that write, and where else histories of them are made."""

AT_THE_END = {"import_journal"}
"""What no rule asks for: at the end of each history, the whole ledger is carried over by it."""

NEVER_REFUSED = {"rebuild": "it asks for nothing that could be wrong, and the journals are whole"}

AT_LEAST = 2
"""How often each command is accepted, refused and repeated in the histories that are made here."""
MOST_HISTORIES = 400
"""They are made one after the other until that is so; some sixty are enough."""


def public_verbs() -> set[str]:
    return {
        name
        for name in dir(StoreCredit)
        if not name.startswith("_") and callable(getattr(StoreCredit, name))
    }


def missing_from(outcomes: Mapping[str, int]) -> list[str]:
    """Name what was not seen often enough, as ``verb accepted``, ``verb refused``, ..."""
    tally, found = tally_of(outcomes), []
    for verb in COMMANDS:
        wanted = {"accepted", "refused", "repeated"}
        wanted -= {"refused"} if verb in NEVER_REFUSED else set()
        # Without a key, a repeat is a new request: it counts as accepted, refused or neither.
        wanted -= {"repeated"} if verb in KEYLESS else set()
        found += [f"{verb} {what}" for what in wanted if getattr(tally[verb], what) < AT_LEAST]
    return sorted(found)


def test_every_verb_that_writes_is_a_command_of_the_machine() -> None:
    assert public_verbs() >= READING.keys() | ELSEWHERE.keys() | AT_THE_END
    assert {*COMMANDS} == public_verbs() - READING.keys() - ELSEWHERE.keys() - AT_THE_END


def test_every_command_is_accepted_refused_and_repeated_in_histories_from_fixed_bytes() -> None:
    outcomes: Counter[str] = Counter()

    class Counted(LedgerMachine):
        def note(self, outcome: str) -> None:
            outcomes[outcome] += 1

    histories = settings(
        stateful_step_count=30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    # Each history is read from bytes of its own: always the same ones, and none like the others.
    run = get_state_machine_test(Counted, settings=histories).hypothesis.fuzz_one_input
    made = 0
    while missing_from(outcomes) and made < MOST_HISTORIES:
        run(Random(made).randbytes(40_000))
        made += 1
    assert not missing_from(outcomes), f"seldom seen in {made} histories"
    assert tally_of(outcomes)["import_journal"].accepted >= made // 2


def test_what_was_never_seen_is_named() -> None:
    assert len(missing_from({})) == 3 * len(COMMANDS) - len(KEYLESS) - len(NEVER_REFUSED)
    seen = {"settle: accepted": 2, "settle: SettleExceedsOwed": 1, "settle: AccountClosed": 1}
    unseen = [each for each in missing_from(seen) if each.startswith("settle ")]
    assert unseen == ["settle repeated"]
