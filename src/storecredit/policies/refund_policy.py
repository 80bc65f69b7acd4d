"""A refund policy: rules in order, statutory rights that no rule removes, and limits (P2, P3)."""

import difflib
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, final

import attrs

from storecredit.errors import InvalidTerms, PolicyInvalid, PolicyProblem
from storecredit.ledger.texts import LONGEST_NOTE, require_text
from storecredit.policies import given
from storecredit.policies.given import require_part
from storecredit.policies.limits import Limit
from storecredit.policies.reach import never_binding, never_used
from storecredit.policies.rule import RefundRule, Topic
from storecredit.policies.when import Matcher, When
from storecredit.values import Unit


@final
@attrs.frozen(kw_only=True)
class CashRight:
    """
    A right to money by law, which no rule of the shop removes (P3).

    Where it holds, money is offered in full, and credit in its place needs consent. Which law
    gives which right, to whom and for how long, is the host's to know: this is no legal advice.

    Raises:
        InvalidText: An id or a source that cannot be kept.
        InvalidTerms: Its conditions are no `When`, or `keeps_fee` no truth.
    """

    id: str
    when: When
    source: str
    """The statute, for people: "Directive 2011/83/EU, article 9"."""
    keeps_fee: bool = False
    """Whether the law lets the shop keep a fee that its rules set."""

    def __attrs_post_init__(self) -> None:
        require_text("id", self.id)
        require_part("when", self.when, When)
        require_text("source", self.source, longest=LONGEST_NOTE)
        if type(self.keeps_fee) is not bool:
            raise InvalidTerms("keeps_fee", self.keeps_fee, "true or false")


def _rules(rules: Iterable[RefundRule]) -> tuple[RefundRule, ...]:
    return given.tuple_of("rules", RefundRule, rules)


def _rights(rights: Iterable[CashRight]) -> tuple[CashRight, ...]:
    return given.tuple_of("cash_rights", CashRight, rights)


def _limits(limits: Iterable[Limit]) -> tuple[Limit, ...]:
    return given.tuple_of("limits", Limit, limits)


def _given_twice(ids: Iterable[tuple[str, str]]) -> Iterator[PolicyProblem]:
    """Yield each id, with its path, that stands there for the second time."""
    seen: dict[str, str] = {}
    for path, each in ids:
        first = seen.setdefault(each, path)
        if first != path:
            said = f"an id is given once in a policy, and {first} has it"
            yield PolicyProblem(f"{path}.id", each, said)


def _undeclared(
    path: str, reasons: Iterable[str] | None, declared: tuple[str, ...] | None
) -> Iterator[PolicyProblem]:
    """Yield each of the *reasons* of a rule or right at *path* that the policy does not declare."""
    for at, reason in enumerate(reasons or ()):
        if declared is not None and reason not in declared:
            near = difflib.get_close_matches(reason, declared, n=1)
            meant = f"perhaps {near[0]} is meant" if near else f"it has {', '.join(declared)}"
            where = f"{path}.when.reasons[{at}]"
            yield PolicyProblem(where, reason, f"the policy declares no such reason: {meant}")


@final
@attrs.frozen(kw_only=True, slots=False)
class RefundPolicy:
    """
    Rules in order. For each line and topic, the first rule that holds decides; nothing is offered
    for a line for which no rule decides.

    Raises:
        InvalidTerms: No rules, or reasons that are no list.
        InvalidText: A reason that cannot be kept.
        PolicyInvalid: An id given twice, a reason that is not declared, and what can never happen:
            a rule that earlier ones always forestall, a bonus where no rule offers credit, a limit
            that never binds. Every problem at once.
    """

    rules: tuple[RefundRule, ...] = attrs.field(converter=_rules)
    reasons: tuple[str, ...] | None = attrs.field(default=None, converter=given.reasons)
    """All reasons that there are; None for any."""
    cash_rights: tuple[CashRight, ...] = attrs.field(default=(), converter=_rights)
    limits: tuple[Limit, ...] = attrs.field(default=(), converter=_limits)

    def __attrs_post_init__(self) -> None:
        if not self.rules:
            raise InvalidTerms("rules", [], "one rule at least")
        if problems := tuple(self._problems()):
            raise PolicyInvalid("the refund policy", problems)

    def _problems(self) -> Iterator[PolicyProblem]:
        ids = [(f"rules[{at}]", rule.id) for at, rule in enumerate(self.rules)]
        ids += [(f"cash_rights[{at}]", right.id) for at, right in enumerate(self.cash_rights)]
        ids += [(f"limits[{at}]", limit.id) for at, limit in enumerate(self.limits)]
        conditions = [rule.when for rule in self.rules] + [right.when for right in self.cash_rights]
        found = [*_given_twice(ids)]
        for (path, _), when in zip(ids, conditions, strict=False):  # limits have no conditions
            found += _undeclared(path, when.reasons, self.reasons)
        yield from found
        if not found:
            yield from never_used(self.rules, reasons=self.reasons)
            yield from never_binding(self.limits, self.rules)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: the fields, for what is made of them is made again."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}

    @cached_property
    def matchers(self) -> tuple[Matcher, ...]:
        """The conditions of the rules, made ready, in order."""
        return tuple(Matcher(rule.when) for rule in self.rules)

    @cached_property
    def topics(self) -> tuple[tuple[Topic, ...], ...]:
        """What the rules decide, in order."""
        return tuple(rule.topics for rule in self.rules)

    @cached_property
    def units(self) -> tuple[Unit | None, ...]:
        """The currencies that the rules are written in, in order."""
        return tuple(rule.unit for rule in self.rules)

    @cached_property
    def right_matchers(self) -> tuple[Matcher, ...]:
        """The conditions of the rights, made ready, in order."""
        return tuple(Matcher(right.when) for right in self.cash_rights)
