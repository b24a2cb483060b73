"""Outside services on loopback: real sockets, answers to order."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import operator
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import h11
import httpx
import msgspec
from msgspec import Struct


class Received(Struct, frozen=True):
    """A request as it came."""

    method: str
    path: str  #: without the query
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]  #: names in small letters
    body: bytes

    def form(self) -> dict[str, str]:
        """Return the fields of a form; the last one of a name."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body)))

    def json(self) -> Any:
        """Return the body as JSON says it."""
        return msgspec.json.decode(self.body)


class Answer(Struct, frozen=True):
    """An answer to be given."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = {}


def answer_of(status: int = 200, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    """Return an answer: bytes and text go out as they are, anything else as JSON."""
    if isinstance(body, bytes | str):
        return Answer(status, body.encode() if isinstance(body, str) else body, headers or {})
    content = {} if body is None else body
    return Answer(status, json.dumps(content).encode(), {"content-type": "application/json", **(headers or {})})


class Receiver:
    """An HTTP server on a free port of this machine, in the test's event loop.

        async with Receiver() as receiver:
            receiver.answer(503, "busy", {"Retry-After": "7"})

    A request is noted, its answer made (`respond`), `on_request` called, the answer sent, `after_answer` called. So in
    `on_request` the service has done what it was asked for, and whoever asked does not know yet.
    """

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.on_request: Callable[[Received], None] | None = None
        self.after_answer: Callable[[Received], None] | None = None
        self.url = ""
        self._answer = answer_of()
        self._next: list[Answer | None] = []
        self._hangs = False
        self._arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def answer(self, status: int = 200, body: Any = None, headers: dict[str, str] | None = None) -> None:
        """Answer this from now on, whatever was ordered before."""
        self._answer, self._hangs = answer_of(status, body, headers), False
        self._next.clear()

    def redirect(self, url: str, status: int = 302) -> None:
        """Send whoever asks elsewhere."""
        self.answer(status, b"", {"location": url})

    def fail_times(
        self, times: int, status: int = 503, body: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        """Answer the next requests so, without doing what they ask; then as before."""
        self._next += [answer_of(status, body, headers)] * times

    def lose_answers(self, times: int = 1) -> None:
        """Do what the next requests ask, and hang up without an answer."""
        self._next += [None] * times

    def hang(self) -> None:
        """Read requests and stay silent, without doing what they ask, until `recover` or `answer`."""
        self._hangs = True

    def recover(self) -> None:
        """Answer again. Requests that hang stay so."""
        self._hangs = False
        self._next.clear()

    async def wait_for(self, count: int) -> None:
        """Wait until as many requests have arrived since the start."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    def respond(self, request: Received) -> Answer:
        """Do what a request asks; return the answer."""
        return self._answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            connection = h11.Connection(h11.SERVER)
            while await self._exchange(connection, reader, writer):
                connection.start_next_cycle()
        except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Read a request, answer it; False when the connection is of no more use."""
        request = await _read(connection, reader)
        if request is None:
            return False
        self.requests.append(request)
        async with self._arrived:
            self._arrived.notify_all()
        if self._hangs:
            await asyncio.Event().wait()
        answer = self._due(request)
        if self.on_request:
            self.on_request(request)
        if answer is None:
            return False
        await _write(connection, writer, request.method, answer)
        if self.after_answer:
            self.after_answer(request)
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    def _due(self, request: Received) -> Answer | None:
        if not self._next:
            return self.respond(request)
        answer = self._next.pop(0)
        if answer is None:
            self.respond(request)
        return answer


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> Received | None:
    """Return the next whole request; None when the peer is done."""
    head: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and head:
            return _received(head, body)
        else:
            return None


def _received(head: h11.Request, body: bytes) -> Received:
    target = urlsplit(head.target.decode())
    headers = {bytes(name).decode().lower(): bytes(value).decode("latin-1") for name, value in head.headers}
    query = tuple(parse_qsl(target.query, keep_blank_values=True))
    return Received(head.method.decode(), target.path, query, headers, body)


async def _write(connection: h11.Connection, writer: asyncio.StreamWriter, method: str, answer: Answer) -> None:
    headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
    writer.write(connection.send(h11.Response(status_code=answer.status, headers=headers)) or b"")
    if method != "HEAD":
        writer.write(connection.send(h11.Data(data=answer.body)) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    await writer.drain()


class StubText(Struct, kw_only=True):
    """A message at the stub."""

    sid: str
    sender: str
    recipient: str
    body: str
    status: str = "queued"
    direction: str = "outbound-api"
    created_at: datetime
    sent_at: datetime | None = None  #: None: it waits in Twilio's queue
    status_url: str | None = None


class TwilioStub(Receiver):
    """Behaves as Twilio's Messages API (2010-04-01): creates, lists, shows; and posts signed callbacks.

    Its messages stay queued, without a date of sending, until `post_status` says otherwise.
    """

    def __init__(self, account_sid: str = "AC" + "0" * 32, auth_token: str = "token-of-the-account") -> None:
        super().__init__()
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.messages: list[StubText] = []
        self.opted_out: set[str] = set()  #: recipients who wrote STOP
        self.page_size = 1000  #: at most so many messages on a page
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._count = itertools.count(1)

    @property
    def created(self) -> int:
        """How many requests asked for a message, taken or not."""
        return sum(request.method == "POST" for request in self.requests)

    def add(self, *, sender: str, recipient: str, body: str, **fields: Any) -> StubText:
        """Put a message there as if it had been asked for."""
        fields = {"created_at": self.clock(), **fields}
        message = StubText(sid=f"SM{next(self._count):032x}", sender=sender, recipient=recipient, body=body, **fields)
        self.messages.append(message)
        return message

    def respond(self, request: Received) -> Answer:
        given = request.headers.get("authorization", "")
        expected = "Basic " + base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if given != expected:
            return _error(401, 20003, "Authenticate")
        base = f"/2010-04-01/Accounts/{self.account_sid}/Messages"
        if request.path == f"{base}.json":
            return self._create(request.form()) if request.method == "POST" else self._list(request)
        for message in self.messages:
            if request.path == f"{base}/{message.sid}.json":
                return answer_of(200, self._shown(message))
        return _error(404, 20404, f"The requested resource {request.path} was not found")

    async def post_status(self, message: StubText, status: str, **fields: str) -> httpx.Response:
        """Let a message be so far, and post it to its status address, signed. `fields`: ErrorCode and the like."""
        message.status = status
        message.sent_at = message.sent_at or self.clock()
        assert message.status_url
        form = {
            "MessageSid": message.sid,
            "SmsSid": message.sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "From": message.sender,
            "To": message.recipient,
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
        }
        return await self.post(message.status_url, {**form, **fields})

    async def post(
        self,
        url: str,
        form: dict[str, str],
        *,
        auth_token: str | None = None,
        send: Callable[[str, bytes, dict[str, str]], Awaitable[httpx.Response]] | None = None,
    ) -> httpx.Response:
        """Post a form with Twilio's signature for the address; `send(url, body, headers)` posts it, default httpx."""
        signature = self.sign(url, form, auth_token)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
        body = urlencode(form).encode()
        if send:
            return await send(url, body, headers)
        async with httpx.AsyncClient() as http:
            return await http.post(url, content=body, headers=headers)

    def sign(self, url: str, form: dict[str, str], auth_token: str | None = None) -> str:
        """Return X-Twilio-Signature."""
        signed = url + "".join(f"{name}{form[name]}" for name in sorted(form))
        digest = hmac.digest((auth_token or self.auth_token).encode(), signed.encode(), hashlib.sha1)
        return base64.b64encode(digest).decode()

    def _create(self, form: dict[str, str]) -> Answer:
        for field, code in (("To", 21604), ("From", 21603), ("Body", 21602)):
            if not form.get(field):
                return _error(400, code, f"A '{field}' is required.")
        if form["To"] in self.opted_out:
            return _error(400, 21610, "Attempt to send to unsubscribed recipient")
        message = self.add(
            sender=form["From"], recipient=form["To"], body=form["Body"], status_url=form.get("StatusCallback")
        )
        return answer_of(201, self._shown(message))

    def _list(self, request: Received) -> Answer:
        query = dict(request.query)
        found = [message for message in reversed(self.messages) if _is_asked_for(message, query)]
        size = min(int(query.get("PageSize", "50")), self.page_size)
        page = int(query.get("Page", "0"))
        more = urlencode({**query, "Page": page + 1, "PageToken": f"PT{page}"})
        has_more = len(found) > (page + 1) * size
        return answer_of(
            200,
            {
                "page": page,
                "page_size": size,
                "messages": [self._shown(message) for message in found[page * size : (page + 1) * size]],
                "next_page_uri": f"{request.path}?{more}" if has_more else None,
            },
        )

    def _shown(self, message: StubText) -> dict[str, Any]:
        return {
            "sid": message.sid,
            "account_sid": self.account_sid,
            "from": message.sender,
            "to": message.recipient,
            "body": message.body,
            "status": message.status,
            "direction": message.direction,
            "date_created": format_datetime(message.created_at),
            "date_sent": message.sent_at and format_datetime(message.sent_at),
            "error_code": None,
            "error_message": None,
        }


def _is_asked_for(message: StubText, query: dict[str, str]) -> bool:
    """Say whether filters let a message through: days of sending, in UTC; one not sent yet has no day."""
    if message.sender != query.get("From", message.sender) or message.recipient != query.get("To", message.recipient):
        return False
    day = message.sent_at.astimezone(UTC).date().isoformat() if message.sent_at else None
    bounds = {"DateSent": operator.eq, "DateSent>": operator.ge, "DateSent<": operator.le}
    asked = [(holds, query[name]) for name, holds in bounds.items() if name in query]
    return all(day is not None and holds(day, bound) for holds, bound in asked)


def _error(status: int, code: int, message: str) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return answer_of(status, {"code": code, "message": message, "more_info": more, "status": status})
