"""Offers as tables for people and as JSON for programs: what is possible, and which rules said so."""

from typing import Any

from storecredit.cli.printing import show_table
from storecredit.policies import Offer, Offers, Passed, Reasons, RefundDecision
from storecredit.tenders.json_form import write_form
from storecredit.values import Money

_AMOUNTS = {
    "tenders": "to tenders",
    "credit": "credit",
    "bonus": "bonus",
    "exchange": "for exchange",
    "fee": "fee",
}


def show_offers(offers: Offers) -> None:
    """Print what is offered, and for each line the rules that held and those that did not."""
    if offers.offers:
        _show_amounts(offers)
    rows: list[tuple[object, ...]] = []
    for reasons in offers.reasons:
        for fired in reasons.fired:
            rows.append((reasons.line, fired.rule, "yes", _decided(fired.topics, fired.because)))
        for passed in reasons.passed:
            rows.append((reasons.line, passed.rule, "no", passed.because))
        if reasons.refused is not None:
            rows.append((reasons.line, None, "refused", reasons.refused))
    show_table("Rules", ["line", "rule", "holds", "what it decides, or why not"], rows)


def _show_amounts(offers: Offers) -> None:
    used = {
        name: title
        for name, title in _AMOUNTS.items()
        if any(getattr(offer, name).is_positive for offer in offers.offers)
    }
    is_restored = any(not offer.restored.is_zero for offer in offers.offers)
    rows: list[list[object]] = []
    for offer in offers.offers:
        row: list[object] = [offer.kind.value, *(getattr(offer, name) for name in used)]
        if is_restored:
            row.append(str(offer.restored))
        rows.append([*row, ", ".join(sorted({line.line for line in offer.lines})), _needs(offer)])
    columns = ["offer", *used.values(), *(["restored"] * is_restored), "lines", "needs"]
    title = f"Offers for {offers.request.id} by {offers.policy}"
    show_table(title, columns, rows)


def _needs(offer: Offer) -> str:
    """Say what the offer asks for before it can be carried out."""
    said = []
    if offer.consent:
        said.append(f"consent ({', '.join(offer.consent)})")
    if offer.approval:
        said.append(f"approval ({', '.join(offer.approval)})")
    return ", ".join(said)


def _decided(topics: tuple[str, ...], because: str | None) -> str:
    found = ", ".join(str(topic) for topic in topics) or "nothing that is not decided already"
    return found if because is None else f"{found}: {because}"


def offers_json(offers: Offers) -> list[dict[str, Any]]:
    """Return the offers as JSON data, with their sums."""
    return [offer_json(offer) for offer in offers.offers]


def offer_json(offer: Offer) -> dict[str, Any]:
    """Return one offer as JSON data."""
    sums: dict[str, Money] = {name: getattr(offer, name) for name in _AMOUNTS}
    return {
        "kind": offer.kind.value,
        **{name: amount.to_json() for name, amount in sums.items()},
        "restored": offer.restored.to_json(),
        "consent": list(offer.consent),
        "approval": list(offer.approval),
        "cut": list(offer.cut),
        "instant": offer.instant,
        "lines": [write_form(line) for line in offer.lines],
    }


def reasons_json(reasons: Reasons) -> dict[str, Any]:
    """Return which rules decided about a line as JSON data."""
    return {
        "line": reasons.line,
        "refused": reasons.refused,
        "fired": [
            {"rule": each.rule, "topics": list(each.topics), "because": each.because}
            for each in reasons.fired
        ],
        "passed": [_passed(each) for each in reasons.passed],
    }


def _passed(each: Passed) -> dict[str, str]:
    return {"rule": each.rule, "because": each.because}


def decision_json(decision: RefundDecision) -> dict[str, Any]:
    """Return what was chosen as JSON data, with the lots that it comes to."""
    return {
        **offer_json(decision.offer),
        "consented": decision.consented,
        "agent": decision.agent,
        "override": None if decision.override is None else decision.override.reason,
        "lots": [write_form(lot) for lot in decision.lots],
    }
