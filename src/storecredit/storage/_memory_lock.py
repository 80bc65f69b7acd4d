"""The one lock of a storage in memory."""

import threading
from typing import Final, final

from storecredit.errors import StorageBusy


@final
class Lock:
    """Lets one thread in at a time; that thread may read again inside, and write only first."""

    def __init__(self) -> None:
        self._lock: Final = threading.RLock()
        self._depth = 0

    def acquire(self, *, alone: bool) -> None:
        self._lock.acquire()
        if alone and self._depth:
            self._lock.release()
            raise StorageBusy("MemoryStorage()", "0 s by this thread itself")
        self._depth += 1

    def release(self) -> None:
        self._depth -= 1
        self._lock.release()
