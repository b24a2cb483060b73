"""Who may do what to whose things: every operation that is served, for every role, against permissions.txt.

The table is read first: it says what the signs mean. Each probe below says what thing an operation is aimed at, and how
it is called. A change is only believed when the database shows it (`proof`), and a refusal only when it does not.
"""

import asyncio
import difflib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from msgspec import Struct
from tests.support.client import Client
from tests.support.company import CALLERS, FOREIGN, GRANTED, ROLES, Belongings, Company, build
from tests.support.make import Make
from tests.support.people import Person

from rooftree.app import ROUTES, create_app
from rooftree.platform.database import Database
from rooftree.platform.http import service
from rooftree.platform.settings import Settings

TABLE: Final = Path(__file__).with_name("permissions.txt")
#: Operations without a caller, by how their paths begin: what knocks proves itself otherwise, or may be anybody.
WITHOUT_CALLER: Final = {
    "/rooftree/v1/inbound/": "signed by the provider, or with the server's own secret",
    "/rooftree/v1/unsubscribe/": "a sealed link, sent to the lead",
    "/rooftree/v1/blobs/": "a sealed link, good for an hour",
    "/oauth/": "an application's secret, or a person at the browser: how callers come to be",
    "/api/user-web/oauth/": "the same",
    "/page/vendor-auth.html": "the same",
    "/.well-known/": "for anybody",
}
#: Answers that say: you may not. 20017 and its kin; 990106 and 990107: an owner, oneself.
REFUSED: Final = {20017, 900001, 900002, 900004, 900024, 1900012, 990106, 990107}
#: How many probes run at once; each walks its cells one by one.
AT_ONCE: Final = 6


class At(Struct):
    """One sign of the table: who asks, and whose thing it is (0 own, 1 office, 2 team, 3 other team)."""

    company: Company
    caller: Person
    relation: int
    number: int  #: from 1; no two signs of a probe have the same
    mark: str  #: stands in what this call writes, and nowhere else

    @property
    def holder(self) -> Person:
        return (self.caller, self.company.nora, self.company.sam, self.company.sid)[self.relation]

    @property
    def things(self) -> Belongings:
        return self.company.belongings[self.holder.id]

    @property
    def is_foreign(self) -> bool:
        return self.relation == 3

    async def ok(self, method: str, url: str, body: Any = None) -> Any:
        """Do something as the owner of the holder's company."""
        return await self.company.ok(self.company.keeper(self.holder), method, url, body)


Id = int | str | None
Thing = Callable[[At], Id | Awaitable[Id]]


class Probe(Struct):
    """How an operation is aimed at a thing."""

    name: str  #: as the table has it: method, path, and what is special about this way of calling it
    thing: Thing  #: its id; None: there is no such thing
    url: str = ""  #: `{id}` is the thing; by default the path, whose parameter is the thing
    body: Callable[[At, Any], Any] | None = None
    listed: bool = False  #: one call; the sign says whether the thing is in the answer
    holds: bool = False  #: the same, with one call for each thing
    part: Callable[[Any], Any] = lambda content: content  #: of a list: where to look
    missing: frozenset[int] = frozenset()  #: codes by which this operation says that there is no such thing
    proof: str = ""  #: what the database holds once it is done; `{id}`, `{mark}`, `{number}`, `{caller}`

    @property
    def method(self) -> str:
        return self.name.partition(" ")[0]

    def path(self, thing: Id) -> str:
        template = self.url or self.name.split(" ")[1]
        return re.sub(r"\{\w+\}", str(thing), template)


# --- things ----------------------------------------------------------------------------------------------------------


def lead(at: At) -> Id:
    return at.things.lead


async def fresh_lead(at: At) -> Id:
    return at.things.lead if at.is_foreign else await at.company.lead(at.holder, at.things.word)


def address_of(at: At) -> str:
    """An address that only `lead_with_address` has."""
    return at.things.email if at.is_foreign else f"{at.mark}@example.com"


async def lead_with_address(at: At) -> Id:
    if at.is_foreign:
        return at.things.lead
    return await at.company.lead(at.holder, at.things.word, emails=[address_of(at)])


async def trashed_lead(at: At) -> Id:
    if at.is_foreign:
        return at.things.lead
    lead_id = await at.company.lead(at.holder, at.things.word)
    await at.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=x")
    return lead_id


async def offered_lead(at: At) -> Id:
    return at.things.offered if at.is_foreign else await at.company.on_offer(at.holder, at.things.word)


async def leads_to_merge(at: At) -> Id:
    lead_id = await fresh_lead(at)
    at.company.partners[int(str(lead_id))] = at.things.second if at.is_foreign else int(str(await fresh_lead(at)))
    return lead_id


async def fresh_pair(at: At) -> Id:
    if at.is_foreign:
        return at.things.pair
    one, other = [int(str(await fresh_lead(at))) for _ in range(2)]
    return await at.company.pair(at.holder, one, other)


async def dismissed_pair(at: At) -> Id:
    pair = await fresh_pair(at)
    if not at.is_foreign:
        await at.ok("POST", f"/rooftree/v1/duplicates/{pair}/dismiss")
    return pair


