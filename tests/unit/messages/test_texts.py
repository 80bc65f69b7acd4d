"""Texts: every kind in every language, word by word in two of them, and dates as people mean them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from storecredit import messages
from storecredit.errors import (
    InvalidTerms,
    TemplateFailed,
    TextsNotInstalled,
    UnknownLocale,
    UnknownZone,
)
from storecredit.messages import (
    ClaimCodeCreated,
    CreditExpired,
    CreditExpiring,
    CreditIssued,
    CreditRestored,
    CreditUsed,
    Message,
    MessageKind,
    RefundStatus,
    RefundStatusChanged,
    Text,
    Texts,
    sample_messages,
)
from storecredit.messages import texts as texts_module
from storecredit.messages._wording import OF_ALL, VARIABLES, Wording, locale_named
from storecredit.values import CustomUnit, ExpiryDate, Money

LOCALES = ("de", "en", "es", "fr")
SAMPLES = sample_messages()
TEXTS = Texts()
NBSP = "\N{NO-BREAK SPACE}"


def said(text: Text) -> str:
    """A text on one sheet, with spaces that can be typed."""
    return f"{text.subject}\n\n{text.body}".replace(NBSP, " ").replace("\u202f", " ")


def of(kind: type, number: int = 0) -> Any:
    return [each for each in SAMPLES if isinstance(each, kind)][number]


# --- Every kind in every language ---------------------------------------------------------


def test_the_library_has_a_template_of_every_kind_in_every_language() -> None:
    assert TEXTS.locales == LOCALES
    for locale in LOCALES:
        for message in SAMPLES:
            assert TEXTS.render(message, locale=locale, zone="UTC").locale == locale


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_a_text_has_a_subject_of_one_line_and_a_body_with_all_that_counts(
    number: int, locale: str
) -> None:
    message = SAMPLES[number]
    text = TEXTS.render(message, locale=locale, zone="UTC")
    assert (text.message, text.kind) == (message.id, message.kind)
    assert text.subject == text.subject.strip()
    assert "\n" not in text.subject
    assert text.body.endswith("\n")
    assert not text.body.startswith("\n")
    assert "\n\n\n" not in text.body
    for leftover in ("{", "}", "None", "%"):
        assert leftover not in said(text)
    told = said(text)
    if isinstance(message, RefundStatusChanged):
        assert message.case in told
        assert message.order is None or message.order in told
        assert message.told is None or message.told in told
    else:
        amount = message.amount
        if isinstance(message, CreditExpiring):  # the rest has a sentence of its own
            amount = message.parts[0].amount
        assert amount.format(locale=locale).replace(NBSP, " ") in told
    if isinstance(message, ClaimCodeCreated):
        assert str(message.code) in told
        assert str(message.code) not in text.subject
        assert str(message.code) not in repr(text)


@pytest.mark.parametrize("locale", LOCALES)
def test_each_status_of_a_refund_has_a_sentence_of_its_own(locale: str) -> None:
    refund: RefundStatusChanged = of(RefundStatusChanged)
    bodies = {
        TEXTS.render(attrs.evolve(refund, status=status), locale=locale, zone="UTC").body
        for status in RefundStatus
    }
    assert len(bodies) == len(RefundStatus)


def test_the_library_s_own_templates_fail_nowhere() -> None:
    assert TEXTS.check() == ()


# --- Word by word -------------------------------------------------------------------------

EXACT: list[tuple[Message, str, str]] = [
    (
        of(CreditIssued),
        """€25.00 for you

We have added €25.00 to your balance.
€5.00 of it went towards what you owed.
You can use it from 16 March 2026.
Please use it by 31 December 2026.
It can be used for some purchases only.

Reference: order-1002
""",
        """25,00 € für Sie

Wir haben Ihrem Guthaben 25,00 € gutgeschrieben.
Davon wurden 5,00 € mit Ihrem offenen Betrag verrechnet.
Sie können es ab dem 16. März 2026 einlösen.
Bitte lösen Sie es bis zum 31. Dezember 2026 ein.
Es gilt nur für bestimmte Einkäufe.

