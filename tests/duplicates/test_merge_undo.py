"""Merging and undoing is the identity on every read of both leads, whatever they are and whatever was chosen."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.duplicates import jobs
from rooftree.leads.merging import FIELDS
from rooftree.platform.database import Database
from rooftree.timeline.model import MergedSummary, Summary
from rooftree.timeline.summaries import combined, parted

#: What tells that something happened, and so differs: when a lead was last changed, and entries about it.
_TOLD = {"lead_merged", "lead_merged_away", "lead_unmerged", "lead_came_back", "stage_changed"}

_contacts = st.lists(
    st.sampled_from(["a@x.example", "B@x.example", "b@x.example", "c@x.example"]), max_size=3, unique=True
)
_phones = st.lists(st.sampled_from(["3105550100", "+13105550100", "3105550101"]), max_size=2, unique=True)
_names = st.lists(st.sampled_from(["red", "green", "blue"]), max_size=3, unique=True)
_leads = st.fixed_dictionaries(
    {"firstName": st.sampled_from(["Ann", "Anna"]), "emails": _contacts, "phones": _phones, "tags": _names},
    optional={
        "lastName": st.sampled_from(["Lee", "Li"]),
        "segments": _names,
        "stage": st.sampled_from(["Active", "Pending"]),
        "source": st.sampled_from(["Zillow", "Web"]),
        "cannotText": st.booleans(),
        "cannotCall": st.booleans(),
        "unsubscription": st.booleans(),
        "leadTypes": st.lists(st.sampled_from([1, 2, 5]), max_size=2, unique=True),
        "birthday": st.just("Jun 5, 2001"),
        "city": st.just("Austin"),
        "streetAddress": st.just("1 Main St"),
        "language": st.sampled_from(["en", "fr"]),
        "inquiry": st.fixed_dictionaries({"priceMin": st.integers(1, 9)}),
        "property": st.fixed_dictionaries({"city": st.sampled_from(["Austin", "Waco"])}),
        "leadFamilyMemberList": st.just([{"firstName": "Eve"}]),
    },
)
_choices = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(field.choices) for name, field in FIELDS.items() if field.choices}
)
_happenings = st.lists(st.sampled_from(["note", "call", "email", "site", "pin"]), max_size=4)


async def _happen(make: Make, lead_id: int, words: list[str]) -> None:
    for word in words:
        match word:
            case "note" | "pin":
                await make.note(lead_id, word, isPin=word == "pin")
            case "site":
                await make.site(lead_id, "Favorite")
            case _:
                await make.talk(lead_id, word, direction="inbound" if word == "email" else "outbound")


async def reads(client: Client, lead_id: int) -> dict[str, Any]:
    """Return everything that can be read of a lead."""
    lead = await client.lead(lead_id)
    lead.pop("lastUpdateTime")
    found: dict[str, Any] = {"lead": lead}
    for name, url in {
        "notes": f"/v1.0/notes?leadId={lead_id}",
        "site": f"/v1.0/leads/{lead_id}/activities",
        "talk": f"/v2.0/leads/{lead_id}/activities",
        "calls": f"/v1.0/calls?leadId={lead_id}",
        "transactions": f"/v1.0/leads/{lead_id}/transactions",
        "routing": f"/rooftree/v1/leads/{lead_id}/routing",
        "duplicates": f"/rooftree/v1/leads/{lead_id}/duplicates",
    }.items():
        found[name] = await client.ok("GET", url)
    entries = (await client.ok("GET", f"/rooftree/v1/leads/{lead_id}/timeline?audit=true&limit=100"))["entries"]
    found["timeline"] = [one for one in entries if one["kind"] not in _TOLD]
    return found


async def _beside(make: Make, lead_ids: list[int]) -> list[Any]:
    """Return what finds and sorts leads, and how many the tally counts."""
    found: list[Any] = []
    for table, names in {
        "lead_label": "lead_id, kind, name, created_at",
        "lead_contact": "lead_id, kind, value",
        "lead_search": "lead_id, haystack",
        "lead_role": "lead_id, role_id, member_id",
        "timeline_summary": "*",
    }.items():
        rows = await make.rows(f"SELECT {names} FROM {table} WHERE lead_id = ANY ($1)", lead_ids)
        found.append(sorted(map(tuple, rows), key=str))
    tally = await make.rows(
        """SELECT tag, stage_id, source, assigned_user_id, is_contacted, sum(amount) FROM lead_tally
            WHERE team_id = (SELECT team_id FROM lead WHERE id = $1) GROUP BY 1, 2, 3, 4, 5 HAVING sum(amount) <> 0""",
        lead_ids[0],
    )
    return [*found, sorted(map(tuple, tally), key=str)]


async def test_merge_then_undo_is_the_identity(client: Client, make: Make) -> None:
    @settings(max_examples=6, phases=[Phase.generate])  # each takes seconds: what is found is not made smaller
    @given(one=_leads, other=_leads, happened=_happenings, happened_there=_happenings, choices=_choices)
    async def check(
        one: dict[str, Any],
        other: dict[str, Any],
        happened: list[str],
        happened_there: list[str],
        choices: dict[str, str],
    ) -> None:
        stays, goes = await make.lead(**one), await make.lead(**other)
        await _happen(make, stays, happened)
        await _happen(make, goes, happened_there)
        before = await reads(client, stays), await reads(client, goes), await _beside(make, [stays, goes])
        done = await client.ok("POST", f"/rooftree/v1/leads/{stays}/merge", {"otherLeadId": goes, "choices": choices})
        merged = await reads(client, stays)
        assert len(merged["notes"]["notes"]) == sum(len(read["notes"]["notes"]) for read in before[:2])
        assert merged["talk"]["total"] == sum(read["talk"]["total"] for read in before[:2])
        undone = await client.ok("POST", f"/rooftree/v1/merges/{done['mergeId']}/undo")
        assert (undone["kept"], undone["movedBack"]) == ([], done["moved"])
        after = await reads(client, stays), await reads(client, goes), await _beside(make, [stays, goes])
        for was, now in zip(before[:2], after[:2], strict=True):
            for name, content in was.items():
                assert now[name] == content, name
        assert after[2] == before[2]

    await _run(check)


async def _run(check: Any) -> None:
    """Run a property in this event loop."""
    loop = asyncio.get_running_loop()
    inner = check.hypothesis.inner_test

    def in_loop(*args: Any, **kwargs: Any) -> None:
        asyncio.run_coroutine_threadsafe(inner(*args, **kwargs), loop).result()

    check.hypothesis.inner_test = in_loop
    with ThreadPoolExecutor(1) as pool:
        await loop.run_in_executor(pool, check)


_moments = st.none() | st.datetimes()
_counts = st.none() | st.integers(1, 120)
_summaries = st.builds(
    Summary,
    **{name: _moments if name.endswith("_at") else _counts for name in Summary.__struct_fields__ if name != "score"},
    score=st.none() | st.integers(1, 100),
)


@given(ours=_summaries, theirs=_summaries, since=_summaries)
def test_what_was_counted_comes_apart_again(ours: Summary, theirs: Summary, since: Summary) -> None:
    """What came since stays; a late entry of the one that went is added once."""
    merged = MergedSummary(ours, theirs)
    together = combined(ours, theirs, Summary())
    assert parted(together, merged) == ours
    late = combined(theirs, since, Summary())
    with_late = combined(together, late, theirs)
    assert (with_late.view_count or 0) == sum(one.view_count or 0 for one in (ours, theirs, since))
    now = combined(together, since, Summary())
    left = parted(now, merged)
    assert (left.view_count or 0) == (ours.view_count or 0) + (since.view_count or 0)
    assert (left.score or 0) >= (ours.score or 0)


async def test_after_thirty_days_it_is_forgotten(
    client: Client, make: Make, owner_db: Database, people: People
) -> None:
    stays, goes, kept = [await make.lead() for _ in range(3)]
    note = await make.note(goes)
    old = await client.ok("POST", f"/rooftree/v1/leads/{stays}/merge", {"otherLeadId": goes})
    new = await client.ok("POST", f"/rooftree/v1/leads/{stays}/merge", {"otherLeadId": kept})
    await make.change("UPDATE lead_merge SET merged_at = now() - interval '31 days' WHERE id = $1", old["mergeId"])
    assert await client.refused("POST", f"/rooftree/v1/merges/{old['mergeId']}/undo") == (409, 900409)
    await jobs.forget_old_merges(owner_db)
    rows = await make.rows(
        """SELECT m.id, m.changes IS NULL AND m.summary IS NULL,
                  (SELECT count(*) FROM lead_merge_move v WHERE v.merge_id = m.id) > 0
             FROM lead_merge m WHERE team_id = $1 ORDER BY m.id""",
        people.adam.team_id,
    )
    assert [tuple(row) for row in rows] == [(old["mergeId"], True, False), (new["mergeId"], False, True)]
    assert await client.refused("POST", f"/rooftree/v1/merges/{old['mergeId']}/undo") == (409, 900409)
    assert (await client.ok("GET", f"/v1.0/notes/{note}"))["note"]["leadId"] == stays
    shown = (await client.ok("GET", "/rooftree/v1/merges"))["merges"]
    assert [(one["mergeId"], one["undoUntil"] is None) for one in shown] == [
        (new["mergeId"], False),
        (old["mergeId"], True),
    ]
