"""A scroll meets every lead once, whatever others do meanwhile."""

import asyncio
import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

from rooftree.platform.errors import InvalidParameter
from rooftree.platform.pages import Sealer


@pytest.mark.parametrize(
    "query", ["", "&desc=false&sort=CreateTime", "&anyTags=t", "&stage=New+Lead", "&sort=AssignTime&desc=true"]
)
async def test_none_is_skipped_or_doubled(client: Client, make: Make, people: People, query: str) -> None:
    dice = random.Random(query)
    made = [await make.lead(tags=["t"], assignedUserId=people.adam.id) for _ in range(24)]
    seen: list[int] = []
    trashed: set[int] = set()
    scroll = ""
    while True:
        page = await client.ok("GET", f"/v1.0/leads?limit=5{query}" + (f"&scrollId={scroll}" if scroll else ""))
        seen += [lead["leadId"] for lead in page["leads"]]
        scroll = page["_metadata"].get("scrollId", "")
        if not scroll:
            break
        victim, changed = dice.sample([lead_id for lead_id in made if lead_id not in trashed], 2)
        trashed.add(victim)
        await asyncio.gather(
            client.ok("DELETE", f"/v1.0/leads/{victim}?reason=x"),
            client.ok("PUT", f"/v1.0/leads/{changed}", {"lastName": str(dice.random())}),
            make.lead(tags=["t"], assignedUserId=people.adam.id),
        )
    assert len(seen) == len(set(seen))
    assert set(made) - trashed <= set(seen)


async def test_leads_without_a_value_come_last_and_none_is_lost(client: Client, make: Make, people: People) -> None:
    made = [await make.lead(inquiry={"priceMin": 1} if place % 3 else None) for place in range(13)]
    for desc in ("true", "false"):
        seen: list[int] = []
        url = f"/v1.0/leads?limit=3&sort=Inquries&desc={desc}"
        page = await client.ok("GET", url)
        while True:
            seen += [lead["leadId"] for lead in page["leads"]]
            if not (scroll := page["_metadata"].get("scrollId")):
                break
            page = await client.ok("GET", f"{url}&scrollId={scroll}")
        with_value = [lead_id for place, lead_id in enumerate(made) if place % 3]
        without = [lead_id for place, lead_id in enumerate(made) if not place % 3]
        backwards = desc == "true"
        assert seen == sorted(with_value, reverse=backwards) + sorted(without, reverse=backwards)
        by_offset = [
            lead["leadId"]
            for offset in range(0, 15, 3)
            for lead in (await client.ok("GET", f"{url}&offset={offset}"))["leads"]
        ]
        assert by_offset == seen


@given(st.text(max_size=60))
def test_no_text_opens_the_seal(text: str) -> None:
    with pytest.raises(InvalidParameter):
        Sealer(b"secret").open(text, int)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 200))
def test_a_seal_opens_only_unchanged(content: int, place: int) -> None:
    sealed = Sealer(b"secret").seal(content)
    assert Sealer(b"secret").open(sealed, int) == content
    other = (
        sealed[: place % len(sealed)]
        + ("A" if sealed[place % len(sealed)] != "A" else "B")
        + sealed[place % len(sealed) + 1 :]
    )
    with contextlib.suppress(InvalidParameter):
        assert Sealer(b"secret").open(other, int) == content, "only unused bits of the last character may differ"
    with pytest.raises(InvalidParameter):
        Sealer(b"another").open(sealed, int)
