"""A gift card sold, lost in the mail, spent by a guest, claimed by the guest once registered."""

from storecredit import (
    ClaimKeys,
    ClaimRules,
    External,
    Money,
    Order,
    OrderLine,
    Period,
    RefundRequest,
    StoreCredit,
)
from storecredit.errors import ClaimFailed
from storecredit.storage import MemoryStorage

# From your secrets: 32 random bytes, which never leave your servers.
KEYS = ClaimKeys(current="2026", keys={"2026": b"32 bytes that nobody else knows!"})


class Mail:
    """What was sent; the first letter does not arrive."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, code: str | None) -> None:
        self.sent.append(str(code))


def sell(credit: StoreCredit, mail: Mail, order: str, amount: Money) -> str:
    """Sell a gift card, once, however often the payment provider calls; return its id."""
    gift = credit.issue_code(
        amount,
        funding="purchased",
        paid=amount,
        expires=Period(years=3),
        reference=order,
        key=f"{order}/gift",
    )
    if gift.code is not None:  # shown once: a second call has none to send
        mail.send(gift.code)
    return gift.id


def pay(credit: StoreCredit, code: str, order: Order) -> str:
    """Let a guest pay with a code and a card; the code is opened in the request that spends."""
    holder = credit.open_code(code, caller="guest's session").holder
    tenders = [credit.tender("gift", holder, "USD"), External("card")]
    checkout = credit.begin_checkout(credit.plan_payment(order, tenders), key="begin")
    for due in checkout.charges:
        checkout.charge(due.tender, key="charge")
        checkout.settle_charge("charge", "confirmed")
    checkout.complete(key="done")
    return f"{checkout.record.plan.taken('gift')} of the gift, {checkout.record.plan.external}"


def main() -> None:
    mail = Mail()
    credit = StoreCredit(MemoryStorage(), "acme", claims=ClaimRules(keys=KEYS))

    gift = sell(credit, mail, "o-1", Money.of("50.00", "USD"))
    sell(credit, mail, "o-1", Money.of("50.00", "USD"))
    print("letters sent:", len(mail.sent))

    again = credit.reissue_code(gift, key="ticket 7", actor="lee", reason="never arrived")
    mail.send(again.code)
    lost, good = mail.sent
    try:
        credit.open_code(lost, caller="a stranger")
    except ClaimFailed as failed:
        print("a stranger is told:", str(failed).partition(".")[0], "- we know:", failed.reason)

    lamp = Order("o-2", [OrderLine("lamp", Money.of("20.00", "USD"))])
    print("the guest pays", pay(credit, good.lower(), lamp), "by card")

    claimed = credit.claim(good, "c-17", key="claim", caller="guest's session", actor="c-17")
    print("registered, and claimed:", claimed.amount)

    checkout = credit.checkout("o-2")
    checkout.refund(
        checkout.plan_refund(RefundRequest.of_everything(checkout.payment)), key="return"
    )
    print("the lamp comes back:", credit.wallet("c-17").available)
    print("verified:", credit.verify().ok)


if __name__ == "__main__":
    main()
