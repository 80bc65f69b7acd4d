"""What somebody asks back, as options say it or a JSON file: the request that a policy decides."""

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, final

import attrs
import typer

from storecredit.cli.outcomes import Status, stop
from storecredit.errors import MisuseError
from storecredit.ledger.instants import write_instant
from storecredit.policies import ReturnLine, ReturnRequest
from storecredit.service.file_source import BadCell, ImportLimits
from storecredit.service.strict_json import read_strict
from storecredit.values import Balance, CustomUnit, Money, Unit, unit

_LIMITS: Final = ImportLimits(line_bytes=1 << 20, field_characters=1 << 16, depth=16)


def pairs(option: str, written: Iterable[str] | None) -> dict[str, str]:
    """
    Read `LINE=VALUE` again and again, each line once; the value is what follows the last sign.

    Raises:
        typer.BadParameter: Something else, or a line twice.
    """
    found: dict[str, str] = {}
    for each in written or ():
        line, sign, value = each.rpartition("=")
        if not (line and sign and value):
            raise typer.BadParameter(f"{option}: {each!r} is not LINE=VALUE.")
        if line in found:
            raise typer.BadParameter(f"{option}: the line {line!r} is named twice.")
        found[line] = value
    return found


def counts(option: str, written: Iterable[str] | None) -> dict[str, int]:
    """
    Read `LINE=COUNT` again and again.

    Raises:
        typer.BadParameter: Something else, or a line twice.
    """
    found = pairs(option, written)
    for line, count in found.items():
        if not (count.isascii() and count.isdigit() and len(count) < 19):
            raise typer.BadParameter(f"{option}: {line}={count} is not a whole number of pieces.")
    return {line: int(count) for line, count in found.items()}


