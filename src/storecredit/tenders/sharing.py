"""Sharing: what each tender pays on which line, evenly where it is free to choose (T2, V5)."""

from collections.abc import Sequence

from storecredit.tenders.placing import Placed
from storecredit.values.apportion import Division, apportion


def spread_over_lines(placed: Placed) -> tuple[list[dict[int, int]], list[dict[int, int]]]:
    """
    Return what each source and each external tender pays on each line, evenly where that is free.

    What may pay every line that is left to it and to what is more limited pays in proportion to
    what the lines still lack, by largest remainder (V5), tender by tender; its lots then follow
    line by line. The more limited stay where they are placed. The last of the external parts is
    what stays unpaid.
    """
    case = placed.case
    everywhere = [place for place, due in enumerate(case.due) if due]
    allowed = [source.allowed for source in case.sources]
    groups: dict[tuple[int, int, bool], list[int]] = {}
    masks = {id(lines): _mask(lines) for lines in (*allowed, everywhere)}
    for number, source in enumerate(case.sources):
        if placed.paid[number]:
            key = (masks[id(source.allowed)], source.place, source.reduces)
            groups.setdefault(key, []).append(number)
    free = _free_masks({mask for mask, _, _ in groups} | {masks[id(everywhere)]})
    paid = [dict(each) for each in placed.paid]
    left = list(case.due)
    for (mask, _, _), numbers in groups.items():
        if mask not in free:
            for number in numbers:
                for line, amount in paid[number].items():
                    left[line] -= amount
    for (mask, _, _), numbers in sorted(groups.items(), key=lambda item: item[0][0].bit_count()):
        if mask in free:
            totals = [sum(paid[number].values()) for number in numbers]
            lines = case.sources[numbers[0]].allowed
            for number, amounts in zip(numbers, _evenly(totals, lines, left), strict=True):
                paid[number] = amounts
    outside = [amount for _, amount in placed.charges]
    rest = [_evenly([amount], everywhere, left)[0] for amount in outside]
    rest.append({line: left[line] for line in everywhere if left[line]})
    return paid, rest


def _mask(lines: Sequence[int]) -> int:
    return sum(1 << line for line in lines)


def _free_masks(masks: set[int]) -> set[int]:
    """Return the sets of lines that hold every smaller one: what pays them may pay anywhere in them."""
    found = sorted(masks, key=int.bit_count)
    unions = [0]
    for mask in found:
        unions.append(unions[-1] | mask)
    free = set[int]()
    for number in reversed(range(len(found))):
        if unions[number] & ~found[number]:
            break
        free.add(found[number])
    return free


def _evenly(totals: list[int], lines: Sequence[int], left: list[int]) -> list[dict[int, int]]:
    """Spread the sum of *totals*, not nothing, by what is *left* of *lines*, and divide it again."""
    shares = apportion(sum(totals), [left[line] for line in lines], Division.LARGEST_REMAINDER)
    found: list[dict[int, int]] = []
    queue = [[line, share] for line, share in zip(lines, shares, strict=True) if share]
    at = 0
    for total in totals:
        amounts: dict[int, int] = {}
        wanted = total
        while wanted:
            line, share = queue[at]
            step = min(wanted, share)
            amounts[line] = step
            left[line] -= step
            queue[at][1] -= step
            wanted -= step
            at += share == step
        found.append(amounts)
    return found
