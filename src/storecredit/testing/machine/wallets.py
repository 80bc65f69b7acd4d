"""What the naive model knows besides accounts: who has which wallet, and what each entry did."""

from __future__ import annotations

import dataclasses

from storecredit.testing.machine.filed import Filed
from storecredit.testing.machine.model import Book, ModelLot, Redemption, Transfer


@dataclasses.dataclass(eq=False)
class ModelWallet:
    """A holder at a merchant, and the wallet that took this one over."""

    merchant: str
    holder: str
    number: int
    into: ModelWallet | None = None

    @property
    def survivor(self) -> ModelWallet:
        """Whoever took it over, however often; itself if nobody did."""
        return self if self.into is None else self.into.survivor


@dataclasses.dataclass(eq=False)
class ModelEntry:
    """What an entry did, as far as later commands name it."""

    book: Book
    key: str
    spent: Redemption | None = None
    transfer: Transfer | None = None

    @property
    def filed(self) -> Filed:
        """What is remembered of its request."""
        return self.book.keys[self.key]

    def forget(self, fields: tuple[str, ...]) -> int:
        """Erase those of its private *fields* that are still there, and count them (A14)."""
        before = self.filed
        self.book.keys[self.key] = before.without(fields)
        return len(self.filed.erased) - len(before.erased)

    def copied(self, books: dict[int, Book], lots: dict[int, ModelLot]) -> ModelEntry:
        """Copy it, with the books and lots that took the place of the old ones."""
        spent, transfer = self.spent, self.transfer
        return ModelEntry(
            books[id(self.book)],
            self.key,
            spent
            and Redemption(
                books[id(spent.book)],
                [(lot and lots[id(lot)], amount) for lot, amount in spent.parts],
                list(spent.given_back),
            ),
            transfer
            and Transfer(
                books[id(transfer.sender)],
                books[id(transfer.receiver)],
                [(lots[id(a)], amount, lots[id(b)]) for a, amount, b in transfer.parts],
                transfer.reversed,
            ),
        )
