"""
The style guide as tests: import direction, a pure core, names, sizes, exports.

Each check is a function from one module to the sentences that say what is wrong
with it. All run over the installed package, so that a wheel is checked like the
source tree. A check that cannot fail is worth nothing, so each is also given a
small piece of bad source and has to report it.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import io
import re
import subprocess
import sys
import tokenize
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = "storecredit"
REPOSITORY = Path(__file__).resolve().parents[1]

# --- The rules as data ----------------------------------------------------------------

# Who may import whom (DESIGN.md, section 2): a package, and the packages inside of it.
CORE_NOUNS = ("errors", "values", "ledger")
DECISIONS = ("policies", "tenders", "refunds", "claims")
LAYERS: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "values": frozenset({"errors"}),
    "ledger": frozenset({"errors", "values"}),
    "policies": frozenset({*CORE_NOUNS, "tenders"}),
    "tenders": frozenset(CORE_NOUNS),
    "refunds": frozenset({*CORE_NOUNS, "policies", "tenders"}),
    "claims": frozenset(CORE_NOUNS),
    "storage": frozenset(CORE_NOUNS),
    "service": frozenset({*CORE_NOUNS, *DECISIONS, "storage"}),
    "": frozenset({*CORE_NOUNS, *DECISIONS, "storage", "service"}),
    "messages": frozenset({*CORE_NOUNS, *DECISIONS, "storage", "service"}),
    "replay": frozenset({*CORE_NOUNS, *DECISIONS, "storage", "service", ""}),
    "cli": frozenset({*CORE_NOUNS, *DECISIONS, "storage", "service", "replay", ""}),
    "testing": frozenset({*CORE_NOUNS, *DECISIONS, "storage", "service", ""}),
}
# For annotations only: errors carry values as typed attributes.
LAYERS_WHEN_TYPE_CHECKING = {"errors": frozenset({"values"})}
CORE = frozenset({*CORE_NOUNS, *DECISIONS})

# Storage modules that the service must not know; everything else in storage is protocol.
ADAPTERS = frozenset({"memory", "sqlite", "sql"})

CORE_DEPENDENCIES = frozenset(
    {"attr", "attrs", "babel", "cattrs", "dateutil", "iso4217", "moneyed"}
)
IMPURE_MODULES = frozenset(
    "_thread asyncio atexit concurrent contextvars ctypes fcntl fileinput gc getpass glob http"
    " importlib io locale logging mmap multiprocessing os pathlib platform random sched secrets"
    " select selectors shelve shutil signal socket sqlite3 ssl subprocess sys tempfile threading"
    " time urllib".split()
)
CLOCKS = frozenset({"now", "today", "utcnow"})
IMPURE_CALLS = {
    "float": "a float is not exact; use int, Decimal or Fraction",
    "input": "the core reads nothing",
    "open": "the core does no I/O",
    "print": "the core prints nothing",
    "round": "round() chooses a rounding mode by itself; name one (V2)",
    "uuid1": "ids come in as arguments or from uuid5 (A1)",
    "uuid4": "ids come in as arguments or from uuid5 (A1)",
}

# Modules where `/` divides Fractions, exactly, and why.
EXACT_DIVISION: dict[str, str] = {}
# Functions longer than a screen, and why they cannot be shorter.
LONG_FUNCTIONS: dict[str, str] = {}
# Public functions with a default on a positional argument, and why.
POSITIONAL_DEFAULTS: dict[str, str] = {
    "storecredit.policies.offers.Offers.choose": (
        'the way is what is chosen: choose("credit"); without it, the first offer is'
    ),
}
# Public functions that take **kwargs, and why.
OPEN_KEYWORDS: dict[str, str] = {}

VAGUE_MODULES = frozenset(
    "base bases common helper helpers manager managers misc util utils utilities".split()
)
VAGUE_CLASS = re.compile(r"(Manager|Helper|Helpers|Util|Utils|Common)$|^_?Base[A-Z]|^_?Base$|Base$")

MODULE_LINES_TO_REPORT, MODULE_LINES = 400, 500
FUNCTION_LINES = 60

MUTABLE_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_TYPES = frozenset("list dict set bytearray defaultdict OrderedDict Counter deque".split())

SUPPRESSION = re.compile(
    r"#\s*(?:type:\s*ignore|pyright:\s*ignore|noqa|pragma:\s*no\s*(?:cover|branch))"
    r"(?:\[[^\]]*\]|:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?"
)
UNFINISHED = re.compile(
    "|".join(rf"\b{word}\b" for word in ("TO" + "DO", "FIX" + "ME", "X" + "XX"))
)

# --- Modules --------------------------------------------------------------------------


@dataclass(frozen=True)
class Module:
    """One source file of the package."""

    name: str
    source: str
    is_package: bool = False

    @property
    def tree(self) -> ast.Module:
        return parsed(self.source)

    @property
    def layer(self) -> str:
        """The package below the root that it belongs to; empty for the root itself."""
        return layer_of(self.name)

    def at(self, node: ast.AST, problem: str) -> str:
        return f"{self.name}:{getattr(node, 'lineno', 1)}: {problem}"


@cache
def parsed(source: str) -> ast.Module:
    return ast.parse(source)


def layer_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


@cache
def modules() -> dict[str, Module]:
    """Every module of the installed package, by its dotted name."""
    spec = importlib.util.find_spec(ROOT)
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = [ROOT, *path.relative_to(folder).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = Module(name, path.read_text(encoding="utf-8"), is_package)
    return found


# --- What a module imports ------------------------------------------------------------


@dataclass(frozen=True)
class Import:
    """One imported module, or name of a module, and whether only annotations see it."""

    node: ast.AST
    module: str
    name: str | None
    for_annotations: bool

    @property
    def top(self) -> str:
        return self.module.split(".")[0]


def imports_of(module: Module) -> Iterator[Import]:
    """List every import, also those inside functions, with relative ones resolved."""
    hidden = {
        id(inner)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(node, alias.name, None, id(node) in hidden)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Import(node, absolute(module, node), alias.name, id(node) in hidden)


def absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".")
    up = node.level - 1 if module.is_package else node.level
    return ".".join([*package[: len(package) - up], *([node.module] if node.module else [])])


def origin(module: str, name: str | None, known: dict[str, Module]) -> str:
    """Follow a name through the packages that re-export it to the module that has it."""
    if name is None:
        return module
    if f"{module}.{name}" in known:
        return f"{module}.{name}"
    if module in known and known[module].is_package:
        for each in imports_of(known[module]):
            if each.name == name and each.top == ROOT and each.module != module:
                return origin(each.module, name, known)
    return module


def is_adapter(name: str) -> bool:
    parts = name.split(".")
    return parts[:2] == [ROOT, "storage"] and any(
        part.strip("_").split("_")[0] in ADAPTERS for part in parts[2:]
    )


# --- Checks: architecture -------------------------------------------------------------


def imports_point_inward(module: Module) -> Iterator[str]:
    if module.layer not in LAYERS:
        yield module.at(module.tree, f"no layer is known for {module.layer}; add it to LAYERS")
        return
    for each in imports_of(module):
        if each.top != ROOT:
            continue
        target = origin(each.module, each.name, modules())
        # A name fetched through the root drags every layer in, wherever it comes from.
        through_root = each.module == ROOT and f"{ROOT}.{each.name}" not in modules()
        layer = "" if through_root else layer_of(target)
        allowed = LAYERS[module.layer] | {module.layer}
        if each.for_annotations:
            allowed |= LAYERS_WHEN_TYPE_CHECKING.get(module.layer, frozenset())
        if layer not in allowed:
            yield module.at(each.node, f"{module.layer or 'the root'} must not import {target}")
        elif module.layer == "service" and is_adapter(target):
            yield module.at(each.node, f"the service knows storage protocols only, not {target}")


def the_core_imports_only_what_is_pure(module: Module) -> Iterator[str]:
    if module.layer not in CORE:
        return
    for each in imports_of(module):
        standard = each.top in sys.stdlib_module_names and each.top not in IMPURE_MODULES
        if not (standard or each.top in CORE_DEPENDENCIES or each.top == ROOT):
            yield module.at(each.node, f"the core must not import {each.module}")


def the_core_has_no_clock_no_chance_and_no_float(module: Module) -> Iterator[str]:
    if module.layer not in CORE:
        return
    dates = {"datetime", "date"} | {
        alias.asname
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "datetime"
        for alias in node.names
        if alias.asname
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            if last_name(node.value) in dates:
                yield module.at(node, f"the core has no clock: {ast.unparse(node)}")
        elif isinstance(node, ast.Call) and last_name(node.func) in IMPURE_CALLS:
            builtin_or_uuid = isinstance(node.func, ast.Name) or "uuid" in last_name(node.func)
            if builtin_or_uuid:
                called = last_name(node.func)
                yield module.at(node, f"{called}(): {IMPURE_CALLS[called]}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield module.at(node, f"a float literal: {node.value!r}")
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            if module.name not in EXACT_DIVISION:
                yield module.at(node, f"a division that may give a float: {ast.unparse(node)}")
        elif isinstance(node, ast.Global):
            yield module.at(node, "the core has no module state: global")


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def the_core_has_no_mutable_module_state(module: Module) -> Iterator[str]:
    if module.layer not in CORE:
        return
    for node in module_level(module.tree.body):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            continue
        made = isinstance(node.value, ast.Call) and last_name(node.value.func) in MUTABLE_TYPES
        if made or isinstance(node.value, MUTABLE_DISPLAYS):
            names = ", ".join(ast.unparse(target) for target in targets)
            yield module.at(node, f"{names} can be changed; use tuple, frozenset, MappingProxyType")


def module_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run on import, those inside if, for, try and with included."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for field in ("body", "orelse", "finalbody"):
                yield from module_level(getattr(node, field, []))


# --- Checks: shape --------------------------------------------------------------------


def names_say_what_a_thing_is(module: Module) -> Iterator[str]:
    vague = [part for part in module.name.split(".") if part.strip("_") in VAGUE_MODULES]
    if vague:
        yield module.at(module.tree, f"a module or folder named {vague[0]} says nothing")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and VAGUE_CLASS.search(node.name):
            yield module.at(node, f"a class named {node.name} says nothing")


def modules_hold_one_idea(module: Module) -> Iterator[str]:
    lines = len(module.source.splitlines())
    if lines > MODULE_LINES:
        yield module.at(module.tree, f"{lines} lines; more than {MODULE_LINES} are two ideas")


def functions_fit_a_screen(module: Module) -> Iterator[str]:
    for name, node in functions_of(module):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)
        if lines > FUNCTION_LINES and name not in LONG_FUNCTIONS:
            yield module.at(node, f"{name} has {lines} lines beside its docstring")


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node, clean=False) is None:
        return 0
    return (node.body[0].end_lineno or 0) - node.body[0].lineno + 1


def functions_of(
    module: Module, *, public: bool = False
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Functions and methods with their dotted names; *public*: those a caller can name."""

    def below(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if public and node.name.startswith("_"):
                continue
            if isinstance(node, ast.ClassDef):
                yield from below(node.body, f"{prefix}.{node.name}")
            else:
                yield f"{prefix}.{node.name}", node  # type: ignore[misc]  # async has the same fields
                if not public:
                    yield from below(node.body, f"{prefix}.{node.name}")

    yield from below(module.tree.body, module.name)


def arguments_with_defaults_are_keyword_only(module: Module) -> Iterator[str]:
    for name, node in functions_of(module, public=True):
        positional = [*node.args.posonlyargs, *node.args.args]
        with_default = positional[len(positional) - len(node.args.defaults) :]
        if with_default and name not in POSITIONAL_DEFAULTS:
            names = ", ".join(argument.arg for argument in with_default)
            yield module.at(node, f"{name}: {names} should be keyword-only (put a * before)")


def arguments_are_not_positional_switches(module: Module) -> Iterator[str]:
    for name, node in functions_of(module, public=True):
        for argument in [*node.args.posonlyargs, *node.args.args]:
            annotation = ast.unparse(argument.annotation) if argument.annotation else ""
            if re.search(r"\bbool\b", annotation) and "Callable" not in annotation:
                yield module.at(
                    node,
                    f"{name}: {argument.arg} is a bare True or False at the call; make it"
                    " keyword-only, an enum, or two verbs",
                )


def keywords_are_named(module: Module) -> Iterator[str]:
    for name, node in functions_of(module, public=True):
        # `**about: Unpack[About]` names every keyword, in one place (PEP 692).
        named = node.args.kwarg and "Unpack[" in ast.unparse(node.args.kwarg)
        if node.args.kwarg and not named and name not in OPEN_KEYWORDS:
            yield module.at(node, f"{name}: **{node.args.kwarg.arg} hides what may be given")


def nothing_is_asserted_or_printed(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        # The conformance suite in `testing` is made of assertions; that is what it is for.
        if isinstance(node, ast.Assert) and module.layer != "testing":
            yield module.at(node, "assert vanishes under -O; raise an error that teaches")
        is_print = isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
        if is_print and module.layer != "cli":
            yield module.at(node, "only the command line prints")


def suppressions_give_their_reason(module: Module) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(module.source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if UNFINISHED.search(token.string):
            yield f"{module.name}:{token.start[0]}: unfinished: {token.string}"
        rest, count = SUPPRESSION.subn("", token.string)
        if count and not re.search(r"\w{3,}", rest):
            yield f"{module.name}:{token.start[0]}: no reason beside {token.string}"


def public_packages_say_what_they_export(module: Module) -> Iterator[str]:
    if not module.is_package or any(part.startswith("_") for part in module.name.split(".")):
        return
    exported = declared_exports(module)
    if exported is None:
        yield module.at(module.tree, "no __all__")
        return
    if exported != sorted(exported, key=export_order):
        yield module.at(module.tree, f"__all__ is not sorted: {exported}")
    if len(set(exported)) != len(exported):
        yield module.at(module.tree, f"__all__ names something twice: {exported}")


def declared_exports(module: Module) -> list[str] | None:
    for node in module.tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return list(ast.literal_eval(node.value))  # type: ignore[attr-defined]  # it is an assignment
    return None


def export_order(name: str) -> tuple[int, list[tuple[int, int, str]]]:
    """Constants, then classes, then functions, each in natural order, as `ruff` sorts them."""
    kind = 0 if len(name) > 1 and name.isupper() else 1 if name[0].isupper() else 2
    parts = [part for part in re.split(r"(\d+)", name) if part]
    return kind, [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts]


CHECKS: list[Callable[[Module], Iterator[str]]] = [
    imports_point_inward,
    the_core_imports_only_what_is_pure,
    the_core_has_no_clock_no_chance_and_no_float,
    the_core_has_no_mutable_module_state,
    names_say_what_a_thing_is,
    modules_hold_one_idea,
    functions_fit_a_screen,
    arguments_with_defaults_are_keyword_only,
    arguments_are_not_positional_switches,
    keywords_are_named,
    nothing_is_asserted_or_printed,
    suppressions_give_their_reason,
    public_packages_say_what_they_export,
]

# --- The package obeys them -----------------------------------------------------------


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_module_obeys(check: Callable[[Module], Iterator[str]]) -> None:
    problems = [problem for module in modules().values() for problem in check(module)]
    assert not problems, "\n".join(problems)


def test_every_exported_name_exists() -> None:
    missing = [
        f"{module.name}.{name}"
        for module in modules().values()
        if module.is_package
        for name in declared_exports(module) or []
        if not hasattr(importlib.import_module(module.name), name)
    ]
    assert not missing


def test_modules_that_have_begun_to_outgrow_one_idea_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sizes = {name: len(module.source.splitlines()) for name, module in modules().items()}
    long = {name: size for name, size in sizes.items() if size > MODULE_LINES_TO_REPORT}
    with capsys.disabled():
        for name, size in long.items():
            print(f"\nthink about splitting {name}: {size} lines")
    assert all(size <= MODULE_LINES for size in long.values())


def test_every_exception_to_a_rule_is_still_needed_and_has_its_reason() -> None:
    named = {name for module in modules().values() for name, _ in functions_of(module)}
    stale = [name for name in EXACT_DIVISION if name not in modules()]
    for exceptions in (LONG_FUNCTIONS, POSITIONAL_DEFAULTS, OPEN_KEYWORDS):
        stale += [name for name in exceptions if name not in named]
        assert all(len(reason) > 10 for reason in exceptions.values())
    assert not stale


def test_suppressions_in_the_tests_give_their_reason_too() -> None:
    here = [*(REPOSITORY / "tests").rglob("*.py"), REPOSITORY / "conftest.py"]
    problems = [
        problem
        for path in here
        for problem in suppressions_give_their_reason(
            Module(path.name, path.read_text(encoding="utf-8"))
        )
    ]
    assert not problems, "\n".join(problems)


# --- No file names the place where it was written ---------------------------------------

# Put together from halves, so that this file does not contain what it looks for.
PLACES = {
    "a machine path": [
        r"(?<![\w.~-])/" + top + "/" for top in ("ro" + "ot", "ho" + "me", "wo" + "rk")
    ]
    + ["/op" + "t/wheels", r"C:\\" + "Users"],
    "a package registry's host": [
        "py" + r"pi\.(org|python)",
        "python" + "hosted",
        r"npm" + r"js\.(org|com)",
    ],
    "a private package index": [
        "PIP_" + "FIND_LINKS",
        "--find" + "-links",
        "--extra" + "-index-url",
    ],
}
IGNORED_FOLDERS = frozenset("__pycache__ dist build node_modules".split())


def places_named_in(text: str) -> Iterator[str]:
    for kind, patterns in PLACES.items():
        for match in re.finditer("|".join(patterns), text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{line}: {kind}: {match.group()}"


def files_of_the_repository() -> list[Path]:
    """What git tracks or would add; without git, every file outside hidden folders."""
    if (REPOSITORY / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=True,
        ).stdout
        return [path for name in listed.split("\0") if (path := REPOSITORY / name).is_file()]
    return [
        path
        for path in REPOSITORY.rglob("*")
        if path.is_file()
        and not any(
            part in IGNORED_FOLDERS or (part.startswith(".") and part != ".ci")
            for part in path.relative_to(REPOSITORY).parts
        )
    ]


def test_no_file_names_a_machine_or_a_registry() -> None:
    files = files_of_the_repository()
    assert REPOSITORY / "pyproject.toml" in files
    named = [
        f"{path.relative_to(REPOSITORY)}:{found}"
        for path in files
        for found in places_named_in(path.read_bytes().decode("utf-8", errors="ignore"))
    ]
    assert not named, "\n".join(named)


@pytest.mark.parametrize(
    "text",
    [
        "see /ro" + "ot/notes",
        "cd /ho" + "me/anna/shop",
        "files.python" + "hosted.example",
        "pip --find" + "-links here",
    ],
)
def test_a_named_place_is_found(text: str) -> None:
    (found,) = places_named_in("first line\n" + text)
    assert found.startswith("2: ")


@pytest.mark.parametrize("text", ["src/root/lib", "the homework", "../shared/data", "work/route"])
def test_an_ordinary_path_is_not_a_named_place(text: str) -> None:
    assert not list(places_named_in(text))


# --- Each check can fail --------------------------------------------------------------

BAD = [
    (imports_point_inward, "values.money", "from storecredit.ledger import account"),
    (imports_point_inward, "values.money", "from ..ledger import account"),
    (imports_point_inward, "values.money", "def f():\n    import storecredit.service"),
    (imports_point_inward, "values.money", "from storecredit import Money"),
    (imports_point_inward, "errors.refusals", "from storecredit.values import Money"),
    (imports_point_inward, "ledger.account", "import storecredit.storage.protocols"),
    (imports_point_inward, "storage.memory", "from storecredit.service import StoreCredit"),
    (imports_point_inward, "service.store", "from storecredit.storage.sqlite import SQLiteStorage"),
    (imports_point_inward, "service.store", "from storecredit.storage._memory import X"),
    (imports_point_inward, "service.store", "from storecredit.cli import main"),
    (imports_point_inward, "cli.demo", "from storecredit.testing import clock"),
    (imports_point_inward, "testing.clock", "from storecredit.cli import main"),
    (imports_point_inward, "newlayer.thing", ""),
    (the_core_imports_only_what_is_pure, "values.money", "import time"),
    (the_core_imports_only_what_is_pure, "ledger.lot", "from os import path"),
    (the_core_imports_only_what_is_pure, "ledger.lot", "import requests"),
    (the_core_imports_only_what_is_pure, "policies.offer", "from pathlib import Path"),
    (the_core_has_no_clock_no_chance_and_no_float, "ledger.lot", "datetime.now(UTC)"),
    (the_core_has_no_clock_no_chance_and_no_float, "ledger.lot", "dt.datetime.utcnow()"),
    (
        the_core_has_no_clock_no_chance_and_no_float,
        "ledger.lot",
        "from datetime import date as day\nday.today()",
    ),
    (the_core_has_no_clock_no_chance_and_no_float, "ledger.lot", "uuid.uuid4()"),
    (the_core_has_no_clock_no_chance_and_no_float, "values.money", "x = 0.5"),
    (the_core_has_no_clock_no_chance_and_no_float, "values.money", "x = float(y)"),
    (the_core_has_no_clock_no_chance_and_no_float, "values.money", "x = round(y)"),
    (the_core_has_no_clock_no_chance_and_no_float, "values.money", "x = a / b"),
    (the_core_has_no_clock_no_chance_and_no_float, "values.money", "a /= b"),
    (the_core_has_no_clock_no_chance_and_no_float, "values.money", "open(y)"),
    (the_core_has_no_clock_no_chance_and_no_float, "values.money", "def f():\n    global x"),
    (the_core_has_no_mutable_module_state, "values.money", "SEEN = {}"),
    (the_core_has_no_mutable_module_state, "values.money", "SEEN: list[int] = []"),
    (the_core_has_no_mutable_module_state, "values.money", "SEEN = dict(a=1)"),
    (the_core_has_no_mutable_module_state, "values.money", "if X:\n    SEEN = {1, 2}"),
    (the_core_has_no_mutable_module_state, "values.money", "SEEN = [x for x in y]"),
    (names_say_what_a_thing_is, "values.utils", ""),
    (names_say_what_a_thing_is, "errors._base", ""),
    (names_say_what_a_thing_is, "values.money", "class LotManager: ..."),
    (names_say_what_a_thing_is, "values.money", "class BaseLot: ..."),
    (modules_hold_one_idea, "values.money", "x = 1\n" * 501),
    (functions_fit_a_screen, "values.money", "def f():\n" + "    x = 1\n" * 61),
    (arguments_with_defaults_are_keyword_only, "values.money", "def f(a, b=1): ..."),
    (arguments_with_defaults_are_keyword_only, "values.money", "class A:\n  def f(self, b=1): ..."),
    (arguments_are_not_positional_switches, "values.money", "def f(a: bool): ..."),
    (arguments_are_not_positional_switches, "values.money", "def f(a: bool | None): ..."),
    (keywords_are_named, "values.money", "def f(**options): ..."),
    (nothing_is_asserted_or_printed, "values.money", "assert x"),
    (nothing_is_asserted_or_printed, "service.store", "print(x)"),
    (suppressions_give_their_reason, "values.money", "x = 1  # type: " + "ignore[misc]"),
    (suppressions_give_their_reason, "values.money", "x = 1  # no" + "qa: BLE001"),
    (suppressions_give_their_reason, "values.money", "x = 1  # TO" + "DO: later"),
    (public_packages_say_what_they_export, "values", "from .money import Money"),
    (public_packages_say_what_they_export, "values", "__all__ = ['Money', 'Balance']"),
    (public_packages_say_what_they_export, "values", "__all__ = ['Money', 'Money']"),
]

GOOD = [
    (imports_point_inward, "values.money", "from storecredit.errors import MisuseError"),
    (imports_point_inward, "ledger.account", "from ..values import Money\nfrom . import lot"),
    (
        imports_point_inward,
        "errors.refusals",
        "if TYPE_CHECKING:\n    from storecredit.values import Money",
    ),
    (imports_point_inward, "service.store", "from storecredit.storage.protocols import Storage"),
    (imports_point_inward, "cli.demo", "from storecredit.storage.sqlite import SQLiteStorage"),
    (the_core_imports_only_what_is_pure, "values.money", "import hashlib, attrs, zoneinfo"),
    (the_core_imports_only_what_is_pure, "storage.sqlite", "import sqlite3, os"),
    (the_core_has_no_clock_no_chance_and_no_float, "values.money", "isinstance(x, float)"),
    (the_core_has_no_clock_no_chance_and_no_float, "values.money", "x = a // b + self.now"),
    (the_core_has_no_clock_no_chance_and_no_float, "service.store", "datetime.now(UTC)"),
    (the_core_has_no_mutable_module_state, "values.money", "SEEN = MappingProxyType({1: 2})"),
    (the_core_has_no_mutable_module_state, "values.money", "__all__ = ['Money']"),
    (the_core_has_no_mutable_module_state, "values.money", "def f():\n    seen = []"),
    (names_say_what_a_thing_is, "values.based_on", "class Baseline: ..."),
    (functions_fit_a_screen, "values.money", 'def f():\n    """\n' + "x\n" * 70 + '    """'),
    (arguments_with_defaults_are_keyword_only, "values.money", "def f(a, *, b=1): ..."),
    (arguments_with_defaults_are_keyword_only, "values.money", "def _f(a, b=1): ..."),
    (arguments_are_not_positional_switches, "values.money", "def f(a, *, b: bool = False): ..."),
    (nothing_is_asserted_or_printed, "testing.suite", "assert x"),
    (nothing_is_asserted_or_printed, "cli.demo", "print(x)"),
    (
        suppressions_give_their_reason,
        "values.money",
        "x = 1  # no" + "qa: BLE001 - drivers raise what they like",
    ),
    (public_packages_say_what_they_export, "values", "__all__ = ['MAX', 'Balance', 'parse']"),
]


def imagined(name: str, source: str) -> Module:
    return Module(f"{ROOT}.{name}", source, is_package="." not in name)


@pytest.mark.parametrize(("check", "name", "source"), BAD)
def test_a_module_that_breaks_the_rule_is_reported(
    check: Callable[[Module], Iterator[str]], name: str, source: str
) -> None:
    problems = list(check(imagined(name, source)))
    assert problems
    assert all(problem.startswith(f"{ROOT}.{name}:") for problem in problems)


@pytest.mark.parametrize(("check", "name", "source"), GOOD)
def test_a_module_that_keeps_the_rule_is_not_reported(
    check: Callable[[Module], Iterator[str]], name: str, source: str
) -> None:
    assert not list(check(imagined(name, source)))


def test_every_check_has_been_seen_to_fail() -> None:
    assert {check for check, _, _ in BAD} == set(CHECKS)


def test_an_adapter_that_the_storage_package_re_exports_is_still_an_adapter() -> None:
    known = {
        "storecredit.storage": Module(
            "storecredit.storage",
            "from .sqlite import SQLiteStorage\nfrom ._protocols import Storage",
            is_package=True,
        )
    }
    assert is_adapter(origin("storecredit.storage", "SQLiteStorage", known))
    assert not is_adapter(origin("storecredit.storage", "Storage", known))