async def fresh_merge(at: At) -> Id:
    return at.things.merge if at.is_foreign else await at.company.merge(at.holder, at.things.word)


async def fresh_note(at: At) -> Id:
    if at.is_foreign:
        return at.things.note
    return await at.company.note(at.holder, at.things.lead, at.things.word)


async def fresh_log(at: At) -> Id:
    return at.things.log if at.is_foreign else await at.company.log(at.holder, at.things.lead, at.things.word)


async def fresh_webhook(at: At) -> Id:
    return at.things.webhook if at.is_foreign else await at.company.webhook(at.holder, at.things.word)


def member(at: At) -> Id:
    return at.holder.id


async def fresh_member(at: At) -> Id:
    if at.relation in (0, 3):
        return at.holder.id
    return (await at.company.member(at.holder.office_id)).id


async def former_member(at: At) -> Id:
    """Somebody who has no access now; nobody is out and asks."""
    if at.relation == 0:
        return None
    if at.is_foreign:
        return at.holder.id
    gone = await at.company.member(at.holder.office_id)
    await at.ok("POST", f"/v2.0/agents/{gone.id}/deactivate", {})
    return gone.id


def office(at: At) -> Id:
    """The caller's own (of the owner: the company, 0), one below it, another, another team's."""
    return (at.caller.office_id or 0) if at.relation == 0 else at.company.offices[at.relation]


def real_office(at: At) -> Id:
    return office(at) or None


def rule(at: At) -> Id:
    return at.company.rules[int(str(office(at)))]


async def fresh_rule(at: At) -> Id:
    if at.is_foreign:
        return rule(at)
    return await at.company.rule(at.company.callers["owner"], int(str(office(at))))


def pond(at: At) -> Id:
    return at.company.ponds[at.relation]


def nothing(at: At) -> Id:
    return 0 if at.relation == 0 else None


def of_team(name: str) -> Thing:
    """Things that belong to the team as a whole: ours and the other team's."""

    def found(at: At) -> Id:
        ours_and_theirs = getattr(at.company, name)
        return {0: ours_and_theirs[0], 3: ours_and_theirs[1]}.get(at.relation)

    return found


def fresh_of_team(name: str, url: str, body: Callable[[At], Any]) -> Thing:
    async def found(at: At) -> Id:
        if at.relation == 0:
            return (await at.company.ok(at.company.callers["owner"], "POST", url, body(at)))["id"]
        return of_team(name)(at)  # type: ignore[return-value]

    return found


async def fresh_arrival(at: At) -> Id:
    if at.relation == 0:
        return await at.company.arrival(at.caller.team_id, "text")
    return of_team("arrivals")(at)  # type: ignore[return-value]


# --- the probes, by room ---------------------------------------------------------------------------------------------


def held(name: str) -> Thing:
    """What belongs to a lead: a note, a log, a call, a text, an e-mail."""
    return lambda at: getattr(at.things, name)


def of_lead(name: str, body: Callable[[At, Any], Any] | None = None, **more: Any) -> Probe:
    """An operation that names a lead in its query."""
    path = name.split(" ")[1]
    return Probe(name, lead, url=f"{path}?leadId={{id}}", body=body, **more)


def role_given(at: At) -> str:
    """The caller's own role to themselves; to others that of an assistant."""
    return at.caller.name if at.relation == 0 and at.caller.name in ROLES else "assistant" if at.relation else "agent"


NOT_THERE: Final = frozenset({20012})
NO_RULE: Final = frozenset({900033})

