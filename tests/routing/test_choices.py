"""Leads that come in over HTTP, and where the rules send them: with the reason, under concurrency, to the last step."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.routing.test_rulebook import RULES, member, pond, rule
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People, Person

from rooftree.app import create_app
from rooftree.leads.jobs import jobs
from rooftree.platform import clock
from rooftree.platform.database import Database
from rooftree.platform.settings import Settings

WEDNESDAY = datetime(2026, 3, 4, 18, 30, tzinfo=UTC)  # 11:30 in Denver


@pytest.fixture
def olive(client: Client, people: People) -> Client:
    return client.as_(people.olive)


async def holder(client: Client, lead_id: int) -> str | None:
    """Return the first name of whoever works a lead."""
    return (await client.lead(lead_id))["assignedUser"] or None


async def why(client: Client, lead_id: int) -> dict[str, Any]:
    """Return the newest choice that was made for a lead."""
    return (await client.ok("GET", f"/rooftree/v1/leads/{lead_id}/routing"))["choices"][0]


async def weigh(client: Client, people: People, *weights: int, **fields: Any) -> dict[str, Any]:
    """Make a rule over Adam, Ana and Otto with these weights."""
    persons = (people.adam, people.ana, people.otto)
    line = [{"memberId": one.id, "weight": weight} for one, weight in zip(persons, weights, strict=False)]
    return await rule(client, members=line, **fields)


def moved_to(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment)


# --- conditions, and the reason --------------------------------------------------------------------------------------


async def test_the_first_rule_that_fits_takes_the_lead_and_says_why(olive: Client, make: Make, people: People) -> None:
    await weigh(olive, people, 1, name="Zillow", criteria={"sourceNames": ["zillow"]})
    denver = {"city": "Denver", "state": "Colorado"}
    await weigh(olive, people, 0, 1, name="Denver sellers", criteria={"leadTypeIds": [1], **denver})
    await weigh(olive, people, 0, 0, 1, name="Denver", criteria=denver)
    home = {"city": "denver", "state": "CO", "streetAddress": "1 Main St"}
    wish = {"locations": [{"city": "Denver", "stateCode": "CO"}]}
    seller = await make.lead(by=people.olive, leadTypes=[1], property=home, source="Web")
    buyer = await make.lead(by=people.olive, leadTypes=[2], inquiry=wish)
    stranger = await make.lead(by=people.olive, leadTypes=[2], property=home)
    found = [(await why(olive, one))["ruleName"] for one in (seller, buyer, stranger)]
    assert found == ["Denver sellers", "Denver", None]

    choice = await why(olive, buyer)
    assert choice["member"] == {"memberId": people.otto.id, "name": "Otto"}
    assert choice["reason"] == "Rule Denver: it was Otto's turn among its only free member."
    assert choice["tried"] == [
        {"ruleId": choice["tried"][0]["ruleId"], "name": "Zillow", "level": "company", "failed": "source"}
        | {"wanted": "zillow", "had": "nothing"},
        {"ruleId": choice["tried"][1]["ruleId"], "name": "Denver sellers", "level": "company", "failed": "lead type"}
        | {"wanted": "1", "had": "2"},
        {"ruleId": choice["ruleId"], "name": "Denver", "level": "company", "failed": "", "wanted": "", "had": ""},
    ]


async def test_the_reason_is_short_where_others_read_it(olive: Client, make: Make, people: People) -> None:
    await weigh(olive, people, 1, name="Only")
    lead_id = await make.lead(by=people.olive)
    logs = (await olive.ok("GET", f"/v1.0/systemLogs?leadId={lead_id}"))["timeLines"]
    (told,) = [one["content"] for one in logs if "reason" in one["content"]]
    assert told["reason"].startswith("Rule Only")
    assert not {"tried", "skipped", "considered"} & told.keys()
    timeline = await olive.ok("GET", f"/rooftree/v1/leads/{lead_id}/timeline")
    assert "Rule Only" in str(timeline)


async def test_who_was_passed_over_and_why(
    olive: Client, make: Make, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved_to(monkeypatch, WEDNESDAY)
    await weigh(olive, people, 1, 1, 1, name="All")
    url = "/rooftree/v1/routing/members/{}"
    await olive.ok("PUT", url.format(people.adam.id), {"isPaused": True, "pausedUntil": "2026-03-05T00:00:00Z"})
    await olive.ok("PUT", url.format(people.ana.id), {"vacations": [{"from": "2026-03-04", "to": "2026-03-06"}]})
    choice = await why(olive, await make.lead(by=people.olive))
    assert choice["member"]["name"] == "Otto"
    assert {one["name"]: one["why"] for one in choice["skipped"]} == {
        "Adam": "paused until 2026-03-05 00:00 UTC",
        "Ana": "on vacation until 2026-03-06",
    }
    moved_to(monkeypatch, WEDNESDAY + timedelta(days=1))
    assert (await why(olive, await make.lead(by=people.olive)))["member"]["name"] == "Adam"


async def test_hours_on_the_rules_own_clock(
    olive: Client, make: Make, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = {"days": [1, 2, 3, 4, 5], "start": 9, "end": 12, "timeZone": "America/Denver"}
    await weigh(olive, people, 1, name="Mornings", hours=hours)
    for hour, name in ((15, None), (16, "Mornings"), (18, "Mornings"), (19, None)):
        moved_to(monkeypatch, WEDNESDAY.replace(hour=hour, minute=0))
        assert (await why(olive, await make.lead(by=people.olive)))["ruleName"] == name
    choice = await why(olive, await make.lead(by=people.olive))
    assert (choice["tried"][0]["failed"], choice["tried"][0]["had"]) == ("hours", "Wednesday 12:00")


async def test_an_offices_rules_come_before_the_companys(olive: Client, make: Make, people: People) -> None:
    await weigh(olive, people, 1, name="Company")
    await weigh(olive, people, 0, 1, name="North", officeId=people.north, criteria={"tagNames": ["vip"]})
    vip = await why(olive, await make.lead(by=people.olive, assignGroupId=people.north, tags=["VIP"]))
    assert vip["ruleName"] == "North"
    plain = await why(olive, await make.lead(by=people.olive, assignGroupId=people.north))
    assert (plain["ruleName"], plain["scope"]) == (None, f"office:{people.north}")
    whole = await why(olive, await make.lead(by=people.olive, assignGroupId=-1, tags=["VIP"]))
    assert whole["ruleName"] == "Company"


async def test_a_preview_says_what_then_happens(olive: Client, make: Make, people: People) -> None:
    await weigh(olive, people, 2, 1, name="Zillow", criteria={"sourceNames": ["Zillow"]})
    for _ in range(6):
        body = {"firstName": "T", "email": "t@example.com", "source": "Zillow"}
        (said,) = await olive.ok("POST", "/v1.0/leads/assignee", body)
        again = await olive.ok("POST", "/v1.0/leads/assignee", body)
        choice = await why(olive, await make.lead(by=people.olive, source="Zillow"))
        assert [said] == again
        assert said["customRoleAssignees"][0]["assigneeId"] == choice["member"]["memberId"]


async def test_roles_are_filled_by_rules_of_their_own(
    olive: Client, make: Make, owner_db: Database, people: People
) -> None:
    lender, assistant = await member(owner_db, people, "lender"), await member(owner_db, people, "assistant")
    await rule(olive, type=2, members=[{"memberId": lender}])
    await rule(olive, type=4, roleId=20, members=[{"memberId": assistant}], criteria={"tagNames": ["vip"]})
    lead = await olive.lead(await make.lead(by=people.olive, tags=["vip"]))
    assert [(one["roleId"], one["assigneeId"]) for one in lead["customRoleList"] if one.get("assigneeId")] == [
        (20, assistant)
    ]
    assert lead["lenderUserId"] == lender
    plain = await olive.lead(await make.lead(by=people.olive))
    assert plain["lenderUserId"] == lender
    assert not [one for one in plain["customRoleList"] if one.get("assigneeId")]


# --- limits, fairness ------------------------------------------------------------------------------------------------


async def test_limits_are_exact_under_concurrency(
    olive: Client, make: Make, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved_to(monkeypatch, WEDNESDAY)
    url = "/rooftree/v1/routing/members/{}"
    await olive.ok("PUT", url.format(people.adam.id), {"dailyLimit": 5})
    await olive.ok("PUT", url.format(people.ana.id), {"openLimit": 7})
    ids = await asyncio.gather(*(make.lead(by=people.olive) for _ in range(60)))
    got = Counter([await holder(olive, one) for one in ids])
    assert got == {"Adam": 5, "Ana": 7, "Otto": 48}
    moved_to(monkeypatch, WEDNESDAY + timedelta(days=1))
    got = Counter([await holder(olive, await make.lead(by=people.olive)) for _ in range(6)])
    assert set(got) == {"Adam", "Otto"}
    assert abs(got["Adam"] - got["Otto"]) <= 2  # one of them may have been a turn ahead


async def test_a_thousand_leads_at_once_by_weight(dsn: str, secret: bytes, people: People) -> None:
    database = await Database.connect(dsn, min_size=0, max_size=24)
    async with Client(create_app(Settings(), database, secret), person=people.olive) as olive:
        await weigh(olive, people, 3, 2, 1, name="Weighted")
        bodies = [{"firstName": f"T{number}"} for number in range(1000)]
        await asyncio.gather(*(olive.ok("POST", "/v1.0/leads", body) for body in bodies))
        async with database.reading(people.olive.team_id) as tx:
            rows = await tx.fetch(
                "SELECT assigned_user_id AS id, count(*) AS leads FROM lead WHERE team_id = $1 GROUP BY 1",
                people.olive.team_id,
            )
    await database.close()
    got = {row["id"]: row["leads"] for row in rows}
    for person, weight in ((people.adam, 3), (people.ana, 2), (people.otto, 1)):
        assert abs(got[person.id] - 1000 * weight / 6) <= 1


# --- offers ----------------------------------------------------------------------------------------------------------


async def offers(client: Client) -> list[int]:
    return [one["leadId"] for one in (await client.ok("GET", "/rooftree/v1/routing/offers"))["offers"]]


async def look(db: Database, people: People, lead_id: int) -> None:
    """Let the job that the offer queued do its work."""
    async with db.reading(people.olive.team_id) as tx:
        offer_id = await tx.fetchval(
            "SELECT id FROM routing_offer WHERE lead_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1", lead_id
        )
    await jobs("US")[0].handler(db, people.olive.team_id, lead_id=lead_id, offer_id=offer_id)


async def test_a_blast_has_one_winner_among_a_thousand_claims(
    dsn: str, secret: bytes, make: Make, people: People, client: Client
) -> None:
    await weigh(client.as_(people.olive), people, 1, 1, 1, name="Blast", strategy="BLAST_ALERT", touchMinutes=5)
    lead_id = await make.lead(by=people.olive)
    choice = await why(client.as_(people.olive), lead_id)
    assert (choice["member"], {one["name"] for one in choice["offeredTo"]}) == (None, {"Adam", "Ana", "Otto"})
    assert await offers(client) == [lead_id]
    assert await client.refused("GET", f"/v1.0/leads/{lead_id}") == (404, 20006)

    database = await Database.connect(dsn, min_size=0, max_size=24)
    async with Client(create_app(Settings(), database, secret)) as crowd:
        persons = [people.adam, people.ana, people.otto, people.sid] * 250
        url = f"/rooftree/v1/leads/{lead_id}/claim"
        answers = await asyncio.gather(*(crowd.as_(person).send("POST", url) for person in persons))
    await database.close()
    got = {person.name for person, one in zip(persons, answers, strict=True) if one.status_code == 200}
    assert len(got) == 1
    told = Counter((one.status_code, one.json()["code"]) for one in answers if one.status_code != 200)
    assert told == {(409, 900409): 500, (404, 20006): 250}
    choices = (await client.as_(people.olive).ok("GET", f"/rooftree/v1/leads/{lead_id}/routing"))["choices"]
    assert [one["scope"] for one in choices].count("claim") == 1
    assert {(await holder(client.as_(people.olive), lead_id) or "").lower()} == got
    assert await offers(client) == []


async def test_a_blast_that_nobody_claims_goes_on_to_the_next_rule(
    olive: Client, make: Make, db: Database, people: People
) -> None:
    await weigh(olive, people, 1, name="Blast", strategy="BLAST_ALERT", touchMinutes=5)
    await weigh(olive, people, 0, 1, name="Then")
    lead_id = await make.lead(by=people.olive)
    await look(db, people, lead_id)
    choice = await why(olive, lead_id)
    assert (choice["ruleName"], choice["member"]["name"]) == ("Then", "Ana")
    assert choice["tried"][0]["failed"] == "claim"


async def test_untouched_a_lead_moves_on_until_everybody_had_it(
    olive: Client, make: Make, db: Database, people: People
) -> None:
    await weigh(olive, people, 1, 1, name="Next", strategy="NEXT_UP", touchMinutes=15)
    lead_id = await make.lead(by=people.olive)
    names = [await holder(olive, lead_id)]
    for _ in range(3):
        await look(db, people, lead_id)
        names.append(await holder(olive, lead_id))
    assert names == ["Adam", "Ana", "Otto", "Otto"]  # the default rule has nobody to move on to
    choice = (await olive.ok("GET", f"/rooftree/v1/leads/{lead_id}/routing"))["choices"][1]
    assert choice["skipped"][0] == {
        "memberId": people.adam.id,
        "name": "Adam",
        "why": "had it before and did not touch it in time",
    }


@pytest.mark.parametrize("touch", ["call", "claim", "assign"])
async def test_touched_it_stays(olive: Client, make: Make, db: Database, people: People, touch: str) -> None:
    await weigh(olive, people, 1, 1, name="Next", strategy="NEXT_UP", touchMinutes=15)
    lead_id = await make.lead(by=people.olive)
    adam = olive.as_(people.adam)
    assert await offers(adam) == [lead_id]
    if touch == "call":
        await make.talk(lead_id, "call", by=people.adam, direction="outbound", duration=60)
    elif touch == "claim":
        await adam.ok("POST", f"/rooftree/v1/leads/{lead_id}/claim")
        await adam.ok("POST", f"/rooftree/v1/leads/{lead_id}/claim")
    else:
        await olive.ok("PUT", f"/v1.0/leads/{lead_id}", {"assignedUserId": people.otto.id})
    await look(db, people, lead_id)
    assert await holder(olive, lead_id) == ("Otto" if touch == "assign" else "Adam")
    assert await offers(adam) == []


async def test_the_offer_is_told_by_e_mail_and_queued_with_the_lead(
    olive: Client, make: Make, db: Database, people: People
) -> None:
    await weigh(olive, people, 1, 1, name="Blast", strategy="BLAST_ALERT", touchMinutes=5)
    lead_id = await make.lead(by=people.olive, lastName="Lee")
    async with db.reading(people.olive.team_id) as tx:
        rows = await tx.fetch("SELECT run_at - now() AS wait, name FROM job WHERE args->>'lead_id' = $1", str(lead_id))
        mails = await tx.fetchval("SELECT count(*) FROM message WHERE lead_id = $1", lead_id)
    waits = [row["wait"] for row in rows if row["name"] == "pass_on_lead"]
    assert len(waits) == 1
    assert timedelta(minutes=4) < waits[0] <= timedelta(minutes=5)
    assert mails == 2


# --- ponds, the default assignee, the end of the chain ---------------------------------------------------------------


async def test_a_pond_keeps_the_lead_until_somebody_draws_it(
    olive: Client, make: Make, owner_db: Database, people: People
) -> None:
    lake = await pond(owner_db, people, "Lake")  # Ana draws from it
    await rule(olive, strategy="LEAD_POND", pondId=lake, name="To the lake")
    lead_id = await make.lead(by=people.olive)
    lead = await olive.lead(lead_id)
    assert (lead["assignedUser"] or None, lead["pondId"], lead["pondName"]) == (None, lake, "Lake")
    ana, adam = olive.as_(people.ana), olive.as_(people.adam)
    url = f"/rooftree/v1/leads/{lead_id}/claim"
    assert await adam.refused("POST", url) == (404, 20006)
    assert (await ana.lead(lead_id))["leadId"] == lead_id
    await ana.ok("POST", url)
    lead = await olive.lead(lead_id)
    assert (lead["assignedUser"], lead["pondId"]) == ("Ana", 0)


async def test_nobody_left_the_lead_stays_with_who_brought_it(olive: Client, make: Make, people: People) -> None:
    for person in (people.adam, people.ana, people.otto):
        await olive.ok("PUT", f"/rooftree/v1/routing/members/{person.id}", {"isPaused": True})
    choice = await why(olive, await make.lead(by=people.ana))
    assert (choice["scope"], choice["member"]["name"]) == ("caller", "Ana")
    await olive.ok("PUT", "/v1.0/routing/rule/supplement/1", {"strategyType": 5, "assigneeAgentId": people.otto.id})
    choice = await why(olive, await make.lead(by=people.ana))
    assert (choice["member"]["name"], choice["strategy"]) == ("Otto", "DEFAULT_ASSIGNEE")


# --- rehearsal -------------------------------------------------------------------------------------------------------


async def test_a_rehearsal_stores_nothing_and_says_who_would_have_got_what(
    olive: Client, make: Make, people: People
) -> None:
    for number in range(12):
        await make.lead(by=people.olive, source="Zillow" if number % 2 else "Web")
    draft = await weigh(olive, people, 3, 2, 1, name="Draft", isDraft=True, criteria={"sourceNames": ["Zillow"]})
    first = await olive.ok("POST", "/rooftree/v1/routing/rehearse", {"leads": 12})
    assert first == await olive.ok("POST", "/rooftree/v1/routing/rehearse", {"leads": 12})
    assert (first["leads"], first["byDefault"], first["byNobody"], first["evenness"]) == (12, 6, 0, 1.0)
    assert {one["name"]: one["leads"] for one in first["rules"]} == {"Default rule": 6, "Draft": 6}
    assert {one["name"]: (one["leads"], one["share"]) for one in first["members"]} == {
        "Adam": (5, 5.0),
        "Ana": (4, 4.0),
        "Otto": (3, 3.0),
    }
    of_draft = [one for one in first["items"] if one["ruleId"] == draft["id"]]
    assert Counter(one["member"]["name"] for one in of_draft) == {"Adam": 3, "Ana": 2, "Otto": 1}
    without = await olive.ok("POST", "/rooftree/v1/routing/rehearse", {"leads": 12, "draftIds": []})
    assert without["byDefault"] == 12
    choice = await why(olive, await make.lead(by=people.olive, source="Zillow"))
    assert choice["ruleId"] is None
    assert choice["turn"] == 5  # as if nobody had rehearsed


async def test_a_rehearsal_shows_what_an_absence_costs(olive: Client, make: Make, people: People) -> None:
    for _ in range(6):
        await make.lead(by=people.olive)
    await olive.ok("PUT", f"/rooftree/v1/routing/members/{people.adam.id}", {"isPaused": True})
    found = await olive.ok("POST", "/rooftree/v1/routing/rehearse", {"leads": 6})
    assert {one["name"]: one["leads"] for one in found["members"]} == {"Adam": 0, "Ana": 3, "Otto": 3}
    assert (found["evenness"], found["largestGap"]) == (0.667, 2.0)
    for body in ({"leads": 0}, {"leads": 1001}, {"draftIds": [1]}, {"withoutRuleIds": [1]}):
        assert await olive.refused("POST", "/rooftree/v1/routing/rehearse", body) == (400, 20012)


async def test_reasons_are_for_those_who_see_the_lead(client: Client, make: Make, people: People) -> None:
    lead_id = await make.lead(by=people.olive, ownership={"ownershipId": people.ana.id, "ownershipScope": "PERSONAL"})
    seen: dict[str, int] = {}
    persons: list[Person] = [people.olive, people.sid, people.stella]
    for person in persons:
        answer = await client.as_(person).send("GET", f"/rooftree/v1/leads/{lead_id}/routing")
        seen[person.name] = answer.status_code
    assert seen == {"olive": 200, "sid": 404, "stella": 404}
    assert RULES
