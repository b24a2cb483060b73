"""People with known rights."""

import uuid

from msgspec import Struct

from rooftree.auth.actions import create_key
from rooftree.cli.founding import found
from rooftree.platform.database import Database
from rooftree.team import actions as team


class Person(Struct, frozen=True):
    """Somebody with a key."""

    name: str
    team_id: int
    id: int
    email: str
    office_id: int | None
    key: str


class People(Struct):
    """Everybody a test may need."""

    olive: Person  #: owner
    adam: Person  #: agent, office North
    ana: Person  #: agent, office North
    otto: Person  #: agent, office South
    stella: Person  #: owner of another company
    sid: Person  #: agent there
    north: int
    south: int

    @property
    def everybody(self) -> list[Person]:
        """Both companies."""
        return [self.olive, self.adam, self.ana, self.otto, self.stella, self.sid]


async def settle(owner_db: Database, secret: bytes, *, adam_id: int | None = None) -> People:
    """Found both companies. `adam_id`: the id of Adam, for examples printed with one."""
    tag = uuid.uuid4().hex[:8]
    olive = await found(owner_db, name="Realty", owner_email=f"olive.{tag}@example.com", owner_first_name="Olive")
    stella = await found(owner_db, name="Rivals", owner_email=f"stella.{tag}@example.com", owner_first_name="Stella")
    people: dict[str, Person] = {}
    async with owner_db.transaction(olive.team_id) as tx:
        north, south = await team.add_office(tx, "North"), await team.add_office(tx, "South")
        members = [(olive, "olive")]
        for name, office, member_id in (("adam", north, adam_id), ("ana", north, None), ("otto", south, None)):
            member = await team.add_member(
                tx,
                email=f"{name}.{tag}@example.com",
                first_name=name.capitalize(),
                office_id=office.id,
                member_id=member_id,
            )
            members.append((member, name))
        for member, name in members:
            key, _ = await create_key(tx, secret, member.id, name)
            people[name] = Person(name, member.team_id, member.id, member.email, member.office_id, key)
    async with owner_db.transaction(stella.team_id) as tx:
        sid = await team.add_member(tx, email=f"sid.{tag}@example.com", first_name="Sid")
        for member, name in ((stella, "stella"), (sid, "sid")):
            key, _ = await create_key(tx, secret, member.id, name)
            people[name] = Person(name, member.team_id, member.id, member.email, None, key)
    return People(**people, north=north.id, south=south.id)
