"""
The pages of the documentation as tests, and the rule that CI skips nothing silently.

Every fenced block of README.md and of the pages under docs/ is a test of its
own. The blocks of a page run in order, in one namespace and in one fresh working
directory. What a block must satisfy depends on its language:

- `python`: runs. A block of `>>>` lines is a doctest. Of any other block, all that it
  prints is shown: in a `text` block after it, or in the comment behind each `print(...)`.
- `text`: the output of the `python` block before it, exactly; spaces at line ends aside.
- `console`: each `$ storecredit ...` line runs and exits with 0, unless a line
  `$ echo $?` after it shows another status. Output that is shown must be the output;
  `...` stands for anything.
- `toml`, `json`, `jsonl`: parses.
- `mermaid`: a drawing; nothing to run.
- `sh`, `bash`: README.md only, and only the two commands that `.ci/run` runs.

Any other language, or none, is refused, so that no block goes unchecked.
"""

from __future__ import annotations

import ast
import doctest
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tokenize
import tomllib
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sybil import Document, Example, Region
from sybil.example import SybilFailure
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Check = Callable[[Example], str | None]

pytest_plugins = ["pytester", "servers.fixtures"]

REPOSITORY = Path(__file__).resolve().parent

# --- The blocks of a page -------------------------------------------------------------

FENCES = RawFencedCodeBlockLexer(re.compile(r"(?P<info>[^\n]*)\n"))
WILDCARDS = doctest.ELLIPSIS | doctest.DONT_ACCEPT_TRUE_FOR_1 | doctest.DONT_ACCEPT_BLANKLINE
SHELL_OPERATORS = frozenset("|&;<>")
COMMAND_TIMEOUT_SECONDS = 120


def blocks_of(document: Document) -> Iterator[Region]:
    """Find every fenced block of a page and say how it is checked."""
    fences = sorted(FENCES(document), key=lambda region: region.start)
    for earlier, later in pairwise([None, *fences]):
        assert later is not None
        language = language_of(later)
        if language == "text":
            follows_python = earlier is not None and language_of(earlier) == "python"
            evaluate: Check = check_text_after_python if follows_python else refuse_lone_text
        else:
            evaluate = CHECKS.get(language, refuse_language)
        yield Region(later.start, later.end, (language, later.lexemes["source"]), evaluate)


def language_of(fence: Region) -> str:
    """Read the language that a fence names: the first word behind it."""
    return (str(fence.lexemes["info"]).split() or [""])[0]


def run_python(example: Example) -> str | None:
    """Run a block; report what it prints and the page does not show."""
    _, source = example.parsed
    if source.lstrip().startswith(">>>"):
        return run_doctest(example, source)
    example.namespace["__name__"] = "__main__"
    # The blank lines give tracebacks the line numbers of the page.
    code = compile("\n" * example.line + source, example.path, "exec", dont_inherit=True)
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(code, example.namespace)
    if output_is_in_the_next_block(example):
        example.namespace["__printed__"] = printed.getvalue()
        return None
    return difference("\n".join(comments_behind_prints(source)), printed.getvalue())


def run_doctest(example: Example, source: str) -> str | None:
    """Run the `>>>` lines of a block and compare each answer with the one shown."""
    test = doctest.DocTestParser().get_doctest(
        source, {}, Path(example.path).name, example.path, example.line
    )
    test.globs = example.namespace
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    runner.run(test, out=report.write, clear_globs=False)
    return report.getvalue() or None


def output_is_in_the_next_block(example: Example) -> bool:
    """Tell whether the fence after this one is a `text` block."""
    later = [
        region for _, region in example.document.regions if region.start > example.region.start
    ]
    return bool(later) and later[0].parsed[0] == "text"


def comments_behind_prints(source: str) -> list[str]:
    """Collect the comments that stand on the last line of a `print(...)` call."""
    last_lines = {
        node.end_lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    }
    return [
        token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and token.start[0] in last_lines
    ]


def check_text_after_python(example: Example) -> str | None:
    """Compare the output of the block before with the one shown."""
    _, shown = example.parsed
    printed = example.namespace.pop("__printed__", None)
    if printed is None:
        return "The python block before did not finish, or is a doctest: no output to compare."
    return difference(shown, printed)


def refuse_lone_text(_: Example) -> str:
    """Refuse a `text` block that shows nobody's output."""
    return (
        "This text block does not follow a python block, so nothing checks it. Show the output of"
        " a python block, or write it as a paragraph."
    )


