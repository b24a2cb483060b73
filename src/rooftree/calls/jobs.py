"""Fetching recordings from where the provider keeps them, into the blob store."""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import httpx
import structlog

from rooftree.calls import actions, queries
from rooftree.platform.blobs import BlobStore
from rooftree.platform.database import Database
from rooftree.platform.jobs import Job
from rooftree.platform.settings import Settings

_log: Final = structlog.get_logger("rooftree.calls")
_TIMEOUT_SECONDS: Final = 60


class RecordingTooLarge(Exception):
    """A recording above the limit of the setting."""


class Recordings:
    """Fetches recordings."""

    def __init__(self, settings: Settings, blobs: BlobStore) -> None:
        self._settings = settings
        self._blobs = blobs

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
        """Fetch into the blob store, return the content type. Raises: httpx.HTTPError, RecordingTooLarge."""
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=True, auth=self._auth(url)) as client,
            client.stream("GET", url) as answer,
        ):
            answer.raise_for_status()
            content_type = answer.headers.get("content-type", "audio/x-wav").partition(";")[0].strip()
            await self._blobs.put(key, self._limited(answer), content_type)
        return content_type

    def _auth(self, url: str) -> tuple[str, str] | None:
        """Return our credentials when the recording lies at Twilio's, and to nobody else."""
        twilio = urlsplit(self._settings.twilio_url)
        if urlsplit(url)[:2] != twilio[:2] or not self._settings.twilio_account_sid:
            return None
        return self._settings.twilio_account_sid, self._settings.twilio_auth_token

    async def _limited(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        length = 0
        async for chunk in answer.aiter_bytes():
            length += len(chunk)
            if length > self._settings.recording_limit_bytes:
                raise RecordingTooLarge(f"more than {self._settings.recording_limit_bytes} bytes")
            yield chunk
