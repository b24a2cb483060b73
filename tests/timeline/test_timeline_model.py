"""Random histories, compared with a simple model; and what must hold for every text, time and id."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.client import Client
from tests.support.examples import for_all
from tests.support.make import Make
from tests.support.people import People

from rooftree.platform.wire_time import (
    FIRST_INSTANT,
    LAST_INSTANT,
    epoch_millis,
    from_epoch_millis,
    iso_millis,
    iso_offset,
    iso_z,
    parse_instant,
    utc_text,
)
from rooftree.timeline import kinds

NOON = datetime(2026, 5, 7, 12, tzinfo=UTC)
FIRST_MILLIS, LAST_MILLIS = -62135510400000, 253402128000000

_MINUTES = st.integers(0, 3)
_WORDS = st.sampled_from(["call", "text", "email"])
_STEPS = st.one_of(
    st.tuples(st.just("talk"), _WORDS, _MINUTES),
    st.tuples(st.just("log"), _WORDS, st.just(0)),
    st.tuples(st.just("captured"), _WORDS, _MINUTES),
    st.tuples(st.just("visit"), st.sampled_from(["Search", "Browse", "Request"]), _MINUTES),
    st.tuples(st.just("note"), st.just(""), st.just(0)),
    st.tuples(st.just("delete"), st.just(""), st.integers(0, 20)),
)
_LOG_TYPES = {"call": "logCall", "text": "logText", "email": "logEmail"}
_CAPTURED = {"call": kinds.CALL_RECEIVED, "text": kinds.TEXT_RECEIVED, "email": kinds.EMAIL_RECEIVED}


class Model:
    """A lead's history, as a list: what was said when, by which id, and whether by hand."""

    def __init__(self, client: Client, make: Make, people: People, lead_id: int) -> None:
        self.client, self.make, self.people, self.lead_id = client, make, people, lead_id
        self.said: list[tuple[float, int, str, bool]] = []
        self.visits: list[tuple[float, int, str]] = []

    async def do(self, number: int, step: tuple[str, str, int]) -> None:
        """Let something happen."""
        what, word, minute = step
        at = NOON + timedelta(minutes=minute)
        if what == "talk":
            entry_id = await self.make.talk(self.lead_id, word, timestamp=at.isoformat())
            self.said.append((minute, entry_id, word, True))
        elif what == "log":
            self.said.append((1000 + number, await self.make.log(self.lead_id, _LOG_TYPES[word]), word, True))
        elif what == "captured":
            await self.make.happening(
                self.lead_id, _CAPTURED[word], self.people.adam, happened_at=at, direction="inbound"
            )
            self.said.append((minute, await self._newest(), word, False))
        elif what == "visit":
            await self.make.site(self.lead_id, word, created=epoch_millis(at), text=str(number))
            self.visits.append((minute, await self._newest(), str(number)))
        elif what == "note":
            await self.make.note(self.lead_id)
        elif logs := [one for one in self.said if one[3]]:
            gone = logs[minute % len(logs)]
            await self.client.ok("DELETE", f"/v1.0/logType/{gone[1]}")
            self.said.remove(gone)

    async def _newest(self) -> int:
        sql = "SELECT id FROM timeline_entry WHERE lead_id = $1 ORDER BY recorded_at DESC, id DESC LIMIT 1"
        return (await self.make.rows(sql, self.lead_id))[0]["id"]

    def ids(self, *, logs_of: str = "") -> list[int]:
        """The ids in order."""
        return [
            entry_id for _, entry_id, word, by_hand in sorted(self.said) if not logs_of or (by_hand and word == logs_of)
        ]


