"""Makes what a test needs, through the front door where there is one."""

from typing import Any

import msgspec

from rooftree.leads.actions import audience, create_lead
from rooftree.leads.queries import managed_lead
from rooftree.leads.wire import LeadRequest
from rooftree.platform.actor import Actor
from rooftree.platform.database import Database
from rooftree.platform.http.reading import decode
from rooftree.timeline.actions import Entry, record
from tests.support.client import Client
from tests.support.people import People, Person


class Make:
    """Leads, and what happened to them."""

    def __init__(self, client: Client, people: People, owner_db: Database) -> None:
        self.client = client
        self._people = people
        self._owner_db = owner_db

    async def lead(self, *, by: Person | None = None, **fields: Any) -> int:
        """Create a lead over HTTP; a first name is given unless one is."""
        return (await self._speaking(by).ok("POST", "/v1.0/leads", {"firstName": "T", **fields}))["leadId"]

    async def lead_with_id(self, lead_id: int, by: Person, **fields: Any) -> int:
        """Create a lead that keeps a given id, as an import does."""
        request = decode(msgspec.json.encode({"firstName": "T", **fields}), LeadRequest)
        async with self._owner_db.transaction(by.team_id) as tx:
            lead = await create_lead(tx, actor_for(by), request, region="US", lead_id=lead_id)
        return lead.id

    async def log(self, lead_id: int, kind: str = "logCall", *, by: Person | None = None, **fields: Any) -> int:
        """Write down a manual log over HTTP; a call has a number unless one is given."""
        body: dict[str, Any] = {"leadId": lead_id, "logType": kind, "content": "talked", **fields}
        if kind == "logCall":
            body.setdefault("leadPhoneNumber", "5551234567")
        return (await self._speaking(by).ok("POST", "/v1.0/logType", body))["logType"]["id"]

    async def note(self, lead_id: int, content: str = "a note", *, by: Person | None = None, **fields: Any) -> int:
        """Write a note over HTTP, return its noteId."""
        body = {"leadId": lead_id, "content": content, **fields}
        return (await self._speaking(by).ok("POST", "/v1.0/notes", body))["noteId"]

    async def site(self, lead_id: int, word: str = "Search", *, by: Person | None = None, **fields: Any) -> None:
        """Let a lead do something on the website, over HTTP."""
        body = {"type": word, "text": "t", "link": "", "picture": "", "created": 1747272300000, **fields}
        await self._speaking(by).ok("POST", f"/v1.0/leads/{lead_id}/activity", body)

    async def talk(self, lead_id: int, word: str = "call", *, by: Person | None = None, **fields: Any) -> int:
        """Log a conversation elsewhere over HTTP, in the guide's form; return its timeline id."""
        answer = await self._speaking(by).ok("POST", f"/v1.0/leads/{lead_id}/activity", {"type": word, **fields})
        return int(answer["activityId"].removeprefix("act_"))

    def _speaking(self, by: Person | None) -> Client:
        return self.client.as_(by) if by else self.client

    async def happening(self, lead_id: int, kind: str, by: Person, **fields: Any) -> None:
        """Let something happen to a lead."""
        async with self._owner_db.transaction(by.team_id) as tx:
            lead = await managed_lead(tx, actor_for(by, role="owner"), lead_id)
            entry = Entry(kind, lead_id, fields.pop("details", {}), **fields)
            await record(tx, actor_for(by), [entry], audience=audience(lead))

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        """Look behind the door, with the owner's rights."""
        async with self._owner_db.unscoped() as tx:
            return await tx.fetch(sql, *args)

    async def everything(self, *team_ids: int) -> dict[str, tuple[int, str]]:
        """Return a fingerprint of all rows that teams own, by table: equal before and after means unchanged."""
        tables = await self.rows(
            """SELECT c.relname FROM pg_class c
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'team_id'
                WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1"""
        )
        parts = [
            f"SELECT '{table[0]}', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text "
            f"FROM {table[0]} t WHERE team_id = ANY ($1)"
            for table in tables
        ]
        rows = await self.rows(" UNION ALL ".join(parts), list(team_ids))
        return {row[0]: (row[1], row[2]) for row in rows}

    async def turns(self, people: People) -> list[tuple[str, int, int]]:
        """Return the turns that routing has counted in the people's company."""
        rows = await self.rows(
            "SELECT scope, member_id, turns FROM routing_turn WHERE team_id = $1 ORDER BY 1, 2", people.adam.team_id
        )
        return [tuple(row) for row in rows]

    async def change(self, sql: str, *args: Any) -> None:
        """Change something no operation changes yet, with the owner's rights."""
        async with self._owner_db.unscoped() as tx:
            await tx.execute(sql, *args)


def actor_for(person: Person, role: str = "agent") -> Actor:
    """The actor a person's key would give."""
    offices = [person.office_id] if person.office_id else []
    return Actor(person.team_id, person.id, role, person.office_id, offices, [person.id], "UTC")
