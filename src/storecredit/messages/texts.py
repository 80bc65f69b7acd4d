"""Texts: what a message says in the reader's language, from templates that a host can replace (P7)."""

import os
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, final

import attrs
from babel import Locale

from storecredit.errors import InvalidTerms, TemplateFailed, TextsNotInstalled, UnknownLocale
from storecredit.messages._samples import sample_messages
from storecredit.messages._wording import (
    OF_ALL,
    VARIABLES,
    UnitNames,
    Wording,
    chain_of,
    locale_named,
)
from storecredit.messages.payloads import MESSAGES, Message, MessageKind

if TYPE_CHECKING:
    from storecredit.messages._templates import TextTemplate

_LAST_RESORT: Final = "en"
_SUFFIX: Final = ".txt"
_PARTS_OF_THE_EXTRA: Final = frozenset({"jinja2", "markupsafe"})
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_NO_UNITS: Final[Mapping[str, Mapping[str, str | Mapping[str, str]]]] = MappingProxyType({})


@final
@attrs.frozen(kw_only=True)
class Text:
    """A message in words, ready to be sent."""

    message: str
    """The id of the message: what to recognise a repeat by."""
    kind: MessageKind
    locale: str
    """The locale of the template that was found."""
    subject: str
    """One line."""
    body: str = attrs.field(repr=False)
    """Plain text, not escaped for HTML; ends with a line break."""


@final
class Texts:
    """
    Renders messages as plain texts, in the locale and the time zone of whoever reads them.

    Templates come with the library in English, German, French and Spanish. A host's own stand
    before them, for each kind and locale alone. Looked for are the reader's locale, its language,
    the default's, and English: ``de_AT``, ``de``, then ``en``.

    A template is a line ``Subject: ...``, an empty line and the body, in Jinja's syntax, cut down
    to values, ``if`` and ``plural``: see the reference of messages. A host's are read at once.

    Args:
        templates: A folder with files such as ``de/credit_used.txt``, or a mapping from names
            such as ``de/credit_used`` to sources; None for those of the library alone.

        default_locale: What is read by those for whose language there is no template.

        unit_names: By code and locale, the names of custom units, each a text or a mapping from
            CLDR's plural categories (``one``, ``other``, ...) to texts; else the unit's own name.

    Raises:
        TextsNotInstalled: The extra ``messages`` is missing.
        UnknownLocale: CLDR has no such locale.
        InvalidTerms: *templates* or *unit_names* are of another form.
        TemplateFailed: A template cannot be read, is of no locale or kind, or there are two of
            one.
    """

    def __init__(
        self,
        *,
        templates: Mapping[str, str] | os.PathLike[str] | str | None = None,
        default_locale: str = _LAST_RESORT,
        unit_names: Mapping[str, Mapping[str, str | Mapping[str, str]]] = _NO_UNITS,
    ) -> None:
        try:
            from storecredit.messages import (  # noqa: PLC0415 - the extra may not be there, and then we say so
                _templates,
            )
        except ModuleNotFoundError as missing:
            name = (missing.name or "").partition(".")[0]
            if name not in _PARTS_OF_THE_EXTRA:
                raise
            raise TextsNotInstalled(name) from None
        self._jinja: Final = _templates
        self._sandbox: Final = _templates.Sandbox()
        self._default: Final = locale_named(default_locale)
        self._units: Final = _unit_names(unit_names)
        self._read: Final[dict[tuple[str, MessageKind], TextTemplate]] = {}
        for name, source in _sources(templates).items():
            locale, kind = _place(name)
            if (locale, kind) in self._read:
                raise TemplateFailed(name, None, f"there is another for {locale}/{kind}")
            self._keep(locale, kind, source)

    def render(
        self,
        message: Message,
        *,
        locale: str,
        zone: str,
        more: Mapping[str, str] = _NOTHING,
    ) -> Text:
        """
        Return what *message* says to one reader.

        Amounts and days are written as the reader's locale writes them; where no template is in
        the reader's language, as that of the template does. Nothing is escaped.

        Args:
            message: From `messages_of`, `reminder_message`, or made by the host.

            locale: The reader's, such as "de-AT".

            zone: The IANA time zone that the reader's days are of. An expiry at midnight there
                reads as the day before, which is the last one (V7).

            more: Values of the host's own: ``more={"shop": "Acme"}`` is ``{{ more.shop }}``.

        Raises:
            InvalidTerms: *message* is none, or *more* is no mapping of texts.
            UnknownLocale: CLDR has no such locale.
            UnknownZone: The IANA database has no such zone.
            InvalidTerms: *message* is about a claim code, and does not have it.
            TemplateFailed: The template does not fit; the message names it, and the line.
        """
        if not isinstance(message, MESSAGES):
            raise InvalidTerms("message", type(message).__name__, "one of the messages")
        host = _texts(more)
        reader = locale_named(locale)
        template, found = self._find(reader, message.kind)
        same_language = locale_named(found).language == reader.language
        wording = Wording(reader if same_language else locale_named(found), zone, self._units)
        values = wording.values(message)
        plural = self._jinja.Plural(wording.category)
        given = {**values, self._jinja.MORE: host, self._jinja.PLURAL: plural}
        subject, body = template.render(given)
        return Text(message=message.id, kind=message.kind, locale=found, subject=subject, body=body)

    def check(self, *, more: Mapping[str, str] = _NOTHING) -> tuple[TemplateFailed, ...]:
        """
        Render samples of every kind in every locale there is, and return what failed.

        For a test of the host's, so that no template fails with a customer's message.

        Args:
            more: What the host passes to `render`.
        """
        failed: dict[tuple[str, int | None, str], TemplateFailed] = {}
        for locale in self.locales:
            for message in sample_messages():
                try:
                    self.render(message, locale=locale, zone="UTC", more=more)
                except TemplateFailed as problem:
                    key = (problem.template, problem.line, problem.problem)
                    failed.setdefault(key, problem)
        return tuple(failed.values())

    @property
    def locales(self) -> tuple[str, ...]:
        """The locales that there are templates for, the host's and the library's."""
        packaged = {folder.name for folder in _packaged().iterdir() if folder.is_dir()}
        return tuple(sorted(packaged | {locale for locale, _ in self._read}))

    def _find(self, reader: Locale, kind: MessageKind) -> "tuple[TextTemplate, str]":
        names = (*chain_of(reader), *chain_of(self._default), _LAST_RESORT)
        for locale in names:
            known = self._read.get((locale, kind))
            if known is not None:
                return known, locale
            packaged = _packaged() / locale / f"{kind}{_SUFFIX}"
            if packaged.is_file():
                return self._keep(locale, kind, packaged.read_text(encoding="utf-8")), locale
        # English has every kind; a test sees to it.
        raise TemplateFailed(f"{_LAST_RESORT}/{kind}", None, "it is missing from the installation")

    def _keep(self, locale: str, kind: MessageKind, source: str) -> "TextTemplate":
        variables = {*OF_ALL, *VARIABLES[kind]}
        read = self._jinja.TextTemplate.read(
            f"{locale}/{kind}", source, variables=variables, sandbox=self._sandbox
        )
        self._read[locale, kind] = read
        return read