TEAM: Final = [
    Probe("GET /v1.0/me", nothing),
    Probe("GET /v1.0/members", member, url="/v1.0/members?limit=1000", listed=True),
    Probe("GET /v1.0/members/{account}", lambda at: at.holder.email),
    Probe("GET /v1.0/users/{userId}", member),
    Probe(
        "POST /v1.0/agent/profile/add",
        office,
        url="/v1.0/agent/profile/add",
        body=lambda at, thing: {
            "accountType": 1,
            "accountInfo": {
                "emailAddress": f"{at.mark}@example.com",
                "firstName": at.mark,
                "lastName": "N",
                "phoneNumber": "5551234",
                "groupId": thing,
            },
        },
        missing=NOT_THERE,
        proof="FROM member WHERE first_name = '{mark}' AND coalesce(office_id, 0) = {id}",
    ),
    Probe(
        "POST /v1.0/agent/{agentId}/tag/add",
        member,
        body=lambda at, thing: {"tagNames": [at.mark], "autoCreate": True},
        proof="FROM member m JOIN member_tag t ON t.id = ANY (m.tag_ids) WHERE m.id = {id} AND t.name = '{mark}'",
    ),
    Probe(
        "POST /v2.0/agents/{agentId}/deactivate",
        fresh_member,
        body=lambda at, thing: {},
        missing=NOT_THERE,
        proof="FROM member WHERE id = {id} AND status = 'deactivated'",
    ),
    Probe(
        "POST /v2.0/agents/{agentId}/reactivate",
        former_member,
        body=lambda at, thing: {},
        missing=NOT_THERE,
        proof="FROM member WHERE id = {id} AND status = 'active' AND team_id <> {foreign}",
    ),
    Probe(
        "PUT /rooftree/v1/members/{userId}",
        member,
        body=lambda at, thing: {"lastName": at.mark},
        proof="FROM member WHERE id = {id} AND last_name = '{mark}'",
    ),
    Probe(
        "PUT /rooftree/v1/members/{userId} (office)",
        member,
        body=lambda at, thing: {"officeId": at.holder.office_id or 0, "firstName": at.mark},
        proof="FROM member WHERE id = {id} AND first_name = '{mark}'",
    ),
    Probe(
        "PUT /rooftree/v1/members/{userId} (role)",
        fresh_member,
        body=lambda at, thing: {"role": role_given(at), "firstName": at.mark},
        proof="FROM member WHERE id = {id} AND first_name = '{mark}'",
    ),
    Probe(
        "GET /v1.0/org",
        real_office,
        listed=True,
        part=lambda content: content["enterpriseInfo"]["visibleOrgInfoList"],
    ),
    Probe(
        "PUT /v1.0/org/office",
        office,
        url="/v1.0/org/office",
        body=lambda at, thing: {"name": at.mark, "parentId": thing},
        missing=NOT_THERE,
        proof="FROM office WHERE name = '{mark}' AND coalesce(parent_id, 0) = {id}",
    ),
    Probe(
        "POST /v1.0/org/office",
        real_office,
        url="/v1.0/org/office",
        body=lambda at, thing: {"id": thing, "phone": at.mark},
        proof="FROM office WHERE id = {id} AND details::text LIKE '%{mark}%'",
    ),
    Probe(
        "POST /v1.0/org/company",
        nothing,
        url="/v1.0/org/company",
        body=lambda at, thing: {"phone": at.mark},
        proof="FROM team WHERE id = {team} AND details::text LIKE '%{mark}%'",
    ),
    Probe("GET /v1.0/org/permission/profiles", of_team("profiles"), listed=True),
    Probe("GET /rooftree/v1/profiles", of_team("profiles"), listed=True),
    Probe(
        "POST /rooftree/v1/profiles",
        nothing,
        url="/rooftree/v1/profiles",
        body=lambda at, thing: {"name": at.mark, "permissions": GRANTED[:1]},
        proof="FROM permission_profile WHERE name = '{mark}'",
    ),
    Probe(
        "PUT /rooftree/v1/profiles/{profileId}",
        of_team("profiles"),
        body=lambda at, thing: {"name": at.mark},
        proof="FROM permission_profile WHERE id = {id} AND name = '{mark}'",
    ),
    Probe(
        "DELETE /rooftree/v1/profiles/{profileId}",
        fresh_of_team("profiles", "/rooftree/v1/profiles", lambda at: {"name": at.mark, "permissions": []}),
        proof="FROM team WHERE id = {team} AND NOT EXISTS (SELECT FROM permission_profile WHERE id = {id})",
    ),
    Probe("GET /v1.0/team-features/lead-ponds", pond, listed=True),
    Probe("GET /v1.0/team-features/lead-pond/{id}", pond),
    Probe(
        "POST /rooftree/v1/ponds",
        office,
        url="/rooftree/v1/ponds",
        body=lambda at, thing: {"pondName": at.mark, "officeId": thing},
        missing=NOT_THERE,
        proof="FROM lead_pond WHERE name = '{mark}' AND coalesce(office_id, 0) = {id}",
    ),
    Probe(
        "PUT /rooftree/v1/ponds/{id}",
        pond,
        body=lambda at, thing: {"pondName": at.mark},
        proof="FROM lead_pond WHERE id = {id} AND name = '{mark}'",
    ),
    Probe("GET /v1.0/vendor/list", of_team("vendors"), listed=True),
    Probe(
        "POST /rooftree/v1/vendors",
        nothing,
        url="/rooftree/v1/vendors",
        body=lambda at, thing: {"firstName": at.mark},
        proof="FROM vendor WHERE first_name = '{mark}'",
    ),
    Probe(
        "DELETE /rooftree/v1/vendors/{id}",
        fresh_of_team("vendors", "/rooftree/v1/vendors", lambda at: {"firstName": "V"}),
        proof="FROM team WHERE id = {team} AND NOT EXISTS (SELECT FROM vendor WHERE id = {id})",
    ),
]


