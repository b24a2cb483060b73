"""Fetching recordings from where the provider keeps them, into the blob store.

Where that is says whoever signs for the provider, so it is fetched as webhooks are posted: from the public internet
and the networks of ROOFTREE_WEBHOOK_ALLOWED_NETWORKS, each redirect checked anew. Twilio's own address is a setting,
and may be anywhere.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp

from rooftree.calls import actions, queries
from rooftree.platform.blobs import BlobStore
from rooftree.platform.database import Database
from rooftree.platform.jobs import Job
from rooftree.platform.settings import Settings
from rooftree.webhooks.guard import Guard, GuardedResolver

#: To connect and between two pieces; and for the whole.
_PATIENCE: Final = aiohttp.ClientTimeout(total=1800, sock_connect=60, sock_read=60)
_REDIRECTS: Final = 5


class RecordingTooLarge(Exception):
    """A recording above the limit of the setting."""


class TooManyRedirects(Exception):
    """A recording that is always elsewhere."""


class Recordings:
    """Fetches recordings."""

    def __init__(self, settings: Settings, blobs: BlobStore) -> None:
        self._settings = settings
        self._blobs = blobs
        self._guard = Guard(settings.webhook_allowed_networks, allow_insecure=settings.webhook_allow_insecure)

    @property
    def jobs(self) -> list[Job]:
        """What is done when a recording is ready at the provider."""
        return [Job(actions.FETCH_RECORDING, self.fetch_recording, max_attempts=12, backoff_seconds=15)]

    async def fetch_recording(self, database: Database, team_id: int, call_id: int) -> None:
        """Fetch a call's recording; what is fetched already is not fetched again.

        An error leaves the job to be tried again: providers announce recordings before they can be had.
        """
        async with database.reading(team_id) as tx:
            call = await queries.find_call(tx, call_id)
        if call is None or call.recording_url is None or call.recording_key is not None:
            return
        key = f"{team_id}/recordings/{call_id}"
        content_type = await self._store(call.recording_url, key)
        is_transcribed = bool(self._settings.ai_url and self._settings.ai_transcription_model)
        async with database.transaction(team_id) as tx:
            await actions.set_recording(tx, call_id, key, content_type, is_transcribed=is_transcribed)

    async def _store(self, url: str, key: str) -> str:
        """Fetch into the blob store, return the content type.

        Raises: aiohttp.ClientError, RecordingTooLarge, TooManyRedirects, NotAllowedError.
        """
        for _ in range(1 + _REDIRECTS):
            async with self._asked(url) as answer:
                if answer.status in {301, 302, 303, 307, 308}:
                    url = urljoin(url, answer.headers.get("location", ""))
                    continue
                answer.raise_for_status()
                content_type = answer.headers.get("content-type", "audio/x-wav").partition(";")[0].strip()
                await self._blobs.put(key, self._limited(answer), content_type)
                return content_type
        raise TooManyRedirects(f"more than {_REDIRECTS}")

    @asynccontextmanager
    async def _asked(self, url: str) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Yield the answer of an address that may be asked. Raises: NotAllowedError."""
        resolver = None
        if not self._is_twilio(url):
            self._guard.check_before_sending(url)
            resolver = GuardedResolver(self._guard, is_secure=urlsplit(url).scheme == "https")
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=_PATIENCE, trust_env=False) as session,
            session.get(url, headers=self._credentials(url), allow_redirects=False) as answer,
        ):
            yield answer

    def _is_twilio(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self._settings.twilio_url)[:2]

    def _credentials(self, url: str) -> dict[str, str]:
        """Return our credentials when the recording lies at Twilio's, and to nobody else."""
        if not self._is_twilio(url) or not self._settings.twilio_account_sid:
            return {}
        account, token = self._settings.twilio_account_sid, self._settings.twilio_auth_token
        return {"Authorization": aiohttp.encode_basic_auth(account, token)}

    async def _limited(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        length = 0
        async for chunk in answer.content.iter_chunked(65_536):
            length += len(chunk)
            if length > self._settings.recording_limit_bytes:
                raise RecordingTooLarge(f"more than {self._settings.recording_limit_bytes} bytes")
            yield chunk
