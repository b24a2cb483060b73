"""Calls: the history of seed 001, the call operations, recordings and summaries. contract: S1-22 to S1-26, D22"""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.conftest import fresh_database
from tests.support.installation import Installation, installation
from tests.support.receiver import Receiver, TwilioStub

from rooftree.calls.jobs import Recordings, TooManyRedirects
from rooftree.platform import clock
from rooftree.platform.blobs import BlobStore
from rooftree.platform.settings import Settings
from rooftree.webhooks.guard import NotAllowedError

PUBLIC = "https://crm.example.test"
JANE: dict[str, Any] = {"firstName": "Jane", "phones": ["+12125550100"]}
ADAM_NUMBER, JANE_NUMBER = "+15125550100", "+12125550100"
AUDIO = b"ID3" + bytes(range(256)) * 4000
TALK = (
    "Hello, this is Adam. Hi Adam, thanks for calling. I am looking for a three bedroom house in Riverside. "
    "Our budget is up to $650,000 and we are approved for a loan. Great. Can we see 123 Main Street on Friday at 2 pm? "
    "Sure, I will set up the showing. My email is jane@example.com. Okay, thank you. Bye."
)


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioStub]:
    async with TwilioStub() as twilio:
        yield twilio


@pytest.fixture
async def home(server_dsn: str, tmp_path: Path, twilio: TwilioStub) -> AsyncIterator[Installation]:
    settings = {
        "twilio_account_sid": twilio.account_sid,
        "twilio_auth_token": twilio.auth_token,
        "twilio_url": twilio.url,
        "public_url": PUBLIC,
        "webhook_allow_insecure": True,
    }
    async with installation(await fresh_database(server_dsn), tmp_path, **settings) as home:
        await home.number(ADAM_NUMBER)
        yield home


