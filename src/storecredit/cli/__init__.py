"""The command line `storecredit`: see `docs/reference/command-line.md`. It needs the extra `cli`."""

import sys
from collections.abc import Sequence
from typing import Final

_PARTS_OF_THE_EXTRA: Final = frozenset({"typer", "rich", "click", "shellingham"})


def main() -> int:
    """Run the command that this process was started with, and return its exit status."""
    return run(sys.argv[1:])


def run(arguments: Sequence[str]) -> int:
    """Run one command, what stands behind `storecredit`, and return its exit status."""
    try:
        from storecredit.cli.app import (  # noqa: PLC0415 - the extra may not be there, and then we say so
            run_application,
        )
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _PARTS_OF_THE_EXTRA:
            raise
        print(
            "The command line needs the extra `cli`, which is not installed. Install it:\n"
            "\n"
            "    pip install 'storecredit[cli]'",
            file=sys.stderr,
        )
        return 2
    return run_application(list(arguments))


__all__ = ["main", "run"]
