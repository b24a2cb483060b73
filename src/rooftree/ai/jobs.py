"""Transcribing and summarising calls, after the answer has left."""

from typing import Final, Self

import msgspec
import structlog

from rooftree.ai.model import AiError
from rooftree.ai.providers import Summariser, Transcriber
from rooftree.ai.providers.local import LocalSummariser
from rooftree.ai.providers.openai import OpenAi
from rooftree.calls import actions, queries
from rooftree.calls.model import Call
from rooftree.platform.blobs import BlobMissing, BlobStore
from rooftree.platform.database import Database
from rooftree.platform.jobs import Job
from rooftree.platform.settings import Settings

_log: Final = structlog.get_logger("rooftree.ai")
_MAX_ATTEMPTS: Final = 6


class Listener:
    """Listens to recordings and reads transcripts, by the provider that the settings name."""

    def __init__(self, settings: Settings, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._endpoint: OpenAi | None = None
        if settings.ai_url:
            self._endpoint = OpenAi(
                url=settings.ai_url,
                key=settings.ai_key,
                model=settings.ai_model,
                transcription_model=settings.ai_transcription_model,
                timeout_seconds=settings.ai_timeout_seconds,
            )
        self._summariser: Summariser = self._endpoint or LocalSummariser()
        self._transcriber: Transcriber | None = self._endpoint if settings.ai_transcription_model else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._endpoint:
            await self._endpoint.close()

    @property
    def jobs(self) -> list[Job]:
        """What is done when a recording or a transcript is there."""
        return [
            Job(actions.TRANSCRIBE_CALL, self.transcribe_call, max_attempts=_MAX_ATTEMPTS, backoff_seconds=10),
            Job(actions.SUMMARISE_CALL, self.summarise_call, max_attempts=_MAX_ATTEMPTS, backoff_seconds=10),
        ]

    async def transcribe_call(self, database: Database, team_id: int, call_id: int) -> None:
        """Transcribe a recording; what is transcribed already is not transcribed again."""
        call = await self._call(database, team_id, call_id)
        if call is None or call.recording_key is None or call.transcript is not None:
            return
        if self._transcriber is None:
            await self._failed(database, call, "nothing here turns speech into text: set ROOFTREE_AI_URL")
            return
        try:
            audio = await self._blobs.read(call.recording_key)
            content_type = call.recording_type or "audio/mpeg"
            name = f"{call_id}.{content_type.rpartition('/')[2]}"
            transcript = await self._transcriber.transcribe(audio, content_type, name=name)
        except BlobMissing:
            await self._failed(database, call, "the recording is not there any more")
            return
        except AiError as error:
            await self._failed(database, call, error.reason)
            if error.is_permanent:
                return
            raise
        async with database.transaction(team_id) as tx:
            await actions.set_transcript(tx, call_id, transcript)

    async def summarise_call(self, database: Database, team_id: int, call_id: int) -> None:
        """Summarise a transcript."""
        call = await self._call(database, team_id, call_id)
        if call is None or not call.transcript or call.summary_state == actions.FINISHED:
            return
        async with database.transaction(team_id) as tx:
            await actions.set_summary_state(tx, call_id, actions.PROCESSING)
        about = f"A call {'to' if call.direction == 'outbound' else 'from'} a lead of a real-estate agent."
        try:
            summary = await self._summariser.summarise(call.transcript, about=about)
        except AiError as error:
            await self._failed(database, call, error.reason)
            if error.is_permanent:
                return
            raise
        data = msgspec.json.encode({"keywords": summary.keywords})
        async with database.transaction(team_id) as tx:
            await actions.set_summary(tx, call_id, summary.text, data)

    async def _call(self, database: Database, team_id: int, call_id: int) -> Call | None:
        async with database.reading(team_id) as tx:
            return await queries.find_call(tx, call_id)

    async def _failed(self, database: Database, call: Call, reason: str) -> None:
        _log.warning("call not summarised", call_id=call.id, reason=reason)
        async with database.transaction(call.team_id) as tx:
            await actions.set_summary_state(tx, call.id, actions.FAILED, reason)
