"""Who stands in line and whose turn it is, without a database."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooftree.routing import rules
from rooftree.routing.model import COMPANY, Book, Question

LINES = st.sets(st.integers(1, 9), min_size=1).map(sorted)
TURNS = st.dictionaries(st.integers(1, 9), st.integers(0, 1000))


BOOK = Book("UTC", frozenset({5, 6}), [], {}, {})


@pytest.mark.parametrize(
    ("group_id", "scope", "owner_id", "lines"),
    [
        (None, "TEAM", 1, [COMPANY]),
        (None, "PERSONAL", 5, [COMPANY]),
        (None, "OFFICE", 5, [5, COMPANY]),
        (-1, "OFFICE", 5, [COMPANY]),
        (6, "OFFICE", 5, [6, COMPANY]),
        (6, "TEAM", 1, [6, COMPANY]),
    ],
)
def test_whose_rules_are_tried(group_id: int | None, scope: str, owner_id: int, lines: list[int]) -> None:
    assert rules.levels(BOOK, Question(group_id, scope, owner_id, caller_id=2)) == lines


def test_an_office_of_nobody_has_no_rules() -> None:
    with pytest.raises(LookupError):
        rules.levels(BOOK, Question(7, "TEAM", 1, caller_id=2))


def test_lines_keep_their_turns_apart() -> None:
    assert (rules.level_name(COMPANY), rules.level_name(5)) == ("company", "office:5")


@given(LINES, TURNS)
def test_whoever_had_the_fewest_turns_goes_next_and_ties_go_by_id(agents: list[int], turns: dict[int, int]) -> None:
    level = rules.levelled(agents, turns)
    chosen = rules.whose_turn(agents, turns)
    assert (level[chosen], chosen) == min((count, agent) for agent, count in level.items())


@given(LINES, TURNS)
def test_a_levelled_line_is_even_and_takes_nobodys_turns_away(agents: list[int], turns: dict[int, int]) -> None:
    level = rules.levelled(agents, turns)
    assert level.keys() == set(agents)
    assert max(level.values()) - min(level.values()) <= 1
    assert all(level[agent] >= turns.get(agent, 0) for agent in agents)
    assert max(level.values()) == max([turns[agent] for agent in agents if agent in turns], default=0)
    assert rules.levelled(agents, level) == level


@given(st.lists(st.tuples(LINES, st.integers(1, 30)), min_size=1, max_size=6))
def test_nobody_is_flooded_however_people_come_and_go(periods: list[tuple[list[int], int]]) -> None:
    turns: dict[int, int] = {}
    for agents, count in periods:
        got: Counter[int] = Counter(dict.fromkeys(agents, 0))
        for _ in range(count):
            chosen = rules.whose_turn(agents, turns)
            turns |= rules.levelled(agents, turns)
            turns[chosen] += 1
            got[chosen] += 1
        assert max(got.values()) - min(got.values()) <= 2, "one turn of difference brought along, one made"


@pytest.mark.parametrize(
    ("level", "count", "text"),
    [
        (COMPANY, 5, "Round robin over 5 active agents of the company: it was Ana's turn."),
        (7, 2, "Round robin over 2 active agents of the office: it was Ana's turn."),
        (COMPANY, 1, "Round robin over the only active agent of the company: it was Ana's turn."),
    ],
)
def test_the_reason_reads_well(level: int, count: int, text: str) -> None:
    proposal = rules.Proposal(rules.default_rule(None), level, "", [(one, 1) for one in range(count)], [])
    assert rules.turn_reason(proposal, "Ana") == text


def test_the_reason_of_a_lead_that_nobody_could_take() -> None:
    kept = "No agent is active in the company: the lead stays with Ana, who brought it in."
    assert rules.fallback_reason("caller", "Ana", has_agents=False) == kept
    given = "No agent can take it at this moment: the lead goes to its owner, Ana."
    assert rules.fallback_reason("owner", "Ana", has_agents=True) == given