LEADS: Final = [
    Probe(
        "POST /v1.0/leads",
        member,
        url="/v1.0/leads",
        body=lambda at, thing: {"firstName": at.mark, "assignedUserId": thing},
        missing=NOT_THERE,
        proof="FROM lead WHERE first_name = '{mark}' AND assigned_user_id = {id}",
    ),
    Probe("GET /v1.0/leads", lead, url="/v1.0/leads?limit=100&source=the+table", listed=True),
    Probe("GET /v1.0/leads/{leadId}", lead),
    Probe("GET /v1.0/leads/{leadId} (trash)", trashed_lead, url="/v1.0/leads/{id}?withTrash=true"),
    Probe(
        "PUT /v1.0/leads/{leadId}",
        lead,
        body=lambda at, thing: {"firstName": at.mark},
        proof="FROM lead WHERE id = {id} AND first_name = '{mark}'",
    ),
    Probe(
        "DELETE /v1.0/leads/{leadId}",
        fresh_lead,
        url="/v1.0/leads/{id}?reason=gone",
        proof="FROM lead WHERE id = {id} AND trashed_at IS NOT NULL",
    ),
    Probe(
        "POST /v1.0/leads/{leadId}/assignment",
        fresh_lead,
        body=lambda at, thing: [{"role": "ISA", "assignee": at.company.sam.email}],
        proof="FROM lead_role WHERE lead_id = {id} AND role_id = 130",
    ),
    Probe(
        "POST /v1.0/leads/{leadId}/inquiry",
        lead,
        body=lambda at, thing: {"locations": [{"city": at.mark}]},
        proof="FROM lead WHERE id = {id} AND inquiry::text LIKE '%{mark}%'",
    ),
    Probe(
        "POST /v1.0/leads/{leadId}/property",
        lead,
        body=lambda at, thing: {"city": at.mark},
        proof="FROM lead WHERE id = {id} AND properties::text LIKE '%{mark}%'",
    ),
    Probe(
        "POST /v1.0/leads/assignee",
        lead,
        url="/v1.0/leads/assignee",
        body=lambda at, thing: {"firstName": "P", "email": at.things.email},
        holds=True,
    ),
    Probe("GET /v1.0/teamFeatures/listTag", of_team("tags"), listed=True),
    Probe("GET /v1.0/teamFeatures/listCustomField", of_team("fields"), listed=True),
    Probe(
        "POST /v1.0/teamFeatures/custom-field",
        nothing,
        url="/v1.0/teamFeatures/custom-field",
        body=lambda at, thing: {"attributeName": at.mark, "attributeType": "text"},
        proof="FROM custom_field WHERE name = '{mark}'",
    ),
    Probe(
        "GET /v1.0/teamFeatures/lead-pipelines",
        of_team("stages"),
        url="/v1.0/teamFeatures/lead-pipelines?pageSize=1000",
        listed=True,
    ),
    Probe(
        "POST /rooftree/v1/leads/batch",
        member,
        url="/rooftree/v1/leads/batch?matchOn=none",
        body=lambda at, thing: {"firstName": at.mark, "assignedUserId": thing},
        missing=NOT_THERE,
        proof="FROM lead WHERE first_name = '{mark}' AND assigned_user_id = {id}",
    ),
    Probe(
        "POST /rooftree/v1/leads/batch (matchOn=id)",
        fresh_lead,
        url="/rooftree/v1/leads/batch?matchOn=id",
        body=lambda at, thing: {"id": thing, "lastName": at.mark},
        missing=frozenset({20006}),
        proof="FROM lead WHERE id = {id} AND last_name = '{mark}'",
    ),
    Probe(
        "POST /rooftree/v1/leads/batch (matchOn=email)",
        lead_with_address,
        url="/rooftree/v1/leads/batch?matchOn=email",
        body=lambda at, thing: {"emails": [address_of(at)], "referredBy": at.mark},
        missing=NOT_THERE,
        proof="FROM lead WHERE id = {id} AND referred_by = '{mark}'",
    ),
    Probe(
        "POST /rooftree/v1/leads/{leadId}/restore",
        trashed_lead,
        proof="FROM lead WHERE id = {id} AND trashed_at IS NULL AND team_id <> {foreign}",
    ),
    Probe("GET /rooftree/v1/leads/{leadId}/duplicates", lead),
    Probe(
        "POST /rooftree/v1/leads/{leadId}/claim",
        offered_lead,
        proof="FROM routing_offer WHERE lead_id = {id} AND claimed_by = {caller}",
    ),
    Probe("GET /rooftree/v1/leads/{leadId}/routing", lead),
    Probe("GET /rooftree/v1/duplicates", held("pair"), url="/rooftree/v1/duplicates?limit=200", listed=True),
    Probe(
        "POST /rooftree/v1/duplicates/{duplicateId}/dismiss",
        fresh_pair,
        proof="FROM duplicate_pair WHERE id = {id} AND state = 'dismissed'",
    ),
    Probe(
        "POST /rooftree/v1/duplicates/{duplicateId}/reopen",
        dismissed_pair,
        proof="FROM duplicate_pair WHERE id = {id} AND state = 'open' AND team_id <> {foreign}",
    ),
    Probe(
        "POST /rooftree/v1/leads/{leadId}/merge/preview",
        lead,
        body=lambda at, thing: {"otherLeadId": at.things.second},
    ),
    Probe(
        "POST /rooftree/v1/leads/{leadId}/merge",
        leads_to_merge,
        body=lambda at, thing: {"otherLeadId": at.company.partners[thing]},
        proof="FROM lead WHERE merged_into = {id}",
    ),
    Probe("GET /rooftree/v1/merges", held("merge"), url="/rooftree/v1/merges?limit=200", listed=True),
    Probe(
        "POST /rooftree/v1/merges/{mergeId}/undo",
        fresh_merge,
        proof="FROM lead_merge WHERE id = {id} AND undone_at IS NOT NULL",
    ),
]