Vorgang: order-1002
""",
    ),
    (
        of(CreditIssued, 1),
        """€25.00 for you

We have added €25.00 to your balance.
""",
        """25,00 € für Sie

Wir haben Ihrem Guthaben 25,00 € gutgeschrieben.
""",
    ),
    (
        of(CreditUsed),
        """You have used €25.00

You have paid with €25.00 of your balance on 2 March 2026.
€5.00 of it is on your open account.

Reference: order-1002
""",
        """Sie haben 25,00 € eingelöst

Sie haben am 2. März 2026 mit 25,00 € aus Ihrem Guthaben bezahlt.
Davon stehen 5,00 € auf Ihrem Konto offen.

Vorgang: order-1002
""",
    ),
    (
        of(CreditRestored),
        """€25.00 returned to you

We have returned €25.00 to your balance.
€5.00 of it went towards what you owed.

Reference: return-1
""",
        """25,00 € zurück auf Ihrem Guthaben

Wir haben Ihrem Guthaben 25,00 € zurückgebucht.
Davon wurden 5,00 € mit Ihrem offenen Betrag verrechnet.

Vorgang: return-1
""",
    ),
    (
        of(CreditExpired),
        """€25.00 has expired

€25.00 of your balance could be used until 31 December 2026, and has now expired.
""",
        """Guthaben verfallen: 25,00 €

Aus Ihrem Guthaben galten 25,00 € bis zum 31. Dezember 2026 und sind nun verfallen.
""",
    ),
    (
        of(CreditExpired, 1),
        """€25.00 has expired

€25.00 of your balance has expired.
""",
        """Guthaben verfallen: 25,00 €

Aus Ihrem Guthaben sind 25,00 € verfallen.
""",
    ),
    (
        of(CreditExpiring),
        """21 days left to use €25.00

€25.00 of your balance will expire soon. You have 21 days left.
Please use it by 31 December 2026.
Some of it can be used for some purchases only.
""",
        """Noch 21 Tage für 25,00 €

Aus Ihrem Guthaben verfallen bald 25,00 €. Sie haben noch 21 Tage Zeit.
Bitte lösen Sie es bis zum 31. Dezember 2026 ein.
Ein Teil davon gilt nur für bestimmte Einkäufe.
""",
    ),
    (
        of(CreditExpiring, 1),
        """1 day left to use €25.00

€25.00 of your balance will expire soon. You have 1 day left.
Please use it by 31 December 2026.
""",
        """Noch 1 Tag für 25,00 €

Aus Ihrem Guthaben verfallen bald 25,00 €. Sie haben noch 1 Tag Zeit.
Bitte lösen Sie es bis zum 31. Dezember 2026 ein.
""",
    ),
    (
        of(CreditExpiring, 2),
        """Last day to use €25.00

Today is the last day to use €25.00 of your balance.
Please use it by 31 December 2026.
""",
        """Letzter Tag für 25,00 €

Heute ist der letzte Tag, um 25,00 € aus Ihrem Guthaben einzulösen.
Bitte lösen Sie es bis zum 31. Dezember 2026 ein.
""",
    ),
    (
        of(CreditExpiring, 3),
        """21 days left to use €25.00

€25.00 of your balance will expire soon. You have 21 days left.
Please use it by 31 December 2026.
Another €25.00 will expire after that; you can use it until 31 December 2027.
Some of it can be used for some purchases only.
""",
        """Noch 21 Tage für 25,00 €

Aus Ihrem Guthaben verfallen bald 25,00 €. Sie haben noch 21 Tage Zeit.
Bitte lösen Sie es bis zum 31. Dezember 2026 ein.
Ein weiterer Teil, 25,00 €, verfällt danach und gilt noch bis zum 31. Dezember 2027.
Ein Teil davon gilt nur für bestimmte Einkäufe.
""",
    ),
    (
        of(CreditExpiring, 4),
        """Last day to use €25.00

