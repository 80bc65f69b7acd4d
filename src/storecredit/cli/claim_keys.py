"""The keys of claim codes: the file that `--claim-keys` names, and the command that makes one."""

import base64
import json
import os
import re
import secrets
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from storecredit.claims import ClaimKeys, ClaimRules
from storecredit.cli.outcomes import Status, reporting, stop
from storecredit.cli.printing import say
from storecredit.errors import MisuseError

_KEY_BYTES: Final = 32
"""How many random bytes a key has at least, and how many a new one has."""
_LONGEST_BYTES: Final = 1 << 16
_FORM: Final = '{"current": ID, "keys": {ID: KEY, ...}}'
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_URL_SAFE: Final = str.maketrans("-_", "+/")

_OPTION: Final[Any] = typer.Option(
    "--claim-keys",
    envvar="STORECREDIT_CLAIM_KEYS",
    help="The keys of claim codes, in JSON or TOML.",
    metavar="FILE",
    show_default=False,
)
ClaimKeysFile = Annotated[Path | None, _OPTION]
NeededClaimKeysFile = Annotated[Path, _OPTION]


def claim_keys(
    *,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A new file, *.json or *.toml.", show_default=False),
    ],
    name: Annotated[
        str | None,
        typer.Option("--id", help="Names the key; the year, if left out.", show_default=False),
    ] = None,
) -> None:
    """Make a file with a new random key for claim codes, for --claim-keys."""
    current = str(datetime.now(UTC).year) if name is None else name
    key = secrets.token_bytes(_KEY_BYTES)
    with reporting():
        suffix = _suffix_of(file)
        ClaimKeys(current=current, keys={current: key})
        written = base64.b64encode(key).decode()
        try:
            # A key that is written over makes its codes unknown for good.
            made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            stop(Status.MISUSED, f"{file} is there already. Name a new file.")
        with os.fdopen(made, "w", encoding="utf-8") as opened:
            opened.write(_written(suffix, current, written))
    say(f"Wrote a new key, {current}, to {file}. Keep it secret, and keep it: its codes need it.")


def claim_rules_from(file: Path) -> ClaimRules:
    """
    Read the keys of claim codes. No message has anything that stands in the file.

    A key is 32 random bytes or more, in hexadecimal or base64: the latter in either alphabet, with
    or without the signs at its end. What has only hexadecimal digits is hexadecimal.

    Raises:
        typer.Exit: The file cannot be read, or has no keys; that was told.
    """
    suffix = _suffix_of(file)
    form = _parsed(file, suffix, _text_of(file))
    is_form = isinstance(form, dict) and form.keys() == {"current", "keys"}
    if not is_form or not isinstance(form["keys"], dict) or not form["keys"]:
        _refuse(file, f"it has to have the form {_FORM}, and nothing else")
    keys: dict[str, bytes] = {}
    for place, (name, written) in enumerate(form["keys"].items(), start=1):
        # Its place, and not its id: whoever mixes the two up does not want it in a log.
        this = f"key {place} of {len(form['keys'])}"
        keys[name] = _key_of(file, this, written)
        try:
            ClaimKeys(current=name, keys={name: keys[name]})
        except MisuseError:
            _refuse(file, f"the id of {this} has to be a text of 1 to 32 characters, no colon")
    if not isinstance(form["current"], str) or form["current"] not in keys:
        _refuse(file, "current has to be the id of one of its keys, as a text")
    return ClaimRules(keys=ClaimKeys(current=form["current"], keys=keys))


def _key_of(file: Path, this: str, written: object) -> bytes:
    key = _bytes_of(written.strip()) if isinstance(written, str) else None
    if key is None:
        _refuse(file, f"{this} has to be a text in hexadecimal or base64")
    if len(key) < _KEY_BYTES:
        _refuse(file, f"{this} has {len(key)} bytes; it needs {_KEY_BYTES} random ones or more")
    return key


def _bytes_of(written: str) -> bytes | None:
    try:
        if _HEX.fullmatch(written):
            # With an odd number of digits one is lost, though base64 could be made of it.
            return bytes.fromhex(written)
        plain = written.rstrip("=").translate(_URL_SAFE)
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return None


def _text_of(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(_LONGEST_BYTES + 1)
    except FileNotFoundError:
        _refuse(file, "there is no such file; `storecredit claim-keys FILE` makes one")
    except (OSError, ValueError) as error:  # a name with a zero byte in it is a ValueError
        _refuse(file, f"it cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(data) > _LONGEST_BYTES:
        _refuse(file, f"it has more than {_LONGEST_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse(file, "it is not UTF-8")


def _parsed(file: Path, suffix: str, text: str) -> Any:
    try:
        if suffix == ".toml":
            return tomllib.loads(text)
        return json.loads(text, object_pairs_hook=_named_once)
    except (ValueError, RecursionError) as error:
        # The parsers' own messages may repeat what stands there: of them only the line is told.
        line = re.search(r"line (\d+)", str(error))
        where = f" (line {line[1]})" if line else ""
        _refuse(file, f"it is not {suffix[1:].upper()}, or has a name twice{where}")


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _written(suffix: str, current: str, key: str) -> str:
    if suffix == ".json":
        form = {"current": current, "keys": {current: key}}
        return json.dumps(form, indent=2, ensure_ascii=False) + "\n"
    name = json.dumps(current, ensure_ascii=False)
    return f'current = {name}\n\n[keys]\n{name} = "{key}"\n'


def _suffix_of(file: Path) -> str:
    suffix = file.suffix.lower()
    if suffix not in {".json", ".toml"}:
        # Not repeated: it may be the key itself.
        stop(Status.MISUSED, "The name of a file of claim keys ends in .json or .toml.")
    return suffix


def _refuse(file: Path, problem: str) -> NoReturn:
    stop(Status.MISUSED, f"{file} has no claim keys: {problem}.")