ROUTING: Final = [
    Probe("GET /v1.0/routing/rule/list/{type}", rule, url="/v1.0/routing/rule/list/1", listed=True),
    Probe(
        "PUT /v1.0/routing/rule/{type}",
        rule,
        url="/v1.0/routing/rule/1",
        body=lambda at, thing: {"id": thing, "routingStrategy": {"strategyType": 1, "touchMinutes": at.number}},
        missing=NO_RULE,
        proof="FROM routing_rule WHERE id = {id} AND touch_minutes = {number}",
    ),
    Probe("GET /v1.0/routing/rule/supplement/{type}", nothing, url="/v1.0/routing/rule/supplement/1"),
    Probe(
        "PUT /v1.0/routing/rule/supplement/{type}",
        nothing,
        url="/v1.0/routing/rule/supplement/1",
        body=lambda at, thing: {"strategyType": 1, "touchMinutes": at.number},
        proof="FROM routing_rule WHERE is_supplement AND touch_minutes = {number}",
    ),
    Probe("GET /v1.0/routing/role/list", nothing),
    Probe("GET /v1.0/routing/member/list/{type}", member, url="/v1.0/routing/member/list/1", listed=True),
    Probe("GET /rooftree/v1/routing/rules", rule, listed=True),
    Probe(
        "POST /rooftree/v1/routing/rules",
        office,
        url="/rooftree/v1/routing/rules",
        body=lambda at, thing: {"name": at.mark, "isDraft": True} | ({"officeId": thing} if thing else {}),
        missing=NOT_THERE,
        proof="FROM routing_rule WHERE name = '{mark}' AND coalesce(office_id, 0) = {id}",
    ),
    Probe(
        "PUT /rooftree/v1/routing/rules/{ruleId}",
        rule,
        body=lambda at, thing: {"name": at.mark},
        missing=NO_RULE,
        proof="FROM routing_rule WHERE id = {id} AND name = '{mark}'",
    ),
    Probe(
        "DELETE /rooftree/v1/routing/rules/{ruleId}",
        fresh_rule,
        missing=NO_RULE,
        proof="FROM team WHERE id = {team} AND NOT EXISTS (SELECT FROM routing_rule WHERE id = {id})",
    ),
    Probe(
        "PUT /rooftree/v1/routing/order",
        rule,
        url="/rooftree/v1/routing/order",
        body=lambda at, thing: {"ruleIds": [thing]},
        missing=NO_RULE,
    ),
    Probe("POST /rooftree/v1/routing/rehearse", lead, body=lambda at, thing: {"leads": 1000}, listed=True),
    Probe("GET /rooftree/v1/routing/members", member, listed=True),
    Probe("GET /rooftree/v1/routing/members/{userId}", member),
    Probe(
        "PUT /rooftree/v1/routing/members/{userId}",
        member,
        body=lambda at, thing: {
            "vacations": [{"from": f"{2100 + at.number}-01-01", "to": f"{2100 + at.number}-01-02"}]
        },
        proof="FROM routing_member WHERE member_id = {id} AND vacations::text LIKE '%' || ({number} + 2100) || '%'",
    ),
    Probe(
        "PUT /rooftree/v1/routing/members/{userId} (limits)",
        member,
        body=lambda at, thing: {"dailyLimit": at.number + 1000},
        proof="FROM routing_member WHERE member_id = {id} AND daily_cap = {number} + 1000",
    ),
    Probe("GET /rooftree/v1/routing/offers", held("offered"), listed=True),
]

_SITE: Final = {"type": "Search", "link": "", "picture": "", "created": 1747272300000}


def entry(name: str) -> Probe:
    return Probe(
        name,
        lead,
        body=lambda at, thing: {**_SITE, "text": at.mark},
        proof="FROM timeline_entry WHERE lead_id = {id} AND details::text LIKE '%{mark}%'",
    )


_NOW: Final = int(time.time() * 1000)
_SPAN: Final = {"startTime": _NOW - 3_600_000, "endTime": _NOW + 43_200_000}


def by_agent(*, is_team_view: bool) -> list[Probe]:
    """The searches of conversations: what is in them."""
    suffix, word = (" (team view)", "true") if is_team_view else ("", "false")
    query = f"limit=1000&teamView={word}&startTime={_SPAN['startTime']}&endTime={_SPAN['endTime']}"
    body = {"type": "ALL", "limit": 1000, "teamView": is_team_view, **_SPAN}
    post, get = "/v1.0/agent/communication", "/v2.0/communication/agent"
    return [
        Probe(f"POST {post}{suffix}", held("log"), url=post, body=lambda at, thing: body, listed=True),
        Probe(f"GET {get}{suffix}", held("log"), url=f"{get}?{query}", listed=True),
    ]


