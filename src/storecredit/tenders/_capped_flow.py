"""Flow under shared caps: what several sources may pay together, and still no placement pays more."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, final

from storecredit.ledger.flow import Flow

_Node = tuple[str, int]
_ROOT: Final[_Node] = ("root", 0)
_SINK: Final[_Node] = ("sink", 0)


@final
class CappedFlow:
    """
    What each source pays on each line, where sources also share caps (T3). Whole minor units.

    Caps are nested like brackets: of two, one lies within the other or no source is under both.
    `send` serves the sources one after the other; `settle` then moves value between them where a
    full cap would keep a line unpaid that another use of the cap can pay.
    """

    def __init__(self, due: Iterable[int], caps: Iterable[int]) -> None:
        self._flow: Final = Flow(due)
        self._caps: Final = list(caps)
        self._room: Final = list(self._caps)
        self._allowed: Final[list[Sequence[int]]] = []
        self._most: Final[list[int]] = []
        self._under: Final[list[tuple[int, ...]]] = []
        self.paid: Final = self._flow.paid
        """For each source, what it pays on which line."""
        self.left: Final = self._flow.left
        """What each line still lacks."""

    def send(self, allowed: Sequence[int], most: int, *, under: tuple[int, ...] = ()) -> None:
        """
        Add a source that has *most* and may pay the *allowed* lines.

        Args:
            allowed: The lines, by position.

            most: What the source has.

            under: The caps that count what it pays, by position, the innermost first.
        """
        within = min([most, *[self._room[cap] for cap in under]]) if under else most
        sent = self._flow.send(allowed, within)
        for cap in under:
            self._room[cap] -= sent
        self._allowed.append(allowed)
        self._most.append(most)
        self._under.append(under)

    def total(self, source: int) -> int:
        """Return what *source* pays in all."""
        return sum(self.paid[source].values())

    def settle(self) -> None:
        """
        Let no cap keep a line unpaid that another use of the cap would pay.

        Afterwards no placement within the caps pays more in all; and among those that pay as much,
        each source, in the order they were sent, pays as much as it can.
        """
        if not self._may_gain():
            return
        search = _Exchanges(self._allowed, self._most, self._under, self._caps, self._flow)
        gained = 0
        while more := search.cover_more():
            gained += more
        if gained:
            for source in range(len(self._most)):
                while search.raise_source(source):
                    pass

    def _may_gain(self) -> bool:
        """Tell whether a full cap holds value back while a line lacks something."""
        if not self._caps or not any(self.left):
            return False
        return any(
            self.total(source) < self._most[source] and not all(self._room[cap] for cap in under)
            for source, under in enumerate(self._under)
        )


@final
class _Exchanges:
    """
    Paths in the residual network: root, caps, sources, lines and sink, along what may still change.

    A path takes a shortest way, so that their number does not depend on amounts (Edmonds and Karp
    1972).
    """

    def __init__(
        self,
        allowed: list[Sequence[int]],
        most: list[int],
        under: list[tuple[int, ...]],
        caps: list[int],
        flow: Flow,
    ) -> None:
        self._allowed = allowed
        self._paid = flow.paid
        self._left = flow.left
        self._payers: list[set[int]] = [set() for _ in flow.left]
        self._covered = [0] * len(flow.left)
        self._above: dict[_Node, _Node] = {}
        """What a cap or a source is served through: the cap around it, or the root."""
        self._below: dict[_Node, list[_Node]] = {_ROOT: []}
        self._served: dict[_Node, int] = {}
        self._most: dict[_Node, int] = {}
        self._fixed: set[_Node] = set()
        for source, paid in enumerate(flow.paid):
            self._join(("source", source), most[source], under[source], caps)
            for node in (("source", source), *[("cap", cap) for cap in under[source]]):
                self._served[node] += sum(paid.values())
            for line, amount in paid.items():
                self._payers[line].add(source)
                self._covered[line] += amount

    def cover_more(self) -> int:
        """Carry more from the root to the sink along one path; return how much, 0 for no path."""
        return self._carry(_ROOT, _SINK, None)

    def raise_source(self, source: int) -> int:
        """Let *source* pay more in place of later ones, the sum unchanged; return how much more."""
        node = ("source", source)
        # From here on only this search changes what the source pays in all.
        self._fixed.add(node)
        unsent = self._most[node] - self._served[node]
        raised = self._carry(node, self._above[node], unsent) if unsent else 0
        self._served[node] += raised
        return raised

    def _join(self, node: _Node, most: int, under: tuple[int, ...], caps: list[int]) -> None:
        """Hang *node* below the innermost of the caps that it is under."""
        above = ("cap", under[0]) if under else _ROOT
        if above not in self._below:
            self._below[above] = []
            self._join(above, caps[under[0]], under[1:], caps)
        self._above[node], self._most[node], self._served[node] = above, most, 0
        self._below[above].append(node)

    def _carry(self, start: _Node, goal: _Node, most: int | None) -> int:
        came_from = {start: start}
        queue = deque([start])
        while queue and goal not in came_from:
            at = queue.popleft()
            for to in self._next(at):
                if to not in came_from:
                    came_from[to] = at
                    queue.append(to)
        if goal not in came_from:
            return 0
        path: list[tuple[_Node, _Node]] = []
        to = goal
        while to != start:
            path.append((came_from[to], to))
            to = came_from[to]
        rooms = [room for at, to in path if (room := self._room(at, to)) is not None]
        amount = min(rooms if most is None else [most, *rooms])
        for at, to in path:
            self._push(at, to, amount)
        return amount

    def _next(self, at: _Node) -> Iterator[_Node]:
        """Yield where more can go from *at*."""
        kind, place = at
        if kind == "line":
            if self._left[place]:
                yield _SINK
            yield from [("source", payer) for payer in self._payers[place]]
        elif kind == "sink":
            yield from [("line", line) for line, covered in enumerate(self._covered) if covered]
        else:
            if kind == "source":
                yield from [("line", line) for line in self._allowed[place]]
            for node in self._below.get(at, ()):
                if node not in self._fixed and self._served[node] < self._most[node]:
                    yield node
            if at != _ROOT and at not in self._fixed and self._served[at]:
                yield self._above[at]

    def _room(self, at: _Node, to: _Node) -> int | None:
        """Return how much more can go from *at* to *to*; None for without end."""
        if at == _SINK:
            return self._covered[to[1]]
        if to == _SINK:
            return self._left[at[1]]
        if to[0] == "line":
            return None
        if at[0] == "line":
            return self._paid[to[1]][at[1]]
        if self._above.get(to) == at:
            return self._most[to] - self._served[to]
        return self._served[at]

    def _push(self, at: _Node, to: _Node, amount: int) -> None:
        if at == _SINK:
            self._cover(to[1], -amount)
        elif to == _SINK:
            self._cover(at[1], amount)
        elif to[0] == "line":
            paid = self._paid[at[1]]
            paid[to[1]] = paid.get(to[1], 0) + amount
            self._payers[to[1]].add(at[1])
        elif at[0] == "line":
            paid = self._paid[to[1]]
            paid[at[1]] -= amount
            if not paid[at[1]]:
                del paid[at[1]]
                self._payers[at[1]].discard(to[1])
        elif self._above.get(to) == at:
            self._served[to] += amount
        else:
            self._served[at] -= amount

    def _cover(self, line: int, amount: int) -> None:
        self._covered[line] += amount
        self._left[line] -= amount
