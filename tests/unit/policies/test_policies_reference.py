"""The reference names everything that the policies export, and every field that is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from storecredit import policies
from storecredit.policies import (
    CreditLot,
    LineOffer,
    Offer,
    RefundDecision,
    RefundRule,
    ReturnLine,
    ReturnRequest,
    When,
)

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"
PAGE = (REFERENCE / "policies.md").read_text(encoding="utf-8")
IN_CODE = {
    word for span in re.findall(r"`([^`]+)`", PAGE) for word in re.findall(r"[A-Za-z_]+", span)
}


OF_REFUNDS = """
    asking decision limits line_terms offer offers policy reading refund_policy rule when
""".split()


def test_every_name_about_refunds_is_in_the_reference() -> None:
    of_refunds = {f"storecredit.policies.{module}" for module in OF_REFUNDS}
    names = {name for name in policies.__all__ if getattr(policies, name).__module__ in of_refunds}
    assert len(names) > 30
    assert names <= IN_CODE


@pytest.mark.parametrize(
    "kind",
    [CreditLot, LineOffer, Offer, RefundDecision, RefundRule, ReturnLine, ReturnRequest, When],
)
def test_every_field_is_in_the_reference(kind: Any) -> None:
    plain = {"id", "line", "kind"}
    assert {field.name for field in attrs.fields(kind)} - plain <= IN_CODE
