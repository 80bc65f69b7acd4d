"""Claim codes: shown once, found again without the code, and the command `reissue` (A15)."""

from typing import Annotated, Any

import typer

from storecredit.claims import CODE_HOLDER, Claim, ClaimState, ClaimStep, is_code_holder
from storecredit.cli.claim_keys import NeededClaimKeysFile, claim_rules_from
from storecredit.cli.giving import about_of
from storecredit.cli.ledgers import known_ledger
from storecredit.cli.options import (
    DEFAULT_DATABASE,
    DEFAULT_MERCHANT,
    AsJson,
    At,
    Database,
    Key,
    MerchantId,
)
from storecredit.cli.outcomes import reporting
from storecredit.cli.printing import say, show_json
from storecredit.ledger import account_of
from storecredit.ledger.instants import write_instant
from storecredit.refunds import CaseRecord
from storecredit.service import StoreCredit
from storecredit.service.codes import IssuedCode

CodeId = Annotated[
    str,
    typer.Argument(
        metavar="CODE-ID", help="The id of the code; not the code itself.", show_default=False
    ),
]

AnsweredBy = Annotated[str, typer.Option("--actor", help="Who does it.", show_default=False)]
Why = Annotated[str, typer.Option("--reason", help="Why.", show_default=False)]


def reissue(
    *,
    code: CodeId,
    key: Key,
    claim_keys: NeededClaimKeysFile,
    actor: AnsweredBy,
    reason: Why,
    at: At = None,
    db: Database = DEFAULT_DATABASE,
    merchant: MerchantId = DEFAULT_MERCHANT,
    as_json: AsJson = False,
) -> None:
    """Replace a claim code that was lost, or seen by somebody else; the old one is dead."""
    about = about_of(reference=None, reason=reason, actor=actor, at=at)
    with reporting():
        rules = claim_rules_from(claim_keys)
        with known_ledger(db, merchant, None, claims=rules) as credit:
            issued = credit.reissue_code(code, key=key, **about)
    if as_json:
        show_json(code_json(issued, issued.claim))
    else:
        show_code(issued, issued.claim)


def codes_of(credit: StoreCredit, case: CaseRecord) -> tuple[Claim, ...]:
    """Return what is known of the codes that a case has given, each as it was reissued last."""
    found: list[Claim] = []
    for account_id in dict.fromkeys(account_of(each.lot) for each in case.given):
        with credit.storage.snapshot() as reader:
            account = reader.account_by_id(credit.merchant.id, account_id)
        if account is None or not is_code_holder(account.holder):
            continue
        claim = credit.code(account.holder.removeprefix(CODE_HOLDER))
        while (replaced := claim.fact(ClaimStep.REISSUE)) is not None:
            claim = credit.code(str(replaced.to))
        found.append(claim)
    return tuple(found)


def show_code(issued: IssuedCode | None, claim: Claim) -> None:
    """Print the code, if it is new, and else what became of it."""
    if issued is not None and issued.code is not None:
        say(f"Claim code, worth {issued.worth}: {issued.code}")
        say(f"It is shown this once. Its id, which opens nothing, is {claim.id}.")
    elif claim.state is ClaimState.OPEN:
        say(f"The claim code {claim.id} was shown before, and nobody can show it again.")
        say(
            f"If it was lost: storecredit reissue {claim.id} --key KEY --actor NAME --reason WHY"
            " --claim-keys FILE"
        )
    else:
        say(f"The claim code {claim.id} is {claim.state.value}.")


def code_json(issued: IssuedCode | None, claim: Claim) -> dict[str, Any]:
    """Return a code as JSON data; the code itself is null where it was shown before."""
    expires_at = None if issued is None else issued.expires_at
    return {
        "id": claim.id,
        "code": None if issued is None else issued.code,
        "state": claim.state.value,
        "worth": None if issued is None else issued.worth.to_json(),
        "expires_at": None if expires_at is None else write_instant(expires_at),
    }
