"""From the API through a real mail server and a real provider, and back: delivery, bounce, reply, STOP."""

import asyncio
import email
import email.policy
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiosmtplib
import httpx
import msgspec
import pytest
from standardwebhooks.webhooks import Webhook
from tests.conftest import fresh_database
from tests.support.installation import Installation, installation
from tests.support.mail_server import MailServer
from tests.support.receiver import TwilioStub

from rooftree import worker
from rooftree.platform.clock import now

PUBLIC = "https://crm.example.test"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
JANE: dict[str, Any] = {"firstName": "Jané", "emails": ["jane@example.com"], "phones": ["+12125550100"]}
ADAM_NUMBER, JANE_NUMBER = "+15125550100", "+12125550100"


@pytest.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with MailServer() as mail:
        yield mail


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioStub]:
    async with TwilioStub() as twilio:
        yield twilio


@pytest.fixture
async def home(server_dsn: str, tmp_path: Path, mail: MailServer, twilio: TwilioStub) -> AsyncIterator[Installation]:
    settings = {
        "email_provider": "smtp",
        "smtp_url": mail.url,
        "email_in_domain": "in.example.test",
        "sms_provider": "twilio",
        "twilio_account_sid": twilio.account_sid,
        "twilio_auth_token": twilio.auth_token,
        "twilio_url": twilio.url,
        "public_url": PUBLIC,
        "inbound_secret": SECRET,
    }
    async with installation(await fresh_database(server_dsn), tmp_path, **settings) as home:
        await home.number(ADAM_NUMBER)
        yield home


