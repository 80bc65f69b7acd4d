"""Templates that are wrong say where and what; templates that attack get nowhere (P7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from storecredit.errors import TemplateFailed
from storecredit.messages import (
    CreditExpiring,
    CreditUsed,
    RefundStatusChanged,
    Texts,
    sample_messages,
)
from storecredit.messages._templates import LONGEST, Plural, Sandbox

USED = next(each for each in sample_messages() if isinstance(each, CreditUsed))
EXPIRING = next(each for each in sample_messages() if isinstance(each, CreditExpiring))
REFUND = [each for each in sample_messages() if isinstance(each, RefundStatusChanged)][1]
HEAD = "Subject: Hello\n\n"


def failure(source: str, *, name: str = "en/credit_used", **more: Any) -> TemplateFailed:
    """Read a template, and render it if that went well; return what failed."""
    with pytest.raises(TemplateFailed) as caught:
        Texts(templates={name: source}).render(USED, locale="en", zone="UTC", **more)
    return caught.value


def rendered(body: str, **more: Any) -> str:
    """Return what *body* renders to, without its last line break."""
    texts = Texts(templates={"en/credit_expiring": HEAD + body})
    return texts.render(EXPIRING, locale="en", zone="UTC", **more).body.removesuffix("\n")


# --- Wrong templates ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line", "problem"),
    [
        ("", 1, 'the first line has to be "Subject: ..."'),
        ("Hello\n\nBody", 1, 'the first line has to be "Subject: ..."'),
        ("Subject:  \n\nBody", 1, 'the first line has to be "Subject: ..."'),
        ("Subject: Hello\nBody", 2, "the line after the subject has to be empty"),
        ("Subject: Hello", 3, "there is no body below the subject"),
        ("Subject: Hello\n\n  \n", 3, "there is no body below the subject"),
        (HEAD + "x" * LONGEST, None, "it has more than 65536 characters"),
        (
            HEAD + "one\n{{ amount",
            4,
            "unexpected end of template, expected 'end of print statement'.",
        ),
        (HEAD + "one\n{% if owed %}", 4, "Unexpected end of template."),
        (HEAD + "{{ amont }}", 3, "there is no value amont in this message; did you mean amount?"),
        (HEAD + "one\ntwo {{ points }}", 4, "there is no value points in this message; there are"),
        ("Subject: {{ lot }}\n\nBody", 1, "there is no value lot in this message; there are"),
        (
            HEAD + "{{ amount|replace('a', 'b') }}",
            3,
            "there is no filter replace; there are capitalize",
        ),
        (
            HEAD + "{% if amount is even %}x{% endif %}",
            3,
            "there is no test even; there are defined",
        ),
        (HEAD + "\n{% for x in amount %}x{% endfor %}", 4, "for is not for templates"),
        (HEAD + "{{ more }}", 3, "there is no value more in this message"),
        (HEAD + "{{ plural }}", 3, "there is no value plural in this message"),
    ],
)
def test_a_template_that_cannot_be_read_is_named_with_line_and_problem(
    source: str, line: int | None, problem: str
) -> None:
    error = failure(source)
    assert (error.template, error.line) == ("en/credit_used", line)
    assert problem in error.problem
    place = "" if line is None else f", line {line}"
    assert str(error) == f"Template en/credit_used{place}: {error.problem}"


@pytest.mark.parametrize(
    ("source", "line", "problem"),
    [
        (
            HEAD + "one\n{{ more.shop }}",
            4,
            "more.shop was not given; pass more={'shop': ...} to render()",
        ),
        (HEAD + '{{ plural(amount, one="a", other="b") }}', 3, "plural() needs a whole number"),
        (HEAD + '\n\n{{ plural(1, one="a") }}', 5, 'plural() needs other="..."'),
        (
            HEAD + "{{ plural(1, other=2, xx=3) }}{% if amount < 3 %}{% endif %}",
            3,
            "'<' not supported",
        ),
    ],
)
def test_a_template_that_does_not_render_is_named_with_line_and_problem(
    source: str, line: int, problem: str
) -> None:
    error = failure(source)
    assert (error.template, error.line) == ("en/credit_used", line)
    assert problem in error.problem


def test_what_is_absent_is_never_written() -> None:
    texts = Texts(templates={"en/credit_used": HEAD + "For {{ reference }}"})
    assert "order-1002" in texts.render(USED, locale="en", zone="UTC").body
    with pytest.raises(TemplateFailed, match="ask for it first") as caught:
        texts.render(attrs.evolve(USED, reference=None), locale="en", zone="UTC")
    assert caught.value.line == 3
    (found,) = texts.check()
    assert str(found) == str(caught.value)


def test_check_finds_what_only_some_messages_would_find() -> None:
    texts = Texts(
        templates={
            "de/refund_status_changed": HEAD
            + "{% if status == 'denied' %}{{ more.why }}{% endif %}x",
            "fr/credit_issued": HEAD + "{{ last_day }}",
        }
    )
    places = {(problem.template, problem.line) for problem in texts.check()}
    assert places == {("de/refund_status_changed", 3), ("fr/credit_issued", 3)}
    assert len(texts.check(more={"why": "because"})) == 1


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("klingon/credit_used", "CLDR has no locale klingon"),
        ("de", "there is no kind at all"),
        ("de/credit_usd", "there is no kind credit_usd"),
        ("de/old/credit_used", "there is no kind old/credit_used"),
    ],
)
def test_a_template_of_no_locale_or_kind_is_refused(name: str, problem: str) -> None:
    error = failure(HEAD + "x", name=name)
    assert (error.template, error.line) == (name, None)
    assert problem in error.problem


def test_two_templates_for_one_place_are_refused() -> None:
    with pytest.raises(TemplateFailed, match="there is another for de_AT/credit_used"):
        Texts(templates={"de-AT/credit_used": HEAD + "x", "de_AT/credit_used": HEAD + "y"})


def test_files_are_read_in_utf_8_with_any_line_ends(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    path = tmp_path / "de" / "credit_used.txt"
    path.write_bytes("\ufeffSubject: Gr\u00fc\u00dfe\r\n\r\nEins\r\nZwei {{ amount }}\r\n".encode())
    (tmp_path / "de" / "notes.md").write_text("no template", encoding="utf-8")
    text = Texts(templates=tmp_path).render(USED, locale="de", zone="UTC")
    assert text.subject == "Gr\u00fc\u00dfe"
    assert text.body.startswith("Eins\nZwei 25,00")
    path.write_bytes("Subject: Gr\u00fc\u00dfe\n\nx".encode("latin-1"))
    with pytest.raises(TemplateFailed, match="not in UTF-8"):
        Texts(templates=tmp_path)


# --- What templates can do ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{{ amount|upper }} {{ 'a b'|title }} {{ ' x '|trim }}", "\u20ac25.00 A B x"),
        ("{{ more.shop|default('our shop') }}", "our shop"),
        ("{% if more.shop is defined %}yes{% else %}no{% endif %}", "no"),
        ("{% if holder is none %}guest{% else %}{{ holder }}{% endif %}", "c-17"),
        ("{{ 'many' if days > 20 and not limited else 'few' }}", "few"),
        ("{% if days in (1, 21, 22) %}in{% endif %}", "in"),
        ("{# nothing #}{% raw %}{{ as it is }}{% endraw %}", "{{ as it is }}"),
        ('{{ plural(1, one="a", other="b") }}{{ plural(0, one="a", other="b") }}', "ab"),
        ('{{ plural(days, few="a", other="b") }}', "b"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("{{ '<b>' }}", "<b>"),
    ],
)
def test_values_choices_and_plurals(body: str, expected: str) -> None:
    assert rendered(body) == expected


def test_a_value_of_the_host_is_a_value_and_no_template() -> None:
    more = {"shop": "{{ amount }} <b> {% if %}", "items": "x", "__class__": "y"}
    assert rendered("{{ more.shop }} {{ more.items }}", more=more) == "{{ amount }} <b> {% if %} x"


def test_no_value_can_add_a_line_to_the_subject() -> None:
    source = "Subject: {{ more.a }}{{ told }} {{ status }}\n\nx"
    texts = Texts(templates={"en/refund_status_changed": source})
    message = attrs.evolve(REFUND, told="Good\nBcc: everybody@example.com\tx")
    more = {"a": "one\r\nX-Header: 1\u2028two\x00\x85 "}
    subject = texts.render(message, locale="en", zone="UTC", more=more).subject
    assert subject == "one X-Header: 1 two Good Bcc: everybody@example.com x requested"


# --- Attacks ------------------------------------------------------------------------------

ATTACKS = [
    # The way to everything: from any object to its class, and on.
    "{{ amount.__class__ }}",
    "{{ amount.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''.__class__ }}",
    "{{ more.__class__.__init__.__globals__ }}",
    "{{ more.x.__class__ }}",
    "{{ more['__class__'] }}",
    "{{ plural.category }}",
    "{{ plural.__call__.__globals__ }}",
    "{{ amount|attr('__class__') }}",
    "{{ (amount,)|map(attribute='__class__') }}",
    "{{ self.__init__ }}",
    "{{ config }}",
    "{{ request }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ lipsum.__globals__['os'].popen('id') }}",
    "{{ namespace() }}",
    "{{ joiner() }}",
    "{{ range(9) }}",
    "{{ dict(a=1) }}",
    "{{ amount.format }}",
    "{{ '{0.__class__}'.format(amount) }}",
    "{{ '%s' % amount }}",
    "{{ amount.upper() }}",
    "{{ plural(*more) }}",
    "{{ plural(**more) }}",
    "{{ plural(days, other='x')(1) }}",
    "{{ amount() }}",
    "{% import 'x' as x %}",
    "{% include 'de/credit_used' %}",
    "{% extends 'x' %}",
    "{% block x %}{% endblock %}",
    "{% do x %}",
    "{% debug %}",
    # Without end, in time or in size.
    "{% for a in range(99999999) %}x{% endfor %}",
    "{% for a in 'xxxxxxxxxx' %}{% for b in 'xxxxxxxxxx' %}x{% endfor %}{% endfor %}",
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% call plural(1) %}x{% endcall %}",
    "{% set a = 'x' %}{% set a = a ~ a %}",
    "{% set a %}x{% endset %}",
    "{{ 'x' ~ 'x' }}",
    "{{ 'x' * 999999999 }}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{{ 2 ** days }}",
    "{{ 1 / 0 }}",
    "{{ days + 1 }}",
    "{{ -days }}",
    "{{ '%0999999999d' % 1 }}",
    "{{ 'x'|center(999999999) }}",
    "{{ 'x'|indent(999999999) }}",
    "{{ 'x'|join('x') }}",
    "{{ 'x'|list }}",
    "{{ amount[0] }}",
    "{{ amount[0:9] }}",
    "{{ {'a': 1} }}",
    "{% filter upper %}x{% endfilter %}",
    "{% with a = 1 %}{{ a }}{% endwith %}",
    "{% autoescape true %}x{% endautoescape %}",
    "{{ caller }}",
    "{{ loop }}",
    "{{ varargs }}",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_when_the_template_is_read(attack: str) -> None:
    for source in (f"Subject: x\n\n{attack}", f"Subject: {attack}\n\nx"):
        with pytest.raises(TemplateFailed) as caught:
            Texts(templates={"en/credit_expiring": source})
        assert caught.value.line is not None


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
        "{{ " + "not " * 10_000 + "days }}",
        "{% if days %}" * 2_000 + "{% endif %}" * 2_000,
        "{{ days" + " if days" * 8_000 + " }}",
        "{{ " + "9" * 10_000 + " }}",
        "{{ days" + "|default" * 8_000 + " }}",
        "{{ (" + "1," * 20_000 + ") }}",
    ],
)
def test_a_template_that_is_huge_or_deep_is_refused_as_such_or_renders(source: str) -> None:
    try:
        body = rendered(source)
    except TemplateFailed as error:
        body = error.problem
    assert body.startswith(("it is nested too deeply", "(1, 1, 1", "21"))


def test_the_second_wall_holds_where_the_first_is_passed_by() -> None:
    sandbox = Sandbox()
    assert sandbox.globals == {}
    plural = Plural(lambda _: "other")
    for attack in ("{{ x.__class__ }}", "{{ x['__class__'] }}", "{{ x.upper }}", "{{ x() }}"):
        with pytest.raises(Exception, match=r"not given|unsafe|has no|not callable|not safely"):
            sandbox.from_string(attack).render(x="text", plural=plural)
    assert sandbox.from_string("{{ plural(2, other='x') }}").render(plural=plural) == "x"
