"""Loading a policy from a file (P1)."""

import codecs
import os
from pathlib import Path
from typing import Final

from storecredit.errors import InvalidTerms, PolicyInvalid, PolicyProblem
from storecredit.policies import Policy, read_policy
from storecredit.policies.reading import LONGEST_TEXT, Form

_LONGEST_BYTES: Final = 4 * LONGEST_TEXT
_OTHER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def load_policy(path: str | os.PathLike[str]) -> Policy:
    """
    Read the policy in a file, whose name ends in .toml or .json.

    The file is UTF-8; a byte order mark, which some editors write, is passed over. Nothing is kept:
    whoever changes the file loads it again, and gives it another version.

    Raises:
        InvalidTerms: *path* is no path.
        PolicyInvalid: The file cannot be read, is too big, is not UTF-8, is neither TOML nor JSON,
            or is no policy: with every problem, where it is, what stands there, and what would be
            right.
    """
    if not isinstance(path, str | os.PathLike):
        raise InvalidTerms("path", path, "the path of a policy file")
    name = os.fsdecode(path).encode("utf-8", "backslashreplace").decode()
    file = Path(path)
    form = _form_of(file)
    if form is None:
        raise _refused(name, "the name of a policy file ends in .toml or .json")
    return read_policy(_text_of(_bytes_of(file, name), name), form=form, source=name)


def _form_of(file: Path) -> Form | None:
    suffix = file.suffix.lower()
    return "toml" if suffix == ".toml" else "json" if suffix == ".json" else None


def _bytes_of(file: Path, name: str) -> bytes:
    try:
        with file.open("rb") as opened:
            found = opened.read(_LONGEST_BYTES + 1)
    except IsADirectoryError:
        problem = "it is a folder; name a file in it"
    except FileNotFoundError:
        problem = "there is no such file"
    except PermissionError:
        problem = "it may not be read by whoever runs this program"
    except (OSError, ValueError) as error:  # a name with a zero byte in it is a ValueError
        problem = f"it cannot be read: {getattr(error, 'strerror', None) or error}"
    else:
        if len(found) <= _LONGEST_BYTES:
            return found
        problem = f"a policy has at most {LONGEST_TEXT:,} characters, and this file has more"
    raise _refused(name, problem)


def _text_of(data: bytes, name: str) -> str:
    for mark, encoding in _OTHER_MARKS:
        if data.startswith(mark):
            raise _refused(name, f"it is {encoding}; save it as UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"it is not UTF-8: byte {data[error.start]:#04x} in line {line}; save it as UTF-8"
    raise _refused(name, problem)


def _refused(name: str, problem: str) -> PolicyInvalid:
    return PolicyInvalid(name, (PolicyProblem("", None, problem),))
