"""
Templates: a sentence with blanks and choices, in Jinja's sandbox, and no programs (P7).

Jinja's sandbox keeps templates from the objects behind values, and not from loops without end or
texts without end. So templates are read before they are run: they may write values, choose between
parts with ``if``, and ask for a plural. What renders then takes no longer than the template is.
"""

import difflib
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, final

import attrs
from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment

from storecredit.errors import TemplateFailed

LONGEST: Final = 65_536
"""The longest template, in characters."""

MORE: Final = "more"
"""The name of the host's own values in a template."""
PLURAL: Final = "plural"

_HEADER: Final = "Subject:"
_COMPILED: Final = "<template>"
"""What Jinja calls the file of a template that comes from text."""
_FILTERS: Final = ("capitalize", "default", "lower", "title", "trim", "upper")
_TESTS: Final = ("defined", "none", "undefined")
_ALLOWED: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const),
    *(nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Filter, nodes.Test, nodes.Getattr, nodes.Call, nodes.Keyword),
    *(nodes.Tuple, nodes.List),
)
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_SPACES: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@final
class Sandbox(SandboxedEnvironment):
    """Jinja's sandbox with nothing in it but values: no globals, no methods, a few filters."""

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            # Plain text; whoever puts it into HTML escapes it there.
            autoescape=False,
            finalize=_present,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.globals.clear()
        for known, wanted in ((self.filters, _FILTERS), (self.tests, _TESTS)):
            kept: dict[str, Any] = {name: known[name] for name in wanted}
            known.clear()
            known.update(kept)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return one of the host's values; no attribute of any object is ever looked up."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        hint = f"{MORE}.{attribute} was not given; pass more={{{attribute!r}: ...}} to render()"
        return self.undefined(hint, name=attribute)

    def is_safe_callable(self, obj: Any) -> bool:
        """Allow nothing to be called but the plural."""
        return isinstance(obj, Plural)


@final
@attrs.frozen
class Plural:
    """The function ``plural`` of a template: chooses the word that goes with a number."""

    category: Callable[[int], str]
    """CLDR's plural category of a number, in the language of the template."""

    def __call__(self, count: object, **words: str) -> str:
        """
        Return the word for *count*: that of its category, else ``other``.

        Raises:
            ValueError: The count is no whole number, or there is no ``other``.
        """
        if type(count) is not int:
            raise ValueError("plural() needs a whole number first, such as days")
        if "other" not in words:
            raise ValueError('plural() needs other="...", the word of most numbers')
        return words.get(self.category(count), words["other"])


@final
@attrs.frozen
class TextTemplate:
    """The template of one kind of message in one locale."""

    name: str
    """Locale and kind, such as ``de/credit_used``."""
    subject: Template
    body: Template

    @classmethod
    def read(
        cls, name: str, source: str, *, variables: Iterable[str], sandbox: Sandbox
    ) -> "TextTemplate":
        """
        Read a template: a line ``Subject: ...``, an empty line, and the body.

        Raises:
            TemplateFailed: It cannot be read, or does what templates may not do.
        """
        if len(source) > LONGEST:
            raise TemplateFailed(name, None, f"it has more than {LONGEST} characters")
        header, _, rest = source.removeprefix("\ufeff").replace("\r\n", "\n").partition("\n")
        empty, _, body = rest.partition("\n")
        if not header.startswith(_HEADER) or not header.removeprefix(_HEADER).strip():
            raise TemplateFailed(name, 1, f'the first line has to be "{_HEADER} ..."')
        if empty.strip():
            raise TemplateFailed(name, 2, "the line after the subject has to be empty")
        if not body.strip():
            raise TemplateFailed(name, 3, "there is no body below the subject")
        known = frozenset(variables)
        # Empty lines in front, so that Jinja counts lines as the file does.
        parts = (header.removeprefix(_HEADER).strip(), f"\n\n{body}")
        subject, text = (_compiled(name, part, known, sandbox) for part in parts)
        return cls(name, subject, text)

    def render(self, values: Mapping[str, Any]) -> tuple[str, str]:
        """
        Return subject and body. The subject is one line, whatever values hold.

        Raises:
            TemplateFailed: A value is missing, absent, or not what the template takes it for.
        """
        subject = _SPACES.sub(" ", self._rendered(self.subject, values)).strip()
        body = _BLANK_LINES.sub("\n\n", self._rendered(self.body, values)).strip("\n")
        return subject, f"{body}\n"

    def _rendered(self, template: Template, values: Mapping[str, Any]) -> str:
        try:
            return template.render(values)
        except (UndefinedError, SecurityError, TypeError, ValueError, RecursionError) as error:
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == _COMPILED]
            problem = str(error) or type(error).__name__
            raise TemplateFailed(self.name, lines[-1] if lines else None, problem) from None


def _present(value: object) -> object:
    """Refuse to write what is absent: it would read "None"."""
    if value is None:
        raise ValueError(
            "a value that is absent would be written; ask for it first, as in "
            "{% if last_day %}...{% endif %}"
        )
    return value


def _compiled(name: str, source: str, known: frozenset[str], sandbox: Sandbox) -> Template:
    try:
        _check(name, sandbox.parse(source), known)
        return sandbox.from_string(source)
    except TemplateSyntaxError as error:
        raise TemplateFailed(name, error.lineno, f"{error.message}") from None
    except (RecursionError, SyntaxError, ValueError, MemoryError):
        raise TemplateFailed(
            name, None, "it is nested too deeply, or has a number too long"
        ) from None


def _check(name: str, template: nodes.Template, known: frozenset[str]) -> None:
    """Refuse everything but values, choices and plurals."""
    waiting: list[tuple[nodes.Node, int]] = [(template, 1)]
    while waiting:
        node, line = waiting.pop()
        # Some nodes are Jinja's own, and have no line.
        line = node.lineno or line
        if problem := _problem(node, known):
            raise TemplateFailed(name, line, problem)
        # What `plural` and `more` are called with is checked; the names themselves are no values.
        if isinstance(node, nodes.Call):
            waiting += [(part, line) for part in (*node.args, *node.kwargs)]
        elif not isinstance(node, nodes.Getattr):
            waiting += [(part, line) for part in node.iter_child_nodes()]


def _problem(node: nodes.Node, known: frozenset[str]) -> str | None:
    if not isinstance(node, _ALLOWED):
        what = type(node).__name__.lower()
        return f"{what} is not for templates; they write values, choose with if, and ask for plural"
    if isinstance(node, nodes.Getattr):
        if not (isinstance(node.node, nodes.Name) and node.node.name == MORE):
            return f".{node.attr} is not for templates; only {MORE} has values behind a dot"
    elif isinstance(node, nodes.Call):
        own = isinstance(node.node, nodes.Name) and node.node.name == PLURAL
        if not own or node.dyn_args is not None or node.dyn_kwargs is not None:
            return f'only {PLURAL}(days, one="day", other="days") can be called'
    elif isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        return f"there is no filter {node.name}; there are {', '.join(_FILTERS)}"
    elif isinstance(node, nodes.Test) and node.name not in _TESTS:
        return f"there is no test {node.name}; there are {', '.join(_TESTS)}"
    elif isinstance(node, nodes.Name) and node.name not in known:
        near = difflib.get_close_matches(node.name, known, 1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
        return f"there is no value {node.name} in this message; {advice}"
    return None
