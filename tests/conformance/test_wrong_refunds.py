"""
The duties of refund cases can fail: each is shown an adapter that breaks it, and has to report it.

A refund case is several records and entries. The adapter that keeps the contract, and the way to
run a duty on another, are those of `test_wrong_adapters.py`.
"""

from __future__ import annotations

import importlib.util
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from storecredit.testing.contract import RefundDuties

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
        WRONG.append((storage, tuple(f"test_{duty}" for duty in duties)))
        return wrong

    return enter


@reported_by("p5_a_fault_leaves_all_records_and_entries_or_none")
class KeepsTheRecordsOfWhatBreaksOff(PlainStorage):
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


@reported_by("p5_a_refund_goes_on_after_every_restart")
class ForgetsRecordsWhenClosed(PlainStorage):
    def opened_again(self) -> Any:
        again = type(self)()
        again.tables = self.tables.copy()
        again.tables.records = {}
        return again


@reported_by(
    "p3_of_cases_that_complete_at_once_no_more_than_the_limit_do",
    "p5_of_cases_for_the_same_pieces_one_is_requested",
    "a17_no_more_than_the_limit_completes_while_the_holder_is_merged",
)
class LosesUpdates(PlainStorage):
    """Nobody waits for anybody; whoever commits last has the tables to itself."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        unit = self.unit(self, self.tables.copy())
        time.sleep(0.02)
        yield unit
        self.commit(unit)


@reported_by("p5_one_case_from_many_threads_completes_once")
class LetsNobodyWait(PlainStorage):
    """Whoever comes while another writes is sent away, with an error that nobody repeats."""

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        if not self.lock.acquire(blocking=False):
            raise RuntimeError("somebody else is writing")
        try:
            time.sleep(0.02)
            with super().transaction() as unit:
                yield unit
        finally:
            self.lock.release()


@reported_by("p5_cases_are_listed_by_what_they_are_now")
class KeepsTheFirstReferences(Unit):
    def refers(self, record: Record, reference: tuple[str, str]) -> bool:
        return record.version == 1 and super().refers(record, reference)


@pytest.mark.parametrize(
    ("storage", "duty"),
    [
        pytest.param(storage, duty, id=f"{storage.__name__}-{duty.removeprefix('test_')}")
        for storage, duties in WRONG
        for duty in duties
    ],
)
def test_a_wrong_refund_is_reported(storage: type[Any], duty: str) -> None:
    assert complaint(storage, duty) is not None, f"{storage.__name__} passes {duty}"


def test_each_duty_of_refunds_has_been_seen_to_fail() -> None:
    duties = {name for name in dir(RefundDuties) if name.startswith("test_")}
    assert duties - {duty for _, reporters in WRONG for duty in reporters} == set()
    assert len(duties) == 7
