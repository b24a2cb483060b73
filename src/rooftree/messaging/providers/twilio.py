"""Texts over Twilio's Messages API, or a service that speaks it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import msgspec
from msgspec import Struct

from rooftree.messaging.model import OutgoingText, ProviderError, Receipt
from rooftree.messaging.providers.http import ask, check_url, refusal

#: Of these SIDs, those that messages of a team already hold: (team_id, SIDs) -> SIDs.
TakenSids = Callable[[int, Sequence[str]], Awaitable[Collection[str]]]

#: How far Twilio's clock may be behind ours.
_CLOCK_SKEW: Final = timedelta(seconds=60)
_PAGE_SIZE: Final = 1000
_TOO_MANY_REQUESTS: Final = 20429
#: What Twilio writes before the texts of an account that does not pay yet.
_TRIAL: Final = "Sent from your Twilio trial account - "


class _Sent(Struct, frozen=True):
    """A message in Twilio's list, as far as we look at it."""

    sid: str
    body: str | None = None
    direction: str = "outbound-api"
    date_created: str | None = None


class _Page(Struct, frozen=True):
    messages: tuple[_Sent, ...]
    next_page_uri: str | None = None


class _Created(Struct, frozen=True):
    sid: str


class _Refused(Struct, frozen=True):
    code: int | None = None
    message: str | None = None


class Twilio:
    """A TextProvider. One message id goes out at most once, although Twilio knows no idempotency keys.

    A text with `tried_at` may be at Twilio already. Before it is sent again, Twilio is asked what went from the sender
    to the recipient, and a message created since then (less a minute, for clocks that differ) with the same words is
    taken for ours. Twilio's messages carry no mark of our own, so a text that the same agent sent twice on purpose
    looks the same. Such texts are interchangeable: what counts is that there are as many at Twilio as we have
    messages. Hence `taken_sids` tells which of them other messages already hold, and the oldest of the rest is adopted;
    when there is none, the text is sent. Without `taken_sids` any of them is adopted: in doubt a text is not repeated.

    This holds when `tried_at` is the start of the first attempt, is kept after every temporary error (a lost answer
    says nothing about the text), and a second attempt starts only after the first can no longer be under way, which
    is after `timeout_seconds`. When Twilio cannot be asked, nothing is sent.
    """

    name: str = "twilio"

    def __init__(
        self,
        *,
        url: str,
        account_sid: str,
        auth_token: str,
        timeout_seconds: float,
        taken_sids: TakenSids | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """Check the settings. Raises: ValueError. A client given as `http` stays the caller's to close."""
        if not account_sid.isalnum() or not account_sid.isascii():
            raise ValueError("twilio_account_sid must be the Account SID that Twilio's console shows (AC...).")
        if not auth_token:
            raise ValueError("twilio_auth_token must be the auth token that Twilio's console shows.")
        self._url = check_url(url, "twilio_url").rstrip("/")
        self._messages = f"{self._url}/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._auth = httpx.BasicAuth(account_sid, auth_token)
        self._secrets = (auth_token,)
        self._timeout_seconds = timeout_seconds
        self._taken_sids = taken_sids
        self._is_own = http is None
        self._http = http or httpx.AsyncClient()

    async def send(self, text: OutgoingText) -> Receipt:
        """Hand a text over, or adopt the one an earlier attempt handed over. Raises: ProviderError."""
        if text.tried_at is not None:
            sid = await self._find(text, text.tried_at - _CLOCK_SKEW)
            if sid is not None:
                return Receipt(sid)
        return Receipt(await self._create(text))

    async def close(self) -> None:
        """Let go of connections."""
        if self._is_own:
            await self._http.aclose()

    async def _create(self, text: OutgoingText) -> str:
        form = {"To": text.recipient, "From": text.sender, "Body": text.text}
        if text.status_url is not None:
            form["StatusCallback"] = text.status_url
        answer = await self._ask(
            self._http.build_request("POST", self._messages, data=form, timeout=self._timeout_seconds)
        )
        try:
            return msgspec.json.decode(answer.content, type=_Created).sid
        except (msgspec.DecodeError, UnicodeError):
            # It may be a proxy's page; the next attempt looks whether Twilio has the text.
            raise ProviderError("the answer names no message", is_permanent=False) from None

    async def _find(self, text: OutgoingText, since: datetime) -> str | None:
        """Return the SID of the oldest message that may be this text and is no other's; None when there is none."""
        same = [sent async for sent in self._listed(text) if _may_be(sent, text, since)]
        if not same:
            return None
        sids = [sent.sid for sent in sorted(same, key=_created_at)]
        taken = await self._taken_sids(text.team_id, sids) if self._taken_sids else ()
        return next((sid for sid in sids if sid not in taken), None)

    async def _listed(self, text: OutgoingText) -> AsyncIterator[_Sent]:
        """Yield what went from the sender to the recipient, whenever that was.

        Twilio could filter by DateSent, but a message that still waits in its queue has none, and that is the one
        not to miss.
        """
        query = {"To": text.recipient, "From": text.sender, "PageSize": str(_PAGE_SIZE)}
        address: httpx.URL | None = httpx.URL(self._messages, params=query)
        seen: set[httpx.URL] = set()
        while address is not None and address not in seen:
            seen.add(address)
            page = await self._page(address)
            for sent in page.messages:
                yield sent
            address = self._next(page.next_page_uri)

    async def _page(self, address: httpx.URL) -> _Page:
        answer = await self._ask(self._http.build_request("GET", address, timeout=self._timeout_seconds))
        try:
            return msgspec.json.decode(answer.content, type=_Page)
        except (msgspec.DecodeError, UnicodeError):
            raise ProviderError("the list of sent messages is unreadable", is_permanent=False) from None

    def _next(self, path: str | None) -> httpx.URL | None:
        """Return the next page's address: always on the same host, which alone may see the credentials."""
        if not path:
            return None
        if not path.startswith("/") or path.startswith("//"):
            raise ProviderError("the list of sent messages goes on at another host", is_permanent=False)
        return httpx.URL(self._url).join(path)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        """Return the answer to a request that succeeded. Raises: ProviderError."""
        answer = await ask(
            self._http, request, timeout_seconds=self._timeout_seconds, secrets=self._secrets, auth=self._auth
        )
        if answer.is_success:
            return answer
        refused = _refused(answer.content)
        words = answer.text if refused.code is None else f"{refused.code} {refused.message or ''}"
        raise refusal(answer, words, secrets=self._secrets, is_temporary=refused.code == _TOO_MANY_REQUESTS)


def _refused(content: bytes) -> _Refused:
    try:
        return msgspec.json.decode(content, type=_Refused)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _Refused()


def _may_be(sent: _Sent, text: OutgoingText, since: datetime) -> bool:
    """Say whether a listed message is this text as far as one can tell; in doubt about its time it is."""
    has_words = _words(sent.body or "") == _words(text.text)
    return has_words and sent.direction == "outbound-api" and _created_at(sent) >= since.replace(microsecond=0)


def _words(body: str) -> list[str]:
    """Return the words of a text: a carrier may trim or join blanks."""
    return body.removeprefix(_TRIAL).split()


def _created_at(sent: _Sent) -> datetime:
    """Return when Twilio took a message, in whole seconds; the end of time when it does not say."""
    try:
        created_at = parsedate_to_datetime(sent.date_created or "")
        return created_at.replace(tzinfo=created_at.tzinfo or UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)