Today is the last day to use €25.00 of your balance.
Please use it by 31 December 2026.
Another €50.00 will expire after that.
""",
        """Letzter Tag für 25,00 €

Heute ist der letzte Tag, um 25,00 € aus Ihrem Guthaben einzulösen.
Bitte lösen Sie es bis zum 31. Dezember 2026 ein.
Ein weiterer Teil, 50,00 €, verfällt danach.
""",
    ),
    (
        of(RefundStatusChanged),
        """Your return

We have received your request for a refund.

Request: case-1
""",
        """Ihre Rückgabe

Wir haben Ihren Antrag auf Erstattung erhalten.

Antrag: case-1
""",
    ),
    (
        attrs.evolve(of(RefundStatusChanged, 1), status="completed"),
        """Your return for order order-1002

Your refund is complete.
Amount: €25.00

We look forward to your parcel.

Order: order-1002
Request: case-1
""",
        """Ihre Rückgabe zu Bestellung order-1002

Ihre Erstattung ist abgeschlossen.
Betrag: 25,00 €

We look forward to your parcel.

Bestellung: order-1002
Antrag: case-1
""",
    ),
    (
        attrs.evolve(of(RefundStatusChanged, 1), status="denied", told=None),
        """Your return for order order-1002

We cannot grant your request for a refund.

Order: order-1002
Request: case-1
""",
        """Ihre Rückgabe zu Bestellung order-1002

Wir können Ihrem Antrag auf Erstattung nicht entsprechen.

Bestellung: order-1002
Antrag: case-1
""",
    ),
    (
        of(ClaimCodeCreated),
        """Your code for €25.00

This code is worth €25.00:

    SAMP-LE00-0000-0000

Please use it by 31 December 2026.
Keep it like cash: whoever has the code can use it.
""",
        """Ihr Code über 25,00 €

Dieser Code ist 25,00 € wert:

    SAMP-LE00-0000-0000

