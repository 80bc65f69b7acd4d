"""Claim codes on the command line: `claim-keys`, `refund --claim-keys` for a guest, `reissue`."""

from __future__ import annotations

import base64
import json
import os
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from storecredit import ClaimKeys, ClaimRules, StoreCredit
from storecredit.cli import run as run_command
from storecredit.service.codes import OpenedCode
from storecredit.storage import SQLiteStorage

if TYPE_CHECKING:
    from collections.abc import Callable

    Ran = tuple[int, str, str]
    Run = Callable[..., Ran]

SHOP = """
name = "shop"
version = "1"

[[refund.rules]]
id = "dear"
when = { at_least = "EUR 100.00" }
approval = true

[[refund.rules]]
id = "cheap"
when = { below = "EUR 15.00" }
goods = "keep"

[[refund.rules]]
id = "standard"
offer = ["credit", "money"]
bonus = { percent = 10 }
credit = { expires = "P24M" }
"""
KEY = bytes(range(32))
FORM: dict[str, Any] = {"current": "2026", "keys": {"2026": base64.b64encode(KEY).decode()}}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in a fresh directory with a policy and keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("STORECREDIT_DB", "STORECREDIT_MERCHANT", "STORECREDIT_CLAIM_KEYS"):
        monkeypatch.delenv(name, raising=False)
    Path("shop.toml").write_text(SHOP, encoding="utf-8")
    Path("keys.json").write_text(json.dumps(FORM), encoding="utf-8")

    def ran(*arguments: object) -> Ran:
        status = run_command([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return ran


@pytest.fixture
def codes(run: Run) -> Callable[..., Any]:
    """Run a refund with --json and return the codes that it tells."""

    def ran(*arguments: object) -> Any:
        status, out, err = run(*arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)["case"]["codes"]

    return ran


KEYS = ("--claim-keys", "keys.json")
ASK = ("refund", "1=10.00", "--unit", "EUR", "--policy", "shop.toml", "--key", "r-1")
GUEST = (*ASK, "--choose", "credit", "--at", "2026-03-05T10:00:00Z")
AGAIN = ("--key", "again", "--actor", "lee", "--reason", "mail bounced")
WITHOUT_KEYS = (
    "The refund case r-1 gives credit to a guest, as a claim code, and there are no keys for it. "
    "The same command with --claim-keys FILE goes on; `storecredit claim-keys FILE` makes such a "
    "file.\n"
)


def opened(code: str, *, ring: ClaimKeys | None = None) -> OpenedCode:
    """Open a code with the keys, as a checkout does."""
    storage = SQLiteStorage("storecredit.db")
    rules = ClaimRules(keys=ring or ClaimKeys(current="2026", keys={"2026": KEY}))
    try:
        return StoreCredit(storage, "shop", claims=rules).open_code(code, caller="session 1")
    finally:
        storage.close()


def if_lost(code_id: str) -> str:
    """What a repeat says that cannot show the code again."""
    return (
        f"If it was lost: storecredit reissue {code_id} --key KEY --actor NAME --reason WHY"
        " --claim-keys FILE"
    )


def after_the_case(out: str) -> list[str]:
    """What is printed from the line about the case on."""
    lines = out.splitlines()
    (begin,) = (place for place, line in enumerate(lines) if line.startswith("Case r-1 is "))
    return lines[begin:]


# --- A guest's refund --------------------------------------------------------------------


def test_a15_credit_for_a_guest_is_a_code_that_is_printed_once(run: Run) -> None:
    status, out, err = run(*GUEST, *KEYS)
    assert (status, err) == (0, "")
    lines = after_the_case(out)
    code, code_id = lines[3].split(": ")[1], lines[4].split()[-1].rstrip(".")
    assert lines == [
        "Case r-1 is completed.",
        "  EUR 10.00 of store credit. (done)",
        "  EUR 1.00 of store credit on top, as a bonus. (done)",
        f"Claim code, worth EUR 11.00: {code}",
        f"It is shown this once. Its id, which opens nothing, is {code_id}.",
    ]
    found = opened(code)
    assert (found.id, str(found.wallet.available)) == (code_id, "EUR 11.00")
    status, out, err = run(*GUEST, *KEYS)
    assert (status, err) == (0, "")
    assert code not in out
    assert after_the_case(out) == [
        "Case r-1 is completed. It was there before; nothing was done twice.",
        "  EUR 10.00 of store credit. (done)",
        "  EUR 1.00 of store credit on top, as a bonus. (done)",
        f"The claim code {code_id} was shown before, and nobody can show it again.",
        if_lost(code_id),
    ]
    assert run(*GUEST) == (0, out, "")  # a repeat makes no code, and needs no keys


def test_a15_programs_read_the_code_once(codes: Callable[..., Any]) -> None:
    (first,) = codes(*GUEST, *KEYS)
    assert first == {
        "id": opened(first["code"]).id,
        "code": first["code"],
        "state": "open",
        "worth": {"amount": "11.00", "unit": "EUR"},
        "expires_at": "2028-03-05T10:00:00.000000Z",
    }
    hidden = {"code": None, "worth": None, "expires_at": None}
    assert codes(*GUEST, *KEYS) == [{**first, **hidden}]


def test_a15_a_registered_holder_gets_no_code(codes: Callable[..., Any], run: Run) -> None:
    assert codes(*GUEST, "--holder", "ann", *KEYS) == []
    assert "laim code" not in run(*GUEST, "--holder", "ann", *KEYS)[1]
    assert codes(*ASK[:-1], "r-2", "--choose", "money", *KEYS) == []


def test_a15_what_became_of_a_code_is_told(run: Run, codes: Callable[..., Any]) -> None:
    (first,) = codes(*GUEST, *KEYS)
    storage = SQLiteStorage("storecredit.db")
    rules = ClaimRules(keys=ClaimKeys(current="2026", keys={"2026": KEY}))
    credit = StoreCredit(storage, "shop", claims=rules)
    credit.claim(first["code"], "ann", key="c", caller="session 1")
    storage.close()
    assert after_the_case(run(*GUEST)[1])[-1] == f"The claim code {first['id']} is claimed."
    assert [each["state"] for each in codes(*GUEST)] == ["claimed"]


# --- Without keys ------------------------------------------------------------------------


def test_a15_without_keys_nothing_is_done_and_the_same_command_with_them_goes_on(
    run: Run, codes: Callable[..., Any]
) -> None:
    assert run(*GUEST) == (1, "", WITHOUT_KEYS)
    assert run(*GUEST, "--dry-run")[0] == 0
    assert len(codes(*GUEST, *KEYS)) == 1


def test_a15_keys_are_needed_only_when_the_credit_is_given(
    run: Run, codes: Callable[..., Any]
) -> None:
    dear = ("refund", "1=120.00", *GUEST[2:])
    assert after_the_case(run(*dear, "--received")[1])[0] == "Case r-1 is requested."
    assert after_the_case(run(*dear, "--approved-by", "eve")[1])[0] == "Case r-1 is approved."
    assert run(*dear, "--received") == (1, "", WITHOUT_KEYS)
    assert after_the_case(run(*dear)[1])[0].startswith("Case r-1 is approved.")  # not received
    ((given),) = codes(*dear, "--received", *KEYS)
    assert given["worth"] == {"amount": "132.00", "unit": "EUR"}


# --- Lost codes --------------------------------------------------------------------------


def test_a15_a_lost_code_is_replaced_and_the_old_one_is_dead(
    run: Run, codes: Callable[..., Any]
) -> None:
    (first,) = codes(*GUEST, *KEYS)
    status, out, err = run("reissue", first["id"], *AGAIN, *KEYS)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    code, code_id = lines[0].split(": ")[1], lines[1].split()[-1].rstrip(".")
    assert lines == [
        f"Claim code, worth EUR 11.00: {code}",
        f"It is shown this once. Its id, which opens nothing, is {code_id}.",
    ]
    assert code_id != first["id"]
    assert str(opened(code).wallet.available) == "EUR 11.00"
    status, out, err = run("reissue", first["id"], *AGAIN, *KEYS)
    assert (status, err) == (0, "")
    shown_before = [
        f"The claim code {code_id} was shown before, and nobody can show it again.",
        if_lost(code_id),
    ]
    assert out.splitlines() == shown_before
    assert after_the_case(run(*GUEST)[1])[-2:] == shown_before
    status, out, _ = run("reissue", first["id"], *AGAIN, *KEYS, "--json")
    assert json.loads(out) == {
        "id": code_id,
        "code": None,
        "state": "open",
        "worth": {"amount": "11.00", "unit": "EUR"},
        "expires_at": "2028-03-05T10:00:00.000000Z",
    }
    status, out, err = run("reissue", first["id"], *AGAIN[2:], "--key", "other", *KEYS)
    assert (status, out) == (1, "")
    assert err.startswith(f"Cannot reissue code {first['id']}: it is replaced")


def test_a10_somebody_answers_for_another_code(run: Run, codes: Callable[..., Any]) -> None:
    (first,) = codes(*GUEST, *KEYS)
    for missing in ("--key", "--actor", "--reason"):
        place = AGAIN.index(missing)
        status, out, err = run("reissue", first["id"], *AGAIN[:place], *AGAIN[place + 2 :], *KEYS)
        assert (status, out) == (2, "")
        assert missing in err
    status, out, err = run("reissue", first["id"], *AGAIN)
    assert (status, out) == (2, "")
    assert "--claim-keys" in err


def test_a15_a_code_in_place_of_its_id_is_in_no_message(
    run: Run, codes: Callable[..., Any]
) -> None:
    (first,) = codes(*GUEST, *KEYS)
    status, out, err = run("reissue", first["code"], *AGAIN, *KEYS)
    assert (status, out) == (2, "")
    assert err == (
        "This merchant has issued no claim code with that id. Pass the id that issue_code() or "
        "codes() returned; it is not the code itself.\n"
    )


# --- Files of keys -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["new.json", "new.toml", "new.TOML"])
def test_a15_a_new_file_of_keys_is_one_that_is_read(
    run: Run, codes: Callable[..., Any], name: str
) -> None:
    status, out, err = run("claim-keys", name, "--id", 'spring "1" ä')
    assert (status, err) == (0, "")
    assert out == (
        f'Wrote a new key, spring "1" ä, to {name}. '
        "Keep it secret, and keep it: its codes need it.\n"
    )
    text = Path(name).read_text(encoding="utf-8")
    form = json.loads(text) if name == "new.json" else tomllib.loads(text)
    assert (form["current"], list(form["keys"])) == ('spring "1" ä', ['spring "1" ä'])
    key = base64.b64decode(form["keys"][form["current"]], validate=True)
    assert len(key) == 32
    if os.name == "posix":
        assert Path(name).stat().st_mode & 0o777 == 0o600
    (given,) = codes(*GUEST, "--claim-keys", name)
    ring = ClaimKeys(current=form["current"], keys={form["current"]: key})
    assert opened(given["code"], ring=ring).id == given["id"]


def test_a15_keys_are_named_by_the_year_random_and_never_written_over(run: Run) -> None:
    years = {str(datetime.now(UTC).year)}
    assert run("claim-keys", "one.json")[0] == run("claim-keys", "two.json")[0] == 0
    years |= {str(datetime.now(UTC).year)}
    one, two = (json.loads(Path(each).read_bytes()) for each in ("one.json", "two.json"))
    assert {one["current"], two["current"]} <= years
    assert list(one["keys"].values()) != list(two["keys"].values())
    assert run("claim-keys", "one.json") == (
        2,
        "",
        "one.json is there already. Name a new file.\n",
    )
    assert json.loads(Path("one.json").read_bytes()) == one
    assert run("claim-keys", "keys.txt") == (
        2,
        "",
        "The name of a file of claim keys ends in .json or .toml.\n",
    )
    status, out, err = run("claim-keys", "none/keys.json")
    assert (status, out, err) == (2, "", "Cannot use none/keys.json: No such file or directory.\n")
    assert run("claim-keys", "three.json", "--id", "a:b")[0] == 2
    assert not Path("three.json").exists()


@pytest.mark.parametrize(
    "written",
    [
        base64.b64encode(KEY).decode(),
        base64.b64encode(KEY).decode().rstrip("="),
        base64.urlsafe_b64encode(bytes(range(224, 256))).decode(),
        KEY.hex(),
        KEY.hex().upper(),
        f" {KEY.hex()}\n",
    ],
)
def test_a15_a_key_is_hexadecimal_or_base64(
    codes: Callable[..., Any], written: str, run: Run
) -> None:
    form = {"current": "a", "keys": {"old": "0" * 64, "a": written}}
    Path("keys.json").write_text(json.dumps(form), encoding="utf-8-sig")
    (given,) = codes(*GUEST, *KEYS)
    key = bytes(range(224, 256)) if "_" in written else KEY
    ring = ClaimKeys(current="a", keys={"a": key})
    assert opened(given["code"], ring=ring).id == given["id"]
    assert run(*GUEST, *KEYS)[0] == 0


def test_the_environment_may_name_the_file(
    codes: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORECREDIT_CLAIM_KEYS", "keys.json")
    (given,) = codes(*GUEST)
    assert str(opened(given["code"]).wallet.available) == "EUR 11.00"


SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
WANTED = 'it has to have the form {"current": ID, "keys": {ID: KEY, ...}}, and nothing else'
NO_TEXT = "key 1 of 1 has to be a text in hexadecimal or base64"
NO_ID = "the id of key 1 of 1 has to be a text of 1 to 32 characters, no colon"
NO_CURRENT = "current has to be the id of one of its keys, as a text"


def ring_of(current: object, **keys: object) -> str:
    """A file of keys as JSON."""
    return json.dumps({"current": current, "keys": keys})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "it is not JSON, or has a name twice (line 1)"),
        (f'{{\n"current": {SECRET}\n}}', "it is not JSON, or has a name twice (line 2)"),
        (f'{{"{SECRET}": "a", "{SECRET}": "b"}}', "it is not JSON, or has a name twice"),
        ("[" * 60_000, "it is not JSON, or has a name twice"),
        ("1" * 6_000, "it is not JSON, or has a name twice"),
        (" " * 70_000, "it has more than 65,536 bytes"),
        ("[]", WANTED),
        ("{}", WANTED),
        (f'{{"current": "a", "keys": {{"a": "{SECRET}"}}, "more": 1}}', WANTED),
        (f'{{"current": "a", "keys": "{SECRET}"}}', WANTED),
        (ring_of("a"), WANTED),
        (ring_of("a", a=12345678901234567890), NO_TEXT),
        (ring_of("a", a=None), NO_TEXT),
        (ring_of("a", a=f"{SECRET}!"), NO_TEXT),
        (ring_of("a", a=f"{SECRET}ü"), NO_TEXT),
        (ring_of("a", a="0" * 65), NO_TEXT),  # base64 could be read of it
        (ring_of("a", a="A" * 41 + "="), NO_TEXT),  # no base64 is of one symbol more than forty
        (ring_of("a", a=""), "key 1 of 1 has 0 bytes; it needs 32 random ones or more"),
        (
            ring_of("a", b=SECRET, a="5ec2e7" * 5),
            "key 2 of 2 has 15 bytes; it needs 32 random ones or more",
        ),
        (ring_of("a", **{"": SECRET}), NO_ID),
        (ring_of(SECRET, **{SECRET: SECRET}), NO_ID),
        (ring_of("a", **{"a:b": SECRET}), NO_ID),
        (ring_of(SECRET, a=SECRET), NO_CURRENT),
        (ring_of(["a"], a=SECRET), NO_CURRENT),
        (ring_of(2026, **{"2026": SECRET}), NO_CURRENT),
    ],
)
def test_a15_a_file_without_keys_is_refused_and_nothing_of_it_is_told(
    run: Run, content: str, problem: str
) -> None:
    Path("keys.json").write_text(content, encoding="utf-8")
    assert run(*GUEST, *KEYS) == (2, "", f"keys.json has no claim keys: {problem}.\n")
    assert not Path("storecredit.db").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe", "it is not UTF-8"),
        (b'current = "a"\n[keys]\na = s\n', "it is not TOML, or has a name twice (line 3)"),
        (b"a = 1\na = 2\n", "it is not TOML, or has a name twice (line 2)"),
        (b'current = "a"\nkeys = 2026-01-01\n', WANTED),
        (b'current = "a"\n[keys]\na = 2026-01-01\n', NO_TEXT),
    ],
)
def test_a15_toml_is_read_as_strictly(run: Run, content: bytes, problem: str) -> None:
    Path("keys.toml").write_bytes(content)
    told = run("reissue", "id", *AGAIN, "--claim-keys", "keys.toml")
    assert told == (2, "", f"keys.toml has no claim keys: {problem}.\n")


def test_a_file_that_cannot_be_read_is_named_unless_the_name_may_be_a_key(run: Run) -> None:
    Path("folder.json").mkdir()
    for name, problem in (
        ("none.json", "there is no such file; `storecredit claim-keys FILE` makes one"),
        ("folder.json", "it cannot be read: Is a directory"),
    ):
        told = run(*GUEST, "--claim-keys", name)
        assert told == (2, "", f"{name} has no claim keys: {problem}.\n")
    told = run(*GUEST, "--claim-keys", SECRET)
    assert told == (2, "", "The name of a file of claim keys ends in .json or .toml.\n")