async def _call(home: Installation, method: str, url: str, **given: Any) -> httpx.Response:
    """Reach the application from outside, without a key."""
    transport = httpx.ASGITransport(app=home.app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as client:
        return await client.request(method, url, **given)


async def _twilio_says(home: Installation, twilio: TwilioStub, path: str, form: dict[str, str]) -> httpx.Response:
    url = f"{PUBLIC}/rooftree/v1/inbound/twilio/{path}"
    headers = {"X-Twilio-Signature": twilio.sign(url, form)}
    return await _call(home, "POST", url, data=form, headers=headers)


async def _write(home: Installation, lead_id: int, **fields: Any) -> dict[str, Any]:
    body = {"leadId": lead_id, "subject": "Grüße", "body": "<p>Hello <b>Jané</b></p>", **fields}
    answer = await home.client.ok("POST", "/v1.0/message/email/send", body)
    return await home.until_state(answer["messageId"], "sent")


async def test_an_email_goes_out_in_the_agent_s_name(home: Installation, mail: MailServer) -> None:
    lead_id = await home.make.lead(**JANE)
    async with home.working():
        row = await _write(home, lead_id)
    (received,) = mail.messages
    message = email.message_from_bytes(received.content, policy=email.policy.default)
    assert message["Subject"] == "Grüße"
    assert message["From"].addresses[0].addr_spec == home.people.adam.email
    assert message["From"].addresses[0].display_name == "Adam"
    assert message["To"].addresses[0].display_name == "Jané"
    assert message["Message-ID"] == f"<{row['id']}.{home.team_id}@in.example.test>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert home.people.adam.email in str(message["Reply-To"])
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert "Hello Jané" in plain.get_content()
    assert html is not None
    assert "<b>Jané</b>" in html.get_content()
    assert received.recipients == ["jane@example.com"]
    assert received.sender.endswith("@in.example.test")


async def test_one_click_ends_the_emails(home: Installation, mail: MailServer) -> None:
    lead_id = await home.make.lead(**JANE)
    async with home.working():
        await _write(home, lead_id)
    message = email.message_from_bytes(mail.messages[0].content, policy=email.policy.default)
    link = str(message["List-Unsubscribe"]).strip("<>")
    assert link.startswith(f"{PUBLIC}/rooftree/v1/unsubscribe/")
    page = await _call(home, "GET", link)
    assert (page.status_code, "jane@example.com" in page.text) == (200, True)
    assert (await home.client.lead(lead_id))["unsubscription"] is False, "looking is not clicking"
    for _ in range(2):
        answer = await _call(home, "POST", link, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    assert (await home.client.lead(lead_id))["unsubscription"] is True
    assert "subscription_changed" in await home.kinds(lead_id)
    letter = {"leadId": lead_id, "subject": "s", "body": "b"}
    assert await home.client.refused("POST", "/v1.0/message/email/send", letter) == (400, 20012)
    forged = await _call(home, "POST", link[:-3] + "abc")
    assert forged.status_code == 400


async def test_a_text_is_delivered(home: Installation, twilio: TwilioStub) -> None:
    lead_id = await home.make.lead(**JANE)
    async with home.working():
        answer = await home.client.ok("POST", "/v1.0/message/sms/send", {"leadId": lead_id, "content": "On my way"})
        row = await home.until_state(answer["messageId"], "sent")
    (text,) = twilio.messages
    assert (text.sid, text.sender, text.recipient, text.body) == (
        row["provider_id"],
        ADAM_NUMBER,
        JANE_NUMBER,
        "On my way",
    )
    path = urlsplit(text.status_url or "").path.removeprefix("/rooftree/v1/inbound/twilio/")
    form = {"MessageSid": text.sid, "MessageStatus": "delivered"}
    for _ in range(2):
        assert (await _twilio_says(home, twilio, path, form)).status_code == 200
    assert (await _twilio_says(home, twilio, "status", {**form, "MessageStatus": "sent"})).status_code == 200
    (one,) = (await home.client.ok("GET", f"/v1.0/communication/text?leadId={lead_id}"))["texts"]
    assert one["textOutcome"] == "Delivered"
    assert (await home.kinds(lead_id)).count("message_delivered") == 1


async def test_what_twilio_refuses_is_failed_with_its_reason(home: Installation, twilio: TwilioStub) -> None:
    lead_id = await home.make.lead(**JANE)
    twilio.fail_times(1, 400, {"code": 21211, "message": "The 'To' number is not a valid phone number."})
    async with home.working():
        answer = await home.client.ok("POST", "/v1.0/message/sms/send", {"leadId": lead_id, "content": "x"})
        row = await home.until_state(answer["messageId"], "failed")
    assert "not a valid phone number" in row["error"]
    (one,) = (await home.client.ok("GET", f"/v1.0/communication/text?leadId={lead_id}"))["texts"]
    assert one["textOutcome"] == "Failed"
    found = await home.client.ok("GET", f"/rooftree/v1/leads/{lead_id}/timeline")
    assert any("not a valid phone number" in (entry["details"].get("error") or "") for entry in found["entries"])


async def test_a_moment_of_trouble_is_waited_out(home: Installation, mail: MailServer) -> None:
    lead_id = await home.make.lead(**JANE)
    mail.fail("rcpt", "451 4.3.0 try again later")
    async with home.working():
        letter = {"leadId": lead_id, "subject": "s", "body": "b"}
        answer = await home.client.ok("POST", "/v1.0/message/email/send", letter)

        async def has_failed_once() -> bool:
            row = await home.message(answer["messageId"])
            return row["state"] == "queued" and row["attempts"] == 1

        await home.until(has_failed_once, "for the first attempt to fail")
        row = await home.message(answer["messageId"])
        assert "4.3.0" in row["error"]
        assert row["next_at"] > now()
        mail.recover()
        await home.make.change("UPDATE message SET next_at = now()")
        await home.make.change("UPDATE job SET run_at = now()")
        await home.until_state(answer["messageId"], "sent")
    assert len(mail.messages) == 1


@pytest.mark.parametrize("word", ["STOP", "unsubscribe", " Cancel. ", "END", "quit"])
async def test_stop_and_start_flip_the_flag_within_the_request(
    home: Installation, twilio: TwilioStub, word: str
) -> None:
    lead_id, twin_id = await home.make.lead(**JANE), await home.make.lead(**JANE)
    form = {"MessageSid": "SM" + "1" * 32, "From": JANE_NUMBER, "To": ADAM_NUMBER, "Body": word}
    answer = await _twilio_says(home, twilio, "sms", form)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/xml")
    for one in (lead_id, twin_id):
        assert (await home.client.lead(one))["cannotText"] is True
    text = {"leadId": lead_id, "content": "x"}
    refused = await home.client.send("POST", "/v1.0/message/sms/send", text)
    assert refused.status_code == 400
    await home.client.ok("PUT", f"/v1.0/leads/{lead_id}", {"cannotText": False})
    refused = await home.client.send("POST", "/v1.0/message/sms/send", text)
    assert refused.json()["message"].startswith("optedOut"), "an agent cannot lift what the lead said"
    await _twilio_says(home, twilio, "sms", {**form, "MessageSid": "SM" + "2" * 32, "Body": "Start"})
    assert (await home.client.lead(twin_id))["cannotText"] is False
    await home.client.ok("POST", "/v1.0/message/sms/send", text)


async def test_a_text_comes_in_once_and_the_agent_is_told(home: Installation, twilio: TwilioStub) -> None:
    lead_id = await home.make.lead(**JANE, assignedUserId=home.people.adam.id)
    form = {"MessageSid": "SM" + "1" * 32, "From": JANE_NUMBER, "To": ADAM_NUMBER, "Body": "A few questions"}
    await asyncio.gather(*(_twilio_says(home, twilio, "sms", form) for _ in range(3)))
    (entry,) = await home.activities(lead_id)
    assert (entry["type"], entry["direction"], entry["content"]) == ("sms", "inbound", "A few questions")
    assert (entry["communicationType"], entry["agentId"]) == ("Auto", home.people.adam.id)
    told = await home.rows("SELECT recipient FROM message WHERE purpose = 'reply_alert'")
    assert [row[0] for row in told] == [home.people.adam.email]
    assert await home.rows("SELECT id FROM announcement WHERE list_id = 8") == [], "AUTO is never announced"
    assert (await home.client.lead(lead_id))["lastTouch"]


async def test_a_wrong_signature_is_refused(home: Installation, twilio: TwilioStub) -> None:
    form = {"MessageSid": "SM1", "From": JANE_NUMBER, "To": ADAM_NUMBER, "Body": "STOP"}
    url = f"{PUBLIC}/rooftree/v1/inbound/twilio/sms"
    for headers in ({}, {"X-Twilio-Signature": twilio.sign(url, {**form, "Body": "x"})}):
        assert (await _call(home, "POST", url, data=form, headers=headers)).status_code == 401
    assert await home.rows("SELECT id FROM arrival") == []


async def test_an_unknown_sender_waits_in_the_tray(home: Installation, twilio: TwilioStub) -> None:
    form = {"MessageSid": "SM" + "3" * 32, "From": "+13125550199", "To": ADAM_NUMBER, "Body": "Is it still for sale?"}
    assert (await _twilio_says(home, twilio, "sms", form)).status_code == 200
    olive = home.client.as_(home.people.olive)
    (arrival,) = (await olive.ok("GET", "/rooftree/v1/tray"))["arrivals"]
    assert (arrival["from"], arrival["text"]) == ("+13125550199", "Is it still for sale?")
    assert await home.client.refused("GET", "/rooftree/v1/tray") == (403, 20017)
    stella = home.client.as_(home.people.stella)
    assert (await stella.ok("GET", "/rooftree/v1/tray"))["arrivals"] == []
    assert await stella.refused("POST", f"/rooftree/v1/tray/{arrival['id']}/lead", {}) == (404, 20007)
    lead_id = await home.make.lead(phones=["+13125550199"])
    await olive.ok("POST", f"/rooftree/v1/tray/{arrival['id']}/lead", {"leadId": lead_id})
    assert (await olive.ok("GET", "/rooftree/v1/tray"))["arrivals"] == []
    (entry,) = await home.activities(lead_id)
    assert entry["content"] == "Is it still for sale?"
    again = await olive.refused("POST", f"/rooftree/v1/tray/{arrival['id']}/lead", {"leadId": lead_id})
    assert again == (404, 20007)


async def _take_mail(home: Installation, stop: asyncio.Event) -> tuple[asyncio.Task[None], int]:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        worker.take_mail(home.dsn, stop, home.settings, "127.0.0.1", 0, started=started.set_result)
    )
    return task, await asyncio.wait_for(started, 10)


def _mail(sender: str, recipient: str, subject: str, text: str, **headers: str) -> bytes:
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


def _hand_over(port: int, raw: bytes, recipient: str) -> None:
    """Deliver as a mail server does with bounces: from nobody."""
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as session:
        session.sendmail("", [recipient], raw)


async def test_a_reply_and_a_bounce_come_in(home: Installation, mail: MailServer) -> None:
    lead_id = await home.make.lead(**JANE, assignedUserId=home.people.adam.id)
    async with home.working():
        first = await _write(home, lead_id)
    sent = email.message_from_bytes(mail.messages[0].content, policy=email.policy.default)
    reply_to = next(one.addr_spec for one in sent["Reply-To"].addresses if one.addr_spec.endswith("in.example.test"))
    stop = asyncio.Event()
    task, port = await _take_mail(home, stop)
    try:
        answer = _mail(
            "jane.private@example.org", reply_to, "Re: Grüße", "Yes, please.\n", Message_ID="<r1@example.org>"
        )
        for _ in range(2):
            await aiosmtplib.send(
                answer, sender="jane.private@example.org", recipients=[reply_to], hostname="127.0.0.1", port=port
            )
        (_, reply) = await home.activities(lead_id)
        assert (reply["direction"], reply["subject"], reply["type"]) == ("inbound", "Re: Grüße", "email")
        bounce = (
            b"From: MAILER-DAEMON@example.com\r\nTo: %b\r\nSubject: Undelivered Mail\r\nMIME-Version: 1.0\r\n"
            b'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n\r\n'
            b"--x\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
            b"--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
            b"Final-Recipient: rfc822; jane@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
            b"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--x--\r\n"
        ) % mail.messages[0].sender.encode()
        await asyncio.to_thread(_hand_over, port, bounce, mail.messages[0].sender)
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)
    row = await home.message(first["id"])
    assert (row["state"], "5.1.1" in row["error"]) == ("failed", True)
    assert (await home.kinds(lead_id))[-1] == "email_bounced"
    (entry, _) = await home.activities(lead_id)
    assert entry["emailEventType"] == "Bounced"
    letter = {"leadId": lead_id, "subject": "s", "body": "b"}
    refused = await home.client.send("POST", "/v1.0/message/email/send", letter)
    assert refused.json()["message"].startswith("bounced")


