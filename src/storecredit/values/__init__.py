"""Exact values: units, money, division, conversion and calendar periods (rules V1 to V7)."""

from storecredit.values.amounts import MAX_MINOR, MIN_MINOR, ExactNumber
from storecredit.values.apportion import Division, KeptApart
from storecredit.values.balance import Balance
from storecredit.values.conversion import Conversion, ExchangeRate, convert
from storecredit.values.cost import CostBasis, liability
from storecredit.values.division import (
    Shares,
    allocate,
    allocate_apart,
    allocate_capped,
    refund_shares,
    split,
)
from storecredit.values.instants import ExpiryDate, end_of_day, instant
from storecredit.values.money import AnyMoney, Money
from storecredit.values.periods import CalendarSpan, Period
from storecredit.values.rounding import Rounding
from storecredit.values.units import (
    Currency,
    CustomUnit,
    Unit,
    currencies,
    currency,
    require_issuable,
    unit,
)
from storecredit.values.weights import fractions_of_one

__all__ = [
    "MAX_MINOR",
    "MIN_MINOR",
    "AnyMoney",
    "Balance",
    "CalendarSpan",
    "Conversion",
    "CostBasis",
    "Currency",
    "CustomUnit",
    "Division",
    "ExactNumber",
    "ExchangeRate",
    "ExpiryDate",
    "KeptApart",
    "Money",
    "Period",
    "Rounding",
    "Shares",
    "Unit",
    "allocate",
    "allocate_apart",
    "allocate_capped",
    "convert",
    "currencies",
    "currency",
    "end_of_day",
    "fractions_of_one",
    "instant",
    "liability",
    "refund_shares",
    "require_issuable",
    "split",
    "unit",
]
