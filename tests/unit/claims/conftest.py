"""A window where codes are sold and shown: what tests of claims have in common."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from storecredit.claims import FAILURES, KIND, ClaimKeys, ClaimReason, ClaimRules
from storecredit.errors import ClaimFailed
from storecredit.ledger import Account, imbalance
from storecredit.service import StoreCredit
from storecredit.service.codes import ClaimedCode, IssuedCode, OpenedCode
from storecredit.storage import MemoryStorage
from storecredit.values import CustomUnit, Money

PTS = CustomUnit("PTS", 0, name="Points")
RING = ClaimKeys(current="new", keys={"old": bytes(range(32)), "new": bytes(range(1, 33))})
WALLETS = itertools.count(1)
"""Of all windows: what one has exported may be imported by another."""
ANSWERS = {"actor": "ann", "reason": "seen by somebody else"}


class Window:
    """
    Codes in dollars of the merchant acme, by the public verbs.

    The verbs here only fill in what most tests do not care about: funding, keys, callers.
    """

    def __init__(self, shop: Any, **rules: Any) -> None:
        self.shop = shop
        self.clock = shop.clock
        self.storage: Any = shop.storage
        self._bytes = itertools.count(1)
        self.rules = ClaimRules(**{"keys": RING, **rules})
        self.credit = self.at(self.storage)

    def at(self, storage: Any, **more: Any) -> StoreCredit:
        """Return a service of the same merchant at *storage*."""
        given = {"claims": self.rules, "sleep": lambda _: None, **more}
        return StoreCredit(
            storage,
            self.shop.credit.merchant,
            clock=self.clock,
            new_id=lambda: uuid.uuid5(uuid.NAMESPACE_URL, f"window {next(WALLETS)}"),
            salt=lambda: bytes(16),
            random_bytes=self._random,
            **given,
        )

    def _random(self, wanted: int) -> bytes:
        return (next(self._bytes) * 99_991 << 3).to_bytes(wanted)

    # What is done

    def issue(self, amount: str = "50.00", **terms: Any) -> IssuedCode:
        given = {"funding": "purchased", "key": self.shop.key(), **terms}
        return self.credit.issue_code(Money.of(amount, "USD"), **given)

    def open(self, issued: IssuedCode, **more: Any) -> OpenedCode:
        return self.credit.open_code(str(issued.code), **{"caller": "session 1", **more})

    def claim(self, issued: IssuedCode, holder: str = "c-17", **more: Any) -> ClaimedCode:
        given = {"key": "claim", "caller": "session 1", **more}
        return self.credit.claim(str(issued.code), holder, **given)

    def revoke(self, issued: IssuedCode, **more: Any) -> Any:
        return self.credit.revoke_code(issued.id, **{"key": "revoke", **ANSWERS, **more})

    def reissue(self, issued: IssuedCode, **more: Any) -> IssuedCode:
        return self.credit.reissue_code(issued.id, **{"key": "reissue", **ANSWERS, **more})

    # What there is

    def available(self, holder: str = "c-17") -> str:
        return str(self.credit.wallet(holder).available)

    def records(self, kind: str = KIND) -> dict[str, Any]:
        """The records of a kind by id."""
        with self.storage.snapshot() as reader:
            rows = reader.records("acme", kind, limit=5000)
        return {row.id: [row.version, row.body, dict(row.references)] for row in rows}

    def kept(self) -> str:
        """Everything but what is remembered of failures."""
        return self.shop.dump() + json.dumps(self.records(), sort_keys=True)

    @contextmanager
    def fails(self, reason: ClaimReason | str) -> Iterator[Any]:
        """Check that the block fails for that reason, which is told nobody, and changes nothing."""
        before, failures = self.kept(), self.records(FAILURES)
        with pytest.raises(ClaimFailed) as failed:
            yield failed
        assert failed.value.reason == reason
        assert repr(failed.value) == "ClaimFailed()"
        assert str(failed.value).startswith("This code cannot be used. Check that it is typed")
        assert failed.value.__cause__ is None
        assert self.kept() == before
        written = {
            name: row[0] - failures.get(name, [0])[0]
            for name, row in self.records(FAILURES).items()
        }
        changed = {name: versions for name, versions in written.items() if versions}
        assert changed.pop("merchant") == 1, "the failure was not written down"
        assert list(changed.values()) == [1], "the caller was not written down, or more than that"

    def accounts(self) -> list[Account]:
        with self.storage.snapshot() as reader:
            return [reader.whole(merchant, name) for merchant, name in reader.account_ids(None)]

    def reconcile(self) -> None:
        """Check that accounts conserve value, and that records and accounts say the same."""
        assert self.credit.verify().ok
        accounts = {account.id: account for account in self.accounts()}
        assert all(imbalance(account.totals) == 0 for account in accounts.values())
        claimed = {claim.account for claim in self.credit.codes(state="claimed")}
        for claim in self.credit.codes():
            account = accounts[claim.account]
            assert (account.id in claimed) == (account.merged_into is not None)
            assert account.id not in claimed or account.totals["balance"] == 0, "stranded"


@pytest.fixture
def make_window(make_shop: Callable[..., Any]) -> Iterator[Callable[..., Window]]:
    """Make windows with claim rules and a merchant of their own; afterwards all reconciles."""
    windows: list[Window] = []

    def make(
        *, merchant: dict[str, Any] | None = None, storage: Any = None, **rules: Any
    ) -> Window:
        shop = make_shop(
            storage=MemoryStorage() if storage is None else storage,
            **{"units": (PTS,), **(merchant or {})},
        )
        windows.append(Window(shop, **rules))
        return windows[-1]

    yield make
    for window in windows:
        window.reconcile()


@pytest.fixture
def window(make_window: Callable[..., Window]) -> Window:
    """A window with the default rules; afterwards all reconciles."""
    return make_window()