async def test_mail_of_nobody_known_waits_in_the_tray(home: Installation) -> None:
    stop = asyncio.Event()
    task, port = await _take_mail(home, stop)
    try:
        await aiosmtplib.send(
            _mail("new@example.org", "hello@in.example.test", "A question", "Is it still for sale?"),
            sender="new@example.org",
            recipients=["hello@in.example.test"],
            hostname="127.0.0.1",
            port=port,
        )
        with pytest.raises(aiosmtplib.SMTPException):
            await aiosmtplib.send(
                b"x", sender="a@example.org", recipients=["b@elsewhere.test"], hostname="127.0.0.1", port=port
            )
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)
    ((subject, body, lead_id),) = await home.rows("SELECT subject, body, lead_id FROM arrival")
    assert (subject, body.strip(), lead_id) == ("A question", "Is it still for sale?", None)


async def test_a_generic_provider_speaks_signed(home: Installation) -> None:
    lead_id = await home.make.lead(**JANE)
    event = {"type": "text", "id": "g1", "from": JANE_NUMBER, "to": ADAM_NUMBER, "text": "Hi"}
    body = msgspec.json.encode(event).decode()
    at = now()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("msg_1", at, body),
    }
    url = "/rooftree/v1/inbound/events"
    assert (await _call(home, "POST", url, content=body, headers=headers)).json() == {"accepted": 1}
    assert (await _call(home, "POST", url, content=body + " ", headers=headers)).status_code == 401
    (entry,) = await home.activities(lead_id)
    assert entry["content"] == "Hi"
