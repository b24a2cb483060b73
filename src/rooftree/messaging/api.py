"""Sending, what providers report, unsubscribing, and the tray of what came from nobody known."""

import html
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from rooftree.calls.actions import place_call, receive_call, receive_recording
from rooftree.leads.actions import audience, mark_contacted, set_consent
from rooftree.leads.arrivals import place_from_tray, receive_text
from rooftree.leads.mailbox import receive_mail
from rooftree.leads.messages import code_and_number, email_lead, text_lead
from rooftree.leads.queries import seen_lead
from rooftree.messaging import actions, inbound, queries
from rooftree.messaging.inbound import InboundCall, InboundRecording, InboundText, TextStatus
from rooftree.messaging.intake import parse_mail
from rooftree.messaging.links import Links
from rooftree.messaging.wire import EmailSendRequest, SmsRequest, TrayPlacement, arrival_response
from rooftree.platform.actor import Actor
from rooftree.platform.database import Database
from rooftree.platform.errors import (
    BadCredentials,
    FeatureNotConfigured,
    InvalidParameter,
    LimitNotValid,
    PermissionDenied,
    ResourceNotExist,
    Unavailable,
)
from rooftree.platform.http.answers import answer
from rooftree.platform.http.dependencies import Caller, Tx
from rooftree.platform.http.reading import AnyRequest, Query, body_of, check_size
from rooftree.platform.settings import Settings
from rooftree.team import queries as team
from rooftree.timeline.actions import record

T = TypeVar("T")
#: What Twilio takes for "received, and nothing to say".
_SILENCE: Final = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


