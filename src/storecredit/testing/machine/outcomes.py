"""Outcomes: how often each command was accepted, refused and repeated, so that none is forgotten."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import attrs

ACCEPTED: Final = "accepted"
NOTHING_TO_DO: Final = "nothing to do"
REPEATED: Final = "repeated"
"""A repeat was answered with the first answer."""


@attrs.define
class Tally:
    """What became of one command, over however many histories."""

    accepted: int = 0
    refused: int = 0
    repeated: int = 0


def tally_of(outcomes: Mapping[str, int]) -> Mapping[str, Tally]:
    """
    Sum *outcomes*, which count ``verb: outcome``, verb by verb.

    What is neither accepted nor repeated, and found something to do, is the name of a refusal.
    """
    found: defaultdict[str, Tally] = defaultdict(Tally)
    for outcome, times in outcomes.items():
        verb, _, word = outcome.partition(": ")
        if word == ACCEPTED:
            found[verb].accepted += times
        elif word == REPEATED:
            found[verb].repeated += times
        elif word != NOTHING_TO_DO:
            found[verb].refused += times
    return found