async def _outside(home: Installation, method: str, url: str, **given: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=home.app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as client:
        return await client.request(method, url, **given)


async def _call(home: Installation, lead_id: int, **fields: Any) -> int:
    return (await home.client.ok("POST", "/rooftree/v1/calls", {"leadId": lead_id, **fields}))["callId"]


async def _upload(home: Installation, call_id: int, audio: bytes = AUDIO, kind: str = "audio/mpeg") -> httpx.Response:
    headers = {"Authorization": f"Bearer {home.people.adam.key}", "Content-Type": kind}
    return await _outside(home, "PUT", f"/rooftree/v1/calls/{call_id}/recording", content=audio, headers=headers)


async def _history(home: Installation, lead_id: int, version: str = "") -> list[dict[str, Any]]:
    return (await home.client.ok("GET", f"/v1.0/communication/call{version}?leadId={lead_id}"))["calls"]


async def test_s1_22_s1_25_both_histories(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    at = "2026-05-06T14:32:00Z"
    call_id = await _call(home, lead_id, startTime=at, durationSeconds=225, note="Wants a garden", rateScore=4)
    log = {"leadId": lead_id, "logType": "logCall", "leadPhoneNumber": "5551234567", "content": "Left a message"}
    logged = (await home.client.ok("POST", "/v1.0/logType", {**log, "callingOutcome": "VoiceMessage"}))["logType"]
    first, second = await _history(home, lead_id)
    assert (first["id"], first["dialerCallRecordId"], first["direction"]) == (call_id, call_id, "Outbound")
    assert (first["startTime"], first["endTime"]) == ("2026-05-06 14:32:00", "2026-05-06 14:35:45")
    assert (first["status"], first["duration"], first["rateScore"]) == ("Completed", 225, 4)
    assert (first["callingOutcome"], first["note"]) == ("Talked", "Wants a garden")
    assert (first["userPhoneNumber"], first["leadPhoneNumber"]) == (ADAM_NUMBER, JANE_NUMBER)
    assert (second["id"], second["status"], second["callingOutcome"]) == (logged["id"], None, "VoiceMessage")
    richer = await _history(home, lead_id, "/v2")
    assert [one.keys() > other.keys() for one, other in zip(richer, (first, second), strict=True)] == [True, True]
    assert (richer[0]["direction"], richer[1]["leadPhoneNumber"]) == ("outbound", "5551234567")


async def test_s1_24_recording_transcript_and_summary(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    call_id, bare_id = await _call(home, lead_id), await _call(home, lead_id)
    assert (await _upload(home, call_id)).status_code == 200
    async with home.working():
        await home.client.ok("PUT", f"/rooftree/v1/calls/{call_id}", {"transcript": TALK})

        async def is_summarised() -> bool:
            found = await home.client.ok("GET", f"/v2.0/ai/call-summary?callRecordId={call_id}")
            return found["data"]["status"] == 2

        await home.until(is_summarised, "for the summary")
    full, bare = await _history(home, lead_id, "/v2")
    assert (bare["id"], bare["recordingUrl"], bare["transcript"], bare["summary"]) == (bare_id, None, None, None)
    assert full["transcript"] == TALK
    assert full["recordingSwitch"] is True
    assert "$650,000" in full["summary"]
    assert len(full["summary"]) < len(TALK)
    path = urlsplit(full["recordingUrl"]).path
    whole = await _outside(home, "GET", path)
    assert (whole.status_code, whole.headers["content-type"], whole.content == AUDIO) == (200, "audio/mpeg", True)
    (entry, _) = await home.activities(lead_id)
    assert entry["summary"] == full["summary"]
    found = await home.client.ok("GET", f"/v2.0/ai/call-summary?callRecordId={call_id}")
    assert found["status"] == {"code": 0, "msg": "success"}
    keywords = {(one["type"], one["content"]) for one in found["data"]["keywords"]}
    assert keywords >= {
        ("propertyPrice", "$650,000"),
        ("leadEmail", "jane@example.com"),
        ("propertyLocation", "123 Main Street"),
        ("apptTime", "Friday at 2 pm"),
        ("bedroom", "three bedroom"),
    }
    kinds = await home.kinds(lead_id)
    assert {"call_recorded", "call_summarised"} <= set(kinds)


async def test_a_call_of_a_trashed_lead_is_gone_for_those_who_managed_it_only(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE, assignedUserId=home.people.adam.id)
    call_id = await _call(home, lead_id)
    await home.client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=x")
    for url in (f"/v1.0/calls/{call_id}", f"/v1.0/call/url/{call_id}"):
        assert await home.client.refused("GET", url) == (404, 20006)
        for person in (home.people.otto, home.people.sid):
            assert await home.client.as_(person).refused("GET", url) == (400, 20017), "as one that never was"


async def test_a_player_may_ask_for_parts(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    call_id = await _call(home, lead_id)
    await _upload(home, call_id)
    url = (await home.client.ok("GET", f"/v1.0/call/url/{call_id}"))["calls"]["url"]
    path, size = urlsplit(url).path, len(AUDIO)
    for wish, start, end in (("bytes=0-9", 0, 10), ("bytes=100-", 100, size), ("bytes=-7", size - 7, size)):
        part = await _outside(home, "GET", path, headers={"Range": wish})
        assert (part.status_code, part.content) == (206, AUDIO[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    for wish in (f"bytes={size}-", "bytes=5-2", "bytes=-0", "bytes=-", "lines=1-2", "bytes=0-1,5-6"):
        assert (await _outside(home, "GET", path, headers={"Range": wish})).status_code == 200


async def test_a_link_is_good_for_an_hour(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    lead_id = await home.make.lead(**JANE)
    call_id, silent_id = await _call(home, lead_id), await _call(home, lead_id)
    await _upload(home, call_id)
    found = (await home.client.ok("GET", f"/v1.0/call/url/{silent_id}"))["calls"]
    assert found == {"id": silent_id, "url": ""}, "nothing was recorded"
    path = urlsplit((await home.client.ok("GET", f"/v1.0/call/url/{call_id}"))["calls"]["url"]).path
    assert (await _outside(home, "GET", path[:-2] + "xx")).status_code == 404
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=59))
    assert (await _outside(home, "GET", path)).status_code == 200
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=61))
    assert (await _outside(home, "GET", path)).status_code == 404


async def test_what_is_no_recording_is_refused(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    call_id = await _call(home, lead_id)
    assert (await _upload(home, call_id, kind="text/html")).status_code == 400
    assert (await _upload(home, call_id, audio=b"")).status_code == 400
    assert (await _upload(home, 12345)).status_code == 400
    assert (await home.client.ok("GET", f"/v1.0/call/url/{call_id}"))["calls"]["url"] == ""


async def test_s1_26_whose_calls(home: Installation) -> None:
    foreign = await home.make.lead(by=home.people.sid, **JANE)
    for version in ("", "/v2"):
        assert await home.client.refused("GET", f"/v1.0/communication/call{version}") == (400, 20012)
        assert await home.client.refused("GET", f"/v1.0/communication/call{version}?leadId={foreign}") == (404, 20006)


async def test_the_call_operations(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    ids = [await _call(home, lead_id, startTime=f"2026-05-0{day}T10:00:00Z") for day in (1, 2, 3)]
    found = await home.client.ok("GET", f"/v1.0/calls?leadId={lead_id}&limit=2")
    assert [call["id"] for call in found["calls"]] == [ids[2], ids[1]]
    assert found["_metadata"] == {"collection": "calls", "limit": 2, "offset": 0, "total": 3}
    assert (await home.client.ok("GET", f"/v1.0/calls/{ids[0]}"))["calls"]["id"] == ids[0]
    assert (await home.client.ok("GET", f"/v2.0/communication/call/{ids[0]}"))["status"] == "Completed"
    sid = home.client.as_(home.people.sid)
    for missing in ("", "?leadId=0", "?leadId=-3", "?leadId=999"):
        assert await home.client.refused("GET", f"/v1.0/calls{missing}") == (404, 20006)
    assert await sid.refused("GET", f"/v1.0/calls?leadId={lead_id}") == (404, 20006)
    hidden = await home.make.lead(
        **JANE,
        assignedUserId=home.people.otto.id,
        ownershipScope="PERSONAL",
        ownershipId=home.people.otto.id,
        by=home.people.otto,
    )
    assert await home.client.refused("GET", f"/v1.0/calls?leadId={hidden}") == (400, 20017)
    for path in ("/v1.0/calls/", "/v1.0/call/url/", "/v2.0/communication/call/"):
        for call_id in ("1", "abc", "0"):
            assert await home.client.refused("GET", path + call_id) == (400, 20017)
        assert await sid.refused("GET", f"{path}{ids[0]}") == (400, 20017)
    await home.client.ok("DELETE", f"/v1.0/leads/{lead_id}?reason=x")
    assert await home.client.refused("GET", f"/v1.0/calls/{ids[0]}") == (404, 20006)


async def test_a_logged_call_leaves_out_what_nobody_knows(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    log = {
        "leadId": lead_id,
        "logType": "logCall",
        "leadPhoneNumber": "555",
        "content": "x",
        "outboundOrInbound": "inbound",
    }
    logged = (await home.client.ok("POST", "/v1.0/logType", log))["logType"]
    found = await home.client.ok("GET", f"/v2.0/communication/call/{logged['id']}")
    assert (found["leadPhoneNumber"], found["direction"]) == ("555", "Inbound")
    assert not found.keys() & {"elapsedTime", "status"}


async def test_a_dialer_s_call_is_told_once(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    await _call(home, lead_id, id="d-1")
    twice = {"leadId": lead_id, "id": "d-1"}
    assert await home.client.refused("POST", "/rooftree/v1/calls", twice) == (400, 20012)
    told = await home.rows("SELECT verb FROM announcement WHERE list_id = 6")
    assert [row[0] for row in told] == ["createdCall"]
    assert await home.client.ids(contacted="true") == [lead_id]


async def _says(home: Installation, twilio: TwilioStub, path: str, form: dict[str, str]) -> httpx.Response:
    url = f"{PUBLIC}/rooftree/v1/inbound/twilio/{path}"
    return await _outside(home, "POST", url, data=form, headers={"X-Twilio-Signature": twilio.sign(url, form)})


RING = {"CallSid": "CA" + "1" * 32, "From": JANE_NUMBER, "To": ADAM_NUMBER, "Direction": "inbound"}


async def test_a_call_comes_in_and_its_recording_is_fetched(home: Installation, twilio: TwilioStub) -> None:
    lead_id = await home.make.lead(**JANE, assignedUserId=home.people.adam.id)
    assert (await _says(home, twilio, "voice", {**RING, "CallStatus": "ringing"})).status_code == 200
    assert await home.activities(lead_id) == [], "it only rings"
    done = {**RING, "CallStatus": "completed", "CallDuration": "95"}
    for _ in range(2):
        assert (await _says(home, twilio, "voice", done)).status_code == 200
    (entry,) = await home.activities(lead_id)
    assert (entry["direction"], entry["duration"], entry["communicationType"]) == ("inbound", 95, "Auto")
    assert entry["agentId"] == home.people.adam.id
    async with Receiver() as shelf:
        shelf.answer(200, None, {"Content-Type": "audio/wav"})
        recording = {
            "CallSid": RING["CallSid"],
            "RecordingSid": "RE" + "1" * 32,
            "RecordingUrl": f"{shelf.url}/rec",
            "RecordingStatus": "completed",
        }
        async with home.working():
            assert (await _says(home, twilio, "recording", recording)).status_code == 200

            async def is_there() -> bool:
                return bool((await home.client.ok("GET", f"/v1.0/call/url/{entry['id']}"))["calls"]["url"])

            await home.until(is_there, "for the recording")
        assert not any("authorization" in request.headers for request in shelf.requests), (
            "our password is Twilio's alone"
        )


@pytest.mark.parametrize("first", ["inside", "redirect"])
async def test_no_recording_is_fetched_from_the_own_network(tmp_path: Path, first: str) -> None:
    """Not even where the provider's own address sends us on to it."""
    settings = {"twilio_account_sid": "AC1", "twilio_auth_token": "t"}
    async with Receiver() as shelf, Receiver() as carrier:
        carrier.answer(302, None, {"Location": f"{shelf.url}/rec"})
        given = Settings(data_dir=str(tmp_path), twilio_url=carrier.url, **settings)
        recordings = Recordings(given, BlobStore.open("", tmp_path))
        url = f"{carrier.url}/rec" if first == "redirect" else f"{shelf.url}/rec"
        with pytest.raises(NotAllowedError):
            await recordings._store(url, "1/recordings/1")
        assert shelf.requests == []
        assert len(carrier.requests) == (first == "redirect")
        assert all("authorization" in request.headers for request in carrier.requests)


async def test_a_recording_that_is_always_elsewhere_is_given_up(tmp_path: Path) -> None:
    async with Receiver() as carrier:
        carrier.answer(302, None, {"Location": "/again"})
        recordings = Recordings(Settings(twilio_url=carrier.url), BlobStore.open("", tmp_path))
        with pytest.raises(TooManyRedirects):
            await recordings._store(f"{carrier.url}/rec", "1/recordings/1")


async def test_a_missed_call_of_nobody_known_waits_in_the_tray(home: Installation, twilio: TwilioStub) -> None:
    stranger = {**RING, "From": "+13125550199", "CallStatus": "no-answer"}
    await _says(home, twilio, "voice", stranger)
    olive = home.client.as_(home.people.olive)
    (arrival,) = (await olive.ok("GET", "/rooftree/v1/tray"))["arrivals"]
    assert (arrival["channel"], arrival["from"]) == ("call", "+13125550199")
    lead_id = await home.make.lead(phones=["+13125550199"])
    await olive.ok("POST", f"/rooftree/v1/tray/{arrival['id']}/lead", {"leadId": lead_id})
    (call,) = await _history(home, lead_id)
    assert (call["status"], call["direction"], call["callingOutcome"]) == ("Missed", "Inbound", "NoAnswer")


async def test_a_recording_of_an_unknown_call_is_not_lost(home: Installation, twilio: TwilioStub) -> None:
    form = {
        "CallSid": "CA" + "9" * 32,
        "RecordingSid": "RE9",
        "RecordingUrl": "https://x.test/r",
        "RecordingStatus": "completed",
    }
    await _says(home, twilio, "recording", form)
    ((body,),) = await home.rows("SELECT body FROM arrival")
    assert "https://x.test/r" in body


async def test_summaries_on_demand(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    call_id = await _call(home, lead_id)
    ask = {"callRecordId": call_id, "leadId": lead_id}
    path = "/v2.0/ai/call-summary/generate"
    assert await home.client.refused("POST", path, ask) == (400, 20012), "nothing to summarise"
    await _upload(home, call_id)
    assert await home.client.refused("POST", path, ask) == (400, 900041), "nothing here transcribes"
    await home.client.ok("PUT", f"/rooftree/v1/calls/{call_id}", {"transcript": TALK})
    assert "message" in await home.client.ok("POST", path, ask)
    found = await home.client.ok("GET", f"/v2.0/ai/call-summary?callRecordId={call_id}")
    assert (found["data"]["status"], found["data"]["summary"]) == (0, None)
    sid = home.client.as_(home.people.sid)
    assert await sid.refused("POST", path, ask) == (400, 20017)
    assert await sid.refused("GET", f"/v2.0/ai/call-summary?callRecordId={call_id}") == (400, 20017)
    assert await home.client.refused("GET", "/v2.0/ai/call-summary") == (400, 20012)
    assert await home.client.refused("POST", path, {**ask, "leadId": 5}) == (400, 20012)


async def test_an_endpoint_transcribes_and_summarises(server_dsn: str, tmp_path: Path) -> None:
    async with Receiver() as endpoint:
        endpoint.answer(
            200,
            {
                "text": "What was said.",
                "choices": [
                    {"message": {"content": '{"summary": "Short.", "keywords": [{"type": "x", "content": "y"}]}'}}
                ],
            },
        )
        settings = {"ai_url": endpoint.url, "ai_key": "k" * 20, "public_url": PUBLIC}
        async with installation(await fresh_database(server_dsn), tmp_path, **settings) as home:
            lead_id = await home.make.lead(**JANE)
            call_id = await _call(home, lead_id)
            async with home.working():
                await _upload(home, call_id)

                async def is_summarised() -> bool:
                    (call,) = await _history(home, lead_id, "/v2")
                    return call["summary"] == "Short."

                await home.until(is_summarised, "for the summary")
            (call,) = await _history(home, lead_id, "/v2")
            assert call["transcript"] == "What was said."
        paths = [urlsplit(request.path).path for request in endpoint.requests]
        assert paths == ["/audio/transcriptions", "/chat/completions"]
        assert AUDIO in endpoint.requests[0].body


async def test_an_endpoint_that_refuses_is_said_so(server_dsn: str, tmp_path: Path) -> None:
    async with Receiver() as endpoint:
        endpoint.answer(401, {"error": "bad key"})
        settings = {"ai_url": endpoint.url, "ai_key": "k" * 20}
        async with installation(await fresh_database(server_dsn), tmp_path, **settings) as home:
            lead_id = await home.make.lead(**JANE)
            call_id = await _call(home, lead_id)
            async with home.working():
                await home.client.ok("PUT", f"/rooftree/v1/calls/{call_id}", {"transcript": TALK})

                async def has_failed() -> bool:
                    found = await home.client.ok("GET", f"/v2.0/ai/call-summary?callRecordId={call_id}")
                    return found["data"]["status"] == 3 and "401" in found["data"]["comment"]

                await home.until(has_failed, "for the failure to be told")
