"""What no schema describes, sent to the running server: headers, forms, signatures, recordings, raw bytes, mail."""

import base64
import json
import smtplib
import socket
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from hypothesis import strategies as st
from standardwebhooks import Webhook
from tests.support.oauth import CALLBACK, CHALLENGE, VERIFIER

from fuzz.callers import PATIENCE_SECONDS, Callers
from fuzz.decoders import EVENT_WORDS, EVENTS, FORMS, MAILS
from fuzz.exercises import Exercise, mangled, mangled_text
from fuzz.installation import DOMAIN, INBOUND_SECRET, TWILIO_TOKEN, Installation
from fuzz.judge import Ledger
from rooftree.app import ROUTES
from rooftree.messaging.inbound import twilio_signature

_READ: Final = sorted(path.replace(":str}", "}") for one in ROUTES for path in one.paths if "GET" in one.http_methods)
_WRITTEN: Final = sorted(
    (str(method), path.replace(":str}", "}"))
    for one in ROUTES
    for path in one.paths
    for method in one.http_methods
    if method not in {"GET", "HEAD", "OPTIONS"}
)
_SEGMENT: Final = st.sampled_from(["1", "0", "-1", "9" * 19, "9" * 40, "%00", "%2e%2e", "%ff", "a%20b", "٣"]) | st.text(
    min_size=1, max_size=12
).map(lambda text: quote(text.encode("utf-8", "replace"), safe=""))
_HEADERS: Final = {
    "Idempotency-Key": mangled_text(["key-1", "x" * 255]),
    "If-Match": mangled_text(['"a"', 'W/"b", "c"', "*"]),
    "If-None-Match": mangled_text(['"a"', "*"]),
    "Range": mangled_text(["bytes=0-5", "bytes=-1"]),
    "Content-Type": mangled_text(["application/json; charset=utf-16", "multipart/form-data; boundary=b", "text/plain"]),
    "Content-Encoding": st.sampled_from(["gzip", "br", "deflate", "identity", "zstd, gzip"]),
    "Accept": mangled_text(["text/html", "application/xml;q=0.1", "*/*"]),
    "Accept-Encoding": mangled_text(["gzip", "br;q=1, *;q=0"]),
    "Authorization": mangled_text(["Bearer a.b.c", "Basic Og==", "token x", "Digest a=b"]),
    "Cookie": mangled_text(["rooftree_session=abc; x=y", "=;=;="]),
    "Origin": mangled_text(["https://evil.example", "null"]),
    "Host": mangled_text(["evil.example", "[::1", "a b"]),
    "X-Request-Id": mangled_text(["abc-1"]),
    "X-Forwarded-For": mangled_text(["127.0.0.1", "::1, x"]),
    "X-HTTP-Method-Override": st.sampled_from(["DELETE", "PUT"]),
    "Expect": st.just("100-continue"),
    "Content-Length": st.sampled_from(["-1", "9" * 30, "1e3", "0x10"]),
}
_BODIES: Final = (
    b'{"firstName":"T","emails":["j@example.com"]}',
    b'--b\r\nContent-Disposition: form-data; name="firstName"\r\n\r\nT\r\n--b--\r\n',
    b"firstName=T&x=%ff%00&&=",
    base64.b64decode("H4sIAAAAAAACA6tWSsssKi7xS8xNVbJSClGqBQDz2mxGFAAAAA=="),
)
_OAUTH: Final = {
    "grant_type": st.sampled_from(["authorization_code", "refresh_token", "client_credentials", "password", ""]),
    "code": st.text(max_size=12),
    "redirect_uri": st.sampled_from([CALLBACK, "http://127.0.0.1:9/callback", "javascript:alert(1)", "//x", "\x00"]),
    "code_verifier": st.sampled_from([VERIFIER, "x", "é" * 43]),
    "code_challenge": st.sampled_from([CHALLENGE, "x" * 43, "="]),
    "code_challenge_method": st.sampled_from(["S256", "plain", ""]),
    "refresh_token": mangled_text(["rt_abc"]),
    "customer_key": mangled_text(["rk_abc"]),
    "response_type": st.sampled_from(["code", "token", "code id_token"]),
    "scope": st.text(max_size=12),
    "state": st.text(max_size=12),
    "prompt": st.sampled_from(["none", "login", "x"]),
    "token": mangled_text(["at_abc"]),
    "login": st.sampled_from(["olive@example.com", "x" * 5000, "\x00"]),
    "password": st.text(max_size=12),
    "knock": st.text(max_size=30), "asked": st.text(max_size=30), "wish": st.text(max_size=30),
    "answer": st.sampled_from(["allow", "deny", "x"]),
}  # fmt: skip
_FIELDS: Final = st.fixed_dictionaries({}, optional=_OAUTH)
_OAUTH_POSTS: Final = ("/oauth/token", "/oauth/revoke", "/oauth/sign-in", "/oauth/consent", "/oauth/connections")
_OAUTH_GETS: Final = ("/oauth/authorize", "/page/vendor-auth.html", "/api/user-web/oauth/token")
_SIGNED: Final = ("/rooftree/v1/inbound/twilio/sms", "/rooftree/v1/inbound/twilio/status")
_SIGNED_CALLS: Final = ("/rooftree/v1/inbound/twilio/voice", "/rooftree/v1/inbound/twilio/recording")
_REQUESTS: Final = (
    b"GET /v1.0/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"POST /v1.0/leads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    b"2\r\n{}\r\n0\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET http://evil.example/v1.0/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /v1.0/me HTTP/1.0\r\n\r\n",
)  # fmt: skip
_REQUEST_WORDS: Final = (
    b"Content-Length: 5\r\n", b"Content-Length: 6\r\n", b"Transfer-Encoding: chunked, gzip\r\n", b"\x00", b"\xff",
    b"X: " + b"y" * 70_000 + b"\r\n", b"HTTP/9.9", b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"%", b"//", b"..",
)  # fmt: skip


