"""The account's people and words by the source's names and numbers: what every lead and entry is translated with."""

from datetime import datetime

from msgspec import Struct, field

from rooftree.leads.model import Tag
from rooftree.lofty.wire import Loose
from rooftree.platform.wire_time import parse_instant


class World(Struct):
    """What is what here."""

    team_id: int
    runner_id: int  #: who runs the import: whatever belongs to nobody is theirs
    people: dict[int, int] = field(default_factory=dict)  #: user ids there and here
    logins: dict[int, str] = field(default_factory=dict)  #: of people here
    strangers: set[int] = field(default_factory=set)  #: people here whom the source's list of members does not name
    assign_to: int | None = None  #: who gets the leads of strangers; None: the strangers keep them
    offices: dict[int, int] = field(default_factory=dict)
    ponds: dict[int, int] = field(default_factory=dict)
    stage_names: dict[int, str] = field(default_factory=dict)  #: by the source's ids
    stages: dict[str, int] = field(default_factory=dict)  #: ids here, by name in lower case
    sources: dict[str, int] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    fields: set[str] = field(default_factory=set)  #: in lower case
    roles: dict[str, tuple[int, str]] = field(default_factory=dict)  #: custom roles here, by name in lower case

    def person(self, user_id: int | None) -> int | None:
        """Return who that is here; None for the system and for nobody."""
        return self.people.get(user_id or 0)


def text(value: Loose) -> str | None:
    """Return text, None when there is none."""
    return None if value is None or value == "" else str(value)


def instant(value: str | None) -> datetime | None:
    """Return an instant of any of the contract's forms; without an offset it is UTC, as the contract has it."""
    if not value:
        return None
    return parse_instant(value) or parse_instant(value.strip() + "Z")