async def test_every_way_to_page_gives_the_same_entries_in_the_same_order(
    client: Client, make: Make, people: People
) -> None:
    async def check(example: tuple[list[tuple[str, str, int]], int]) -> None:
        steps, size = example
        model = Model(client, make, people, await make.lead())
        for number, step in enumerate(steps):
            await model.do(number, step)
        url = f"/v2.0/leads/{model.lead_id}/activities"
        expected = model.ids()
        pages = range(len(expected) // size + 1)
        for name, queries in (
            ("page", [f"page={page + 1}&pageSize={size}" for page in pages]),
            ("offset", [f"offset={page * size}&limit={size}" for page in pages]),
        ):
            found: list[int] = []
            for query in queries:
                answer = await client.ok("GET", f"{url}?{query}")
                assert (answer["total"], answer["pageSize"]) == (len(expected), size)
                found += [entry["id"] for entry in answer["activities"]]
            assert found == expected, name
        assert await _by_cursor(client, f"{url}?limit={size}", "activities") == expected
        await _check_logs(client, model, size)
        visits = await client.ok("GET", f"/v1.0/leads/{model.lead_id}/activities")
        assert [visit["text"] for visit in visits] == [text for _, _, text in sorted(model.visits, reverse=True)]

    await for_all(st.tuples(st.lists(_STEPS, max_size=14), st.integers(1, 5)), check, cost=2)


async def _check_logs(client: Client, model: Model, size: int) -> None:
    for word, log_type in _LOG_TYPES.items():
        url = f"/v1.0/logType?leadId={model.lead_id}&logType={log_type}"
        expected = model.ids(logs_of=word)
        for order, by_time in (("asc", expected), ("desc", expected[::-1])):
            answer = await client.ok("GET", f"{url}&limit=100&order={order}")
            assert [log["id"] for log in answer["logType"]] == by_time
        assert await _by_cursor(client, f"{url}&limit={size}", "logType", first="1") == sorted(expected)
        down = await _by_cursor(client, f"{url}&limit={size}&order=desc", "logType", first=str(2**53))
        assert down == sorted(expected, reverse=True)
        if word != "call":
            texts = await client.ok("GET", f"/v1.0/communication/{word}?leadId={model.lead_id}&limit=100")
            wanted = [entry_id for _, entry_id, channel, _ in sorted(model.said) if channel == word]
            assert [entry["id"] for entry in texts[f"{word}s"]] == wanted


async def _by_cursor(client: Client, url: str, key: str, first: str = "") -> list[int]:
    found: list[int] = []
    cursor = first
    while page := (await client.ok("GET", f"{url}&currentId={cursor}"))[key]:
        found += [entry["id"] for entry in page]
        cursor = page[-1].get("activityId", page[-1]["id"])
    return found


# --- texts -----------------------------------------------------------------------------------------------------------

_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_LETTERS = st.sampled_from(["x", "é", "\U0001f3e0", "\U0001f469\u200d\U0001f467", "e\u0301", "\ufeff", "\\", '"'])


def _texts(limit: int) -> st.SearchStrategy[str]:
    """Texts around a limit, of characters of every width."""

    def text(start: str, letter: str, length: int) -> str:
        return (start + letter * limit)[:length]

    return st.builds(
        text,
        st.text(_CHARACTERS, min_size=1, max_size=30).filter(str.strip),
        _LETTERS,
        st.integers(limit - 3, limit + 3),
    )


async def test_notes_are_cut_between_code_points(client: Client, make: Make) -> None:
    lead_id = await make.lead()

    async def check(text: str) -> None:
        note_id = await make.note(lead_id, text)
        assert (await client.ok("GET", f"/v1.0/notes/{note_id}"))["note"]["content"] == text[:2000]
        await client.ok("PUT", f"/v1.0/notes/{note_id}", {"content": f"!{text}"})
        assert (await client.ok("GET", f"/v1.0/notes/{note_id}"))["note"]["content"] == f"!{text}"[:2000]

    await for_all(_texts(2000), check)


async def test_logs_are_cut_between_code_points(client: Client, make: Make) -> None:
    lead_id = await make.lead()

    async def check(text: str) -> None:
        log_id = await make.log(lead_id, "logText", content=text)
        assert (await client.ok("GET", f"/v1.0/logType/{log_id}"))["logType"]["content"] == text[:5000]
        entry_id = await make.talk(lead_id, "sms", notes=text)
        assert (await client.ok("GET", f"/v2.0/communication/text/{entry_id}"))["textContent"] == text[:5000]

    await for_all(_texts(5000), check)


# --- times -----------------------------------------------------------------------------------------------------------

_INSTANTS = st.datetimes(FIRST_INSTANT.replace(tzinfo=None), LAST_INSTANT.replace(tzinfo=None), timezones=st.just(UTC))
_MILLIS = st.integers(FIRST_MILLIS, LAST_MILLIS)


def test_the_ends_of_time() -> None:
    assert (epoch_millis(FIRST_INSTANT), epoch_millis(LAST_INSTANT)) == (FIRST_MILLIS, LAST_MILLIS)


@given(_MILLIS)
def test_milliseconds_are_exact(millis: int) -> None:
    assert epoch_millis(from_epoch_millis(millis)) == millis


@given(st.one_of(st.integers(-(2**63), FIRST_MILLIS - 1), st.integers(LAST_MILLIS + 1, 2**63 - 1)))
def test_other_milliseconds_are_no_instants(millis: int) -> None:
    with pytest.raises(OverflowError):
        from_epoch_millis(millis)


@given(_INSTANTS, st.timezones())
def test_instants_round_trip(instant: datetime, zone: ZoneInfo) -> None:
    whole = instant.replace(microsecond=0)
    assert parse_instant(iso_z(instant) or "") == whole
    assert parse_instant(iso_offset(instant, zone) or "") == whole
    assert parse_instant(iso_millis(instant) or "") == instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    assert parse_instant(f"{instant.isoformat()}") == instant
    assert parse_instant(f"{utc_text(instant)}Z") == whole


@given(st.text())
def test_any_text_is_an_instant_or_none(text: str) -> None:
    instant = parse_instant(text)
    assert instant is None or FIRST_INSTANT <= instant <= LAST_INSTANT


async def test_created_is_kept_to_the_millisecond(client: Client, make: Make) -> None:
    async def check(millis: int) -> None:
        lead_id = await make.lead()
        await make.site(lead_id, created=millis)
        [activity] = await client.ok("GET", f"/v1.0/leads/{lead_id}/activities")
        assert activity["created"] == millis

    await for_all(_MILLIS, check)


async def test_a_timestamp_is_shown_as_the_same_instant(client: Client, make: Make) -> None:
    lead_id = await make.lead()

    async def check(example: tuple[datetime, ZoneInfo, ZoneInfo]) -> None:
        instant, sent_in, shown_in = example
        entry_id = await make.talk(lead_id, timestamp=iso_offset(instant, sent_in))
        url = f"/v2.0/leads/{lead_id}/activities?limit=1000&timeZoneCode={shown_in.key.replace('+', '%2B')}"
        [entry] = [one for one in (await client.ok("GET", url))["activities"] if one["id"] == entry_id]
        whole = instant.replace(microsecond=0)
        assert (entry["timestamp"], entry["activityTime"]) == (iso_z(whole), iso_offset(whole, shown_in))
        assert parse_instant(entry["activityTime"]) == whole
        await client.ok("DELETE", f"/v1.0/logType/{entry_id}")

    await for_all(st.tuples(_INSTANTS, st.timezones(), st.timezones()), check)


# --- ids -------------------------------------------------------------------------------------------------------------


async def test_a_notes_id_has_two_forms_and_no_third(client: Client, make: Make) -> None:
    note_id = await make.note(await make.lead())
    noise = st.text("note_0123456789abcNOTE-. ~", min_size=1, max_size=25).filter(lambda text: text.strip(". ") == text)
    around = st.builds("{}{}{}".format, st.sampled_from(["", "note_", "note-", "n", "0"]), st.just(note_id), noise)
    known = st.sampled_from([f"{note_id}", f"note_{note_id}"])

    async def check(name: str) -> None:
        digits = re.fullmatch(r"(note_)?0*(\d+)", name)
        is_known = bool(digits and int(digits[2]) == note_id and len(name.removeprefix("note_")) < 20)
        answer = await client.send("GET", f"/v1.0/notes/{name}")
        body: dict[str, Any] = answer.json()
        if is_known:
            assert (answer.status_code, body["note"]["noteId"]) == (200, note_id)
        else:
            assert (answer.status_code, body["code"]) == (404, 20007)

    await for_all(st.one_of(known, noise, around), check)