TIMELINE: Final = [
    entry("POST /v1.0/leads/{leadId}/activities"),
    entry("POST /v1.0/leads/{leadId}/activity"),
    Probe(
        "POST /v1.0/leads/{leadId}/activity (call)",
        lead,
        body=lambda at, thing: {"type": "call", "notes": at.mark},
        proof="FROM timeline_entry WHERE lead_id = {id} AND details::text LIKE '%{mark}%'",
    ),
    Probe("GET /v1.0/leads/{leadId}/activities", lead),
    Probe("GET /v2.0/leads/{leadId}/activities", lead),
    of_lead("GET /v1.0/communication/text"),
    of_lead("GET /v1.0/communication/email"),
    Probe("GET /v2.0/communication/text/{communicationId}", held("text")),
    Probe("GET /v2.0/communication/email/{communicationId}", held("mail")),
    *by_agent(is_team_view=False),
    *by_agent(is_team_view=True),
    of_lead("GET /v1.0/systemLogs"),
    Probe("GET /rooftree/v1/leads/{leadId}/timeline", lead),
    Probe("GET /rooftree/v1/leads/{leadId}/timeline (audit)", lead, url="/rooftree/v1/leads/{id}/timeline?audit=true"),
]

NOTES: Final = [
    of_lead("GET /v1.0/notes"),
    Probe(
        "POST /v1.0/notes",
        lead,
        url="/v1.0/notes",
        body=lambda at, thing: {"leadId": thing, "content": at.mark},
        proof="FROM note WHERE lead_id = {id} AND content = '{mark}'",
    ),
    Probe("GET /v1.0/notes/{noteId}", held("note")),
    Probe(
        "PUT /v1.0/notes/{noteId}",
        held("note"),
        body=lambda at, thing: {"content": f"{at.mark} {at.things.word}"},
        proof="FROM note WHERE id = {id} AND content LIKE '{mark} %'",
    ),
    Probe("DELETE /v1.0/notes/{noteId}", fresh_note, proof="FROM note WHERE id = {id} AND deleted_at IS NOT NULL"),
]

MANUAL_LOGS: Final = [
    Probe(
        "POST /v1.0/logType",
        lead,
        url="/v1.0/logType",
        body=lambda at, thing: {"leadId": thing, "logType": "logText", "content": at.mark},
        proof="FROM timeline_entry WHERE lead_id = {id} AND details::text LIKE '%{mark}%'",
    ),
    Probe("GET /v1.0/logType", lead, url="/v1.0/logType?logType=logCall&leadId={id}"),
    Probe("GET /v1.0/logType/{logTypeId}", held("log")),
    Probe(
        "DELETE /v1.0/logType/{logTypeId}",
        fresh_log,
        proof="FROM timeline_entry WHERE id = {id} AND deleted_at IS NOT NULL",
    ),
]

MESSAGING: Final = [
    Probe(
        "POST /v1.0/message/email/send",
        lead,
        url="/v1.0/message/email/send",
        body=lambda at, thing: {"leadId": thing, "subject": at.mark, "body": "b"},
        proof="FROM message WHERE lead_id = {id} AND subject = '{mark}'",
    ),
    Probe(
        "POST /v1.0/message/sms/send",
        lead,
        url="/v1.0/message/sms/send",
        body=lambda at, thing: {"leadId": thing, "content": at.mark},
        proof="FROM message WHERE lead_id = {id} AND body = '{mark}'",
    ),
    Probe("GET /rooftree/v1/tray", of_team("arrivals"), url="/rooftree/v1/tray?limit=100", listed=True),
    Probe(
        "POST /rooftree/v1/tray/{arrivalId}/lead",
        fresh_arrival,
        body=lambda at, thing: {},
        proof="FROM arrival WHERE id = {id} AND handled_at IS NOT NULL",
    ),
    Probe(
        "POST /rooftree/v1/tray/{arrivalId}/lead (lead)",
        lead,
        url="/rooftree/v1/tray/{arrival}/lead",
        body=lambda at, thing: {"leadId": thing},
        proof="FROM arrival WHERE id = {arrival} AND lead_id = {id}",
    ),
]

CALLS: Final = [
    of_lead("GET /v1.0/communication/call"),
    of_lead("GET /v1.0/communication/call/v2"),
    Probe("GET /v2.0/communication/call/{communicationId}", held("call")),
    of_lead("GET /v1.0/calls"),
    Probe("GET /v1.0/calls/{callId}", held("call")),
    Probe("GET /v1.0/call/url/{callId}", held("call")),
    Probe(
        "POST /rooftree/v1/calls",
        lead,
        url="/rooftree/v1/calls",
        body=lambda at, thing: {"leadId": thing, "note": at.mark},
        proof="FROM call WHERE lead_id = {id} AND note = '{mark}'",
    ),
    Probe(
        "PUT /rooftree/v1/calls/{callId}",
        held("call"),
        body=lambda at, thing: {"note": f"{at.mark} {at.things.word}"},
        proof="FROM call WHERE id = {id} AND note LIKE '{mark} %'",
    ),
    Probe(
        "PUT /rooftree/v1/calls/{callId}/recording",
        held("call"),
        body=lambda at, thing: b"RIFF",
        proof="FROM call WHERE id = {id} AND recording_type = 'audio/{mark}'",
    ),
]

