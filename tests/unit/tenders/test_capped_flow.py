"""Flow under shared caps, on cases small enough to see (T3)."""

from __future__ import annotations

import pytest

from storecredit.ledger.flow import Flow
from storecredit.tenders._capped_flow import CappedFlow

Source = tuple[list[int], int, tuple[int, ...]]


def settled(due: list[int], caps: list[int], *sources: Source) -> tuple[list[int], list[int]]:
    """What each source pays in all, and what each line lacks."""
    flow = CappedFlow(due, caps)
    for allowed, most, under in sources:
        flow.send(allowed, most, under=under)
    flow.settle()
    return [flow.total(number) for number in range(len(sources))], flow.left


@pytest.mark.parametrize(
    ("due", "caps", "sources", "paid", "left"),
    [
        # Without caps: the first source moves to the other line.
        ([5, 5], [], [([0, 1], 5, ()), ([0], 5, ())], [5, 5], [0, 0]),
        # A cap that holds nobody back.
        ([5, 5], [10], [([0, 1], 5, (0,)), ([0], 5, (0,))], [5, 5], [0, 0]),
        # A cap over all: the first take all of it, and no other use covers more.
        ([5, 5], [6], [([0], 5, (0,)), ([1], 5, (0,))], [5, 1], [0, 4]),
        # The cap of the first two moves from line 0 to line 1, so that the third can pay line 0.
        (
            [5, 5],
            [5],
            [([0], 5, (0,)), ([1], 5, (0,)), ([0], 5, ())],
            [0, 5, 5],
            [0, 0],
        ),
        # Half of it moves: the third has 2 only.
        (
            [5, 5],
            [5],
            [([0], 5, (0,)), ([1], 5, (0,)), ([0], 2, ())],
            [3, 2, 2],
            [0, 3],
        ),
        # Then the earlier of two that may take line 1 does, though the later one was found first.
        (
            [4, 4],
            [4],
            [([0], 4, (0,)), ([1], 4, (0,)), ([1], 4, (0,)), ([0], 4, ())],
            [0, 4, 0, 4],
            [0, 0],
        ),
        # Caps within a cap.
        (
            [3, 3, 3],
            [3, 3, 4],
            [([0], 3, (0, 2)), ([1], 3, (0, 2)), ([2], 3, (1, 2)), ([0], 3, ())],
            [0, 3, 1, 3],
            [0, 0, 2],
        ),
    ],
)
def test_no_cap_keeps_a_line_unpaid_that_another_use_of_it_would_pay(
    due, caps, sources, *, paid, left
) -> None:
    assert settled(due, caps, *sources) == (paid, left)


def test_the_earlier_source_is_raised_even_where_that_pays_another_line() -> None:
    # The last source needs line 0. The cap may move to line 1 on a short way, by the third source;
    # the second, which comes before it, can take line 2, if the fourth goes on to line 3.
    found = settled(
        [1, 1, 1, 1],
        [1],
        ([0], 1, (0,)),
        ([2], 1, (0,)),
        ([1], 1, (0,)),
        ([2, 3], 1, ()),
        ([0], 1, ()),
    )
    assert found == ([0, 1, 0, 1, 1], [0, 1, 0, 0])


def test_a_flow_counts_what_moves_along_a_path_of_several_lots() -> None:
    flow = Flow([1, 2, 3])
    assert flow.send([0, 1], 2) == 2
    assert flow.send([1, 2], 3) == 3
    assert flow.send([0], 1) == 1
    assert flow.left == [0, 0, 0]
    assert flow.send([0, 1, 2], 5) == 0
    assert flow.send([0, 1, 2], 0) == 0
    assert [sum(paid.values()) for paid in flow.paid] == [2, 3, 1, 0, 0]
