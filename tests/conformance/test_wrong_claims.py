"""
The duties of claims can fail: each is shown an adapter that breaks it, and has to report it.

A claim is a record, entries on both sides and the row of a wallet. The adapter that keeps the
contract, and the way to run a duty on another, are those of `test_wrong_adapters.py`.
"""

from __future__ import annotations

import importlib.util
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from storecredit.testing.contract import ClaimDuties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from storecredit.storage import Record


def plain_adapter() -> Any:
    """The module beside this one; test files are no package that could be imported from."""
    path = Path(__file__).with_name("test_wrong_adapters.py")
    spec = importlib.util.spec_from_file_location("plain_adapter", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PLAIN = plain_adapter()
PlainStorage, Unit, complaint = PLAIN.PlainStorage, PLAIN.Unit, PLAIN.complaint

WRONG: list[tuple[type[Any], tuple[str, ...]]] = []


def reported_by(*duties: str) -> Callable[[type[Any]], type[Any]]:
    """Enter a wrong storage, or a wrong unit of work of an otherwise right one."""

    def enter(wrong: type[Any]) -> type[Any]:
        storage = wrong
        if issubclass(wrong, Unit):
            storage = type(wrong.__name__, (PlainStorage,), {"unit": wrong})
        WRONG.append((storage, tuple(f"test_a15_{duty}" for duty in duties)))
        return wrong

    return enter


@reported_by(
    "a_fault_leaves_the_record_and_all_entries_or_neither",
)
class KeepsTheRecordOfWhatBreaksOff(PlainStorage):
    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self.lock:
            unit = self.unit(self, self.tables.copy())
            try:
                yield unit
            except Exception:
                self.tables.records = unit.tables.records
                raise
            self.commit(unit)


@reported_by(
    "a_code_goes_on_after_every_restart",
)
class ForgetsRecordsWhenClosed(PlainStorage):
    def opened_again(self) -> Any:
        again = type(self)()
        again.tables = self.tables.copy()
        again.tables.records = {}
        return again


@reported_by(
    "of_threads_that_claim_one_code_exactly_one_wins",
    "every_failure_is_counted_and_leaves_nothing_else",
)
class LosesUpdates(PlainStorage):
    """Nobody waits for anybody; whoever commits last has the tables to itself."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        unit = self.unit(self, self.tables.copy())
        time.sleep(0.02)
        yield unit
        self.commit(unit)


@reported_by(
    "every_failure_is_counted_and_leaves_nothing_else",
)
class LosesWhatHasNoEntries(PlainStorage):
    def commit(self, unit: Any) -> None:
        if unit.tables.order == self.tables.order:
            unit.tables.records = self.tables.records
        super().commit(unit)


@reported_by(
    "codes_are_found_and_listed_by_what_they_are_now",
)
class KeepsTheFirstReferences(Unit):
    def refers(self, record: Record, reference: tuple[str, str]) -> bool:
        return record.version == 1 and super().refers(record, reference)


@reported_by(
    "codes_are_found_and_listed_by_what_they_are_now",
)
class FindsCodesOfEveryState(Unit):
    def refers(self, record: Record, reference: tuple[str, str]) -> bool:
        return reference[0] == "state" or super().refers(record, reference)


@pytest.mark.parametrize(
    ("storage", "duty"),
    [
        pytest.param(storage, duty, id=f"{storage.__name__}-{duty.removeprefix('test_')}")
        for storage, duties in WRONG
        for duty in duties
    ],
)
def test_a_wrong_claim_is_reported(storage: type[Any], duty: str) -> None:
    assert complaint(storage, duty) is not None, f"{storage.__name__} passes {duty}"


def test_each_duty_of_claims_has_been_seen_to_fail() -> None:
    duties = {name for name in dir(ClaimDuties) if name.startswith("test_")}
    assert duties - {duty for _, reporters in WRONG for duty in reporters} == set()
    assert len(duties) == 5
