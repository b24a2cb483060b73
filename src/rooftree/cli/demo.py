"""Demo data of any size: people, leads with histories. The same seed gives the same data."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from rooftree.cli.running import console
from rooftree.leads import fields
from rooftree.leads.actions import ensure_words
from rooftree.leads.bulk import load_leads
from rooftree.leads.model import UNSET_COLUMNS, Lead, Tag
from rooftree.leads.queries import stages
from rooftree.leads.wire import LeadInquiry, LeadProperty, tag_response
from rooftree.platform import clock, ids
from rooftree.platform.database import Database, Transaction
from rooftree.team import actions as team
from rooftree.team import queries
from rooftree.team.model import Member
from rooftree.timeline import kinds
from rooftree.timeline.actions import Entry, talk_entry
from rooftree.timeline.model import Talk

BATCH: Final = 2000


def _words(text: str) -> list[str]:
    return text.split()


FIRST_NAMES: Final = _words("""
Ada Aisha Alan Alba Alice Amir Ana Andre Anita Anna Arthur Aya Bella Ben Bianca Boris Bruno Camila Carl Carmen
Chen Chloe Clara Cora Dana Daniel Daria David Dev Diego Dora Edith Elena Eli Elsa Emil Emma Eric Esme Eva Felix
Finn Flora Frank Freya Gabriel Gina Grace Hana Hannah Hans Hugo Ida Imani Ines Ingrid Irene Isaac Ivan Jack Jade
James Jane Jasmin Javier Jin Joel John Jonas José Julia June Kai Karim Karl Kate Kenji Kim Lara Laura Lea Leo
Lena Liam Lili Lina Louis Lucas Lucia Luna Maja Malik Marco Maria Marie Mark Marta Mateo Maya Mei Mia Mila Mira
Mona Nadia Naomi Nico Nina Noah Nora Olga Oliver Omar Oscar Otis Paul Paula Pedro Petra Priya Quinn Rafael Rania
Ravi Rita Rosa Ruth Ryan Sam Sara Sasha Selma Simon Sofia Sven Tara Theo Tina Tom Uma Vera Victor Wanda Will
Xenia Yara Yusuf Zara Zoe
""")
LAST_NAMES: Final = _words("""
Abbott Adams Aguilar Ahmed Allen Alvarez Anders Archer Bailey Baker Banks Barnes Bauer Becker Bell Bennett Berg
Bishop Black Blake Bloom Bond Boyd Bradley Brandt Brooks Brown Bryant Burke Burns Byrne Campos Carter Castillo
Chan Chang Clark Cole Collins Cook Cooper Costa Cruz Dahl Dalton Daniels Davis Dawson Delgado Diaz Dixon Doyle
Drake Dunn Duran Eaton Edwards Ellis Evans Farmer Ferrari Fischer Fisher Flores Ford Foster Fox Francis Franklin
Frost Fuentes Fuller Garcia Garner Gibson Gomez Gordon Graham Grant Gray Green Griffin Gupta Hale Hall Hansen
Harper Harris Hayes Henry Hicks Hill Hoffman Holmes Howard Huang Hughes Hunt Ibrahim Jackson Jensen Jimenez
Johnson Jones Jordan Kang Kaur Kelly Khan Kim King Klein Knight Kumar Lambert Lane Larsen Lee Lewis Li Lin Lopez
Lund Lynch Madsen Marsh Martin Mason Meyer Mills Moore Morales Moran Morgan Moss Müller Murphy Nash Nelson
Nguyen Nielsen Novak Oconnor Olsen Ortiz Owens Palmer Park Patel Perez Perry Peters Phillips Porter Powell Price
Quinn Ramos Reed Reyes Rice Rivera Roberts Robinson Romero Rossi Ruiz Russell Ryan Sanchez Sanders Santos
Schmidt Schneider Scott Shah Sharma Shaw Silva Singh Smith Snyder Soto Stein Stone Suarez Sullivan Taylor Thomas
Torres Tran Turner Vargas Vega Wagner Walker Wallace Walsh Wang Ward Watson Weber Wells West White Wolf Wong
Wood Wright Wu Yang Young Zhang Zimmer
""")
PLACES: Final = (
    ("Austin", "TX", "78701", "512"),
    ("Denver", "CO", "80202", "303"),
    ("Portland", "OR", "97204", "503"),
    ("San Diego", "CA", "92101", "619"),
    ("Phoenix", "AZ", "85004", "602"),
    ("Raleigh", "NC", "27601", "919"),
)
STREETS: Final = ("Oak St", "Maple Ave", "Cedar Ln", "Elm St", "Lake Dr", "Hill Rd", "Park Ave", "River Rd")
SOURCES: Final = ("Website", "Open House", "Google", "Zillow", "Referral", "Facebook")
TAGS: Final = ("Hot Lead", "First-Time Buyer", "Pre-Approved", "Investor", "Relocating", "Downsizing", "follow-up")
SEGMENTS: Final = ("VIP Clients", "Downtown Area", "Newsletter")
HOMES: Final = ("Single Family Home", "Condo", "Townhouse", "Multi-Family")
AGENTS: Final = (
    ("North", ("Ana Reyes", "Ben Carter", "Chloe Park", "David Stone")),
    ("South", ("Elena Rossi", "Finn Larsen", "Grace Nguyen", "Hugo Silva")),
)


class _World(Struct):
    """What the leads of a team are made of."""

    team_id: int
    owner_id: int
    agents: list[Member]
    stage_ids: list[int]
    source_ids: dict[str, int]
    tags: list[Tag]


async def fill(owner_database: Database, owner: Member, leads: int) -> None:
    """Give a fresh team two offices, eight agents and leads with histories."""
    async with owner_database.transaction(owner.team_id) as tx:
        for office_name, people in AGENTS:
            office = await team.add_office(tx, office_name)
            for name in people:
                first, _, last = name.partition(" ")
                email = f"{first}.{last}.{owner.team_id % 100_000}@example.com".lower()
                await team.add_member(tx, email=email, first_name=first, last_name=last, office_id=office.id)
    await add_leads(owner_database, owner.team_id, owner.id, leads)


async def add_leads(
    owner_database: Database,
    team_id: int,
    owner_id: int,
    count: int,
    *,
    region: str = "US",
    seed: int = 1,
    on_progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Add leads to a team, each batch in a transaction; `on_progress` hears how many each batch had."""
    async with owner_database.transaction(team_id) as tx:
        world = await _world(tx, owner_id)
    dice = random.Random(seed)  # noqa: S311 - it makes people up, not keys
    left = count
    while left:
        size = min(left, BATCH)
        async with owner_database.transaction(team_id) as tx:
            lead_ids = await ids.next_ids(tx, size)
            leads = [_lead(dice, world, lead_id) for lead_id in lead_ids]
            history = await _history(tx, dice, leads)
            await load_leads(tx, leads, history, region=region)
        left -= size
        on_progress(size)


