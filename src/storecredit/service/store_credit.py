"""`StoreCredit`: the one door to the ledger of a merchant."""

from typing import final

from storecredit.service._checking_out import CheckingOut
from storecredit.service._correcting import Correcting
from storecredit.service._explaining import Explaining
from storecredit.service._feeding import Feeding
from storecredit.service._keeping import Keeping
from storecredit.service._moving import Moving
from storecredit.service._porting import Porting
from storecredit.service._reading import Reading
from storecredit.service._spending import Spending


@final
class StoreCredit(
    CheckingOut, Spending, Correcting, Moving, Explaining, Reading, Keeping, Feeding, Porting
):
    """
    Store credit, points and open balances of one merchant of record.

    Every command loads what it needs, decides, and appends one entry to each account it touches,
    in one transaction; it is safe to repeat with the same key. The verbs live in the families
    that this class joins:

    - giving: `issue`, `issue_many`, `issue_each`, `restore`, `reinstate`
    - spending: `redeem`, `hold`, `resize`, `capture`, `capture_part`, `release`,
      `release_order`
    - checking out: `tender`, `plan_payment`, `begin_checkout`, `checkout`,
      `find_checkout`, `checkouts`
    - correcting: `revoke`, `adjust`, `extend_expiry`, `cash_out`, `refund_bought`, `settle`,
      `set_limit`, `set_spenders`, `freeze`, `close`, `reopen`
    - moving: `transfer`, `reverse_transfer`, `convert`, `merge`
    - explaining: `preview`, `preview_resize`, `preview_revoke`, `preview_cash_out`,
      `preview_transfer`, `preview_convert`, `explain`
    - reading: `wallet`, `account`, `statement`, `journal`
    - keeping: `expire_due`, `release_lapsed`, `verify`, `heads`, `rebuild`, `pseudonymise`,
      `erase`
    - feeding: `feed`
    - porting: `export_journal`, `import_journal`, `import_balances`, `export_csv`

    Args:
        storage: Where accounts are kept.

        merchant: The id of the merchant of record, or a `Merchant` with its rules.

        clock: Returns the present instant, aware; the one clock there is.

        new_id: Makes the random UUID of each new wallet.

        salt: Makes the salt of each private field.

        attempts: How often a transaction is tried while others are faster (S5).

        sleep: Waits for so many seconds between two attempts.
    """
