"""The reference names every field of the sections that give, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from storecredit.policies.earn_rule import EarnRule, Multiplier
from storecredit.policies.gift import Circumstances, Gift, GrantCeiling
from storecredit.policies.goodwill import GoodwillRule, IncentiveRule
from storecredit.policies.top_up import AutomaticTopUp, BonusStep, TopUpPolicy

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "granting.md"
TABLES: list[tuple[int, tuple[Any, ...]]] = list(
    enumerate(
        [
            (IncentiveRule, GoodwillRule),
            (Gift,),
            (Circumstances,),
            (GrantCeiling,),
            (EarnRule,),
            (Multiplier,),
            (TopUpPolicy,),
            (BonusStep,),
            (AutomaticTopUp,),
        ]
    )
)


def tables() -> list[list[str]]:
    """The first cells of the tables whose head begins with "field of"."""
    found: list[list[str]] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| field of"):
            found.append([])
        elif found and (cell := re.match(r"\| `(\w+)` \|", line)):
            found[-1].append(cell[1])
        elif line.startswith("## Records"):
            return found
    raise AssertionError("the page does not end with its records")


@pytest.mark.parametrize(("place", "kinds"), TABLES)
def test_every_field_is_in_its_table(place: int, kinds: tuple[Any, ...]) -> None:
    fields = {field.name for kind in kinds for field in attrs.fields(kind)}
    table = tables()[place]
    assert set(table) == fields
    assert len(table) == len(fields)


def test_there_is_no_table_more() -> None:
    assert len(tables()) == len(TABLES)
