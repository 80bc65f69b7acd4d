"""
Returns: which purchases a shop's cancellations give back, as requests that a policy can decide.

A cancellation names pieces and a price, and no order. Each piece is matched to the latest earlier
purchase of the same stock code at the same price by the same customer, and each piece that was
bought is given back once. So a row may take pieces of several orders, and may be matched in part.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, final

import attrs

from storecredit.policies import ReturnLine, ReturnRequest
from storecredit.replay.gathering import Gathered, read_all
from storecredit.replay.history import EventKind
from storecredit.replay.retail_rows import COLUMNS, GBP, RetailRow, RetailRows, Skip
from storecredit.tenders import LineKind
from storecredit.values import Money, Unit

_REASONS: Final = [skip for skip in Skip if skip is not Skip.NOT_GOODS]
_CARRIAGE: Final = frozenset({"POST", "DOT", "C2"})
_VOUCHER: Final = "gift_"


@final
@attrs.frozen(kw_only=True)
class ReturnHistory:
    """Everything that was asked back, as requests; nothing is decided yet."""

    unit: Unit
    merchant: str
    requests: tuple[ReturnRequest, ...]
    """
    By instant. One for each order that a cancellation gives something back of, its lines numbered
    by the rows of the cancellation; the pieces that match no purchase are one without a receipt.
    Their ids are the number of the cancellation and, behind a stroke, that of the order.
    """
    skipped: Mapping[str, int]
    """By reason, how many rows take no part; each row is counted once, under its first reason."""

    def digests(self) -> Iterator[str]:
        """Yield a digest of the first request, of the first two, and so on."""
        chained = hashlib.sha256(self.unit.code.encode())
        for request in self.requests:
            chained.update(json.dumps(request.to_json()).encode())
            yield chained.hexdigest()


def read_returns(paths: Iterable[Path], *, merchant: str = "shop") -> ReturnHistory:
    """
    Read what customers asked back from *paths*, files with the columns of UCI Online Retail.

    Purchase and delivery are one instant, that of the order: the files tell no other. The country
    of the customer is the jurisdiction. Goods are goods, postage and carriage shipping, vouchers
    gift cards, and all other codes fees: none of these becomes credit (P3).

    Args:
        paths: The files; an invoice may be spread over several.

        merchant: Whose policy is going to be asked.

    Raises:
        OSError: A file cannot be opened or read.
        ImportRefused: A file is broken; every bad row of it is named.
        InvalidText: The merchant's id cannot be kept.
    """
    reading = _Reading()
    read_all(paths, reading)
    matching = _Matching(merchant)
    requests: list[ReturnRequest] = []
    # Sorting keeps the order of the first rows, which breaks ties, as in any replay.
    for invoice, lines in sorted(reading.invoices.values(), key=lambda each: each[0].at):
        if invoice.kind is EventKind.REFUND:
            requests += matching.returned(invoice, lines)
        else:
            matching.bought(invoice, lines)
    return ReturnHistory(
        unit=GBP,
        merchant=merchant,
        requests=tuple(requests),
        skipped=reading.rows.gathering.skipped,
    )


@final
@attrs.frozen
class _Line:
    """A row that takes part, and what else it says."""

    row: RetailRow
    country: str
    place: int
    """Its place among the kept rows of its invoice, from 1."""

    @property
    def key(self) -> tuple[str, str, int | None]:
        return self.row.customer, self.row.stock_code, self.row.pennies


@final
class _Reading:
    """Keeps every row that was bought or comes back, by invoice."""

    columns = (*COLUMNS, "Country")
    advice = "; a policy is replayed over these columns only"

    def __init__(self) -> None:
        self.rows: Final = RetailRows(_REASONS)
        self.invoices: Final[dict[str, tuple[Gathered, list[_Line]]]] = {}

    def add(self, fields: tuple[str, ...]) -> None:
        *those, country = fields
        row = self.rows.read(tuple(those))
        if row is None:
            return
        invoice = row.invoice
        _, lines = self.invoices.setdefault(invoice.number, (invoice, []))
        problem = row.problem
        if problem is None and row.is_refund and not _comes_back(row):
            problem = Skip.NO_RETURN
        if problem is not None:
            self.rows.gathering.skip(problem)
        elif row.pennies is not None:
            # It is the sum that has to be within bounds: what is matched is a part of it.
            invoice.keep(row.customer, abs(row.pieces * row.pennies), "Quantity")
            lines.append(_Line(row, country, len(lines) + 1))


def _comes_back(row: RetailRow) -> bool:
    return row.pieces < 0 and row.pennies is not None and row.pennies >= 0


@final
@attrs.frozen
class _Order:
    number: str
    at: datetime


@final
@attrs.define
class _Bought:
    """Pieces of one purchase that have not been given back."""

    order: _Order
    left: int


@final
class _Matching:
    """All purchases so far: by customer, code and price, the latest one last."""

    def __init__(self, merchant: str) -> None:
        self._merchant: Final = merchant
        self._stacks: Final[dict[tuple[str, str, int | None], list[_Bought]]] = {}

    def bought(self, invoice: Gathered, lines: list[_Line]) -> None:
        """Remember what was bought."""
        order = _Order(invoice.number, invoice.at)
        for line in lines:
            if line.row.pieces:
                self._stacks.setdefault(line.key, []).append(_Bought(order, line.row.pieces))

    def returned(self, invoice: Gathered, lines: list[_Line]) -> Iterator[ReturnRequest]:
        """Yield a request for each order that *lines* give back of, then the one of the rest."""
        orders: dict[_Order | None, list[ReturnLine]] = {}
        for line in lines:
            for order, pieces in self._taken(line).items():
                orders.setdefault(order, []).append(_line_of(line, pieces))
        unmatched = orders.pop(None, None)
        for order, found in orders.items():
            yield self._request(invoice, lines[0].country, order, found)
        if unmatched is not None:
            yield self._request(invoice, lines[0].country, None, unmatched)

    def _taken(self, line: _Line) -> dict[_Order | None, int]:
        """Take the pieces of *line* off what was bought: pieces by order, None for no order."""
        found: dict[_Order | None, int] = {}
        stack, rest = self._stacks.get(line.key, []), -line.row.pieces
        while rest and stack:
            last = stack[-1]
            taken = min(last.left, rest)
            found[last.order] = found.get(last.order, 0) + taken
            last.left -= taken
            rest -= taken
            if not last.left:
                stack.pop()
        if rest:
            found[None] = rest
        return found

    def _request(
        self, invoice: Gathered, country: str, order: _Order | None, lines: list[ReturnLine]
    ) -> ReturnRequest:
        own = _part(invoice.number)
        return ReturnRequest(
            id=own if order is None else f"{own}/{_part(order.number)}",
            merchant=self._merchant,
            lines=lines,
            at=invoice.at,
            order=None if order is None else order.number,
            purchased_at=None if order is None else order.at,
            delivered_at=None if order is None else order.at,
            holder=invoice.customer,
            jurisdiction=country.strip() or None,
            receipt=order is not None,
        )


def _part(number: str) -> str:
    """Write *number* so that a stroke stands between two numbers only."""
    return number.replace("%", "%25").replace("/", "%2F")


def _line_of(line: _Line, pieces: int) -> ReturnLine:
    row = line.row
    return ReturnLine(
        id=str(line.place),
        external=Money.of_minor(pieces * (row.pennies or 0), GBP),
        kind=_kind_of(row),
        pieces=pieces,
    )


def _kind_of(row: RetailRow) -> LineKind:
    if row.is_goods:
        return LineKind.GOODS
    if row.stock_code in _CARRIAGE:
        return LineKind.SHIPPING
    return LineKind.GIFT_CARD if row.stock_code.startswith(_VOUCHER) else LineKind.FEE
