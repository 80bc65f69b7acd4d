"""Flow: how much of which source pays which line, so that no other placement pays more (T3)."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, final


@final
class Flow:
    """
    What each source pays on each line so far. Sources are numbered as they are sent, from 0.

    An augmenting path never lowers what an earlier source pays in all, so the first sources pay as
    much as any placement could let them, and the sum is as large as any placement's (Ford and
    Fulkerson 1956; the sources that can be served form a polymatroid). Amounts are whole minor
    units.
    """

    def __init__(self, due: Iterable[int]) -> None:
        self.left: Final = list(due)
        """What each line still lacks."""
        self.paid: Final[list[dict[int, int]]] = []
        """For each source, what it pays on which line."""
        self._allowed: Final[list[Sequence[int]]] = []
        self._payers: Final[list[dict[int, None]]] = [{} for _ in self.left]
        # A search that failed has seen lines that no later path can leave any more.
        self._closed: Final = [False] * len(self.left)

    def send(self, allowed: Sequence[int], most: int) -> int:
        """
        Add a source that may pay the *allowed* lines; return how much of *most* it can give.

        Sources that may pay the same lines are served sooner when they are sent one list object.
        """
        source, wanted, left = len(self.paid), most, self.left
        self.paid.append({})
        self._allowed.append(allowed)
        for line in allowed:
            if not wanted:
                break
            step = min(left[line], wanted)
            if step:
                left[line] -= step
                self._pay(source, line, step)
                wanted -= step
        while wanted:
            path = self._path(source)
            if path is None:
                break
            wanted -= self._shift(path, wanted)
        return most - wanted

    def _path(self, source: int) -> list[tuple[int, int]] | None:
        """Find (source, line) steps from *source* to a line with something left to pay."""
        queue, came_from = deque([source]), {source: -1}
        reached: dict[int, int] = {}
        walked = set[int]()
        while queue:
            at = queue.popleft()
            allowed = self._allowed[at]
            if id(allowed) in walked:
                continue
            walked.add(id(allowed))
            for line in allowed:
                if line in reached or self._closed[line]:
                    continue
                reached[line] = at
                if self.left[line]:
                    return _walk_back(line, reached, came_from)
                for other in self._payers[line]:
                    if other not in came_from:
                        came_from[other] = line
                        queue.append(other)
        for line in reached:
            self._closed[line] = True
        return None

    def _shift(self, path: list[tuple[int, int]], most: int) -> int:
        """Move as much of *most* as there is room for along *path*, and return how much."""
        # Each source on the path but the first is pushed off the line that the one before it takes.
        pushed = [(path[step + 1][0], path[step][1]) for step in range(len(path) - 1)]
        last = path[-1][1]
        amount = min([most, self.left[last], *[self.paid[off][line] for off, line in pushed]])
        for source, line in path:
            self._pay(source, line, amount)
        for off, line in pushed:
            self._pay(off, line, -amount)
        self.left[last] -= amount
        return amount

    def _pay(self, source: int, line: int, amount: int) -> None:
        paid = self.paid[source]
        after = paid.get(line, 0) + amount
        if after:
            paid[line] = after
            self._payers[line][source] = None
        else:
            del paid[line], self._payers[line][source]


def _walk_back(
    line: int, reached: dict[int, int], came_from: dict[int, int]
) -> list[tuple[int, int]]:
    """Return the steps that lead to *line*, those of the first source first."""
    path = []
    while line >= 0:
        source = reached[line]
        path.append((source, line))
        line = came_from[source]
    path.reverse()
    return path
