"""The verbs of claim codes: issue, open, claim, revoke, reissue, list (A15)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Unpack

import attrs

from storecredit.claims import (
    KIND,
    RANDOM_BYTES,
    Claim,
    ClaimFact,
    ClaimRules,
    ClaimState,
    ClaimStep,
    RevokeCode,
    claim_id,
    code_holder,
    make_code,
    require_registered,
)
from storecredit.errors import (
    ClaimRulesMissing,
    InvalidKey,
    KeyReused,
    ReasonAndActorRequired,
    RefusalError,
    UnknownCode,
)
from storecredit.ledger import (
    Account,
    Expiry,
    Funding,
    Held,
    Limits,
    require_key,
    require_text,
    wallet_of,
)
from storecredit.ledger.arguments import one_of
from storecredit.service._claim_desk import ClaimDesk, Looked, Shown, Told, record_of
from storecredit.service._door import Asked, Loaded
from storecredit.service._giving import Giving, Grant
from storecredit.service._pairing import Pairing
from storecredit.service.about import About
from storecredit.service.codes import ClaimedCode, IssuedCode, OpenedCode
from storecredit.service.receipts import Receipt, TransferReceipt
from storecredit.service.wallet import WalletView
from storecredit.storage.protocols import Reader, Record, UnitOfWork
from storecredit.values import AnyMoney, Money, Period, instant

LONGEST_KEY: Final = 160
"""The longest key of a claim, or of a step of a code, in characters: its entries add to it."""
_PAGE: Final = 200


class Claiming(Giving, Pairing):
    """Issue, open, claim, revoke, reissue, list."""

    def issue_code(
        self,
        amount: AnyMoney,
        *,
        funding: Funding | str,
        key: str,
        expires: Expiry = None,
        effective: Period | datetime | None = None,
        limits: Limits | None = None,
        paid: AnyMoney | None = None,
        reserved_for: str | None = None,
        **about: Unpack[About],
    ) -> IssuedCode:
        """
        Give value to whoever has a code: to a guest, or as a gift (A15).

        The value is in an ordinary account, whose holder is named after the code's id. So holds,
        expiry, restores and reports work as everywhere.

        Args:
            amount: Positive.

            funding: Who paid for it (A11).

            key: Names this request at this merchant; repeating it is safe, and shows no code.

            expires: After a period, at the end of a day, at an instant, or never.

            effective: From when it counts; a period counts from now.

            limits: Where it may be used; None for everywhere. They stay with the value.

            paid: What the giver paid, for bought value.

            reserved_for: The one holder who may open and claim it; None for whoever has it.

            about: See `About`.

        Raises:
            ClaimRulesMissing: The service has no keys for codes.
            InvalidKey, InvalidText: The key, or whom it is for.
            KeyReused: The key names another request.
            FutureInstant: ``at`` is ahead of the clock.
            AmountNotPositive, UnitWithdrawn, InvalidTerms, ExpiryTooEarly, CeilingReached: As
                `issue`.
        """
        rules = self._claim_rules("issue a code")
        grant = Grant(
            holder=code_holder(claim_id(self.merchant.id, require_step_key(key))),
            amount=amount,
            funding=funding,
            key=key,
            expires=expires,
            effective=effective,
            limits=limits,
            paid=paid,
        )
        asked = self._ask(self._issue(grant), key, about)
        meant = None
        if reserved_for is not None:
            meant = require_registered("reserved_for", require_text("reserved_for", reserved_for))
        code = make_code(self._random_bytes(RANDOM_BYTES))
        digest = rules.keys.digest(self.merchant.id, code)

        def work(tx: UnitOfWork) -> IssuedCode:
            claim, receipt = self._issue_or_find(tx, grant, asked, meant, digest)
            # An attempt whose commit nobody was told of has shown the code to nobody either.
            is_ours = claim.digest == digest
            return IssuedCode(
                claim=claim,
                code=code if is_ours else None,
                worth=receipt.amount,
                expires_at=_expiry_of(receipt),
                receipt=receipt,
                replayed=not is_ours,
            )

        return self._write(work)

    def open_code(self, code: str, *, caller: str, holder: str | None = None) -> OpenedCode:
        """
        Look what a code is worth, and let its bearer spend from it in this request (A15).

        Spend with `redeem`, `hold` or `tender`, naming the holder that is returned. Open the code
        again in the next request: it may be claimed or revoked by then.

        Args:
            code: As it was typed: case, spaces, dashes and look-alikes are forgiven.

            caller: Who tries, for the throttle: a session, an address. Only a digest is kept.

            holder: Who is logged in, where the code may be reserved for somebody.

        Raises:
            ClaimRulesMissing: The service has no keys for codes.
            InvalidText: The caller or the holder.
            CodeMistyped: It is no code; nothing was looked up.
            ClaimFailed: It cannot be used; its ``reason`` is for the host alone.
        """
        rules = self._claim_rules("open a code")
        named = None if holder is None else require_text("holder", holder)
        at = instant(self._clock())
        desk = ClaimDesk(self, rules, code, Shown(caller=caller, holder=named, key=None, at=at))

        def work(tx: UnitOfWork) -> Looked:
            looked = desk.look(tx)
            if looked.reason is not None:
                desk.note(tx, looked)
            return looked

        looked = self._write(work)
        if looked.reason is not None or looked.row is None:
            raise desk.failed(looked, None)
        claim = Claim.from_json(looked.row.body)
        views = tuple(self._view(account, at) for account in looked.accounts)
        wallet = WalletView(holder=claim.holder, at=at, accounts=views)
        return OpenedCode(id=claim.id, holder=claim.holder, wallet=wallet)

    def claim(
        self, code: str, holder: str, *, key: str, caller: str, **about: Unpack[About]
    ) -> ClaimedCode:
        """
        Move everything that a code is the bearer of to *holder*, once (A15).

        Every lot goes, also what is pending or limited, with its funding, terms, expiry and
        origin. What orders took before comes back to *holder* when they are refunded.

        Args:
            code: As it was typed: case, spaces, dashes and look-alikes are forgiven.

            holder: The registered holder who gets it; an account is opened if there is none.

            key: Names this request of this code; repeating it is safe (A12).

            caller: Who tries, for the throttle: a session, an address. Only a digest is kept.

            about: See `About`; both entries carry it.

        Raises:
            ClaimRulesMissing: The service has no keys for codes.
            InvalidKey, InvalidText, NaiveInstant: The request.
            CodeMistyped: It is no code; nothing was looked up.
            FutureInstant: ``at`` is ahead of the clock.
            KeyReused: *holder* has claimed it under this key, with another reference for example.
            ClaimFailed: It cannot be claimed; its ``reason`` is for the host alone.
        """
        rules = self._claim_rules("claim a code")
        require_registered("holder", require_text("holder", holder))
        told = Told.of(f"~claim:{require_step_key(key)}", about)
        at = self._instant(told.at)
        desk = ClaimDesk(self, rules, code, Shown(caller=caller, holder=holder, key=key, at=at))

        def work(tx: UnitOfWork) -> tuple[Looked, tuple[TransferReceipt, ...], RefusalError | None]:
            looked, refusal = desk.look(tx), None
            if looked.is_repeat:
                return looked, desk.again(tx, looked, told), None
            if looked.reason is None:
                try:
                    return looked, desk.claim(tx, looked, told), None
                except RefusalError as refused:
                    refusal = refused
            desk.note(tx, looked)
            return looked, (), refusal

        looked, receipts, refusal = self._write(work)
        if not receipts or looked.row is None:
            raise desk.failed(looked, refusal)
        return ClaimedCode(id=looked.row.id, holder=holder, transfers=receipts)

    def revoke_code(
        self,
        code_id: str,
        *,
        key: str,
        held: Held | str = Held.REFUSE,
        **about: Unpack[About],
    ) -> tuple[Receipt, ...]:
        """
        Let a code be dead, and take back what is left of its value (A8, A15).

        What was spent stays spent. If it is restored later, it is in the account of the code:
        `reissue_code` gives it a bearer again.

        Args:
            code_id: The code's id, from `issue_code` or `codes`.

            key: Names this request.

            held: ``refuse`` while an order holds a part, or take ``unheld_only``.

            about: See `About`; actor and reason are required (A10).

        Returns:
            A receipt for each unit that there was: one, unless somebody has converted.

        Raises:
            InvalidKey, InvalidText, InvalidTerms, FutureInstant: The request.
            UnknownCode: This merchant has issued no such code.
            KeyReused: The key names another request.
            CodeStepRefused: It was claimed, revoked or replaced.
            ReasonAndActorRequired, AccountFrozen, AccountClosed, LotHeld: As `RevokeCode`.
        """
        told = Told.of(f"~revoke-code:{require_step_key(key)}", about)
        asked = told.asking(RevokeCode(code=require_text("code_id", code_id), held=held))

        def work(tx: UnitOfWork) -> tuple[Receipt, ...]:
            row, claim = self._code(tx, code_id)
            accounts = tx.accounts_of(self.merchant.id, wallet_of(claim.account))
            if claim.was_taken(ClaimStep.REVOKE, key):
                # What was opened since is no part of what was revoked.
                accounts = [each for each in accounts if tx.entry_by_key(each, asked.key)]
            else:
                claim.require(ClaimStep.REVOKE)
            tx.lock(sorted(account.id for account in accounts))
            receipts = tuple(self._revoke_in(tx, account, asked) for account in accounts)
            if not claim.was_taken(ClaimStep.REVOKE, key):
                fact = ClaimFact(
                    step=ClaimStep.REVOKE,
                    key=key,
                    at=receipts[0].entry.at,
                    entries=tuple(receipt.entry_id for receipt in receipts),
                    reason=asked.context.reason,
                )
                version = row.version + 1
                tx.put(record_of(self.merchant.id, claim.take(fact), version=version))
            return tuple(receipt for receipt in receipts if receipt.changed)

        return self._write(work)

    def reissue_code(
        self,
        code_id: str,
        *,
        key: str,
        **about: Unpack[About],
    ) -> IssuedCode:
        """
        Make a new code the bearer of the same account; the old one is dead (A15).

        For a code that was lost, or seen by somebody else. What orders hold stays held.

        Args:
            code_id: The id of the code that is replaced.

            key: Names this request; repeating it is safe, and shows no code.

            about: See `About`; actor and reason are required (A10), and kept in the record for
                good.

        Raises:
            ClaimRulesMissing: The service has no keys for codes.
            InvalidKey, InvalidText, NaiveInstant, FutureInstant: The request.
            ReasonAndActorRequired: Nobody answers for it.
            UnknownCode: This merchant has issued no such code.
            KeyReused: The key was used with another reason.
            CodeStepRefused: It was claimed, or replaced before.
        """
        rules = self._claim_rules("reissue a code")
        told = Told.of(require_step_key(key), about)
        context = told.context
        if context.actor is None or context.reason is None:
            raise ReasonAndActorRequired("reissue a claim code")
        at = self._instant(told.at)
        code = make_code(self._random_bytes(RANDOM_BYTES))
        digest = rules.keys.digest(self.merchant.id, code)

        def work(tx: UnitOfWork) -> IssuedCode:
            row, old = self._code(tx, require_text("code_id", code_id))
            name = claim_id(self.merchant.id, code_id, key)
            if old.was_taken(ClaimStep.REISSUE, key):
                first = old.fact(ClaimStep.REISSUE)
                if first is not None and first.reason != context.reason:
                    raise KeyReused(key, "reason", first.reason, context.reason)
                _, new = self._code(tx, name)
            else:
                fact = ClaimFact(
                    step=ClaimStep.REISSUE,
                    key=key,
                    at=at,
                    to=name,
                    actor=context.actor,
                    reason=context.reason,
                )
                new = attrs.evolve(
                    old,
                    id=name,
                    digest=digest,
                    state=ClaimState.OPEN,
                    reissues=old.reissues + 1,
                    facts=(ClaimFact(step=ClaimStep.ISSUE, key=key, at=at),),
                )
                tx.put(record_of(self.merchant.id, old.take(fact), version=row.version + 1))
                tx.put(record_of(self.merchant.id, new, version=1))
            is_ours = new.digest == digest
            worth, expires_at = self._worth_of(tx, new, at)
            return IssuedCode(
                claim=new,
                code=code if is_ours else None,
                worth=worth,
                expires_at=expires_at,
                replayed=not is_ours,
            )

        return self._write(work)

    def code(self, code_id: str) -> Claim:
        """
        Return what is known of the code with that id: everything but the code.

        Raises:
            InvalidText: The id.
            UnknownCode: This merchant has issued no such code.
        """
        with self.storage.snapshot() as reader:
            return self._code(reader, require_text("code_id", code_id))[1]

    def codes(self, *, state: ClaimState | str | None = None) -> Iterator[Claim]:
        """
        Yield what is known of all codes, or of those in one state, by id: for the host.

        Raises:
            InvalidTerms: There is no such state.
        """
        wanted = None if state is None else one_of(ClaimState, "state", state)
        reference = None if wanted is None else ("state", wanted.value)
        after = ""
        while True:
            with self.storage.snapshot() as reader:
                rows = reader.records(
                    self.merchant.id, KIND, reference=reference, after=after, limit=_PAGE
                )
            yield from (Claim.from_json(row.body) for row in rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1].id

    # What they share

    def _claim_rules(self, verb: str) -> ClaimRules:
        if self._claims is None:
            raise ClaimRulesMissing(verb)
        return self._claims

    def _code(self, reader: Reader, name: str) -> tuple[Record, Claim]:
        row = reader.record(self.merchant.id, KIND, name)
        if row is None:
            raise UnknownCode(name)
        return row, Claim.from_json(row.body)

    def _issue_or_find(
        self, tx: UnitOfWork, grant: Grant, asked: Asked, reserved_for: str | None, digest: str
    ) -> tuple[Claim, Receipt]:
        """Answer a repeat, or issue to a wallet of its own, which nothing but this opens."""
        merchant, key = self.merchant.id, asked.key
        name = claim_id(merchant, key)
        row = tx.record(merchant, KIND, name)
        if row is not None:
            claim = Claim.from_json(row.body)
            account = self._by_id(tx, claim.account)
            again = Loaded(account, tx.entry_by_key(account, key))
            receipt = self._do(tx, again, asked)
            if claim.reserved_for != reserved_for:
                raise KeyReused(key, "reserved_for", claim.reserved_for, reserved_for)
            return claim, receipt
        opens = self._new_wallet(grant.holder)
        account = self._account_in(opens, self._money(grant.amount).unit)
        receipt = self._do(tx, Loaded(account, None, opens), asked)
        issued = ClaimFact(
            step=ClaimStep.ISSUE, key=key, at=receipt.entry.at, entries=(receipt.entry_id,)
        )
        claim = Claim(
            id=name,
            digest=digest,
            holder=grant.holder,
            account=account.id,
            reserved_for=reserved_for,
            facts=(issued,),
        )
        tx.put(record_of(merchant, claim, version=1))
        return claim, receipt

    def _revoke_in(self, tx: UnitOfWork, seen: Account, asked: Asked) -> Receipt:
        account = self._by_id(tx, seen.id, asked.command.names)
        return self._do(tx, Loaded(account, tx.entry_by_key(account, asked.key)), asked)

    def _worth_of(self, tx: Reader, claim: Claim, at: datetime) -> tuple[Money, datetime | None]:
        seen = self._view(self._by_id(tx, claim.account), at)
        worth = seen.available + seen.limited + seen.held + seen.pending
        return worth, None if seen.next_expiry is None else seen.next_expiry.at


def require_step_key(key: object) -> str:
    """
    Return *key* if a step of a code may be named by it.

    Raises:
        InvalidKey: As `require_key`, and it may have 160 characters.
    """
    found = require_key(key)
    if len(found) > LONGEST_KEY:
        problem = f"has {len(found)} characters, and a claim code's may have {LONGEST_KEY}"
        raise InvalidKey(key, problem)
    return found


def _expiry_of(receipt: Receipt) -> datetime | None:
    terms = [move.terms for move in receipt.moves if move.terms is not None]
    return terms[0].expires_at
