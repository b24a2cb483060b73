"""One company with every role and all that a member can have, and another one whose things nobody may meet."""

import asyncio
from itertools import count
from typing import Any, Final

from msgspec import Struct, field

from rooftree.auth.actions import create_key
from rooftree.cli.founding import found
from rooftree.messaging.actions import keep_arrival
from rooftree.platform.database import Database, Transaction
from rooftree.platform.outbox import number_announcements
from rooftree.team import actions as team
from tests.support.client import Client
from tests.support.people import Person

#: Stands in every name and text of the other company: nobody of ours may ever read it.
FOREIGN: Final = "Zanzibar"
ROLES: Final = ("owner", "admin", "office_owner", "office_admin", "agent", "assistant", "lender")
#: An agent with a permission profile that the team made.
PROFILED: Final = "profiled"
CALLERS: Final = (*ROLES, PROFILED)
GRANTED: Final = ["ACCESS_ALL_TEAM_LEADS", "MANAGE_LEAD_DISTRIBUTION"]


class Belongings(Struct):
    """A lead and what belongs to it; `word` stands in all its texts, and nowhere else."""

    word: str
    email: str
    lead: int
    note: int
    log: int
    call: int
    text: int
    mail: int
    offered: int  #: another lead, which is on offer to its holder
    webhook: int
    delivery: int
    second: int  #: another lead, the same person
    pair: int  #: both on the review list
    merge: int  #: of two more


class Company(Struct):
    """Both companies. Ids stand by relation: of the caller's own, of the office, of another office, of another team."""

    client: Client
    owner_db: Database
    callers: dict[str, Person]
    nora: Person  #: agent, office North, as everybody but the owner
    sam: Person  #: agent, office South
    out: Person  #: agent, office North, deactivated
    stella: Person  #: owner of the other company
    sid: Person  #: agent there
    offices: list[int]  #: North; the Annex below it; South; the other company's
    belongings: dict[int, Belongings]
    ponds: list[int]  #: the company's, from which all callers draw; North's; South's; the other company's
    rules: dict[int, int]  #: by office; 0: the company's
    profiles: list[int]  #: ours, theirs
    vendors: list[int]
    arrivals: list[int]
    tags: list[int]
    fields: list[str]
    stages: list[int]
    numbers: "count[int]"
    partners: dict[int, int] = field(default_factory=dict[int, int])  #: of leads to be merged: the other one

    def keeper(self, holder: Person) -> Person:
        """Whoever makes somebody's things: the owner of their company."""
        return self.stella if holder.team_id == self.stella.team_id else self.callers["owner"]

    async def ok(self, by: Person, method: str, url: str, body: Any = None) -> Any:
        """Do something that must succeed."""
        return await self.client.as_(by).ok(method, url, body)

    async def lead(self, holder: Person, word: str, **fields: Any) -> int:
        """Make a lead of somebody's; assistant and lender only have their role on it."""
        keeper = self.keeper(holder)
        whose = self.sam if holder.name in ("assistant", "lender") else holder
        fields = {"assignedUserId": whose.id, "ownershipScope": "PERSONAL", "ownershipId": whose.id, **fields}
        made = await self.ok(keeper, "POST", "/v1.0/leads", {"firstName": word, "lastName": word, **fields})
        if whose is not holder:
            wish = [{"role": holder.name.capitalize(), "assignee": holder.email}]
            await self.ok(keeper, "POST", f"/v1.0/leads/{made['leadId']}/assignment", wish)
        return made["leadId"]

    async def note(self, holder: Person, lead_id: int, word: str) -> int:
        """Make a note of somebody's."""
        return (await self.ok(holder, "POST", "/v1.0/notes", {"leadId": lead_id, "content": word}))["noteId"]

    async def log(self, holder: Person, lead_id: int, word: str) -> int:
        """Make a manual log of somebody's."""
        body = {"leadId": lead_id, "logType": "logCall", "content": word, "leadPhoneNumber": "5551234567"}
        return (await self.ok(holder, "POST", "/v1.0/logType", body))["logType"]["id"]

    async def on_offer(self, holder: Person, word: str) -> int:
        """Make a lead that is somebody else's, and on offer to the holder."""
        lead_id = await self.lead(self.sid if holder.team_id == self.sid.team_id else self.sam, word)
        async with self.owner_db.unscoped() as tx:
            await tx.execute(
                """INSERT INTO routing_offer (team_id, lead_id, strategy, member_ids, due_at)
                   VALUES ($1, $2, 3, $3, now() + interval '1 hour')""",
                holder.team_id,
                lead_id,
                [holder.id],
            )
        return lead_id

    async def pair(self, holder: Person, lead_id: int, other_id: int) -> int:
        """Put two leads on the review list."""
        async with self.owner_db.unscoped() as tx:
            return await tx.fetchval(
                """INSERT INTO duplicate_pair (team_id, lead_id, other_id, score, reasons)
                   VALUES ($1, $2, $3, 90, '[]') RETURNING id""",
                holder.team_id,
                lead_id,
                other_id,
            )

    async def merge(self, holder: Person, word: str) -> int:
        """Merge two leads of somebody's."""
        stays, goes = [await self.lead(holder, word) for _ in range(2)]
        url = f"/rooftree/v1/leads/{stays}/merge"
        return (await self.ok(self.keeper(holder), "POST", url, {"otherLeadId": goes}))["mergeId"]

    async def member(self, office_id: int | None = None) -> Person:
        """Add an agent, who has no key."""
        async with self.owner_db.transaction(self.nora.team_id) as tx:
            return await _member(tx, None, "fresh", "agent", office_id, next(self.numbers))

    async def arrival(self, team_id: int, word: str) -> int:
        """Let a text come in from nobody known."""
        number = next(self.numbers)
        async with self.owner_db.transaction(team_id) as tx:
            kept = await keep_arrival(
                tx,
                channel="sms",
                provider_id=f"SM{number}",
                sender="+14155552671",
                recipient="+14155550100",
                body=word,
            )
        assert kept is not None
        return kept.id

    async def webhook(self, holder: Person, word: str) -> int:
        """Subscribe somebody, to an address where nobody listens."""
        body = {"listId": 2, "callbackUrl": f"http://127.0.0.1:9/{word}/{next(self.numbers)}"}
        return (await self.ok(holder, "POST", "/v1.0/webhook", body))["subscribeId"]

    async def rule(self, by: Person, office_id: int, **fields: Any) -> int:
        """Make a routing rule that no lead meets; 0: the company's."""
        body = {"name": "Rule", "criteria": {"sourceNames": ["nowhere"], "sourceMatch": 1}, **fields}
        body |= {"officeId": office_id} if office_id else {}
        return (await self.ok(by, "POST", "/rooftree/v1/routing/rules", body))["id"]