def run_console(example: Example) -> str | None:
    """Run each command of a block; report a wrong status or another output than shown."""
    _, source = example.parsed
    status = None
    for command, shown, expects_status in commands_in(source):
        if command == "echo $?":
            if status is None:
                return "`$ echo $?` comes before any command."
            printed = f"{status}\n"
        else:
            words = shlex.split(command)
            operators = [word for word in words if SHELL_OPERATORS & set(word)]
            if words[:1] != ["storecredit"] or operators:
                return f"Only plain `$ storecredit ...` and `$ echo $?` are run, not: {command}"
            status, printed = run_command_line(words[1:])
            if status and not expects_status:
                return (
                    f"`{command}` exits with {status}. Where that is meant, show it with"
                    f" `$ echo $?` on the next line.\n{printed}"
                )
        if shown.strip() and (wrong := difference(shown, printed, wildcards=True)):
            return f"$ {command}\n{wrong}"
    return None if status is not None else "This block has no line that begins with `$ `."


def commands_in(source: str) -> list[tuple[str, str, bool]]:
    """List the commands of a block, the output shown, and whether `echo $?` comes next."""
    chunks = re.split(r"^\$ ", source.replace("\\\n", " "), flags=re.MULTILINE)[1:]
    pairs = [(head.strip(), shown) for head, _, shown in (c.partition("\n") for c in chunks)]
    commands = [command for command, _ in pairs]
    return [
        (command, shown, commands[place + 1 : place + 2] == ["echo $?"])
        for place, (command, shown) in enumerate(pairs)
    ]


def run_command_line(arguments: list[str]) -> tuple[int, str]:
    """Run the command line in the page's directory: its exit status, all it printed."""
    plain = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "storecredit.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **plain},
        encoding="utf-8",
        timeout=COMMAND_TIMEOUT_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout


def difference(shown: str, printed: str, *, wildcards: bool = False) -> str | None:
    """Say how the output differs from the one shown; None where it does not."""
    want, got = (
        "\n".join(map(str.rstrip, text.strip("\n").split("\n"))) for text in (shown, printed)
    )
    if want == got or (
        wildcards and doctest.OutputChecker().check_output(want + "\n", got + "\n", WILDCARDS)
    ):
        return None
    return f"The page shows:\n{want or '(nothing)'}\n\nThe block prints:\n{got or '(nothing)'}"


def parse_json_lines(source: str) -> None:
    """Parse each line on its own."""
    for line in source.splitlines():
        json.loads(line)


def parsed_by(parse: Callable[[str], object]) -> Callable[[Example], None]:
    """Make the check of a block that only has to parse."""

    def check(example: Example) -> None:
        parse(str(example.parsed[1]))

    return check


