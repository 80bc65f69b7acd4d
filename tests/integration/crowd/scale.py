"""How much the tests with many processes do: enough for every proof, or more where it is asked."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("STORECREDIT_THOROUGH", "") not in {"", "0"}
"""Whether STORECREDIT_THOROUGH asks for longer runs; read here and nowhere else."""


def scaled(usual: int, thorough: int) -> int:
    """Return how often something is done."""
    return thorough if THOROUGH else usual
