"""The examples run, warn about nothing, and end where their text says."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Lines that the output has to contain, in this order: what each example is there to show.
SHOWN = {
    "quickstart.py": ["available USD 20.00", "verified True"],
    "checkout_with_hold.py": [
        "order-1: declined, and available again: USD 40.00",
        "order-2: the process died; held: USD 40.00",
        "order-2: once more: USD 40.00 on credit, USD 25.00 on the card",
        "charged in all: USD 25.00",
        "left: nothing - verified: True",
    ],
    "checkout_with_a_card.py": [
        "the card pays: completed, PTS 200 to spend, USD 20.00 on the card",
        "    died when the processor has answered: the same end",
        "declined for good: cancelled, PTS 700 to spend, USD 0.00 on the card",
        "no answer comes, and it has charged: completed, PTS 200 to spend, USD 20.00 on the card",
        "late, and the customer has left: cancelled, PTS 700 to spend, USD 0.00 on the card",
        "    died when it is recorded that the charge was given back: the same end",
        "late, and the hold has lapsed: completed, PTS 200 to spend, USD 20.00 on the card",
        "    died when the loss of the hold is recorded: the same end",
        "a third returned: completed, PTS 367, USD 6.67 to spend, USD 20.00 on the card",
        "64 orders; left lying: 0; that do not agree: 0",
        "the processor keeps USD 920.00; verified: True",
    ],
    "points_and_money.py": [
        "on the day:   PTS 0, pending PTS 1069",
        "a month on:   PTS 1069, pending PTS 0",
        "liability:    USD 8.55",
        "converted:    PTS 500 to USD 4.00",
        "the new lot:  earned, expires 2029-01-01",
        "verified:     True",
    ],
    "gift_code.py": [
        "letters sent: 1",
        "a stranger is told: This code cannot be used - we know: replaced",
        "the guest pays USD 20.00 of the gift, nothing by card",
        "registered, and claimed: USD 30.00",
        "the lamp comes back: USD 50.00",
        "verified: True",
    ],
    "refund_with_bonus.py": [
        "o-1: c-17 takes credit",
        "  credit EUR 0.00 money, EUR 70.00 credit, EUR 7.00 bonus",
        "  to the processor: EUR 33.00 under case/o-2/return/card/EUR",
        "  a code worth EUR 38.50, shown once",
        "c-17 has EUR 38.50",
        "verified: True",
    ],
    "company_account.py": [
        "order 1: EUR 640.00 for ann, on the limit EUR 640.00",
        "order 2: SpenderNotListed",
        "order 3: InsufficientCredit",
        "owed EUR 840.00, limit EUR 1000.00, may still spend EUR 160.00",
    ],
    "nightly_jobs.py": [
        "  expired: 5 lots in 5 accounts, EUR 50.00",
        "  checked: 20 accounts, 37 entries, ok: True",
        "somebody edits a journal behind the library's back",
        "  checked: 20 accounts, 36 entries, ok: False",
        "  PROBLEM: its digest does not follow from its content and the entry before it",
    ],
    "order_in_one_transaction.py": [
        "order 1002 leaves USD 20.00",
        "asked again, it leaves USD 20.00",
        "orders saved: 1",
        "journals verify: True",
    ],
    "what_would_it_cost.py": [
        "100 %   never        3935.20     3003.89        0.00      931.31  yes",
        "120 %   30 days      4722.23     2255.22     1831.95      635.06  yes",
    ],
}


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_shows_what_it_is_about_and_leaves_nothing_behind(
    name: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = iter(done.stdout.splitlines())
    # "in" moves the iterator on, so that the order counts too.
    missing = [line for line in SHOWN[name] if line not in printed]
    assert missing == [], done.stdout
    assert list(tmp_path.iterdir()) == []