AI: Final = [
    Probe(
        "POST /v2.0/ai/call-summary/generate",
        held("call"),
        url="/v2.0/ai/call-summary/generate",
        body=lambda at, thing: {"callRecordId": thing, "leadId": at.things.lead},
    ),
    Probe("GET /v2.0/ai/call-summary", held("call"), url="/v2.0/ai/call-summary?callRecordId={id}"),
]


def subscribing(name: str, field: str) -> Probe:
    return Probe(
        name,
        nothing,
        body=lambda at, thing: {"listId": 2, field: f"http://127.0.0.1:9/{at.mark}"},
        proof="FROM webhook WHERE callback_url LIKE '%/{mark}' AND member_id = {caller}",
    )


def ending(name: str) -> Probe:
    return Probe(name, fresh_webhook, proof="FROM webhook WHERE id = {id} AND status = 'deleted'")


WEBHOOKS: Final = [
    subscribing("POST /v1.0/webhook", "callbackUrl"),
    subscribing("POST /v1.0/webhooks", "url"),
    Probe("GET /v1.0/webhooks", held("webhook"), listed=True),
    ending("DELETE /v1.0/webhook/{subscribeId}"),
    ending("DELETE /v1.0/webhooks/{subscribeId}"),
    Probe("GET /rooftree/v1/webhooks", held("webhook"), listed=True),
    Probe("GET /rooftree/v1/webhooks/{subscribeId}/secret", held("webhook")),
    Probe("POST /rooftree/v1/webhooks/{subscribeId}/secret", held("webhook")),
    Probe("POST /rooftree/v1/webhooks/{subscribeId}/test", held("webhook")),
    Probe("GET /rooftree/v1/webhooks/{subscribeId}/deliveries", held("webhook")),
    Probe("GET /rooftree/v1/webhooks/deliveries/{deliveryId}", held("delivery")),
    Probe("POST /rooftree/v1/webhooks/{subscribeId}/replay", held("webhook")),
    Probe("GET /rooftree/v1/events", lead, url="/rooftree/v1/events?from=start&limit=1000", listed=True),
]

TRANSACTIONS: Final = [Probe("GET /v1.0/leads/{leadId}/transactions", lead)]

PROBES: Final = [
    *TEAM,
    *LEADS,
    *ROUTING,
    *TIMELINE,
    *NOTES,
    *MANUAL_LOGS,
    *MESSAGING,
    *CALLS,
    *AI,
    *TRANSACTIONS,
    *WEBHOOKS,
]


# --- the walk --------------------------------------------------------------------------------------------------------


async def signs(company: Company, probe: Probe, first: int) -> str:
    """Walk one line of the table. `first`: the number of its first mark."""
    found: list[str] = []
    for column, role in enumerate(CALLERS):
        caller = company.callers[role]
        cell, lists = "", ""
        for relation in range(4):
            number = column * 4 + relation + 1
            at = At(company, caller, relation, number, f"mark{first + number}x")
            thing = probe.thing(at)
            thing = await thing if isinstance(thing, Awaitable) else thing
            if thing is None:
                cell += "."
            elif probe.listed:
                lists = lists or await read(probe, at, thing)
                cell += lists if lists in "x-" else contained(probe, at, thing, lists)
            else:
                cell += await done(probe, at, thing)
        found.append(cell)
    return "  ".join(found)


async def call(probe: Probe, at: At, path: str, thing: Id) -> tuple[str, str]:
    """Call an operation; return its sign and its answer's text."""
    body = probe.body(at, thing) if probe.body else None
    speaker, where = at.company.client.as_(at.caller), f"{probe.name}, {at.caller.name} at {at.holder.name}'s"
    if isinstance(body, bytes):
        headers = {"Authorization": f"Bearer {at.caller.key}", "Content-Type": f"audio/{at.mark}"}
        answer = await speaker.send(probe.method, path, content=body, headers=headers)
    else:
        answer = await speaker.send(probe.method, path, body)
        while answer.headers.get("Retry-After"):  # a batch, beside another one of the team
            await asyncio.sleep(0.02)
            answer = await speaker.send(probe.method, path, body)
    content = msgspec.json.decode(answer.content)
    if isinstance(content, dict) and "results" in content:  # of a batch of one
        content = content["results"][0]
    code = (content.get("errorCode") or content.get("code") or 0) if isinstance(content, dict) else 0
    assert FOREIGN not in answer.text, f"{where}: reads of another team: {answer.text}"
    if answer.status_code == 200 and code == 0:
        return "y", answer.text
    if code in probe.missing or answer.status_code == 404:
        return "-", answer.text
    assert code in REFUSED, f"{where}: {answer.status_code} {answer.text}"
    return "x", answer.text


async def read(probe: Probe, at: At, thing: Id) -> str:
    """Read a list: its text, or the sign of a refusal."""
    sign, text = await call(probe, at, probe.path(thing), thing)
    return text if sign == "y" else sign


def contained(probe: Probe, at: At, thing: Id, text: str) -> str:
    """Whether a list contains a thing; of one that is left out it must not tell anything either."""
    if thing in set(scalars(probe.part(msgspec.json.decode(text)))):
        return "y"
    assert at.things.word not in text, f"{probe.name} tells {at.caller.name} of {at.holder.name}'s things"
    return "-"