def _texts(written: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(written or ())


@final
@attrs.frozen(kw_only=True)
class WrittenLines:
    """What options say about lines: a text for all of them, or `LINE=TEXT` for one."""

    amounts: tuple[str, ...] = attrs.field(converter=_texts)
    """`LINE=AMOUNT`: what external tenders paid for what comes back."""
    unit: str | None
    """What the amounts are in."""
    back: tuple[str, ...] = attrs.field(converter=_texts)
    """`LINE=COUNT`: in place of amounts, pieces of an order that a checkout has paid."""
    pieces: tuple[str, ...] = attrs.field(converter=_texts)
    """`LINE=COUNT`: how many, where it is more than one."""
    restored: tuple[str, ...] = attrs.field(converter=_texts)
    """`LINE=AMOUNT`, or `LINE=PTS 500`: what credit paid."""
    reason: tuple[str, ...] = attrs.field(converter=_texts)
    condition: tuple[str, ...] = attrs.field(converter=_texts)
    kind: tuple[str, ...] = attrs.field(converter=_texts)

    @property
    def is_there(self) -> bool:
        """Whether anything is said about lines."""
        return any(getattr(self, field.name) for field in attrs.fields(WrittenLines))

    @property
    def counted(self) -> dict[str, int]:
        """
        How many pieces come back of an order that a checkout has paid.

        Raises:
            typer.BadParameter: It cannot be read, or amounts are given besides.
        """
        if self.amounts or self.pieces or self.restored or self.unit:
            raise typer.BadParameter(
                "--back goes without amounts: the checkout's record says what was paid."
            )
        return counts("--back", self.back)

    def read(self, customs: tuple[CustomUnit, ...]) -> tuple[ReturnLine, ...]:
        """
        Return the lines with the amounts that options give.

        Raises:
            typer.BadParameter: An option cannot be read, or names another line.
            MisuseError: As the values themselves.
        """
        amounts = pairs("LINE=AMOUNT", self.amounts)
        if not amounts or self.unit is None:
            raise typer.BadParameter(
                "say what comes back, as LINE=AMOUNT with --unit, as --back, or with --request."
            )
        counted = unit(self.unit, customs=customs)
        pieces = counts("--pieces", self.pieces)
        credit = self._restored(counted, customs)
        for option, named in (("--pieces", pieces), ("--restored", credit)):
            if unknown := [line for line in named if line not in amounts]:
                raise typer.BadParameter(f"{option}: {unknown[0]!r} is none of the lines.")
        return self.with_facts(
            ReturnLine(
                id=line,
                external=Money.of(amount, counted),
                restored=Balance.of(*credit.get(line, ())),
                pieces=pieces.get(line, 1),
            )
            for line, amount in amounts.items()
        )

    def with_facts(self, lines: Iterable[ReturnLine]) -> tuple[ReturnLine, ...]:
        """Return *lines* with reason, condition and kind, as far as options say them."""
        found = tuple(lines)
        known = tuple(line.id for line in found)
        said = {name: getattr(self, name) for name in ("reason", "condition", "kind")}
        facts: list[dict[str, Any]] = [
            {name: _said_of(line, known, written) for name, written in said.items()}
            for line in known
        ]
        return tuple(
            attrs.evolve(line, **{name: value for name, value in each.items() if value})
            for line, each in zip(found, facts, strict=True)
        )

    def _restored(self, counted: Unit, customs: tuple[CustomUnit, ...]) -> dict[str, list[Money]]:
        found: dict[str, list[Money]] = {}
        for each in self.restored:
            line, sign, value = each.rpartition("=")
            if not (line and sign):
                raise typer.BadParameter(f"--restored: {each!r} is not LINE=AMOUNT.")
            plain = (
                Money.parse(value, customs=customs) if " " in value else Money.of(value, counted)
            )
            found.setdefault(line, []).append(plain)
        return found


def _said_of(line: str, known: tuple[str, ...], written: tuple[str, ...]) -> str | None:
    """Return the last text that is for *line*; one for the line goes before one for all."""
    for_all = for_line = None
    for each in written:
        # A text may have a sign of its own: it is for one line only where it begins with one.
        own = [name for name in known if each.startswith(f"{name}=")]
        if not own:
            for_all = each
        elif line in own:
            for_line = each.removeprefix(f"{line}=")
    return for_all if for_line is None else for_line


def request_from(source: str, *, key: str | None, merchant: str, at: datetime) -> ReturnRequest:
    """
    Read a request from the JSON file *source*, or from stdin where it is `-`.

    What it does not say of `id`, `merchant` and `at` is *key*, *merchant* and *at*.

    Raises:
        typer.Exit: It is no request; that was told.
        OSError: It cannot be read.
    """
    name = "stdin" if source == "-" else source
    form = {"merchant": merchant, "at": write_instant(at)}
    if key is not None:
        form["id"] = key
    form |= _json_of(source, name)
    if "id" not in form:
        stop(Status.MISUSED, f"{name} is no request: it has no 'id'. Write it there, or --key.")
    try:
        return ReturnRequest.from_json(form)
    except MisuseError as wrong:
        stop(Status.MISUSED, f"{name} is no request. {wrong}")


def _json_of(source: str, name: str) -> Mapping[str, Any]:
    longest = _LIMITS.line_bytes
    if source == "-":
        data = sys.stdin.buffer.read(longest + 1)
    else:
        with Path(source).open("rb") as file:
            data = file.read(longest + 1)
    if len(data) > longest:
        stop(Status.MISUSED, f"{name} has more than {longest:,} bytes, which is no request.")
    try:
        found = read_strict(data.decode("utf-8-sig"), name, _LIMITS)
    except UnicodeDecodeError:
        stop(Status.MISUSED, f"{name} is no request: it is not UTF-8.")
    except BadCell as wrong:
        stop(Status.MISUSED, f"{name} is no request: {wrong.problem}.")
    if not isinstance(found, dict):
        stop(Status.MISUSED, f"{name} is no request: it has to be a JSON object.")
    return found