async def _world(tx: Transaction, owner_id: int) -> _World:
    members, _ = await queries.list_members(tx, [], after_id=None, limit=10_000, offset=0)
    sources, tags = await ensure_words(tx, SOURCES, TAGS, owner_id)
    agents = [member for member in members if member.role == "agent" and member.status == "active"]
    pipeline, _ = await stages(tx, tx.team_id, "", 100, 0)
    return _World(
        team_id=tx.team_id,
        owner_id=owner_id,
        agents=agents or [member for member in members if member.id == owner_id],
        stage_ids=[stage.id for stage in pipeline],
        source_ids=sources,
        tags=tags,
    )


def _lead(dice: random.Random, world: _World, lead_id: int) -> Lead:
    first, last = dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES)
    city, state, zip_code, area = dice.choice(PLACES)
    created_at = clock.now() - timedelta(seconds=dice.randrange(3600, 3600 * 24 * 700))
    agent = dice.choice(world.agents)
    source = dice.choices(SOURCES, weights=(30, 20, 20, 15, 10, 5))[0]
    is_seller = dice.random() < 0.3
    plain = "".join(letter for letter in fields_fold(f"{first}.{last}") if letter.isascii())
    phone = f"+1{area}{dice.randrange(200, 999)}{dice.randrange(10_000):04}"
    scope, owner_id = _ownership(dice, world, agent)
    values: dict[str, Any] = {
        **UNSET_COLUMNS,
        "team_id": world.team_id,
        "id": lead_id,
        "first_name": first,
        "last_name": last,
        "emails": [f"{plain}{dice.randrange(10_000)}@example.com"],
        "phones": [phone],
        "phone_statuses": [2],
        "lead_types": [1 if is_seller else 2],
        "stage_id": dice.choices(world.stage_ids, weights=range(len(world.stage_ids), 0, -1))[0],
        "source_id": world.source_ids[source],
        "source": source,
        "assigned_user_id": agent.id,
        "assigned_at": created_at,
        "ownership_scope": scope,
        "ownership_id": owner_id,
        "is_contacted": dice.random() < _CONTACTED,
        "language": "en",
        "buying_time_frame": None if is_seller else dice.choice(("1-3", "3-6", "6-12")),
        "segments": dice.sample(SEGMENTS, dice.choice((0, 0, 1))),
        "tags": _tags(dice, world, lead_id),
        "inquiry": _inquiry(dice, lead_id, city, state, created_at),
        "inquiry_updated_at": created_at,
        "properties": _property(dice, lead_id, city, state, zip_code, created_at) if is_seller else b"[]",
        "created_by": world.owner_id,
        "created_at": created_at,
        "updated_at": created_at,
    }
    return Lead(**values)


def fields_fold(text: str) -> str:
    """Return a name as an e-mail address would spell it."""
    return text.lower().replace("é", "e").replace("ü", "u")


def _ownership(dice: random.Random, world: _World, agent: Member) -> tuple[str, int]:
    scope = dice.choices(("PERSONAL", "TEAM", "OFFICE"), weights=(6, 3, 1))[0]
    if scope == "OFFICE" and agent.office_id:
        return scope, agent.office_id
    return ("TEAM", world.team_id) if scope == "TEAM" else ("PERSONAL", agent.id)