def compare_with_ci(example: Example) -> str | None:
    """Check that the shell commands a reader is told to run are those that CI runs."""
    if Path(example.path).resolve() != REPOSITORY / "README.md":
        return "Shell blocks belong in README.md, where CI runs them. Use `console` elsewhere."
    told = [line for line in str(example.parsed[1]).splitlines() if line.strip()]
    run = subprocess.run(
        ["bash", str(REPOSITORY / ".ci" / "run"), "--readme-commands"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout.splitlines()
    unknown = [line for line in told if line not in run]
    return f"CI does not run: {unknown}. It runs: {run}" if unknown else None


def refuse_language(example: Example) -> str:
    """Refuse a block that nothing would check."""
    language = example.parsed[0] or "no language"
    return f"A block of {language} is not checked. Languages: {', '.join(sorted(CHECKS))}, text."


CHECKS: dict[str, Check] = {
    "bash": compare_with_ci,
    "console": run_console,
    "json": parsed_by(json.loads),
    "jsonl": parsed_by(parse_json_lines),
    "mermaid": lambda _: None,
    "python": run_python,
    "sh": compare_with_ci,
    "toml": parsed_by(tomllib.loads),
}

# --- Pages as test files --------------------------------------------------------------


class Page(pytest.File):
    """
    A page of documentation; its blocks share a namespace and a fresh directory.

    A block that is run on its own, or in another process than the rest, first runs
    the blocks before it: how tests are selected or spread must not matter.
    """

    def collect(self) -> Iterator[Block]:
        """List the blocks of the page in order."""
        self.document = Document.parse(str(self.path), blocks_of)
        self.examples = list(self.document.examples())
        for place, example in enumerate(self.examples):
            yield Block.from_parent(self, name=f"line {example.line}", place=place)

    def setup(self) -> None:
        """Begin the page from its top, in a working directory of its own."""
        self.document.namespace.clear()
        self.outcomes: list[Exception | None] = []
        self.left = Path.cwd()
        self.entered = tempfile.mkdtemp(prefix="storecredit-page-")
        os.chdir(self.entered)

    def outcome(self, place: int) -> Exception | None:
        """What is wrong with the block at *place*, counted from 0."""
        for example in self.examples[len(self.outcomes) : place + 1]:
            try:
                example.evaluate()
            except Exception as wrong:  # noqa: BLE001 - it is raised where the block is reported
                self.outcomes.append(wrong)
            else:
                self.outcomes.append(None)
        return self.outcomes[place]

    def teardown(self) -> None:
        """Go back, and delete what the page has written."""
        os.chdir(self.left)
        shutil.rmtree(self.entered)


class Block(pytest.Item):
    """One fenced block of a page."""

    def __init__(self, *, place: int, parent: Page, **kwargs: Any) -> None:
        super().__init__(parent=parent, **kwargs)
        self.page = parent
        self.place = place
        self.example = parent.examples[place]

    def runtest(self) -> None:
        """Check the block in the way its language asks for."""
        wrong = self.page.outcome(self.place)
        if wrong is not None:
            raise wrong

    def reportinfo(self) -> tuple[Path, int, str]:
        """Name the block by its page and line."""
        return self.path, self.example.line - 1, f"{self.path.name}:{self.example.line}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what is wrong with the page, or the traceback from the page on."""
        if isinstance(excinfo.value, SybilFailure):
            return f"{self.path}:{self.example.line}\n{excinfo.value.result}"
        return super().repr_failure(excinfo, style)

    def _traceback_filter(self, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
        return excinfo.traceback.cut(path=self.path)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Page | None:
    """Collect README.md and the pages under docs/."""
    in_docs = file_path.suffix == ".md" and REPOSITORY / "docs" in file_path.parents
    if in_docs or file_path == REPOSITORY / "README.md":
        return Page.from_parent(parent, path=file_path)
    return None


# --- Skips ----------------------------------------------------------------------------

# What may be skipped in CI: the beginning of the reason, and why that is acceptable.
ALLOWED_SKIPS = {
    "no folder of other people's data": (
        "a clone of the repository alone has none; beside it, or named by STORECREDIT_DATA, it is"
        " used, and nothing is skipped"
    ),
}

# --- Servers --------------------------------------------------------------------------

OF_SERVERS = ("postgres", "mariadb", "server_url", "galera", "own_")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a database server, so that CI can run it once and not on every Python."""
    for item in items:
        if any(name.startswith(OF_SERVERS) for name in getattr(item, "fixturenames", ())):
            item.add_marker("server")


SKIPS: pytest.StashKey[list[tuple[str, str]]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Start counting what is skipped."""
    skips: list[tuple[str, str]] = []
    config.stash[SKIPS] = skips
    config.pluginmanager.register(SkipRecorder(skips), "skip-recorder")


class SkipRecorder:
    """Notes each test or module that did not run, and why."""

    def __init__(self, skips: list[tuple[str, str]]) -> None:
        self.skips = skips

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.note(report)

    def note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped:
            return
        expected_failure = getattr(report, "wasxfail", None)
        if expected_failure is not None:
            reason = f"expected to fail: {expected_failure}"
        else:
            reason = (
                report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            )
        self.skips.append((report.nodeid, reason.removeprefix("Skipped: ")))


def refused_skips(skips: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pick the skips that CI does not accept."""
    return [(test, reason) for test, reason in skips if not reason.startswith(tuple(ALLOWED_SKIPS))]


def in_ci() -> bool:
    """Tell whether CI runs the tests."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that has skipped a test for a reason nobody has agreed to."""
    if in_ci() and refused_skips(session.config.stash[SKIPS]):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what CI may skip where something was skipped, and what it may not."""
    skips = config.stash[SKIPS]
    if not skips:
        return
    terminalreporter.section("skips")
    for beginning, why in ALLOWED_SKIPS.items():
        terminalreporter.write_line(f"may be skipped in CI: {beginning} ({why})")
    for test, reason in skips:
        refused = in_ci() and refused_skips([(test, reason)])
        terminalreporter.write_line(
            f"{'REFUSED' if refused else 'skipped'}: {test}: {reason}", red=bool(refused)
        )
