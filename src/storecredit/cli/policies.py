"""The commands about policy files: `policy check`, `policy explain` and `policy schema`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from storecredit.cli.options import AsJson
from storecredit.cli.outcomes import Status, reporting
from storecredit.cli.printing import say, show_json
from storecredit.errors import PolicyInvalid, PolicyProblem
from storecredit.policies import Policy
from storecredit.policies.policy import SECTIONS
from storecredit.policies.schema import policy_schema
from storecredit.service.policy_file import load_policy

policy: typer.Typer = typer.Typer(
    name="policy",
    help="Check and explain policy files, in TOML or JSON.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

PolicyPath = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A policy, in TOML or JSON.", show_default=False),
]


@policy.command()
def check(*, file: PolicyPath, as_json: AsJson = False) -> None:
    """Check a policy file and name everything that is wrong with it. Exit 2 if something is."""
    with reporting():
        try:
            found = load_policy(file)
        except PolicyInvalid as invalid:
            if not as_json:
                raise
            show_json(_told(file, None, invalid.problems))
            raise typer.Exit(int(Status.MISUSED)) from None
    if as_json:
        show_json(_told(file, found, ()))
    else:
        say(f"{file} is a policy, {found.named}: {_sections(found)}.")


@policy.command()
def explain(*, file: PolicyPath, as_json: AsJson = False) -> None:
    """Say in plain words what a policy does, rule by rule."""
    with reporting():
        found = load_policy(file)
    lines = found.explain().splitlines()
    if as_json:
        show_json({"policy": _named(found), "text": lines})
        return
    for line in lines:
        say(line)


@policy.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for editors and other checkers."""
    show_json(policy_schema())


def _told(file: Path, found: Policy | None, problems: tuple[PolicyProblem, ...]) -> dict[str, Any]:
    return {
        "ok": found is not None,
        "source": str(file),
        "policy": None if found is None else _named(found),
        "problems": [
            {
                "path": problem.path,
                "value": _plain(problem.value),
                "expected": problem.expected,
                "message": str(problem),
            }
            for problem in problems
        ],
    }


def _named(found: Policy) -> dict[str, str]:
    return {"name": found.name, "version": found.version}


def _plain(value: object) -> Any:
    """Return *value* if JSON has it as it is, else its text: a file may hold dates and more."""
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _sections(found: Policy) -> str:
    """Say what the policy has rules for, and how many for returns."""
    said = []
    for section in SECTIONS:
        if getattr(found, section) is None:
            continue
        counts = ""
        if found.refund is not None and section == "refund":
            refund = found.refund
            parts = (
                ("rule", refund.rules),
                ("cash right", refund.cash_rights),
                ("limit", refund.limits),
            )
            named = [
                f"{len(those)} {name}" + "s" * (len(those) > 1) for name, those in parts if those
            ]
            counts = f" ({', '.join(named)})"
        said.append(section + counts)
    return ", ".join(said)