def scalars(content: Any) -> list[Any]:
    if isinstance(content, dict):
        return [one for value in content.values() for one in scalars(value)]
    if isinstance(content, list):
        return [one for value in content for one in scalars(value)]
    return [content, int(content)] if isinstance(content, str) and content.isdigit() else [content]


async def done(probe: Probe, at: At, thing: Id) -> str:
    """Call an operation on one thing; believe it only when the database agrees."""
    arrival = await at.company.arrival(at.caller.team_id, "text") if "{arrival}" in probe.proof else 0
    path = probe.url.format(arrival=arrival) if arrival else probe.path(thing)
    sign, text = await call(probe, at, path, thing)
    if probe.holds:
        sign = contained(probe, at, thing, text) if sign == "y" else sign
    elif sign != "y":
        assert at.things.word not in text, f"{probe.name} tells {at.caller.name} of {at.holder.name}'s things: {text}"
    if probe.proof:
        facts = {"id": thing, "mark": at.mark, "number": at.number, "caller": at.caller.id, "arrival": arrival}
        facts |= {"team": at.caller.team_id, "foreign": at.company.sid.team_id}
        async with at.company.owner_db.unscoped() as tx:
            is_done = await tx.fetchval(f"SELECT EXISTS (SELECT {probe.proof.format(**facts)})")
        assert is_done is (sign == "y"), f"{probe.name}, {at.caller.name} at {at.holder.name}'s: {sign} {text}"
    return sign


# --- the tests -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def company(owner_db: Database, db: Database, secret: bytes, tmp_path: Path) -> AsyncIterator[Company]:
    """Both companies, with everything in them."""
    settings = Settings(
        auth_failures_per_minute=1_000_000,
        data_dir=str(tmp_path),
        secret_key="test",
        webhook_allow_insecure=True,
        webhook_quota=1000,
    )
    async with Client(create_app(settings, db, secret)) as client:
        yield await build(client, owner_db, secret)


def line(name: str, cells: str) -> str:
    """A line as the table has it."""
    width = max(len(probe.name) for probe in PROBES)
    return (f"{name:{width}}" + "".join(f"  {cell:7}" for cell in cells.split())).rstrip()


def lines_of_table() -> dict[str, str]:
    """The lines of the table by their operation."""
    lines = [line for line in TABLE.read_text().splitlines() if re.match("(GET|POST|PUT|DELETE) ", line)]
    return {line.partition("  ")[0]: line for line in lines}


def served() -> set[str]:
    """The operations that have a caller."""
    pages = {path for handler in service.ROUTES for path in handler.paths}
    found = {
        f"{method} {path.replace(':str}', '}')}"
        for handler in ROUTES
        for path in handler.paths - pages
        for method in handler.http_methods
    }
    return {name for name in found if not name.split(" ")[1].startswith(tuple(WITHOUT_CALLER))}


def test_every_operation_has_a_line() -> None:
    names = [probe.name for probe in PROBES]
    assert len(names) == len(set(names))
    operations = {" ".join(name.split(" ")[:2]) for name in names}
    assert operations == served(), f"without a probe: {sorted(served() - operations)}"
    assert list(lines_of_table()) == names, "the table's lines are the probes, in their order"


async def test_the_table_is_what_the_server_does(company: Company, make: Make) -> None:
    before = await make.everything(company.sid.team_id)
    gate = asyncio.Semaphore(AT_ONCE)

    async def walk(index: int, probe: Probe) -> str:
        async with gate:
            return await signs(company, probe, 1000 * index)

    found = await asyncio.gather(*(walk(index, probe) for index, probe in enumerate(PROBES)), return_exceptions=True)
    problems = [f"{type(one).__name__}: {one}" for one in found if isinstance(one, BaseException)]
    wanted = list(lines_of_table().values())
    present = [line(probe.name, cells) for probe, cells in zip(PROBES, found, strict=True) if isinstance(cells, str)]
    assert not problems, "\n".join(problems)
    difference = list(difflib.unified_diff(wanted, present, "permissions.txt", "the server", lineterm="", n=0))
    assert not difference, "\n".join(["who may do what is not what the table says:", *difference])
    assert await make.everything(company.sid.team_id) == before, "something of the other company has changed"


async def test_nobody_without_access_does_anything(company: Company) -> None:
    """No credential: 401. That of a member who is out: genuine, and worth nothing. contract: auth.md 3.4"""
    before = await company.client.as_(company.callers["owner"]).ok("GET", "/v1.0/members?limit=1000")
    for name in sorted(served()):
        method, path = name.split(" ")
        url = re.sub(r"\{\w+\}", str(company.belongings[company.nora.id].lead), path)
        body = {} if method in {"POST", "PUT"} else None
        for person, status, code in ((None, 401, 900401), (company.out, 400, 200058)):
            answer = await company.client.as_(person).send(method, url, body)
            content = answer.json()
            assert (answer.status_code, content.get("code") or content.get("errorCode")) == (status, code), name
    assert await company.client.as_(company.callers["owner"]).ok("GET", "/v1.0/members?limit=1000") == before
