"""What every group of duties begins with: the storage under test."""

from storecredit.ledger import Merchant
from storecredit.storage.protocols import Storage
from storecredit.testing.contract.scene import Shop


class Duties:
    """
    Duties of one storage. A subclass says how to make it; pytest runs the rest.

    A test that has to set something up for `make_storage`, such as a temporary folder, does so in
    a fixture with ``autouse=True``: storages are made while a test runs, never before.
    """

    def make_storage(self) -> Storage:
        """Return a new and empty storage. A duty may ask for several; each is closed after it."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say which storage to test. Define "
            "make_storage(self), which returns a new and empty storage each time."
        )

    def reopen(self, storage: Storage) -> Storage:
        """
        Return a storage that has to find what *storage* keeps, as after a restart.

        Override it where data outlives the object: close *storage*, and open its data again.
        """
        return storage

    def shop(self, *, merchant: Merchant | str = "acme") -> Shop:
        """Return a shop at a new storage."""
        return Shop(self.fresh(), merchant)

    def fresh(self) -> Storage:
        """Make a storage that is closed when the duty is done."""
        return self._closed_later(self.make_storage())

    def reopened(self, storage: Storage) -> Storage:
        """Open the data of *storage* again."""
        again = self.reopen(storage)
        return again if again is storage else self._closed_later(again)

    def teardown_method(self) -> None:
        """Close the storages that the duty has made; pytest calls it."""
        for storage in vars(self).pop("_made", []):
            storage.close()

    def _closed_later(self, storage: Storage) -> Storage:
        # Not in __init__: pytest collects no class that has one.
        vars(self).setdefault("_made", []).append(storage)
        return storage
