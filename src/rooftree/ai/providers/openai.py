"""Summaries and transcripts by an OpenAI-compatible endpoint."""

from importlib import resources
from typing import Any, Final, get_args

import httpx
import msgspec

from rooftree.ai.model import AiError, Keyword, Summary
from rooftree.ai.wire import KeywordType

#: Longer calls are cut in the middle: how they began and how they ended says most.
_LONGEST: Final = 100_000
_TEMPORARY: Final = {408, 409, 425, 429}
_PROMPT: Final = resources.files("rooftree.ai").joinpath("prompts", "call_summary.md").read_text(encoding="utf-8")
_TYPES: Final = frozenset(get_args(KeywordType))


class OpenAi:
    """A Summariser and a Transcriber."""

    def __init__(self, *, url: str, key: str, model: str, transcription_model: str, timeout_seconds: float) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.AsyncClient(base_url=url.rstrip("/") + "/", headers=headers, timeout=timeout_seconds)
        self._model = model
        self._transcription_model = transcription_model

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def summarise(self, transcript: str, *, about: str) -> Summary:
        """Return a summary. Raises: AiError, permanent when the endpoint refuses."""
        if len(transcript) > _LONGEST:
            transcript = f"{transcript[: _LONGEST // 2]}\n[...]\n{transcript[-_LONGEST // 2 :]}"
        messages = [
            {"role": "system", "content": _PROMPT},
            {"role": "user", "content": f"{about}\nTRANSCRIPT\n{transcript}\nEND"},
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
        return text

    async def _ask(self, path: str, **request: Any) -> dict[str, Any]:
        try:
            answer = await self._http.post(path, **request)
        except httpx.HTTPError as error:
            raise AiError(f"{type(error).__name__}: {error}", is_permanent=False) from None
        if not answer.is_success:
            words = " ".join(answer.text.split())[:300]
            is_permanent = answer.is_client_error and answer.status_code not in _TEMPORARY
            raise AiError(f"HTTP {answer.status_code}: {words}", is_permanent=is_permanent)
        try:
            return msgspec.json.decode(answer.content, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise AiError("the endpoint did not answer in JSON", is_permanent=False) from None


def _content(answer: dict[str, Any]) -> str:
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        content = None
    if not isinstance(content, str) or not content.strip():
        raise AiError("the endpoint answered without a summary", is_permanent=False)
    return content


def _summary(content: str) -> Summary:
    """Read the model's answer; one that is no JSON is taken for the summary itself."""
    inside = content[content.find("{") : content.rfind("}") + 1]
    try:
        found = msgspec.json.decode(inside, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Summary(content.strip())
    text = found.get("summary")
    listed = found.get("keywords")
    keywords = [
        Keyword(str(one["content"])[:200], str(one["type"]))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict) and one.get("type") in _TYPES and one.get("content")
    ]
    return Summary(str(text).strip() if text else content.strip(), keywords[:20])
