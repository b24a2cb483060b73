"""What is measured: every read and write of the guides, as requests to a team of demo leads."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from rooftree.leads.filters import LeadFilter, Order
from rooftree.leads.queries import _Scroll
from rooftree.platform.database import Database
from rooftree.platform.pages import Sealer

#: Method, path, body.
Request = tuple[str, str, str]


class Case(NamedTuple):
    """Requests of one kind, and the leads they are about: a random one of these each time."""

    requests: list[Request]
    #: One statement for all these leads; empty: each request has statements of its own.
    lead_ids: Sequence[int] = ()


#: How many leads are asked for: enough that they are not all in a CPU cache.
GOTTEN = 1024
#: Requests that differ in more than the lead.
SAMPLES = 24
#: Entries on the two leads whose timelines are compared.
SHORT, LONG = 10, 10_000

BODY = json.dumps(
    {
        "firstName": "Jane",
        "lastName": "Smith",
        "emails": ["jane.smith@example.com"],
        "phones": ["5551234567"],
        "leadTypes": [2],
        "source": "Website",
    }
)
#: A visit as the contract prints it. contract: seed 002
VISIT = json.dumps(
    {
        "type": "Browse",
        "text": "Viewed a home",
        "link": "https://lofty.com",
        "picture": "https://lofty.com/default.jpg",
        "created": 1747272300000,
        "listing": {"price": 100000, "city": "New York", "streetAddress": "22348 Regnart RD", "zipCode": "25401"},
    }
)
LISTS = {
    "stage": [f"stage={name}" for name in ("New+Lead", "Pending", "Contacted")],
    "source": [f"source={name}" for name in ("Website", "Google", "Zillow")],
    "tag": [f"anyTags={name}" for name in ("Investor", "Pre-Approved")],
    "stage and activity": [f"stage={name}&sort=LastActivity&desc=true" for name in ("Pending", "Contacted")],
    "activity": ["sort=LastActivity&desc=true"],
}
#: Reads of what happened to one lead. contract: seed 001
HISTORIES = {
    "timeline": "/v2.0/leads/{}/activities",
    "site activity": "/v1.0/leads/{}/activities",
    "calls": "/v1.0/communication/call?leadId={}",
    "calls v2": "/v1.0/communication/call/v2?leadId={}",
    "texts": "/v1.0/communication/text?leadId={}",
    "e-mails": "/v1.0/communication/email?leadId={}",
    "notes": "/v1.0/notes?leadId={}",
    "manual logs": "/v1.0/logType?leadId={}&logType=logCall",
    "transactions": "/v1.0/leads/{}/transactions",
}


async def cases_of(owner_db: Database, secret: bytes, team_id: int, size: int) -> dict[str, Case]:
    """Return the requests of each case."""
    async with owner_db.reading(team_id) as tx:
        rows = await tx.fetch(  # any leads will do, but those that an earlier run created
            """SELECT id, first_name, last_name, emails, phones FROM lead WHERE team_id = $1 AND NOT emails && $3
                ORDER BY random() LIMIT $2""",
            team_id,
            GOTTEN,
            json.loads(BODY)["emails"],
        )
        agents = await tx.fetch("SELECT id FROM member WHERE role = 'agent' ORDER BY id LIMIT 4")
    lead_ids = [row["id"] for row in rows]
    found = {"get": _each(lead_ids, "GET", "/v1.0/leads/{}")}
    found |= {f"list by {name}": Case([_list(query) for query in queries]) for name, queries in LISTS.items()}
    found["list by agent"] = Case([_list(f"assignedUserId={row['id']}") for row in agents])
    found["scroll"] = Case(await _scroll(owner_db, secret, team_id, size))
    found["key"] = Case([_list(f"key={word}") for row in rows[: SAMPLES // 3] for word in _typed(row)])
    found["key fragment"] = Case([_list(f"key={word}") for word in ("guye", "ossi", "hugo.s", "clara+r", "5125")])
    found |= {f"read {name}": _each(lead_ids, "GET", path) for name, path in HISTORIES.items()}
    for entries, lead_id in zip((SHORT, LONG), lead_ids[:2], strict=True):
        await _talk(owner_db, team_id, lead_id, entries)
        found[f"timeline of {entries:,}"] = Case([("GET", f"/v2.0/leads/{lead_id}/activities", "")])
    return found | _writes(lead_ids, [row["id"] for row in agents])


def _writes(lead_ids: list[int], agent_ids: list[int]) -> dict[str, Case]:
    log = {"logType": "logCall", "content": "Talked about the area", "callingOutcome": "Talked"}
    log |= {"outboundOrInbound": "outbound", "leadPhoneNumber": "5125550100", "isPin": False}
    mail = {"subject": "Homes for you", "body": "Three homes that fit."}
    roles = [json.dumps({"assignees": [{"role": "Agent", "assigneeUserId": agent_id}]}) for agent_id in agent_ids]
    changes = [json.dumps({"referredBy": f"A friend of {count}"}) for count in range(8)]
    return {
        "create": Case([("POST", "/v1.0/leads", BODY)]),
        "update": Case([("PUT", f"/v1.0/leads/{lead_id}", body) for lead_id in lead_ids for body in changes], lead_ids),
        "assign": Case([("POST", f"/v1.0/leads/{lead_id}/assignment", body) for lead_id in lead_ids for body in roles]),
        "site event": _each(lead_ids, "POST", "/v1.0/leads/{}/activity", VISIT),
        "note": _about(lead_ids, "/v1.0/notes", {"content": "Prefers evenings. " * 10}),
        "manual log": _about(lead_ids, "/v1.0/logType", log),
        "preview": Case([("POST", "/v1.0/leads/assignee", json.dumps({"firstName": "Jo", "email": "jo@example.com"}))]),
        "send e-mail": _about(lead_ids, "/v1.0/message/email/send", mail),
    }


def _each(lead_ids: list[int], method: str, path: str, body: str = "") -> Case:
    return Case([(method, path.format(lead_id), body) for lead_id in lead_ids], lead_ids)


def _about(lead_ids: list[int], path: str, body: dict[str, Any]) -> Case:
    return Case([("POST", path, json.dumps({"leadId": lead_id, **body})) for lead_id in lead_ids], lead_ids)


def _list(query: str) -> Request:
    return ("GET", f"/v1.0/leads?limit=20&{query}", "")


def _typed(row: Any) -> tuple[str, str, str]:
    """Return what people type who look for a lead: the name, the address, the number."""
    name, address, number = f"{row['first_name']} {row['last_name']}", row["emails"][0], row["phones"][0][-10:]
    return quote_plus(name), quote_plus(address), number


async def _scroll(owner_db: Database, secret: bytes, team_id: int, size: int) -> list[Request]:
    """Return requests for pages deep in a scroll: made by hand, since walking there would take all day."""
    async with owner_db.reading(team_id) as tx:
        sql = "SELECT id, created_at FROM lead WHERE team_id = $1 ORDER BY random() LIMIT $2"  # any leads
        rows = await tx.fetch(sql, team_id, SAMPLES)
        member = await tx.fetchval("SELECT id FROM member WHERE team_id = $1 AND role = 'owner'", team_id)
    seal = Sealer(secret).seal
    cursors = [
        seal(_Scroll(member, LeadFilter(), Order(), row["created_at"].isoformat(), row["id"], size // 2, None))
        for row in rows
    ]
    return [_list(f"scrollId={cursor}") for cursor in cursors]


async def _talk(owner_db: Database, team_id: int, lead_id: int, entries: int) -> None:
    """Let a lead have so many conversations and no others."""
    async with owner_db.transaction(team_id) as tx:
        sql = "DELETE FROM timeline_entry WHERE team_id = $1 AND lead_id = $2 AND channel IS NOT NULL"
        await tx.execute(sql, team_id, lead_id)
        await tx.execute(
            """INSERT INTO timeline_entry (team_id, lead_id, kind, happened_at, details, channel, direction, origin)
               SELECT $1, $2, 'text_received', now() - n * interval '1 hour', '{"content": "A few questions"}', 'text',
                      'inbound', 'auto' FROM generate_series(1, $3::integer) n""",
            team_id,
            lead_id,
            entries,
        )
        await tx.execute(
            """INSERT INTO timeline_summary (team_id, lead_id, communication_count) VALUES ($1, $2, $3)
               ON CONFLICT (team_id, lead_id) DO UPDATE SET communication_count = $3""",
            team_id,
            lead_id,
            entries,
        )
