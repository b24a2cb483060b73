"""A batch leaves what the same creates leave one by one: leads, logbook, turns, tallies, what finds them."""

import re
from typing import Any

import msgspec
from hypothesis import strategies as st
from tests.support.client import Client
from tests.support.examples import for_all
from tests.support.people import Person, settle

from rooftree.platform.database import Database

NAMES = st.sampled_from(["Jane", "Ann Marie", "Zoë", "  Bob ", "x" * 40, "Li"])
EMAILS = st.lists(st.sampled_from(["A@x.example", "a@x.example", "b@x.example", "c@y.example"]), max_size=2)
PHONES = st.lists(st.sampled_from(["415 555 2671", "+14155552671", "2125550100", 4155550199]), max_size=2)
WORDS = st.sampled_from(["Website", "Zillow", "New one", "", None])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "lastName": st.sampled_from(["Smith", "O'Neil", None]),
    "emails": EMAILS,
    "phones": PHONES,
    "leadTypes": st.sampled_from([[1], [2], [1, 2], [77]]),
    "stage": st.sampled_from(["Pending", "pending", "Fresh stage", "FRESH STAGE", "x" * 30]),
    "source": WORDS,
    "tags": st.lists(st.sampled_from(["hot", "cold", {"tagName": "new tag"}]), max_size=3),
    "tagsAdd": st.lists(st.sampled_from(["warm", "hot"]), max_size=2),
    "segments": st.lists(st.sampled_from(["VIP", "Past"]), max_size=2),
    "birthday": st.sampled_from(["Jun 5, 2001", "soon", None]),
    "language": st.sampled_from(["en", "fr", "xx"]),
    "cannotText": st.booleans(),
    "unsubscription": st.booleans(),
    "city": st.sampled_from(["Austin", ""]),
    "property": st.sampled_from([{"city": "Austin", "price": 100_000}, {"price": 5}, None]),
    "inquiry": st.sampled_from([{"priceMin": 5, "priceMax": 4}, {"priceMin": 100, "locations": [{"city": "Austin"}]}]),
    "customAttributeList": st.sampled_from(
        [[{"attributeName": "size", "value": 5}], [{"attributeName": "SIZE", "value": True}], [{"attributeName": "?"}]]
    ),
    "leadFamilyMemberList": st.sampled_from([[{"firstName": "Kid", "relationship": "Son"}], [{"firstName": " "}]]),
    "assignedUserId": st.sampled_from(["agent", "agent", 5, "--5", None]),
    "ownershipScope": st.sampled_from(["TEAM", "PERSONAL", None]),
    "assignGroupId": st.sampled_from([-1, 999, None]),
    "content": st.sampled_from(["a note", " ", None]),
    "isPin": st.booleans(),
    "leadTransaction": st.sampled_from([{"transactionName": "House"}, {"price": "much"}]),
}
ROW = st.fixed_dictionaries({"firstName": NAMES}, optional=FIELDS)
ROWS = st.lists(ROW | st.sampled_from([{"lastName": "no first name"}, 5, [], {"firstName": 5}]), min_size=1, max_size=6)


