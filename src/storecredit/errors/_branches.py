"""The root of every error, and the three branches a caller chooses between."""

from typing import ClassVar


class StoreCreditError(Exception):
    """Anything this library raises on purpose."""


class MisuseError(StoreCreditError):
    """The call itself is wrong: fix the code. Repeating it never helps."""


class RefusalError(StoreCreditError):
    """The call is sound, and the answer is no: tell the customer. Nothing has changed."""


class ConflictError(StoreCreditError):
    """Somebody else was faster, or the storage was busy: reload and try again."""

    retryable: ClassVar[bool] = True
    """Whether trying again at once can help; the service does so by itself."""

    may_be_done: bool = False
    """Whether what was asked may have been committed although nobody was told."""