def _tags(dice: random.Random, world: _World, lead_id: int) -> bytes:
    chosen = dice.sample(world.tags, dice.choice((0, 1, 1, 2)))
    return msgspec.json.encode([tag_response(tag, lead_id) for tag in chosen])


def _inquiry(dice: random.Random, lead_id: int, city: str, state: str, now: datetime) -> bytes:
    low = dice.randrange(150, 900) * 1000
    request = msgspec.convert(
        {
            "priceMin": low,
            "priceMax": low + dice.randrange(50, 400) * 1000,
            "propertyType": [dice.choice(HOMES)],
            "bedroomsMin": dice.randrange(1, 5),
            "locations": [{"city": city, "stateCode": state}],
        },
        LeadInquiry,
    )
    return msgspec.json.encode(fields.inquiry_document(request, None, lead_id=lead_id, inquiry_id=lead_id, now=now))


def _property(dice: random.Random, lead_id: int, city: str, state: str, zip_code: str, now: datetime) -> bytes:
    request = LeadProperty(
        street_address=f"{dice.randrange(1, 9999)} {dice.choice(STREETS)}",
        city=city,
        state=state,
        zip_code=zip_code,
        property_type=dice.choice(HOMES),
        price=dice.randrange(150, 1500) * 1000,
    )
    document = fields.property_document(request, None, lead_id=lead_id, property_id=lead_id, now=now)
    return msgspec.json.encode([document])


_VISITS: Final = (kinds.SITE_SEARCH, kinds.SITE_BROWSE, kinds.SITE_BROWSE, kinds.SITE_FAVORITE, kinds.SITE_REQUEST)


async def _history(tx: Transaction, dice: random.Random, leads: Sequence[Lead]) -> list[tuple[int, Entry]]:
    """Return what happened to each lead: it came in, was routed, visited the site, and talked with its agent."""
    visits = [dice.choice((0, 0, 1, 2, 4)) for _ in leads]
    talks = [dice.choice((1, 2, 3)) if lead.is_contacted else 0 for lead in leads]
    fresh = iter(await ids.next_ids(tx, 2 * len(leads) + sum(visits) + sum(talks)))
    history: list[tuple[int, Entry]] = []
    for lead, visit_count, talk_count in zip(leads, visits, talks, strict=True):
        by, at = lead.created_by or 0, lead.created_at
        name = f"{lead.first_name} {lead.last_name}"
        created = Entry(kinds.LEAD_CREATED, lead.id, {"name": name, "source": lead.source}, at, None, next(fresh))
        routed = Entry(kinds.LEAD_ROUTED, lead.id, {"to": lead.assigned_user_id}, at, None, next(fresh))
        history += [(by, created), (by, routed)]
        for _ in range(visit_count):
            at += (clock.now() - at) * dice.random() * 0.5
            history.append((by, _visit(dice, lead, at, next(fresh))))
        for place in range(talk_count):
            at += (clock.now() - at) * dice.random() * 0.5
            history.append((lead.assigned_user_id or by, _talk(dice, lead, at, next(fresh), is_first=place == 0)))
    return history


#: How many of the leads their agent has talked to.
_CONTACTED: Final = 0.4
#: Kind, direction, status, and what was said. The first of a lead is the agent's.
_TALKS: Final = (
    (kinds.CALL_LOGGED, "outbound", None, Talk(content="Talked about the area", outcome="Talked", duration=185)),
    (kinds.TEXT_SENT, "outbound", "Delivered", Talk(content="Shall we look at two homes on Saturday?")),
    (kinds.EMAIL_SENT, "outbound", "Sent", Talk(content="Three homes that fit.", subject="Homes for you")),
    (kinds.TEXT_RECEIVED, "inbound", "Delivered", Talk(content="Saturday at ten is fine.")),
    (kinds.CALL_LOGGED, "inbound", None, Talk(content="Asked about schools", outcome="Talked", duration=64)),
)
_BY_AGENT: Final = 3


def _talk(dice: random.Random, lead: Lead, at: datetime, entry_id: int, *, is_first: bool) -> Entry:
    kind, direction, status, said = dice.choice(_TALKS[:_BY_AGENT] if is_first else _TALKS)
    if kind == kinds.CALL_LOGGED:
        said = structs.replace(said, phone=lead.phones[0])
    return talk_entry(kind, lead.id, entry_id, said, direction=direction, happened_at=at, status=status)


def _visit(dice: random.Random, lead: Lead, at: datetime, entry_id: int) -> Entry:
    kind = dice.choice(_VISITS)
    details = {"text": "Homes nearby", "link": "https://example.com/homes", "picture": "https://example.com/home.jpg"}
    return Entry(kind, lead.id, {**details, "created": int(at.timestamp() * 1000)}, at, None, entry_id)


def announce(count: int) -> None:
    """Say what is being made."""
    console.print(f"Making {count:,} demo leads with their histories.")
