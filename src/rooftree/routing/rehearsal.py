"""What a rehearsal shows: who would have got how many leads, by which rule, and how even that is. Pure."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

from rooftree.routing import rules
from rooftree.routing.model import STRATEGY_NAMES, Assignment, Book, Rule

_OFFICE: Final = "office:"


def summary(book: Book, chosen: Sequence[Assignment]) -> dict[str, Any]:
    """Return the counts of a rehearsal.

    `evenness`: 1 when everybody got the share of their weight in the lines that leads were taken from, absent members
    included; 0 when all went to those who should have had none. `largestGap`: in leads.
    """
    by_rule: defaultdict[int | str, list[Assignment]] = defaultdict(list)
    for one in chosen:
        by_rule[one.rule_id or one.scope].append(one)
    shares = _shares(book, chosen)
    got = Counter(one.member_id for one in chosen if one.member_id is not None)
    placed = Counter(one.member_id for one in chosen if one.turn is not None and one.member_id is not None)
    gaps = [placed[member_id] - share for member_id, share in shares.items()]
    return {
        "leads": len(chosen),
        "rules": [_of_rule(book, group) for group in by_rule.values()],
        "members": [
            {"memberId": seat.id, "name": seat.name, "leads": got[seat.id], "share": round(shares.get(seat.id, 0.0), 2)}
            for seat in book.seats.values()
            if seat.id in got or seat.id in shares
        ],
        "ponds": [
            {"pondId": pond_id, "name": book.ponds.get(pond_id, ""), "leads": count}
            for pond_id, count in Counter(one.pond_id for one in chosen if one.pond_id is not None).items()
        ],
        "offered": sum(1 for one in chosen if one.offered_to),
        "byDefault": sum(1 for one in chosen if _is_default(book, one)),
        "byNobody": sum(1 for one in chosen if one.scope in ("caller", "owner")),
        "evenness": round(1 - sum(map(abs, gaps)) / (2 * sum(placed.values())), 3) if placed else 1.0,
        "largestGap": round(max(map(abs, gaps), default=0.0), 2),
    }


def rule_of(book: Book, chosen: Assignment) -> Rule | None:
    """Return the rule that a lead was given by; None: by none."""
    if chosen.rule_id is not None:
        return next(rule for rule in book.rules if rule.id == chosen.rule_id)
    if chosen.scope in ("caller", "owner"):
        return None
    office = chosen.scope.removeprefix(_OFFICE)
    return rules.default_rule(int(office) if office != chosen.scope else None)


def _is_default(book: Book, chosen: Assignment) -> bool:
    rule = rule_of(book, chosen)
    return rule is not None and rule.is_supplement


def _of_rule(book: Book, group: Sequence[Assignment]) -> dict[str, Any]:
    rule = rule_of(book, group[0])
    return {
        "ruleId": group[0].rule_id,
        "name": rules.rule_name(rule) if rule else "",
        "officeId": rule.office_id if rule else None,
        "isDraft": rule.is_draft if rule else False,
        "isDefault": rule.is_supplement if rule else False,
        "strategy": STRATEGY_NAMES[rule.strategy] if rule else None,
        "leads": len(group),
    }


def _shares(book: Book, chosen: Sequence[Assignment]) -> dict[int, float]:
    shares: defaultdict[int, float] = defaultdict(float)
    for one in chosen:
        rule = rule_of(book, one)
        if rule is None or one.turn is None:
            continue
        line = rules.whole_line(book, rule)
        total = sum(weight for _, weight in line)
        for member_id, weight in line:
            shares[member_id] += weight / total
    return shares
