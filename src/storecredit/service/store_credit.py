"""`StoreCredit`: the one door to the ledger of a merchant."""

from typing import final

from storecredit.service._checking_out import CheckingOut
from storecredit.service._claiming import Claiming
from storecredit.service._correcting import Correcting
from storecredit.service._explaining import Explaining
from storecredit.service._feeding import Feeding
from storecredit.service._granting import Granting
from storecredit.service._keeping import Keeping
from storecredit.service._moving import Moving
from storecredit.service._porting import Porting
from storecredit.service._reading import Reading
from storecredit.service._refunding_cases import RefundingCases
from storecredit.service._reminding import Reminding
from storecredit.service._spending import Spending
from storecredit.service._topping_up import ToppingUp


@final
class StoreCredit(
    CheckingOut,
    Granting,
    ToppingUp,
    RefundingCases,
    Claiming,
    Spending,
    Correcting,
    Moving,
    Explaining,
    Reading,
    Keeping,
    Feeding,
    Reminding,
    Porting,
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
    - claiming: `issue_code`, `open_code`, `claim`, `revoke_code`, `reissue_code`, `code`,
      `codes`
    - refunding: `return_lines`, `tallies`, `request_refund`, `refund_case`, `find_refund_case`,
      `refund_cases`
    - granting: `grant`, `earn`, `remove_earned`, `earning`, `earned`, `quote_top_up`, `top_up`,
      `top_up_of`, `refund_top_up`
    - correcting: `revoke`, `adjust`, `extend_expiry`, `cash_out`, `refund_bought`, `settle`,
      `set_limit`, `set_spenders`, `freeze`, `close`, `reopen`
    - moving: `transfer`, `reverse_transfer`, `convert`, `merge`
    - explaining: `preview`, `preview_resize`, `preview_revoke`, `preview_cash_out`,
      `preview_transfer`, `preview_convert`, `explain`
    - reading: `wallet`, `account`, `statement`, `journal`
    - keeping: `expire_due`, `release_lapsed`, `verify`, `heads`, `rebuild`, `pseudonymise`,
      `erase`
    - feeding: `feed`
    - reminding: `due_reminders`, `acknowledge_reminders`
    - porting: `export_journal`, `import_journal`, `import_balances`, `export_csv`

    Args:
        storage: Where accounts are kept.

        merchant: The id of the merchant of record, or a `Merchant` with its rules.

        clock: Returns the present instant, aware; the one clock there is.

        new_id: Makes the random UUID of each new wallet.

        salt: Makes the salt of each private field.

        attempts: How often a transaction is tried while others are faster (S5).

        sleep: Waits for so many seconds between two attempts.

        claims: The keys and rules of claim codes, where there are any (A15).

        random_bytes: Makes so many bytes that nobody can guess, for codes.
    """