def _texts(more: object) -> dict[str, str]:
    """Return the host's own values."""
    texts = dict(more) if isinstance(more, Mapping) else None
    if texts is None or not all(isinstance(text, str) for text in [*texts, *texts.values()]):
        raise InvalidTerms("more", more, "a mapping from names to texts")
    return texts


def _packaged() -> Traversable:
    return files("storecredit.messages") / "templates"


def _sources(templates: object) -> dict[str, str]:
    """Return the host's templates by name, from a folder or a mapping."""
    if templates is None:
        return {}
    if isinstance(templates, Mapping):
        for name, source in templates.items():
            if not isinstance(name, str) or not isinstance(source, str):
                raise InvalidTerms("templates", name, "a mapping from names to sources, both texts")
        return dict(templates)
    if not isinstance(templates, str | os.PathLike) or not _is_folder(folder := Path(templates)):
        raise InvalidTerms("templates", templates, "a folder, or a mapping from names to sources")
    found = {}
    for path in sorted(folder.rglob(f"*{_SUFFIX}")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        try:
            found[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise TemplateFailed(name, None, "it is not in UTF-8") from None
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long to be one
        return False


def _place(name: str) -> tuple[str, MessageKind]:
    """Return the locale and the kind that the name of a template leads to."""
    locale, _, kind = name.partition("/")
    try:
        return chain_of(locale_named(locale))[0], MessageKind(kind)
    except UnknownLocale:
        raise TemplateFailed(name, None, f"CLDR has no locale {locale}") from None
    except ValueError:
        known = ", ".join(MessageKind)
        problem = f'there is no kind {kind or "at all"}; a name is "de/credit_used", of {known}'
        raise TemplateFailed(name, None, problem) from None


def _unit_names(names: object) -> UnitNames:
    """Return names of units by code and by canonical locale."""
    expected = 'a mapping like {"PTS": {"en": {"one": "point", "other": "points"}}}'
    if not isinstance(names, Mapping):
        raise InvalidTerms("unit_names", names, expected)
    found: dict[str, dict[str, Mapping[str, str]]] = {}
    for code, by_locale in names.items():
        if not isinstance(code, str) or not isinstance(by_locale, Mapping):
            raise InvalidTerms("unit_names", code, expected)
        for locale, name in by_locale.items():
            words = {"other": name} if isinstance(name, str) else name
            right = isinstance(words, Mapping) and "other" in words
            if not right or not all(isinstance(word, str) and word for word in words.values()):
                raise InvalidTerms("unit_names", name, expected)
            found.setdefault(code, {})[chain_of(locale_named(locale))[0]] = dict(words)
    return found
