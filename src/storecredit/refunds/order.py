"""What refund cases have taken of one order, so that no piece is refunded twice (P5)."""

from collections.abc import Iterable, Mapping
from typing import Any, final

import attrs

from storecredit.errors import PiecesTaken
from storecredit.refunds.accepting import Fraction
from storecredit.refunds.facts import LineShare
from storecredit.refunds.sharing import of_accepted
from storecredit.tenders import LineQuantity
from storecredit.tenders.json_form import read_form, write_form


@final
@attrs.frozen(kw_only=True)
class Taken:
    """The pieces of a line that a case refunds, or has refunded, and what was paid for them."""

    case: str
    line: str
    pieces: int
    shares: tuple[LineShare, ...] = ()
    """By tender and lot, fees included; empty where no checkout knows what was paid."""


@final
@attrs.frozen(kw_only=True)
class RefundedOrder:
    """
    The pieces of an order that refund cases have taken; kept as a record of its own (S11).

    A case takes its pieces when it is requested, gives them back when it is denied or cancelled,
    and keeps what was accepted for good when it is completed.
    """

    order: str
    taken: tuple[Taken, ...] = ()
    bought: tuple[LineQuantity, ...] = ()
    """How many pieces of which line were bought, as far as anybody said."""

    def take(
        self,
        case: str,
        pieces: Mapping[str, int],
        *,
        shares: Iterable[LineShare] = (),
        bought: Mapping[str, int] | None = None,
    ) -> "RefundedOrder":
        """
        Let *case* have these pieces.

        Args:
            case: Who takes them.

            pieces: How many of which line.

            shares: What was paid for them.

            bought: How many were bought, by line; what was said before stays known.

        Raises:
            PiecesTaken: More than are left; or another case has some, and nobody knows of how
                many.
        """
        known = {each.line: each.quantity for each in self.bought} | dict(bought or {})
        others = [each for each in self.taken if each.case != case]
        of_shares = tuple(shares)
        mine = []
        for line, count in pieces.items():
            of_line = [each for each in others if each.line == line and each.pieces]
            taken = sum(each.pieces for each in of_line)
            of = known.get(line)
            if (of is None and taken) or (of is not None and count > of - taken):
                left = None if of is None else max(of - taken, 0)
                names = tuple(dict.fromkeys(each.case for each in of_line))
                raise PiecesTaken(self.order, line, count, left, names)
            paid = tuple(each for each in of_shares if each.line == line)
            mine.append(Taken(case=case, line=line, pieces=count, shares=paid))
        return attrs.evolve(
            self,
            taken=(*others, *mine),
            bought=tuple(LineQuantity(line, known[line]) for line in sorted(known)),
        )

    def free(self, case: str) -> "RefundedOrder":
        """Give back all that *case* has taken."""
        return attrs.evolve(self, taken=tuple(e for e in self.taken if e.case != case))

    def keep(self, case: str, accepted: Mapping[str, Fraction]) -> "RefundedOrder":
        """Leave to *case* what was accepted, fees included, and give back the rest."""
        found = []
        for each in self.taken:
            if each.case != case:
                found.append(each)
                continue
            share = accepted.get(each.line, Fraction(0, 1))
            if share.parts:
                found.append(_part_of(each, share))
        return attrs.evolve(self, taken=tuple(found))

    def of_others(self, case: str) -> tuple[Taken, ...]:
        """Return what other cases have taken."""
        return tuple(each for each in self.taken if each.case != case)

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON data, for the storage's records (S11)."""
        return write_form(self)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "RefundedOrder":
        """
        Read what `to_json` wrote.

        Raises:
            TextUnreadable: It is no such form.
        """
        return read_form(cls, form)


def _part_of(taken: Taken, share: Fraction) -> Taken:
    """Return the accepted part; what is no whole piece of it counts as one: it is refunded."""
    return attrs.evolve(
        taken,
        pieces=-(-taken.pieces * share.parts // share.of),
        shares=of_accepted(taken.shares, share),
    )