@post("/v1.0/message/email/send", status_code=200)
async def send_email(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Send an e-mail to a lead. contract: POST /v1.0/message/email/send, seed 001, D3"""
    body = await body_of(request, EmailSendRequest)
    text = body.body if body.body is not None else body.content
    if text is None:
        raise InvalidParameter("body: is required.")
    lead = await seen_lead(tx, actor, body.lead_id, is_managing=True, is_held=True)
    queued = await email_lead(tx, actor, lead, subject=body.subject, body=text, to_email=body.to_email)
    await record(tx, actor, [queued.entry], audience=audience(lead))
    await mark_contacted(tx, lead, region=_settings(request).phone_region)
    return answer({"messageId": str(queued.message_id), "toEmail": queued.recipient, "subject": body.subject})


@post("/v1.0/message/sms/send", status_code=200)
async def send_text(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Send a text to a lead. contract: POST /v1.0/message/sms/send"""
    body = await body_of(request, SmsRequest)
    settings = _settings(request)
    lead = await seen_lead(tx, actor, body.lead_id, is_managing=True, is_held=True)
    queued = await text_lead(
        tx,
        actor,
        lead,
        content=body.content,
        phone_number=None if body.phone_number is None else str(body.phone_number),
        phone_code=None if body.phone_code is None else str(body.phone_code).lstrip("+"),
        region=settings.phone_region,
        needs_number=settings.sms_provider != "outbox",
    )
    await record(tx, actor, [queued.entry], audience=audience(lead))
    await mark_contacted(tx, lead, region=settings.phone_region)
    code, number = code_and_number(queued.recipient)
    return answer({"messageId": str(queued.message_id), "phoneNumber": number, "phoneCode": code})


def _settings(request: AnyRequest) -> Settings:
    return request.app.state.settings


async def _twilio_form(request: AnyRequest) -> dict[str, str]:
    """Return what Twilio sent. Raises: FeatureNotConfigured (900041), BadCredentials (401) for a wrong signature."""
    settings = _settings(request)
    if not settings.twilio_auth_token:
        raise FeatureNotConfigured("Set ROOFTREE_TWILIO_AUTH_TOKEN: it verifies what Twilio sends.")
    body = await request.body()
    check_size(len(body), settings.body_limit_bytes)
    form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    query = request.scope["query_string"].decode("latin-1")
    url = f"{settings.address}{request.scope['path']}" + (f"?{query}" if query else "")
    signature = request.headers.get("x-twilio-signature", "")
    if not inbound.is_from_twilio(url, form, signature, settings.twilio_auth_token):
        raise BadCredentials("X-Twilio-Signature: does not fit; is ROOFTREE_PUBLIC_URL the address Twilio calls?")
    return {name: value.replace("\0", "") for name, value in form}


@post("/rooftree/v1/inbound/twilio/sms", status_code=200)
async def twilio_text(request: AnyRequest) -> Response[bytes]:
    """Take a text in from Twilio: "A message comes in" of the number. Signed."""
    form = await _twilio_form(request)
    await _take(request, _parsed(inbound.twilio_text, form))
    return Response(_SILENCE, status_code=200, media_type="text/xml")


@post(
    ["/rooftree/v1/inbound/twilio/status", "/rooftree/v1/inbound/twilio/status/{token:str}"],
    status_code=200,
)
async def twilio_status(request: AnyRequest) -> Response[bytes]:
    """Take in how a text went: Twilio's status callback. Signed; the token names the message."""
    status = _parsed(inbound.twilio_status, await _twilio_form(request))
    token = request.path_params.get("token")
    known = _links(request).status_of(str(token)) if token else None
    await _take_status(request, status, known)
    return answer()


@post("/rooftree/v1/inbound/twilio/voice", status_code=200)
async def twilio_call(request: AnyRequest) -> Response[bytes]:
    """Take a call in: Twilio's voice status callback. Signed."""
    await _take(request, _parsed(inbound.twilio_call, await _twilio_form(request)))
    return Response(_SILENCE, status_code=200, media_type="text/xml")


@post("/rooftree/v1/inbound/twilio/recording", status_code=200)
async def twilio_recording(request: AnyRequest) -> Response[bytes]:
    """Take in that a call was recorded: Twilio's recording status callback. Signed."""
    await _take(request, _parsed(inbound.twilio_recording, await _twilio_form(request)))
    return answer()


def _parsed(parse: Callable[[dict[str, str]], T], form: dict[str, str]) -> T:
    try:
        return parse(form)
    except ValueError as error:
        raise InvalidParameter(str(error)) from None


@post("/rooftree/v1/inbound/events", status_code=200)
async def generic_events(request: AnyRequest) -> Response[bytes]:
    """Take in texts, calls, recordings, statuses and e-mails from any provider, signed as Standard Webhooks."""
    settings = _settings(request)
    if not settings.inbound_secret:
        raise FeatureNotConfigured("Set ROOFTREE_INBOUND_SECRET: it verifies what arrives here.")
    body = await request.body()
    check_size(len(body), settings.body_limit_bytes)
    if not inbound.verify_generic(settings.inbound_secret, request.headers, body):
        raise BadCredentials("webhook-signature: does not fit, or webhook-timestamp is not of now.")
    try:
        events = inbound.parse_generic(body)
    except ValueError as error:
        raise InvalidParameter(str(error)) from None
    for event in events:
        await _take(request, event)
    return answer({"accepted": len(events)})


async def _take(request: AnyRequest, event: inbound.Inbound) -> None:
    """Take in one thing, in a transaction of its own: what was taken before a failure is known when it is repeated."""
    if isinstance(event, TextStatus):
        await _take_status(request, event, None)
    elif isinstance(event, InboundText):
        team_id, agent_id = await _home(request, event.recipient)
        async with _database(request).transaction(team_id) as tx:
            await receive_text(tx, event, agent_id=agent_id, region=_settings(request).phone_region)
    elif isinstance(event, InboundCall):
        ours = event.sender if event.direction == "outbound" else event.recipient
        team_id, agent_id = await _home(request, ours)
        async with _database(request).transaction(team_id) as tx:
            await receive_call(tx, event, agent_id=agent_id, region=_settings(request).phone_region)
    elif isinstance(event, InboundRecording):
        await receive_recording(_database(request), event)
    else:
        mail = parse_mail(event.raw)
        await receive_mail(_database(request), request.app.state.returns, mail, event.raw, mail.recipients)


async def _take_status(request: AnyRequest, status: TextStatus, known: tuple[int, int] | None) -> None:
    found = known or await queries.team_of_message(_database(request), status.provider_id)
    if found is None:
        return
    team_id, message_id = found
    async with _database(request).transaction(team_id) as tx:
        await actions.note_status(tx, message_id, status.state, provider_id=status.provider_id, error=status.error)


async def _home(request: AnyRequest, number: str) -> tuple[int, int | None]:
    found = await team.team_of_number(_database(request), number)
    if found is None:
        raise Unavailable("There is no team yet.")
    return found


def _database(request: AnyRequest) -> Database:
    return request.app.state.database


def _links(request: AnyRequest) -> Links:
    return request.app.state.links


_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>E-mails</title>
<meta name="viewport" content="width=device-width"><body style="font-family:sans-serif;margin:3em auto;max-width:30em">
<p>{}</p></body></html>"""
_PAGE_POLICY: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
}


@get("/rooftree/v1/unsubscribe/{token:str}")
async def unsubscribe_page(request: AnyRequest) -> Response[str]:
    """Ask before unsubscribing: mail scanners follow links, people press buttons."""
    wish = _links(request).unsubscription(Query(request).path_text("token"))
    text = (
        f"No more e-mails to {html.escape(wish.address)}?</p>"
        '<form method="post"><button style="font-size:1.1em;padding:.5em 1em">Unsubscribe</button></form><p>'
    )
    return Response(_PAGE.format(text), media_type="text/html", headers=_PAGE_POLICY)


@post("/rooftree/v1/unsubscribe/{token:str}", status_code=200)
async def unsubscribe(request: AnyRequest) -> Response[str]:
    """Unsubscribe: the page's button, and the one click of mail programs (RFC 8058). Twice is fine."""
    wish = _links(request).unsubscription(Query(request).path_text("token"))
    async with _database(request).transaction(wish.team_id) as tx:
        await actions.silence(tx, "email", wish.address.lower(), "unsubscribed")
        await set_consent(tx, None, wish.lead_id, region=_settings(request).phone_region, is_unsubscribed=True)
    return Response(_PAGE.format("You are unsubscribed."), media_type="text/html", headers=_PAGE_POLICY)


@get("/rooftree/v1/tray")
async def list_tray(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Return what came in from nobody known, oldest first. Ours; for administrators."""
    _check_admin(actor)
    query = Query(request)
    limit = query.integer("limit", 50)
    if limit is None or not 1 <= limit <= 100:
        raise LimitNotValid
    found = await queries.tray(tx, limit, query.integer("after"))
    return answer({"arrivals": [arrival_response(arrival) for arrival in found]})


@post("/rooftree/v1/tray/{arrivalId:str}/lead", status_code=200)
async def place(request: AnyRequest, tx: Tx, actor: Caller) -> Response[bytes]:
    """Give something in the tray to a lead, or with no `leadId` throw it out. Ours; for administrators."""
    body = await body_of(request, TrayPlacement, default=TrayPlacement())
    _check_admin(actor)
    arrival = await queries.find_arrival(tx, Query(request).path_id("arrivalId"))
    if arrival is None or arrival.lead_id is not None:
        raise ResourceNotExist
    if body.lead_id is None:
        await actions.dismiss_arrival(tx, arrival.id)
        return answer()
    lead = await seen_lead(tx, actor, body.lead_id, is_managing=True, is_held=True)
    if arrival.channel == "call":
        await place_call(tx, actor, arrival, lead, region=_settings(request).phone_region)
    else:
        await place_from_tray(tx, arrival, lead)
    return answer({"leadId": lead.id})


def _check_admin(actor: Actor) -> None:
    if not actor.sees_all_leads:
        raise PermissionDenied("Only administrators see the tray.")


ROUTES: Final[list[HTTPRouteHandler]] = [
    send_email,
    send_text,
    twilio_text,
    twilio_status,
    twilio_call,
    twilio_recording,
    generic_events,
    unsubscribe_page,
    unsubscribe,
    list_tray,
    place,
]
