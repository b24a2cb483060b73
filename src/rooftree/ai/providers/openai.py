"""Summaries and transcripts by an OpenAI-compatible endpoint."""

import contextlib
import json
import re
import secrets
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib import resources
from typing import Any, Final, get_args

import httpx
import msgspec

from rooftree.ai import rules
from rooftree.ai.model import AiError, Keyword, Summary
from rooftree.ai.wire import KeywordType
from rooftree.platform import clock
from rooftree.platform.answers_of_others import ask_bounded

#: In characters.
_LONGEST: Final = 100_000
_LONGEST_SUMMARY: Final = 5_000
_LONGEST_KEYWORD: Final = 200
#: Of the beginnings of objects in an answer, how many are looked at.
_MOST_OBJECTS: Final = 50
_ANSWER_BYTES: Final = 8_000_000
_TEMPORARY: Final = {408, 409, 425, 429}
_PROMPT: Final = resources.files("rooftree.ai").joinpath("prompts", "call_summary.md").read_text(encoding="utf-8")
_TYPES: Final = frozenset(get_args(KeywordType))


class OpenAi:
    """A Summariser and a Transcriber."""

    def __init__(self, *, url: str, key: str, model: str, transcription_model: str, timeout_seconds: float) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._key = key
        self._http = httpx.AsyncClient(base_url=url.rstrip("/") + "/", headers=headers, timeout=timeout_seconds)
        self._model = model
        self._transcription_model = transcription_model

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def summarise(self, transcript: str, *, about: str) -> Summary:
        """Return a summary. Raises: AiError, permanent when the endpoint refuses."""
        # Nobody who speaks can say the line that ends the transcript: it is made up anew each time.
        mark = secrets.token_hex(8)
        text = rules.shortened(transcript, _LONGEST)
        messages = [
            {"role": "system", "content": _PROMPT.replace("{mark}", mark)},
            {"role": "user", "content": f"{about}\nTRANSCRIPT {mark}\n{text}\nEND {mark}"},
        ]
        answer = await self._ask("chat/completions", json={"model": self._model, "messages": messages})
        return _summary(_content(answer))

    async def transcribe(self, audio: bytes, content_type: str, *, name: str) -> str:
        """Return what was said. Raises: AiError."""
        answer = await self._ask(
            "audio/transcriptions",
            files={"file": (name, audio, content_type)},
            data={"model": self._transcription_model, "response_format": "json"},
        )
        text = answer.get("text")
        if not isinstance(text, str):
            raise AiError("the endpoint answered without a text", is_permanent=False)
        return text.replace("\0", "").strip()

    async def _ask(self, path: str, **request: Any) -> dict[str, Any]:
        try:
            asked = self._http.build_request("POST", path, **request)
            answer = await ask_bounded(self._http, asked, limit_bytes=_ANSWER_BYTES)
        except httpx.HTTPError as error:
            raise AiError(f"{type(error).__name__}: {error}", is_permanent=False) from None
        if not answer.is_success:
            raise self._refusal(answer)
        try:
            return msgspec.json.decode(answer.content, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise AiError("the endpoint did not answer in JSON", is_permanent=False) from None

    def _refusal(self, answer: httpx.Response) -> AiError:
        """Return what a refusal means. People read it beside the call, so our key is struck out."""
        words = answer.text.replace(self._key, "***") if self._key else answer.text
        words = _storable(" ".join(words.split()), 300)
        is_permanent = answer.is_client_error and answer.status_code not in _TEMPORARY
        return AiError(
            f"HTTP {answer.status_code}: {words}",
            is_permanent=is_permanent,
            retry_after_seconds=None if is_permanent else _retry_after_seconds(answer),
        )


def _content(answer: dict[str, Any]) -> str:
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        content = None
    if not isinstance(content, str) or not content.strip():
        raise AiError("the endpoint answered without a summary", is_permanent=False)
    return content


def _summary(content: str) -> Summary:
    """Read the model's answer; one that is no JSON is taken for the summary itself. Raises: AiError for no summary."""
    found = _object(content)
    text = content if found is None else found.get("summary")
    if not isinstance(text, str) or not (text := _storable(text, _LONGEST_SUMMARY)):
        raise AiError("the endpoint answered without a summary", is_permanent=False)
    listed = found.get("keywords") if found else None
    return Summary(text, [word for one in (listed if isinstance(listed, list) else []) for word in _keyword(one)][:20])


def _object(content: str) -> dict[str, Any] | None:
    """Return the object that the answer is: models like to think before it, to fence it and to say more after it."""
    decoder = json.JSONDecoder()
    objects: list[dict[str, Any]] = []
    start = content.find("{")
    for _ in range(_MOST_OBJECTS):
        if start < 0:
            break
        end = start + 1
        with contextlib.suppress(ValueError, RecursionError):
            found, end = decoder.raw_decode(content, start)
            objects.append(found)
        start = content.find("{", end)
    return next((one for one in reversed(objects) if "summary" in one), objects[-1] if objects else None)


def _keyword(one: object) -> list[Keyword]:
    """Return a keyword of the contract's kinds, or nothing."""
    if not isinstance(one, dict):
        return []
    kind, content = one.get("type"), one.get("content")
    if not isinstance(kind, str) or kind not in _TYPES or not isinstance(content, str | int | float):
        return []
    text = _storable(str(content), _LONGEST_KEYWORD)
    return [Keyword(text, kind)] if text else []


def _storable(text: str, longest: int) -> str:
    """Return a text that the database takes: no NUL and no half of a character."""
    return text.replace("\0", "").encode(errors="replace").decode().strip()[:longest]


def _retry_after_seconds(answer: httpx.Response) -> float | None:
    """Return the patience asked for: seconds, or until a date; None when the header says nothing readable."""
    value = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - clock.now()).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