async def _member(
    tx: Transaction, secret: bytes | None, name: str, role: str, office_id: int | None, number: int, last_name: str = ""
) -> Person:
    email = f"{name}.{number}@{tx.team_id}.example.com"
    member = await team.add_member(
        tx, email=email, first_name=name, last_name=last_name, role=role, office_id=office_id
    )
    key = (await create_key(tx, secret, member.id, name))[0] if secret else ""
    return Person(name, member.team_id, member.id, member.email, member.office_id, key)


async def build(client: Client, owner_db: Database, secret: bytes) -> Company:
    """Found both companies and give everybody something."""
    numbers = count(10_000_001)
    owners: list[Person] = []
    for name, company in (("owner", "Realty"), (FOREIGN, FOREIGN)):
        email = f"{name}.{next(numbers)}.{id(numbers)}@example.com"
        member = await found(owner_db, name=company, owner_email=email, owner_first_name=name)
        async with owner_db.transaction(member.team_id) as tx:
            key, _ = await create_key(tx, secret, member.id, name)
        owners.append(Person(name, member.team_id, member.id, member.email, None, key))
    owner, stella = owners
    async with owner_db.transaction(owner.team_id) as tx:
        north = (await team.add_office(tx, "North")).id
        annex = (await team.add_office(tx, "Annex", north)).id
        south = (await team.add_office(tx, "South")).id
        people = {
            role: await _member(tx, secret, role, role if role in ROLES else "agent", north, next(numbers))
            for role in CALLERS[1:]
        }
        nora = await _member(tx, secret, "nora", "agent", north, next(numbers))
        sam = await _member(tx, secret, "sam", "agent", south, next(numbers))
        out = await _member(tx, secret, "out", "agent", north, next(numbers))
    async with owner_db.transaction(stella.team_id) as tx:
        far = (await team.add_office(tx, FOREIGN)).id
        sid = await _member(tx, secret, FOREIGN, "agent", far, next(numbers))
    company = Company(
        client=client,
        owner_db=owner_db,
        callers={"owner": owner, **people},
        nora=nora,
        sam=sam,
        out=out,
        stella=stella,
        sid=sid,
        offices=[north, annex, south, far],
        belongings={},
        ponds=[],
        rules={},
        profiles=[],
        vendors=[],
        arrivals=[],
        tags=[],
        fields=[],
        stages=[],
        numbers=numbers,
    )
    await _furnish(company)
    holders = [*company.callers.values(), nora, sam, sid]
    found_things = await asyncio.gather(*(_belongings(company, holder) for holder in holders))
    company.belongings = {holder.id: things for holder, things in zip(holders, found_things, strict=True)}
    await company.ok(owner, "POST", f"/v2.0/agents/{out.id}/deactivate", {})
    async with owner_db.unscoped() as tx:
        await number_announcements(tx, 1_000_000)
    return company


