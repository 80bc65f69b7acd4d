"""A company that orders on account: a limit, listed people, payments, and a statement."""

from storecredit import Money, StoreCredit
from storecredit.errors import RefusalError
from storecredit.storage import MemoryStorage


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def main() -> None:
    credit = StoreCredit(MemoryStorage(), merchant="acme")
    credit.set_limit("firm-9", "EUR", eur("1000.00"), reference="contract 9", key="limit")
    credit.set_spenders("firm-9", "EUR", ["ann", "bo"], reference="contract 9", key="people")

    orders = [("order 1", "ann", "640.00"), ("order 2", "cy", "50.00"), ("order 3", "bo", "900.00")]
    for order, person, amount in orders:
        try:
            receipt = credit.redeem(
                "firm-9", eur(amount), spender=person, reference=order, key=order
            )
            print(f"{order}: {receipt.amount} for {person}, on the limit {receipt.on_limit}")
        except RefusalError as refusal:
            print(f"{order}: {type(refusal).__name__}")

    credit.settle("firm-9", eur("500.00"), reference="transfer 55", key="bank-55")
    credit.issue("firm-9", eur("200.00"), funding="deposit", reference="transfer 56", key="bank-56")
    credit.redeem("firm-9", eur("900.00"), spender="bo", reference="order 3", key="order 3")

    print("\n                change    owed by  balance")
    for line in credit.statement("firm-9", "EUR"):
        if not (line.change.is_zero and line.owed.is_zero):
            print(
                f"{line.reference:<12}{line.change.decimal:>10}{line.owed.decimal:>+11}"
                f"{line.balance.decimal:>9}"
            )
    account = credit.account("firm-9", "EUR")
    print(f"\nowed {account.owed}, limit {account.limit}, may still spend {account.spendable}")


if __name__ == "__main__":
    main()
