"""What `replay --policy` does: a shop's returns, decided by a refund policy, as a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from storecredit.cli.options import period_of
from storecredit.cli.printing import moment, progress, say, show_json, show_table
from storecredit.policies import OfferKind, Policy
from storecredit.replay import (
    PolicyTotals,
    ReturnHistory,
    read_returns,
    replay_policy,
    with_window,
)
from storecredit.replay.deciding import require_refunds
from storecredit.service.policy_file import load_policy
from storecredit.storage import Storage
from storecredit.values import Money

_WAYS = {
    OfferKind.CREDIT: "became credit",
    OfferKind.MONEY: "went back as money",
    OfferKind.EXCHANGE: "paid for other goods",
}


def asked_policy(path: Path, window: str | None) -> Policy:
    """
    Read the policy at *path*, with the window that `--window` says: a period, or `none`.

    Raises:
        typer.BadParameter: The window is neither.
        PolicyInvalid: It is no policy; or InvalidTerms: it has no section refund, or not one
            window, that could be replaced.
        OSError: It cannot be read.
    """
    found = load_policy(path)
    require_refunds(found)
    if window is None:
        return found
    return with_window(found, None if window == "none" else period_of(window))


@final
class PolicyReplay:
    """The returns of a history, and what a policy makes of them."""

    def __init__(self, files: Sequence[Path], policy: Policy, merchant: str) -> None:
        self._policy = policy
        self._history = read_returns(files, merchant=merchant)
        self._totals: PolicyTotals | None = None

    def run(self, storage: Storage) -> tuple[str, ...]:
        """Decide every return; give back what does not reconcile."""
        with progress("Requests", len(self._history.requests)) as done:
            self._totals = replay_policy(self._history, self._policy, storage, progress=done)
        return self._totals.problems

    def show(self, *, as_json: bool) -> None:
        """Print the totals, once there are some."""
        if self._totals is None:
            return
        if as_json:
            show_json(self._totals.to_json())
        else:
            _show(self._history, self._totals)


def _show(history: ReturnHistory, totals: PolicyTotals) -> None:
    def row(name: str, lines: int | None, minor: int) -> list[Any]:
        return [name, lines, Money.of_minor(minor, totals.unit)]

    span = "no requests"
    if history.requests:
        first, last = history.requests[0].at, history.requests[-1].at
        span = f"{moment(first)} to {moment(last)} UTC"
    refused = totals.whole_refused
    rows = [row("asked back", totals.asked.lines, totals.asked.amount)]
    rows += [
        row(_WAYS[kind], part.lines, part.amount)
        for kind, part in totals.offers.items()
        if part.lines or kind is not OfferKind.EXCHANGE
    ]
    rows.append(row("kept as fees", totals.fees.lines, totals.fees.amount))
    rows.append(row("refused", refused.lines, refused.amount))
    rows.append(row("bonus, on top", None, totals.bonus))
    show_table(
        f"{totals.requests} requests by {totals.policy}, {span}", ["what", "lines", "amount"], rows
    )
    reasons = [row(why, part.lines, part.amount) for why, part in totals.refused.items()]
    if reasons:
        show_table("", ["refused because", "lines", "amount"], reasons)
    counts: list[list[object]] = [
        [totals.customers, "customers that received credit"],
        [totals.no_receipt.lines, "lines that match no purchase"],
        [totals.approvals, "requests that need approval"],
        *([count, f"rows skipped: {why}"] for why, count in totals.skipped.items() if count),
    ]
    show_table("", ["count", "of"], counts)
    if totals.verified:
        say("Asked back = credit + money + exchanges + fees + refused. The journals verify.")
    else:
        say("It does NOT reconcile:")
