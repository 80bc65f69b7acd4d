"""What every test may ask for: how hard to search, and the data that others wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# deadline=None everywhere: a slow machine must never decide whether a law holds.
settings.register_profile("default", max_examples=60, deadline=None, print_blob=True)
settings.register_profile(
    "ci",
    max_examples=200,
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    max_examples=3000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") == "true" else "default")
)

DATA_BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """
    The folder of data that others wrote: real shops' histories, other libraries' cases.

    It is looked for where STORECREDIT_DATA says, or beside the repository. A test that
    needs it is skipped without it; naming a folder that is not there is an error.
    """
    named = os.environ.get("STORECREDIT_DATA")
    if named:
        folder = Path(named)
        if not folder.is_dir():
            pytest.fail(f"STORECREDIT_DATA names {folder}, and there is no such folder.")
        return folder
    if not DATA_BESIDE_THE_REPOSITORY.is_dir():
        pytest.skip(
            "no folder of other people's data: neither STORECREDIT_DATA nor"
            " ../shared/data beside the repository"
        )
    return DATA_BESIDE_THE_REPOSITORY
