"""
The documentation cannot lie: its checks can fail, and docstrings run too.

The pages themselves are collected by the root conftest.py, a test for each block.
Here are the examples in docstrings, the two commands of README.md, and proof that
each kind of wrong block, and each unagreed skip in CI, fails a run.
"""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import io
import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROOT_CONFTEST = (REPOSITORY / "conftest.py").read_text(encoding="utf-8")

# --- Docstrings -----------------------------------------------------------------------


def modules_of_the_package() -> list[str]:
    """Dotted names of all installed modules, those that run on import aside."""
    spec = importlib.util.find_spec("storecredit")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    paths = (path.relative_to(folder.parent) for path in sorted(folder.rglob("*.py")))
    return [
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in paths
        if path.name != "__main__.py"
    ]


@pytest.mark.parametrize("name", modules_of_the_package())
def test_the_examples_in_docstrings_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        runner.run(example, out=report.write)
    assert runner.failures == 0, report.getvalue()


# --- README.md ------------------------------------------------------------------------


def test_the_readme_has_one_command_to_run_and_one_to_test_and_ci_runs_both() -> None:
    shown = subprocess.run(
        ["bash", str(REPOSITORY / ".ci" / "run"), "--readme-commands"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout.splitlines()
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()
    run, test = shown
    assert run.endswith("storecredit demo")
    assert "pytest" in test
    assert {run, test} <= set(readme)


# --- A wrong block fails --------------------------------------------------------------

WRONG = {
    "python that raises": ("```python\n1 / 0\n```", "ZeroDivisionError"),
    "output that the page does not show": ("```python\nprint(1)\n```", "The block prints:"),
    "a comment that is not the output": ("```python\nprint(1)  # 2\n```", "The page shows:"),
    "a text block that is not the output": (
        "```python\nprint(1)\n```\n\n```text\n2\n```",
        "The page shows:",
    ),
    "a text block after python that failed": (
        "```python\n1 / 0\n```\n\n```text\n2\n```",
        "did not finish",
    ),
    "a text block on its own": ("```text\nhello\n```", "nothing checks it"),
    "a doctest with another answer": ("```python\n>>> 1 + 1\n3\n```", "Expected:"),
    "toml that does not parse": ("```toml\na = \n```", "TOMLDecodeError"),
    "json that does not parse": ("```json\n{'a': 1}\n```", "JSONDecodeError"),
    "json lines of which one does not parse": ("```jsonl\n{}\n{\n```", "JSONDecodeError"),
    "a language that nothing checks": ("```ruby\n1\n```", "A block of ruby is not checked"),
    "a block without a language": ("```\n1\n```", "A block of no language is not checked"),
    "tildes in place of ticks": ("~~~ruby\n1\n~~~", "A block of ruby is not checked"),
    "shell outside README.md": ("```sh\nls\n```", "Shell blocks belong in README.md"),
    "a command of another program": ("```console\n$ ls\n```", "Only plain `$ storecredit"),
    "a pipe": ("```console\n$ storecredit balance | sort\n```", "Only plain `$ storecredit"),
    "console without a command": ("```console\nhello\n```", "no line that begins with"),
    "a command that fails": ("```console\n$ storecredit --nonsense\n```", "exits with"),
    "a status that is not the one shown": (
        "```console\n$ storecredit --nonsense\n$ echo $?\n0\n```",
        "The page shows:",
    ),
}

RIGHT = {
    "python that prints nothing": "```python\nx = 1\n```",
    "output in a comment": "```python\nprint(1 + 1)  # 2\n```",
    "output in a text block": "```python\nprint(1)\nprint('a ')\n```\n\nIt prints:\n\n```text\n1\na\n```",
    "one namespace for a page": "```python\nx = 1\n```\n\n```python\nprint(x)  # 1\n```",
    "a doctest that sees the page's names": "```python\nx = 1\n```\n\n```python\n>>> x\n1\n```",
    "python in a list": "- so:\n\n  ```python\n  print(1)  # 1\n  ```",
    "a fresh directory": "```python\nimport os\nprint(os.listdir())  # []\n```",
    "toml": "```toml\na = 1\n```",
    "json": '```json\n{"a": 1}\n```',
    "json lines": '```jsonl\n{"a": 1}\n{"a": 2}\n```',
    "a drawing": "```mermaid\ngraph TD\n```",
    "a command that fails as shown": (
        "```console\n$ storecredit --nonsense\n...\n$ echo $?\n2\n```"
    ),
}


@pytest.fixture
def pages(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty repository with our root conftest and a command line that refuses nonsense."""
    pytester.makeconftest(ROOT_CONFTEST)
    pytester.mkdir("docs")
    fake = pytester.mkpydir("storecredit")
    (fake / "cli.py").write_text("import sys\nprint('No such option')\nsys.exit(2)\n")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    monkeypatch.delenv("CI", raising=False)
    return pytester


def run_page(pages: pytest.Pytester, text: str) -> pytest.RunResult:
    (pages.path / "docs" / "page.md").write_text(f"# A page\n\n{text}\n", encoding="utf-8")
    return pages.runpytest_inprocess("-p", "no:cacheprovider", "docs")


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_block_fails(pages: pytest.Pytester, case: str) -> None:
    text, complaint = WRONG[case]
    result = run_page(pages, text)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*{complaint}*"])


@pytest.mark.parametrize("case", RIGHT)
def test_a_right_block_passes(pages: pytest.Pytester, case: str) -> None:
    result = run_page(pages, RIGHT[case])
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()


def test_a_block_that_is_run_on_its_own_has_the_names_of_those_before_it(
    pages: pytest.Pytester,
) -> None:
    text = "```python\nx = 1\n```\n\n```python\ny = x\n```\n\n```python\nprint(y)  # 1\n```"
    (pages.path / "docs" / "page.md").write_text(text, encoding="utf-8")
    result = pages.runpytest_inprocess("-p", "no:cacheprovider", "docs/page.md::line 9")
    result.assert_outcomes(passed=1)


def test_a_block_that_fails_does_not_hide_the_next(pages: pytest.Pytester) -> None:
    result = run_page(pages, "```python\n1 / 0\n```\n\n```python\ny = 1\n```")
    result.assert_outcomes(passed=1, failed=1)


def test_a_page_leaves_nothing_behind(pages: pytest.Pytester) -> None:
    here = Path.cwd()
    run_page(pages, "```python\nfrom pathlib import Path\nPath('x').touch()\n```")
    assert Path.cwd() == here
    assert not (here / "x").exists()


def test_a_page_that_leaves_a_file_open_fails_like_a_test(pages: pytest.Pytester) -> None:
    pages.makeini("[pytest]\nfilterwarnings = error")
    result = run_page(pages, "```python\nopen('x', 'w')\n```\n\n```python\ny = 1\n```")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*ResourceWarning*"])


def test_the_command_line_that_a_page_runs_is_the_one_tested(pages: pytest.Pytester) -> None:
    result = run_page(
        pages, "```console\n$ storecredit --nonsense\nNo such optio\n$ echo $?\n2\n```"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*No such option*"])


# --- A skip that nobody agreed to fails CI ----------------------------------------------

SKIPPING = {
    "a test": "import pytest\ndef test_it(): pytest.skip({!r})",
    "a module": "import pytest\npytest.skip({!r}, allow_module_level=True)",
    "a mark": "import pytest\n@pytest.mark.skip(reason={!r})\ndef test_it(): ...",
    "an expected failure": (
        "import pytest\n@pytest.mark.xfail(reason={!r})\ndef test_it(): raise ValueError"
    ),
}


@pytest.mark.parametrize("kind", SKIPPING)
def test_a_skip_nobody_agreed_to_fails_ci(
    pages: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("CI", "true")
    pages.makepyfile(test_skip=SKIPPING[kind].format("not today"), test_run="def test_it(): ...")
    result = pages.runpytest_inprocess("-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["REFUSED: test_skip.py*: *not today*"])


def test_a_skip_is_fine_outside_ci(pages: pytest.Pytester) -> None:
    pages.makepyfile(test_skip=SKIPPING["a test"].format("not today"))
    result = pages.runpytest_inprocess("-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["skipped: test_skip.py*: not today"])


def test_the_tests_that_need_other_peoples_data_may_be_skipped_in_ci_without_it(
    pages: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.delenv("STORECREDIT_DATA", raising=False)
    tests = pages.mkdir("tests")
    (tests / "conftest.py").write_text((REPOSITORY / "tests" / "conftest.py").read_text())
    (tests / "test_data.py").write_text("def test_it(shared_data): ...")
    result = pages.runpytest_inprocess("-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.OK, result.stdout.str()
    result.stdout.fnmatch_lines(["skipped: *no folder of other people's data*"])


def test_a_data_folder_that_is_named_and_absent_is_an_error(
    pages: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORECREDIT_DATA", os.fspath(pages.path / "nowhere"))
    tests = pages.mkdir("tests")
    (tests / "conftest.py").write_text((REPOSITORY / "tests" / "conftest.py").read_text())
    (tests / "test_data.py").write_text("def test_it(shared_data): ...")
    result = pages.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(errors=1)