class Side:
    """A company of its own, and what it looks like from outside, without ids and moments."""

    def __init__(self, client: Client, db: Database, person: Person, agent_id: int) -> None:
        self.client, self._db, self._person, self._agent_id = client.as_(person), db, person, agent_id

    def row(self, row: Any) -> Any:
        """Return a row that names this company's agent."""
        if isinstance(row, dict) and row.get("assignedUserId") == "agent":
            return {**row, "assignedUserId": self._agent_id}
        return row

    async def looks(self, leads: list[int | None]) -> Any:
        """Return all that the company has."""
        team_id = self._person.team_id
        async with self._db.unscoped() as tx:
            ids = await tx.fetch("SELECT id FROM member WHERE team_id = $1 ORDER BY id", team_id)
            known = {row["id"]: f"member {place}" for place, row in enumerate(ids)} | {team_id: "team"}
            known |= {lead_id: f"lead {place}" for place, lead_id in enumerate(leads) if lead_id}
            found = [
                await tx.fetch(sql, team_id)
                for sql in (
                    "SELECT to_jsonb(l) FROM lead l WHERE team_id = $1 ORDER BY id",
                    "SELECT to_jsonb(e) FROM timeline_entry e WHERE team_id = $1 ORDER BY id",
                    "SELECT to_jsonb(n) FROM note n WHERE team_id = $1 ORDER BY id",
                    "SELECT to_jsonb(c) FROM lead_contact c WHERE team_id = $1 ORDER BY lead_id, kind, value",
                    "SELECT to_jsonb(c) FROM lead_label c WHERE team_id = $1 ORDER BY lead_id, kind, name",
                    "SELECT to_jsonb(c) FROM lead_search c WHERE team_id = $1 ORDER BY lead_id",
                    "SELECT to_jsonb(t) FROM routing_turn t WHERE team_id = $1 ORDER BY scope, member_id, slot",
                    "SELECT to_jsonb(t) FROM source t WHERE team_id = $1 ORDER BY id",
                    """SELECT jsonb_build_array(verb, lead_id, audience) FROM announcement
                        WHERE team_id = $1 AND lead_id IS NOT NULL ORDER BY id""",
                    """SELECT jsonb_build_array(tag, assigned_user_id, ownership_id, source, sum(amount))
                         FROM lead_tally WHERE team_id = $1 GROUP BY tag, assigned_user_id, ownership_id, source
                        HAVING sum(amount) <> 0 ORDER BY assigned_user_id, ownership_id, source, tag""",
                    "SELECT to_jsonb(name) FROM stage WHERE team_id = $1 ORDER BY position",
                    "SELECT to_jsonb(name) FROM tag WHERE team_id = $1 ORDER BY name",
                )
            ]
        return [[_plain(msgspec.json.decode(row[0]), known) for row in rows] for rows in found]


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT.*")


def _plain(value: Any, known: dict[int, str]) -> Any:
    """Return a document with ids named and moments left out."""
    if isinstance(value, dict):
        return {name: _plain(one, known) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, known) for one in value]
    if isinstance(value, str):
        return "moment" if _MOMENT.fullmatch(value) else value
    if isinstance(value, int) and value > 1000:
        return known.get(value, "id" if value > 10**9 else value)
    return value


async def _side(client: Client, owner_db: Database, secret: bytes) -> Side:
    people = await settle(owner_db, secret)
    side = Side(client, owner_db, people.olive, people.adam.id)
    field = {"attributeName": "Size", "attributeType": "text"}
    await side.client.ok("POST", "/v1.0/teamFeatures/custom-field", field)
    return side


async def test_a_batch_is_the_same_creates(client: Client, owner_db: Database, secret: bytes) -> None:
    async def check(batches: list[list[Any]]) -> None:
        whole, single = [await _side(client, owner_db, secret) for _ in range(2)]
        made: tuple[list[int | None], list[int | None]] = ([], [])
        for rows in batches:
            lines = b"\n".join(msgspec.json.encode(whole.row(row)) for row in rows)
            answer = await whole.client.send("POST", "/rooftree/v1/leads/batch?matchOn=none", content=lines)
            assert answer.status_code == 200, answer.text
            for row, result in zip(rows, answer.json()["results"], strict=True):
                alone = await single.client.send("POST", "/v1.0/leads", single.row(row))
                told = alone.json()
                made[0].append(result["leadId"])
                made[1].append(told.get("leadId"))
                assert (result["status"] == "created") == (alone.status_code == 200), (row, result, told)
                assert result["errorCode"] == told.get("code"), (row, result, told)
                said = (result["errorMessage"] or "").replace(" | null", "").replace("Row", "Request body")
                assert said == told.get("message", "")
        assert await whole.looks(made[0]) == await single.looks(made[1])

    await for_all(st.lists(ROWS, min_size=1, max_size=2), check, cost=4)
