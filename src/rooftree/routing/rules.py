"""Which agents stand in line for a lead, and whose turn it is. Pure."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

COMPANY = -1


class Question(Struct, frozen=True):
    """What routing is asked."""

    assign_group_id: int | None  #: -1 company, an office id, or None: by ownership
    ownership_scope: str
    ownership_id: int
    caller_id: int


def scopes(question: Question) -> list[int]:
    """Return the lines to try, in order: an office's id, or -1 for the company's. contract: S4-87 to S4-89"""
    office_id = question.assign_group_id
    if office_id is None and question.ownership_scope == "OFFICE":
        office_id = question.ownership_id
    return [COMPANY] if office_id in (None, COMPANY) else [office_id, COMPANY]


def scope_name(scope: int) -> str:
    """Return the name under which a line keeps its turns."""
    return "company" if scope == COMPANY else f"office:{scope}"


def levelled(agents: Sequence[int], turns: Mapping[int, int]) -> dict[int, int]:
    """Return the turns of these agents, with newcomers and those who were away level with the fewest of the others."""
    known = [turns[agent] for agent in agents if agent in turns]
    fewest = min((count for count in known if count >= max(known) - 1), default=0)
    return {agent: max(turns.get(agent, 0), fewest) for agent in agents}


def whose_turn(agents: Sequence[int], turns: Mapping[int, int]) -> int:
    """Return the agent with the fewest turns, of several the lowest id."""
    level = levelled(agents, turns)
    return min(agents, key=lambda agent: (level[agent], agent))


def reason(scope: str, agent_count: int, name: str) -> str:
    """Return a sentence that says why."""
    if scope == "caller":
        return f"No agent is active in the company: the lead stays with {name}, who brought it in."
    if scope == "owner":
        return f"No agent is active in the company: the lead goes to its owner, {name}."
    line = "the company" if scope == "company" else "the office"
    count = "the only active agent" if agent_count == 1 else f"{agent_count} active agents"
    return f"Round robin over {count} of {line}: it was {name}'s turn."