def _query(draw_text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    names = [
        "limit",
        "offset",
        "leadId",
        "sort",
        "key",
        "scrollId",
        "returnFields",
        "startTime",
        "endTime",
        "after",
        "x",
    ]
    odd = st.sampled_from(["1", "-1", "9" * 25, "1e5", "true", "[]", "{", "a,b", "\ud800", "٣", " "]) | draw_text
    pairs = st.lists(st.tuples(st.sampled_from(names), odd), max_size=5)
    written = pairs.map(lambda found: urlencode([(n, v.encode("utf-8", "replace")) for n, v in found]))
    return written | st.sampled_from(
        ["%", "%zz=%", "&&==", "limit", "a[]=1&a[b]=2", "limit=1;offset=2", "%ff=%fe", "+"]
    )


class Doors:
    """Sends what exercises make."""

    def __init__(self, installation: Installation, callers: Callers, ledger: Ledger) -> None:
        self._at, self._callers, self._ledger = installation, callers, ledger
        self._recording = ""

    def exercises(self) -> list[Exercise]:
        """Return what is sent to the server."""
        texts = st.text(max_size=12)
        url = st.tuples(st.sampled_from(_READ), _SEGMENT, _query(texts))
        headers = st.fixed_dictionaries({}, optional=_HEADERS)
        written = st.tuples(st.sampled_from(_WRITTEN), _SEGMENT, headers, mangled(_BODIES, EVENT_WORDS))
        ids = st.sampled_from(["abc", "", "x" * 3000, "\x00"])
        return [
            Exercise("query strings", url, self._read),
            Exercise("headers and bodies", written, self._write),
            Exercise("OAuth forms", st.tuples(st.sampled_from(_OAUTH_POSTS), _FIELDS, st.booleans()), self._post_oauth),
            Exercise("OAuth queries", st.tuples(st.sampled_from(_OAUTH_GETS), _FIELDS), self._get_oauth),
            Exercise("signed events", st.tuples(mangled(EVENTS, EVENT_WORDS), ids), self._event),
            Exercise("signed forms", st.tuples(st.sampled_from(_SIGNED + _SIGNED_CALLS), FORMS), self._form),
            Exercise("ranges of a recording", mangled_text(["bytes=0-5", "bytes=-1", "bytes=3-,1-2"]), self._range),
            Exercise("recordings", st.tuples(st.binary(max_size=50), mangled_text(["audio/mpeg"])), self._record),
            Exercise("raw requests", mangled(_REQUESTS, _REQUEST_WORDS), self._raw),
            Exercise("mail over SMTP", mangled(MAILS, (b"\r\n.\r\n", b"\x00", b"\xff")), self._mail),
        ]

    def _read(self, example: tuple[str, str, str]) -> None:
        path, segment, query = example
        self._callers.send("GET", f"{_filled(path, segment)}?{query}", caller=self._callers.anyone())

    def _write(self, example: tuple[tuple[str, str], str, dict[str, str], bytes]) -> None:
        (method, path), segment, headers, body = example
        sendable = {name: text for name, text in headers.items() if _is_sendable(text)}
        if "Content-Length" in sendable:  # the client would not wait for an answer to a body that never comes
            return self._raw(_written(method, _filled(path, segment), sendable, b""))
        self._callers.send(method, _filled(path, segment), caller=self._callers.anyone(), headers=sendable, body=body)
        return None

    def _post_oauth(self, example: tuple[str, dict[str, str], bool]) -> None:
        path, fields, is_form = example
        app = self._at.app.proof
        whole = {**app, **fields}
        safe = {name: text.encode("utf-8", "replace").decode() for name, text in whole.items()}
        body = urlencode(safe).encode() if is_form else _as_json(safe)
        kind = "application/x-www-form-urlencoded" if is_form else "application/json"
        headers = {"Content-Type": kind, "Origin": self._at.url}
        self._callers.send("POST", path, caller="nobody", headers=headers, body=body)

    def _get_oauth(self, example: tuple[str, dict[str, str]]) -> None:
        path, fields = example
        safe = {name: text.encode("utf-8", "replace") for name, text in {**self._at.app.proof, **fields}.items()}
        self._callers.send("GET", f"{path}?{urlencode(safe)}", caller="nobody")

    def _event(self, example: tuple[bytes, str]) -> None:
        body, name = example
        moment = datetime.now(UTC)
        text = body.decode("utf-8", "replace")
        signed = name if _is_sendable(name) else "x"
        headers = {
            "webhook-id": signed,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(INBOUND_SECRET).sign(signed, moment, text),
        }
        self._callers.send("POST", "/rooftree/v1/inbound/events", caller="nobody", headers=headers, body=text)

    def _form(self, example: tuple[str, dict[str, str]]) -> None:
        path, form = example
        safe = {name: text.encode("utf-8", "replace").decode() for name, text in form.items()}
        signature = twilio_signature(f"{self._at.url}{path}", list(safe.items()), TWILIO_TOKEN)
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        self._callers.send("POST", path, caller="nobody", headers=headers, body=urlencode(safe))

    def _range(self, header: str) -> None:
        link = self._link()
        if link and _is_sendable(header):
            self._callers.send("GET", link, caller="nobody", headers={"Range": header})

    def _link(self) -> str:
        """Return the path of a recording's link, made on first use."""
        if not self._recording:
            call_id = self._call()
            audio = {"Content-Type": "audio/mpeg"}
            self._callers.send(
                "PUT", f"/rooftree/v1/calls/{call_id}/recording", caller="owner", headers=audio, body=b"ID3" * 40
            )
            answer = self._callers.send("GET", f"/v1.0/call/url/{call_id}", caller="owner")
            if answer is not None and answer.status_code == 200:
                self._recording = urlsplit(answer.json()["calls"]["url"]).path
        return self._recording

    def _record(self, example: tuple[bytes, str]) -> None:
        content, kind = example
        if _is_sendable(kind):
            path = f"/rooftree/v1/calls/{self._call()}/recording"
            self._callers.send("PUT", path, caller="owner", headers={"Content-Type": kind}, body=content)

    def _call(self) -> int:
        made = self._callers.send("POST", "/v1.0/leads", caller="owner", body=b'{"firstName":"Rec"}')
        lead_id = made.json()["leadId"] if made is not None else 0
        body = _as_json(
            {"leadId": lead_id, "direction": "outbound", "phoneNumber": "5551234567", "status": "Completed"}
        )
        call = self._callers.send("POST", "/rooftree/v1/calls", caller="owner", body=body)
        return call.json()["callId"] if call is not None and call.status_code == 200 else 0

    def _raw(self, request: bytes) -> None:
        """Send bytes as they are; whatever answers, it is no 5xx and does not hang once we are through."""
        parts = urlsplit(self._at.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_SECONDS) as connection:
            answer = b""
            try:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65_536):
                    answer += piece
            except TimeoutError:
                self._ledger.find("hang", "raw requests", "no end of the connection", repr(request[:2000]))
            except OSError:
                return  # cut off, as it should be
        statuses = [line.split(b" ")[1] for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.")]
        self._ledger.answers["raw requests", int(statuses[0]) if statuses else 400] += 1
        if any(status.startswith(b"5") and status != b"501" for status in statuses):
            self._ledger.find("5xx", "raw requests", repr(answer[:300]), repr(request[:2000]))

    def _mail(self, mail: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", self._at.mail_port, timeout=PATIENCE_SECONDS) as server:
            try:
                server.sendmail("jane@example.com", [f"anybody@{DOMAIN}"], mail)
            except smtplib.SMTPDataError as error:
                if error.smtp_code == 451:
                    self._ledger.find("5xx", "mail over SMTP", repr(error.smtp_error), repr(mail[:2000]))
            except smtplib.SMTPException:
                return


def _filled(path: str, segment: str) -> str:
    return "/".join(segment if part.startswith("{") else part for part in path.split("/"))


def _is_sendable(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


def _as_json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _written(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Connection: close", *(f"{name}: {text}" for name, text in headers.items())]
    if "Host" not in headers:
        lines.append("Host: x")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body
