"""Sending: consent first, then message, entry and job in one transaction. contract: seed 001, S1-15 to S1-21, D3"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import fresh_database
from tests.support.installation import Installation, installation

EMAIL = "/v1.0/message/email/send"
SMS = "/v1.0/message/sms/send"
JANE: dict[str, Any] = {"firstName": "Jane", "emails": ["jane@example.com", "j2@example.com"], "phones": ["2125550100"]}


@pytest.fixture
async def home(server_dsn: str, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(await fresh_database(server_dsn), tmp_path) as home:
        yield home


def _letter(lead_id: int, **fields: Any) -> dict[str, Any]:
    return {"leadId": lead_id, "subject": "Hello", "body": "Text", **fields}


async def test_s1_15_an_email_is_on_its_way_when_it_is_answered(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    answer = await home.client.ok("POST", EMAIL, _letter(lead_id, subject="Follow-up – é"))
    assert answer == {"messageId": answer["messageId"], "toEmail": "jane@example.com", "subject": "Follow-up – é"}
    message = await home.message(answer["messageId"])
    assert (message["state"], message["recipient"], message["sender_id"]) == (
        "queued",
        "jane@example.com",
        home.people.adam.id,
    )
    ((job,),) = await home.rows("SELECT args FROM job WHERE name = 'send_message'")
    assert job == b'{"message_id": %d}' % message["id"]


async def test_s1_16_the_lead(home: Installation) -> None:
    foreign = await home.make.lead(by=home.people.sid, **JANE)
    assert await home.client.refused("POST", EMAIL, {"subject": "s", "body": "b"}) == (400, 20012)
    for path, body in ((EMAIL, _letter(foreign)), (SMS, {"leadId": foreign, "content": "x"})):
        assert await home.client.refused("POST", path, body) == (404, 20006)
    assert await home.rows("SELECT id FROM message") == []


@pytest.mark.parametrize("subject", [None, "", "   "])
async def test_s1_17_the_subject(home: Installation, subject: str | None) -> None:
    lead_id = await home.make.lead(**JANE)
    assert await home.client.refused("POST", EMAIL, _letter(lead_id, subject=subject)) == (400, 20012)


async def test_s1_18_d3_body_or_content(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    bare = {"leadId": lead_id, "subject": "s"}
    for bad in ({}, {"body": " "}, {"content": ""}):
        assert await home.client.refused("POST", EMAIL, {**bare, **bad}) == (400, 20012)
    for fields in ({"body": "Text"}, {"content": "Text"}, {"body": "Text", "content": "ignored"}):
        answer = await home.client.ok("POST", EMAIL, {**bare, **fields})
        assert (await home.message(answer["messageId"]))["body"] == "Text"


async def test_an_address_of_the_lead_may_be_chosen(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    for wish, expected in (("J2@example.com", "j2@example.com"), ("stranger@example.com", "jane@example.com")):
        answer = await home.client.ok("POST", EMAIL, _letter(lead_id, toEmail=wish))
        assert answer["toEmail"] == expected


async def test_s1_19_a_text(home: Installation) -> None:
    lead_id = await home.make.lead(**{**JANE, "phones": ["(212) 555-0100", "+44 20 7946 0958"]})
    answer = await home.client.ok("POST", SMS, {"leadId": lead_id, "content": "On my way"})
    assert (answer["phoneNumber"], answer["phoneCode"]) == ("2125550100", "1")
    chosen = {"leadId": lead_id, "content": "x", "phoneNumber": "2079460958", "phoneCode": "44"}
    answer = await home.client.ok("POST", SMS, chosen)
    assert (answer["phoneNumber"], answer["phoneCode"]) == ("2079460958", "44")
    for content in (None, "", " ", "x" * 1601):
        assert await home.client.refused("POST", SMS, {"leadId": lead_id, "content": content}) == (400, 20012)


async def test_s1_19_who_really_sends_needs_a_number(server_dsn: str, tmp_path: Path) -> None:
    twilio = {"sms_provider": "twilio", "twilio_account_sid": "AC" + "0" * 32, "twilio_auth_token": "t" * 32}
    async with installation(await fresh_database(server_dsn), tmp_path, **twilio) as home:
        lead_id = await home.make.lead(**JANE)
        text = {"leadId": lead_id, "content": "x"}
        answer = await home.client.send("POST", SMS, text)
        assert (answer.status_code, answer.json()["code"]) == (400, 20012)
        assert "virtual number" in answer.json()["message"]
        await home.number("+15125550100")
        message = await home.message((await home.client.ok("POST", SMS, text))["messageId"])
        assert message["sender"] == "+15125550100"


async def test_s1_21_sent_messages_are_in_the_history(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    assert (await home.client.ids(contacted="true"), await home.client.ids(contacted="false")) == ([], [lead_id])
    await home.client.ok("POST", EMAIL, _letter(lead_id))
    await home.client.ok("POST", SMS, {"leadId": lead_id, "content": "On my way"})
    email, text = await home.activities(lead_id)
    assert (email["type"], email["direction"], email["communicationType"]) == ("email", "outbound", "Manual")
    assert (email["subject"], email["emailEventType"], email["agentId"]) == ("Hello", "Sent", home.people.adam.id)
    assert "note" not in email
    assert (text["type"], text["content"], text["communicationType"]) == ("sms", "On my way", "Manual")
    (one,) = (await home.client.ok("GET", f"/v1.0/communication/text?leadId={lead_id}"))["texts"]
    assert (one["textOutcome"], one["textType"], one["direction"]) == ("Queued", "Manual", "Outbound")
    (one,) = (await home.client.ok("GET", f"/v1.0/communication/email?leadId={lead_id}"))["emails"]
    assert (one["eventType"], one["emailType"], one["emailSubject"]) == ("Sent", "Manual", "Hello")
    told = await home.rows("SELECT list_id, verb FROM announcement WHERE list_id IN (7, 8) ORDER BY 1")
    assert [tuple(row) for row in told] == [(7, "createdEmail"), (8, "createdText")]
    assert await home.client.ids(contacted="true") == [lead_id]
    assert (await home.client.lead(lead_id))["lastTouch"]


@pytest.mark.parametrize(
    ("flag", "path", "named"),
    [
        ("cannotEmail", EMAIL, "cannotEmail"),
        ("unsubscription", EMAIL, "unsubscription"),
        ("cannotText", SMS, "cannotText"),
    ],
)
async def test_consent_stops_the_message(home: Installation, flag: str, path: str, named: str) -> None:
    lead_id = await home.make.lead(**JANE, **{flag: True})
    before = await home.make.everything(home.team_id)
    answer = await home.client.send("POST", path, {**_letter(lead_id), "content": "x"})
    assert (answer.status_code, answer.json()["code"]) == (400, 20012)
    assert answer.json()["message"].startswith(named)
    assert await home.make.everything(home.team_id) == before, "nothing is queued, and nothing told"


async def test_no_address_and_no_number(home: Installation) -> None:
    lead_id = await home.make.lead(phones=["12"])
    assert await home.client.refused("POST", EMAIL, _letter(lead_id)) == (400, 20012)
    assert await home.client.refused("POST", SMS, {"leadId": lead_id, "content": "x"}) == (400, 20012)


async def test_without_configuration_messages_are_kept_and_shown(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    async with home.working():
        for path in (EMAIL, SMS):
            answer = await home.client.ok("POST", path, {**_letter(lead_id), "content": "Text"})
            message = await home.until_state(answer["messageId"], "sent")
            assert (message["provider"], message["attempts"], message["error"]) == ("outbox", 1, None)
    (one,) = (await home.client.ok("GET", f"/v1.0/communication/text?leadId={lead_id}"))["texts"]
    assert one["textOutcome"] == "Sent"


async def test_who_objects_in_time_is_not_written_to(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    answer = await home.client.ok("POST", EMAIL, _letter(lead_id))
    await home.client.ok("PUT", f"/v1.0/leads/{lead_id}", {"cannotEmail": True})
    async with home.working():
        message = await home.until_state(answer["messageId"], "failed")
    assert "cannotEmail" in message["error"]
    assert (await home.kinds(lead_id))[-1] == "message_failed"


async def test_automatic_messages_wait_for_the_morning_an_agent_s_own_do_not(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE, welcomeEmail=True, state="TX")
    answer = await home.client.ok("POST", EMAIL, _letter(lead_id))
    ((welcome_id,),) = await home.rows("SELECT id FROM message WHERE purpose = 'welcome_email'")
    async with home.working(quiet_hours="00:00-23:59"):
        await home.until_state(answer["messageId"], "sent")

        async def is_put_off() -> bool:
            ((waits,),) = await home.rows("SELECT next_at > now() FROM message WHERE id = $1", welcome_id)
            return waits

        await home.until(is_put_off, "for the welcome e-mail to wait")
    assert (await home.message(welcome_id))["state"] == "queued"
    ((jobs,),) = await home.rows("SELECT count(*) FROM job WHERE run_at > now() + interval '1 second'")
    assert jobs == 1
    async with home.working(quiet_hours=""):
        await home.make.change("UPDATE message SET next_at = now()")
        await home.make.change("UPDATE job SET run_at = now()")
        await home.until_state(welcome_id, "sent")
