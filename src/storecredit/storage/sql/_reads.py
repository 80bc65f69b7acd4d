"""All statements that read."""

from typing import final

from storecredit.storage.sql._select_accounts import SelectAccounts
from storecredit.storage.sql._select_feed import SelectFeed
from storecredit.storage.sql._select_journals import SelectJournals
from storecredit.storage.sql._select_listings import SelectListings


@final
class Reads(SelectAccounts, SelectJournals, SelectListings, SelectFeed):
    """What a block asks."""