async def _furnish(company: Company) -> None:
    """Give both companies a profile, ponds, rules, vendors, something in the tray, a tag, a field and a stage."""
    owner, stella = company.callers["owner"], company.stella
    for by, word in ((owner, "Ours"), (stella, FOREIGN)):
        profile = {"name": word, "permissions": GRANTED}
        company.profiles.append((await company.ok(by, "POST", "/rooftree/v1/profiles", profile))["id"])
        company.vendors.append((await company.ok(by, "POST", "/rooftree/v1/vendors", {"firstName": word}))["id"])
        company.arrivals.append(await company.arrival(by.team_id, word))
        field = {"attributeName": f"{word} field", "attributeType": "text"}
        await company.ok(by, "POST", "/v1.0/teamFeatures/custom-field", field)
        company.fields.append(f"{word} field")
        await company.lead(by, word, tags=[f"{word} tag"], stage=f"{word} stage")
        tags = await company.ok(by, "GET", "/v1.0/teamFeatures/listTag")
        company.tags.append(next(tag["tagId"] for tag in tags if tag["tagName"] == f"{word} tag"))
        stages = (await company.ok(by, "GET", "/v1.0/teamFeatures/lead-pipelines?pageSize=100"))["pipelines"]
        company.stages.append(next(stage["id"] for stage in stages if stage["name"] == f"{word} stage"))
    north, annex, south, far = company.offices
    drawing = [person.id for person in company.callers.values()]
    for by, office_id, ids in ((owner, 0, drawing), (owner, north, []), (owner, south, []), (stella, far, [])):
        name = f"{FOREIGN} pond" if by is stella else f"Pond {office_id}"
        pond = {"pondName": name, "officeId": office_id, "agentIds": ids}
        company.ponds.append((await company.ok(by, "POST", "/rooftree/v1/ponds", pond))["id"])
    for office_id in (0, north, annex, south):
        company.rules[office_id] = await company.rule(owner, office_id)
    company.rules[far] = await company.rule(stella, far, name=FOREIGN)
    profiled = company.callers[PROFILED]
    await company.ok(owner, "PUT", f"/rooftree/v1/members/{profiled.id}", {"profileId": company.profiles[0]})


async def _belongings(company: Company, holder: Person) -> Belongings:
    """Give somebody a lead and all that can belong to one. A lender may write notes and logs, no more."""
    word = FOREIGN if holder.name == FOREIGN else f"Secret-{holder.name}"
    number = next(company.numbers)
    email = f"lead{number}@example.com"
    lead = await company.lead(
        holder, word, emails=[email], phones=[f"415{number % 10_000_000:07d}"], source="the table"
    )
    writer = company.keeper(holder) if holder.name == "lender" else holder
    call = await company.ok(writer, "POST", "/rooftree/v1/calls", {"leadId": lead, "note": word})
    await company.ok(writer, "PUT", f"/rooftree/v1/calls/{call['callId']}", {"transcript": word})
    body = {"leadId": lead, "subject": word, "body": word}
    await company.ok(writer, "POST", "/v1.0/message/email/send", body)
    await company.ok(writer, "POST", "/v1.0/message/sms/send", {"leadId": lead, "content": word})
    seen = (await company.ok(writer, "GET", f"/v2.0/leads/{lead}/activities?limit=100"))["activities"]
    webhook = await company.webhook(holder, word)
    tried = await company.ok(holder, "POST", f"/rooftree/v1/webhooks/{webhook}/test")
    second = await company.lead(holder, word)
    by_channel = {activity["type"]: activity["id"] for activity in seen}
    return Belongings(
        word=word,
        email=email,
        lead=lead,
        note=await company.note(holder, lead, word),
        log=await company.log(holder, lead, word),
        call=call["callId"],
        text=by_channel["sms"],
        mail=by_channel["email"],
        offered=await company.on_offer(holder, word),
        webhook=webhook,
        delivery=tried["deliveryId"],
        second=second,
        pair=await company.pair(holder, lead, second),
        merge=await company.merge(holder, word),
    )
