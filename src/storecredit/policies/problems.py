"""What was wrong with the data of a policy: each problem with its place, in words for people (P1)."""

import difflib
import re
from collections.abc import Iterator
from typing import Any, Final

import attrs
from cattrs import ClassValidationError, IterableValidationError
from cattrs.errors import AttributeValidationNote, ForbiddenExtraKeysError, IterableValidationNote

from storecredit.errors import (
    AmountOutOfRange,
    AmountTooFine,
    InvalidTerms,
    InvalidText,
    NoMinorUnit,
    PeriodRefused,
    PolicyInvalid,
    PolicyProblem,
    TextUnreadable,
    UnitCollision,
    UnitRefused,
    UnknownCurrency,
    UnknownZone,
)
from storecredit.values import MAX_MINOR

Path = tuple[str | int, ...]
"""The keys and the places in lists that lead somewhere."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_FIELD: Final = re.compile(r"[a-z_]+(\.[a-z_]+)*")
_STEP: Final = re.compile(r"([a-z_]+)|\[([0-9]+)\]")
_LONGEST_KEY: Final = 60


def problems_of(error: BaseException, data: object, *, path: Path = ()) -> Iterator[PolicyProblem]:
    """Yield everything that *error* says is wrong with *data*, the whole policy, in order."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        for each in error.exceptions:
            yield from problems_of(each, data, path=(*path, *_step(each)))
    elif isinstance(error, PolicyInvalid):
        for problem in error.problems:
            inner = steps_of(problem.path)
            yield attrs.evolve(problem, path=written((*path, *inner)))
    elif isinstance(error, ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(error.cl)]
        for key in sorted(error.extra_fields):
            where = (*path, key)
            yield PolicyProblem(written(where), value_at(data, where), no_such_key(key, known))
    elif isinstance(error, KeyError):
        yield PolicyProblem(written((*path, str(error.args[0]))), None, "it is missing")
    elif isinstance(error, InvalidTerms | InvalidText):
        yield _of_a_field(error, data, path)
    else:
        yield _of_a_part(error, data, path)


def no_such_key(key: str, known: list[str]) -> str:
    """Say that there is no *key*, and which one may be meant."""
    near = difflib.get_close_matches(key[:_LONGEST_KEY], known, n=1)
    meant = f"perhaps {near[0]} is meant" if near else f"keys are {', '.join(known)}"
    return f"there is no such key: {meant}"


def in_words(error: BaseException) -> str:
    """Say what would be right in a file, where messages of the library speak of Python."""
    match error:
        case InvalidTerms():
            said = f"it has to be {error.expected}"
        case InvalidText():
            said = f"it {error.problem}"
        case TextUnreadable():
            said = 'an amount is a code, one space and a plain decimal, as "EUR 5.00"'
        case UnknownCurrency():
            said = "there is no such currency; points and the like are declared under units"
        case NoMinorUnit():
            said = f"{error.code} is no money that a shop can owe"
        case AmountTooFine():
            said = f"{error.unit.code} has {error.unit.digits} decimal places"
        case AmountOutOfRange():
            said = f"an amount has at most {MAX_MINOR} minor units"
        case PeriodRefused():
            said = f"it is no period: {error.reason}"
        case UnknownZone():
            near = f", and perhaps {error.suggestions[0]} is meant" if error.suggestions else ""
            said = f'a zone has a name of the IANA database, as "Europe/Berlin"{near}'
        case UnitRefused():
            said = error.reason
        case UnitCollision():
            said = f"{error.code} is a currency of ISO 4217; a custom unit needs another code"
        case _:
            said = str(error).rstrip(".")
    return said


def _of_a_field(error: InvalidTerms | InvalidText, data: object, path: Path) -> PolicyProblem:
    """Tell of a value that a class refused: of one of its fields, where the error names one."""
    here = value_at(data, path)
    value = error.value if isinstance(error, InvalidTerms) else error.text
    if isinstance(here, dict) and _FIELD.fullmatch(error.field):
        inside: Path = tuple(error.field.split("."))
        there = value_at(here, inside)
        if inside == ("id",) and there is None:
            path = (*path, *_given_twice(here, value))
        elif member := _member(there, value):
            path = (*path, *inside, *member)
        elif inside[0] in here:
            path, value = (*path, *inside), there
        elif attrs.has(type(value)):  # all of it: what is half made says less than the data
            value = here
        else:
            path = (*path, *inside)
    elif isinstance(here, list) and value in here:
        path = (*path, here.index(value))
    elif not isinstance(here, dict):
        value = here
    return PolicyProblem(written(path), value, in_words(error))


def _member(values: object, name: object) -> Path:
    """Return the place of the table with the id *name* in a list, or nothing."""
    if not isinstance(values, list) or not isinstance(name, str):
        return ()
    named = [
        at for at, each in enumerate(values) if isinstance(each, dict) and each.get("id") == name
    ]
    return tuple(named[-1:])


def _given_twice(table: dict[str, Any], name: object) -> Path:
    """Return the last place in lists of *table* where something has the id *name*, or nothing."""
    places = [(key, *_member(values, name), "id") for key, values in table.items()]
    return next((path for path in reversed(places) if len(path) > 2), ())


def _of_a_part(error: BaseException, data: object, path: Path) -> PolicyProblem:
    """Tell of what a value of several parts was refused for, at the part."""
    if isinstance(value_at(data, path), dict):
        path = (*path, *_part(error))
    return PolicyProblem(written(path), value_at(data, path), in_words(error))


def _part(error: BaseException) -> Path:
    match error:
        case UnknownZone():
            return ("zone",)
        case PeriodRefused():
            return ("period",)
        case UnitCollision():
            return ("code",)
        case UnitRefused():
            return ({"d": "digits", "n": "name"}.get(error.reason.removeprefix("a ")[0], "code"),)
        case _:
            return ()


def _step(error: BaseException) -> Path:
    """Return the part of the path that a note on *error* adds."""
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote) and not isinstance(error, KeyError):
            return (note.name,)
        if isinstance(note, IterableValidationNote):
            return (note.index,) if isinstance(note.index, int) else ()
    return ()


# Paths


def written(path: Path) -> str:
    """Write a path as people read it: refund.rules[2].bonus; keys that are no names are quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _BARE.fullmatch(step):
            text += f".{step}"
        else:
            cut = step if len(step) <= _LONGEST_KEY else f"{step[:_LONGEST_KEY]}..."
            text += '."' + ascii(cut)[1:-1].replace('"', '\\"') + '"'
    return text.removeprefix(".")


def steps_of(path: str) -> Path:
    """Return the steps of a path that the library wrote."""
    return tuple(name or int(place) for name, place in _STEP.findall(path))


def value_at(data: Any, path: Path) -> Any:
    """Return what stands at *path*, or None."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data
