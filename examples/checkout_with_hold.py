"""
A checkout that pays with credit and a card: hold, charge, then capture or release.

The card is played by a function that fails now and then, and the process "dies" once between
the charge and the capture, to show that running the checkout again does nothing twice.
"""

from collections.abc import Callable

from storecredit import Money, StoreCredit
from storecredit.errors import InsufficientCredit
from storecredit.storage import MemoryStorage

USD = "USD"


class CardDeclined(Exception):
    """The bank said no."""


class Card:
    """A payment provider that knows its own idempotency keys, as real ones do."""

    def __init__(self, limit: Money) -> None:
        self.limit = limit
        self.charged: dict[str, Money] = {}

    def charge(self, amount: Money, key: str) -> None:
        if amount > self.limit:
            raise CardDeclined
        self.charged.setdefault(key, amount)


def check_out(
    credit: StoreCredit,
    card: Card,
    order: str,
    holder: str,
    total: Money,
    *,
    after_charge: Callable[[], None] = lambda: None,
) -> tuple[Money, Money]:
    """
    Pay *total* with as much credit as there is and the card; return what each paid.

    *order* names one attempt: after a declined card the shop gives the next attempt a new name,
    because the hold of this one is over.
    """
    on_credit = Money.zero(total.unit)
    hold_id = None
    try:
        hold = credit.hold(holder, total, taking="up_to", reference=order, key=f"{order}/hold")
        on_credit, hold_id = hold.amount, hold.hold_id
    except InsufficientCredit:
        pass  # no credit at all: the card pays everything
    on_card = total - on_credit
    if on_card.is_positive:
        try:
            card.charge(on_card, key=order)
        except CardDeclined:
            credit.release_order(holder, order, reference=order, key=f"{order}/cancel")
            raise
    after_charge()
    if hold_id is not None:
        credit.capture(hold_id, reference=order, key=f"{order}/capture")
    return on_credit, on_card


def main() -> None:
    credit = StoreCredit(MemoryStorage(), merchant="acme")
    credit.issue("c-17", Money.of("40.00", USD), funding="refund", key="return-1")
    card = Card(limit=Money.of("100.00", USD))

    try:
        check_out(credit, card, "order-1", "c-17", Money.of("500.00", USD))
    except CardDeclined:
        print("order-1: declined, and available again:", credit.wallet("c-17").available)

    def die() -> None:
        raise KeyboardInterrupt

    try:
        check_out(credit, card, "order-2", "c-17", Money.of("65.00", USD), after_charge=die)
    except KeyboardInterrupt:
        print("order-2: the process died; held:", credit.wallet("c-17").held)
    on_credit, on_card = check_out(credit, card, "order-2", "c-17", Money.of("65.00", USD))
    print(f"order-2: once more: {on_credit} on credit, {on_card} on the card")
    print("charged in all:", Money.total(card.charged.values(), USD))
    print("left:", credit.wallet("c-17").available, "- verified:", credit.verify().ok)


if __name__ == "__main__":
    main()
