"""Reading a policy that is written as TOML or JSON (P1)."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, final

from cattrs import ClassValidationError, IterableValidationError

from storecredit.errors import InvalidTerms, PolicyInvalid, PolicyProblem, StoreCreditError
from storecredit.policies.policy import Policy
from storecredit.policies.problems import Path, problems_of, written
from storecredit.policies.structuring import Written, structure, units_of

Form = Literal["toml", "json"]
DEEPEST: Final = 12
"""How deep tables and lists may be nested."""
LONGEST_TEXT: Final = 1_000_000
"""How many characters a policy may have."""
SCHEMA: Final = 1
"""The number of the schema that policies are written in."""
_LONGEST_NUMBER: Final = 20
_TOO_DEEP: Final = f"nothing is nested deeper than {DEEPEST} levels"
_NO_NUMBER: Final = f"a number has at most {_LONGEST_NUMBER} digits"


def read_policy(text: str, *, form: Form, source: str = "the policy") -> Policy:
    """
    Read a policy that is written as TOML or as JSON.

    Amounts are texts such as "EUR 5.00", periods texts such as "P30D", percentages whole numbers or
    texts such as "12.5": a float is not exact and is refused (V1). A byte order mark at the
    beginning is passed over.

    Args:
        text: The policy.

        form: How it is written.

        source: What messages call it: the name of the file.

    Raises:
        InvalidTerms: *text* is no text, or there is no such form.
        PolicyInvalid: It is not TOML or JSON, or no policy: with every problem, where it is, what
            stands there, and what would be right.
    """
    data = _parsed(text, form, source)
    if problems := tuple(_not_plain(data)):
        raise PolicyInvalid(source, problems)
    if not isinstance(data, dict):
        raise _refused(source, "", data, "a policy is an object with name and version")
    body = dict(data)
    schema = body.pop("schema", SCHEMA)
    if type(schema) is not int or schema != SCHEMA:
        raise _refused(source, "schema", schema, f"the schema that can be read is {SCHEMA}")
    editors = body.pop("$schema", "")
    if type(editors) is not str:
        raise _refused(source, written(("$schema",)), editors, "it has to be a text, for editors")
    customs, wrong = units_of(body)
    if wrong:
        raise PolicyInvalid(source, tuple(wrong))
    try:
        return structure(body, customs)
    except (ClassValidationError, IterableValidationError, StoreCreditError) as invalid:
        found = tuple(problems_of(invalid, body))
    raise PolicyInvalid(source, found)


def _parsed(text: str, form: Form, source: str) -> Any:
    if not isinstance(text, str):
        raise InvalidTerms("text", text, "the text of a policy")
    if form not in ("toml", "json"):
        raise InvalidTerms("form", form, "toml or json")
    if len(text) > LONGEST_TEXT:
        said = f"a policy has at most {LONGEST_TEXT:,} characters, and this has {len(text):,}"
        raise _refused(source, "", None, said)
    plain = text.removeprefix("\ufeff")
    try:
        return _toml(plain) if form == "toml" else _json(plain)
    except RecursionError:
        said = _TOO_DEEP
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        said = f"it is not {form.upper()}: {error}"
    except ValueError:  # Python's own limit for reading a number
        said = _NO_NUMBER
    raise _refused(source, "", None, said)


def _toml(text: str) -> Any:
    return tomllib.loads(text, parse_float=Written)


def _json(text: str) -> Any:
    return json.loads(
        text,
        parse_float=Written,
        parse_constant=Written,
        parse_int=_whole,
        object_pairs_hook=_table,
    )


def _whole(digits: str) -> int:
    return int(digits[: _LONGEST_NUMBER + 2])  # a sign, and enough digits to be too many


@final
class _Twice(dict[str, Any]):
    """A table in which a key stands twice."""

    def __init__(self, pairs: list[tuple[str, Any]], key: str) -> None:
        super().__init__(pairs)
        self.key: Final = key


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    return _Twice(pairs, next(key for at, key in enumerate(keys) if key in keys[:at]))


def _not_plain(data: Any) -> Iterator[PolicyProblem]:
    """Yield what no policy has, wherever it stands: a key twice, endless numbers and nesting."""
    rest: list[tuple[Path, Any]] = [((), data)]
    while rest:
        path, value = rest.pop()
        if len(path) > DEEPEST:
            yield PolicyProblem(written(path), None, _TOO_DEEP)
            return
        if isinstance(value, _Twice):
            yield PolicyProblem(written((*path, value.key)), None, "a key stands once in its table")
        if isinstance(value, int) and abs(value) >= 10**_LONGEST_NUMBER:
            yield PolicyProblem(written(path), None, _NO_NUMBER)
        if isinstance(value, Mapping):
            rest += [((*path, key), value[key]) for key in reversed(value)]
        elif isinstance(value, list):
            rest += [((*path, at), value[at]) for at in reversed(range(len(value)))]


def _refused(source: str, path: str, value: object, expected: str) -> PolicyInvalid:
    return PolicyInvalid(source, (PolicyProblem(path, value, expected),))
