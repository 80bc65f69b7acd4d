"""Windows: the same policy, asked with another time for returns."""

from typing import Final

import attrs

from storecredit.errors import InvalidTerms
from storecredit.policies import Policy, RefundRule
from storecredit.values import Period

ENDLESS: Final = Period(years=1000)
"""Longer than any history: whoever asks is in time."""


def windows_of(policy: Policy) -> tuple[Period, ...]:
    """Return the periods that the refund rules of *policy* ask with, each once, in their order."""
    if policy.refund is None:
        return ()
    named = [
        period for rule in policy.refund.rules for period in (rule.when.within, rule.when.after)
    ]
    return tuple(dict.fromkeys(period for period in named if period is not None))


def with_window(policy: Policy, window: Period | None) -> Policy:
    """
    Return *policy* with *window* in place of the one that its refund rules ask with.

    What the law gives stays as it is: the rights have windows of their own.

    Args:
        policy: A policy whose rules ask with one period, as `within`, as `after` or as both.

        window: The other period, whose days are those of the old one's zone; None for a window
            that never ends.

    Raises:
        InvalidTerms: The rules ask with no window, or with several.
        PolicyInvalid, InvalidTerms: The policy cannot be with this window.
    """
    found = windows_of(policy)
    if policy.refund is None or len(found) != 1:
        named = ", ".join(map(str, found)) or "none"
        expected = "a policy whose rules ask with one window, so that it can be replaced"
        raise InvalidTerms("the windows", named, expected)
    put = attrs.evolve(ENDLESS if window is None else window, zone=found[0].zone)
    rules = [_with_window(rule, put) for rule in policy.refund.rules]
    return attrs.evolve(policy, refund=attrs.evolve(policy.refund, rules=rules))


def _with_window(rule: RefundRule, window: Period) -> RefundRule:
    when = rule.when
    return attrs.evolve(
        rule,
        when=attrs.evolve(
            when,
            within=None if when.within is None else window,
            after=None if when.after is None else window,
        ),
    )