Bitte lösen Sie ihn bis zum 31. Dezember 2026 ein.
Behandeln Sie ihn wie Bargeld: Wer den Code hat, kann ihn einlösen.
""",
    ),
]


@pytest.mark.parametrize(("message", "english", "german"), EXACT)
def test_the_words_in_english_and_german(message: Message, english: str, german: str) -> None:
    assert said(TEXTS.render(message, locale="en-GB", zone="UTC")) == english
    assert said(TEXTS.render(message, locale="de", zone="UTC")) == german


def test_the_words_are_written_out_for_every_kind() -> None:
    assert {message.kind for message, _, _ in EXACT} == set(MessageKind)


# --- Days ---------------------------------------------------------------------------------


def expiring(expires_at: datetime, *, at: datetime) -> CreditExpiring:
    message: CreditExpiring = of(CreditExpiring, 1)
    parts = (attrs.evolve(message.parts[0], expires_at=expires_at),)
    return attrs.evolve(message, expires_at=expires_at, parts=parts, at=at)


NEW_YEAR_IN_BERLIN = datetime(2026, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        # Midnight for the reader: the day before is the last one, and the whole of it.
        ("Europe/Berlin", datetime(2026, 12, 30, 8, tzinfo=UTC), "1 day|31 December 2026."),
        ("Europe/Berlin", datetime(2026, 12, 31, 8, tzinfo=UTC), "Today|31 December 2026."),
        # At 23:30 UTC it is the 31st in Berlin already.
        ("Europe/Berlin", datetime(2026, 12, 30, 23, 30, tzinfo=UTC), "Today|31 December 2026."),
        # Elsewhere the same instant has a time.
        ("UTC", datetime(2026, 12, 30, 8, tzinfo=UTC), "1 day|31 December 2026, 23:00."),
        ("Asia/Tokyo", datetime(2026, 12, 30, 8, tzinfo=UTC), "2 days|1 January 2027, 08:00."),
        (
            "America/New_York",
            datetime(2026, 12, 30, 8, tzinfo=UTC),
            "1 day|31 December 2026, 18:00.",
        ),
    ],
)
def test_v7_an_expiry_at_midnight_of_the_reader_is_the_whole_day_before(
    zone: str, at: datetime, expected: str
) -> None:
    text = TEXTS.render(expiring(NEW_YEAR_IN_BERLIN, at=at), locale="en-GB", zone=zone)
    left, last_day = expected.split("|")
    assert left in text.body
    assert f"Please use it by {last_day}\n" in text.body


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/Sao_Paulo", "Asia/Beirut", "Asia/Tehran"]
)
def test_v7_a_date_expiry_reads_as_that_date_even_where_no_midnight_is(zone: str) -> None:
    wording = Wording(locale_named("en-GB"), zone, {})
    day = datetime(2018, 1, 1).date()  # noqa: DTZ001 - only its date counts
    for _ in range(500):
        written = wording.last_day(ExpiryDate(day, zone=zone).expires_at)
        assert written == wording.day(day)
        day += timedelta(days=1)


def test_what_begins_at_a_time_says_so() -> None:
    issued: CreditIssued = of(CreditIssued)
    part = attrs.evolve(issued.parts[0], effective_at=datetime(2026, 3, 16, 15, tzinfo=UTC))
    text = TEXTS.render(attrs.evolve(issued, parts=(part,)), locale="en-GB", zone="Europe/Berlin")
    assert "You can use it from 16 March 2026, 16:00.\n" in text.body


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("fr", "Une autre partie, 25,00 €, expire ensuite et peut être utilisée jusqu’au 31 déc"),
        ("es", "Otra parte, 25,00 €, caduca después y puede utilizarse hasta el 31 de diciembre"),
    ],
)
def test_v7_what_expires_later_has_a_day_of_its_own(locale: str, expected: str) -> None:
    text = TEXTS.render(of(CreditExpiring, 3), locale=locale, zone="UTC")
    assert expected in text.body.replace("\xa0", " ")
    assert "50,00" not in text.subject + text.body


def test_v7_lots_of_one_last_day_are_one_amount() -> None:
    message: CreditExpiring = of(CreditExpiring, 3)
    same = [attrs.evolve(part, expires_at=message.expires_at) for part in message.parts]
    text = TEXTS.render(attrs.evolve(message, parts=tuple(same)), locale="en-GB", zone="UTC")
    assert text.subject == "21 days left to use €50.00"
    assert "Another" not in text.body


# --- Plurals, units, amounts --------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "days", "expected"),
    [
        ("en", 1, "1 day left"),
        ("en", 2, "2 days left"),
        ("de", 1, "Noch 1 Tag für"),
        ("de", 11, "Noch 11 Tage für"),
        ("fr", 1, "Plus que 1 jour pour"),
        ("fr", 2, "Plus que 2 jours pour"),
        ("es", 1, "Queda 1 día para"),
        ("es", 2, "Quedan 2 días para"),
    ],
)
def test_days_are_counted_as_the_language_counts(locale: str, days: int, expected: str) -> None:
    end = datetime(2027, 1, 1, tzinfo=UTC)
    message = expiring(end, at=end - timedelta(days=days, hours=12))
    assert expected in TEXTS.render(message, locale=locale, zone="UTC").subject


POINTS = CustomUnit("PTS", 0, name="Points")
MILES = CustomUnit("MILES", 1)
NAMES: Any = {
    "PTS": {
        "en": {"one": "point", "other": "points"},
        "de": {"one": "Punkt", "other": "Punkte"},
        "de-CH": "Pünktli",
        "pl": {"one": "punkt", "few": "punkty", "many": "punktów", "other": "punktu"},
        "fr": {"one": "point", "other": "points"},
    }
}


@pytest.mark.parametrize(
    ("locale", "minor", "expected"),
    [
        ("en", 1, "1 point"),
        ("en-US", 1500, "1,500 points"),
        ("de-AT", 1, "1 Punkt"),
        ("de", 1500, "1.500 Punkte"),
        ("de-CH", 1, "1 Pünktli"),
        ("fr", 0, "0 point"),
        ("fr", 2, "2 points"),
        # No name in Spanish: the unit's own.
        ("es", 1, "1 Points"),
        ("pl", 1, "1 punkt"),
        ("pl", 3, "3 punkty"),
        ("pl", 5, "5 punktów"),
    ],
)
def test_a_custom_unit_has_the_name_that_goes_with_the_number(
    locale: str, minor: int, expected: str
) -> None:
    texts = Texts(unit_names=NAMES, templates={"pl/credit_used": "Subject: {{ amount }}\n\nx"})
    amount = Money.of_minor(minor, POINTS)
    used = attrs.evolve(of(CreditUsed, 1), amount=amount, owed=Money.zero(POINTS))
    subject = texts.render(used, locale=locale, zone="UTC").subject
    assert expected in subject.replace("\u202f", " ").replace(NBSP, " ")


def test_a_unit_without_names_is_written_by_its_code() -> None:
    used = attrs.evolve(of(CreditUsed, 1), amount=Money.of("2.5", MILES), owed=Money.zero(MILES))
    assert TEXTS.render(used, locale="de", zone="UTC").subject == "Sie haben 2,5 MILES eingelöst"


@pytest.mark.parametrize(
    "names",
    [
        7,
        {7: {"en": "points"}},
        {"PTS": "points"},
        {"PTS": {"en": {"one": "point"}}},
        {"PTS": {"en": {"other": ""}}},
        {"PTS": {"en": 7}},
    ],
)
def test_names_of_units_of_another_form_are_refused(names: Any) -> None:
    with pytest.raises(InvalidTerms):
        Texts(unit_names=names)


def test_names_of_units_in_a_locale_that_is_none_are_refused() -> None:
    with pytest.raises(UnknownLocale):
        Texts(unit_names={"PTS": {"klingon": "points"}})


# --- Locales ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "default", "found", "amount"),
    [
        ("de-AT", "en", "de", "€ 25,00"),
        ("en-GB", "de", "en", "€25.00"),
        # No template in the language: everything as the default writes it.
        ("ja", "en", "en", "€25.00"),
        ("ja", "de", "de", "25,00 €"),
        ("pl-PL", "fr-CA", "fr", "25,00 €"),
        # Nor in the default's.
        ("ja", "ko", "en", "€25.00"),
    ],
)
def test_the_most_special_template_is_found_and_words_and_numbers_go_together(
    locale: str, default: str, found: str, amount: str
) -> None:
    text = Texts(default_locale=default).render(of(CreditUsed, 1), locale=locale, zone="UTC")
    assert text.locale == found
    assert amount in said(text)


def test_a_host_replaces_one_kind_in_one_locale_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "de-AT").mkdir()
    (tmp_path / "de-AT" / "credit_used.txt").write_text(
        "Subject: Danke, {{ more.name }}!\n\nBezahlt: {{ amount }}\n", encoding="utf-8"
    )
    texts = Texts(templates=tmp_path)
    more = {"name": "Jörg"}
    own = texts.render(of(CreditUsed), locale="de_AT", zone="UTC", more=more)
    assert (own.locale, own.subject) == ("de_AT", "Danke, Jörg!")
    assert own.body == "Bezahlt: €\N{NO-BREAK SPACE}25,00\n"
    assert texts.render(of(CreditUsed), locale="de", zone="UTC").locale == "de"
    assert texts.render(of(CreditIssued), locale="de_AT", zone="UTC").locale == "de"
    assert texts.locales == ("de", "de_AT", "en", "es", "fr")
    assert texts.check(more=more) == ()
    by_text = Texts(templates=str(tmp_path))
    assert by_text.render(of(CreditUsed), locale="de_AT", zone="UTC", more=more) == own


def test_a_script_is_kept_apart() -> None:
    source = "Subject: {{ amount }}\n\n{{ amount }}"
    texts = Texts(templates={"zh-Hant/credit_used": source})
    assert texts.render(of(CreditUsed), locale="zh-TW", zone="UTC").locale == "zh_Hant"
    assert texts.render(of(CreditUsed), locale="zh-CN", zone="UTC").locale == "en"


# --- What a host may get wrong ------------------------------------------------------------


def test_arguments_that_cannot_be_are_refused() -> None:
    used = of(CreditUsed)
    with pytest.raises(UnknownLocale):
        TEXTS.render(used, locale="klingon", zone="UTC")
    with pytest.raises(UnknownLocale):
        TEXTS.render(used, locale=None, zone="UTC")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(UnknownLocale):
        Texts(default_locale="klingon")
    for endless in ("de@" + "a" * 300, "de@../../x"):
        with pytest.raises(UnknownLocale):
            TEXTS.render(used, locale=endless, zone="UTC")
        with pytest.raises(UnknownLocale):
            Texts(default_locale=endless)
    with pytest.raises(InvalidTerms, match="a folder, or a mapping"):
        Texts(templates="x" * 300)
    with pytest.raises(UnknownZone):
        TEXTS.render(used, locale="en", zone="Berlin")
    for more in (None, {"shop": 7}, {7: "shop"}, "shop"):
        with pytest.raises(InvalidTerms):
            TEXTS.render(used, locale="en", zone="UTC", more=more)  # type: ignore[arg-type]  # on purpose
    nothing: Any = None
    for message in (nothing, used.to_json()):
        with pytest.raises(InvalidTerms):
            TEXTS.render(message, locale="en", zone="UTC")
    for templates in (7, "no such folder", {7: "x"}, {"de/credit_used": 7}):
        with pytest.raises(InvalidTerms):
            Texts(templates=templates)  # type: ignore[arg-type]  # on purpose


def test_a_code_that_is_not_known_any_more_cannot_be_told() -> None:
    with pytest.raises(InvalidTerms) as caught:
        TEXTS.render(attrs.evolve(of(ClaimCodeCreated), code=None), locale="en", zone="UTC")
    assert caught.value.field == "code"


# --- Values and their table ---------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_a_template_is_given_what_the_table_says_and_nothing_else(number: int) -> None:
    message = SAMPLES[number]
    values = Wording(locale_named("en"), "UTC", {}).values(message)
    assert set(values) == {*OF_ALL, *VARIABLES[message.kind]}
    for name, value in values.items():
        assert value is None or isinstance(value, str | int), name


# --- Without the extra --------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules["jinja2"] = None
from storecredit.messages import Texts, sample_messages
from storecredit.errors import TextsNotInstalled
assert sample_messages()[0].to_json()
try:
    Texts()
except TextsNotInstalled as error:
    print(error)
"""


def test_a_part_of_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "storecredit.messages._templates")
    monkeypatch.delattr(messages, "_templates")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "jinja2", None)
        with pytest.raises(TextsNotInstalled) as caught:
            Texts()
        assert caught.value.missing == "jinja2"
    # What is missing otherwise is no matter of the extra.
    monkeypatch.setitem(sys.modules, "difflib", None)
    with pytest.raises(ModuleNotFoundError, match="difflib"):
        Texts()


def test_an_installation_without_its_templates_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(texts_module, "_packaged", lambda: tmp_path)
    with pytest.raises(TemplateFailed, match="missing from the installation"):
        Texts().render(SAMPLES[0], locale="de", zone="UTC")


def test_without_the_extra_payloads_work_and_texts_say_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    assert done.stdout.strip() == str(TextsNotInstalled("jinja2"))
    assert 'pip install "storecredit[messages]"' in done.stdout
