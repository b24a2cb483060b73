"""Outside services, and the one inside, that read calls. One file, one class each."""

from typing import Protocol

from rooftree.ai.model import Summary


class Summariser(Protocol):
    """Sums calls up."""

    async def summarise(self, transcript: str, *, about: str) -> Summary:
        """Return a summary of a transcript; `about`: who spoke, for people. Raises: AiError."""
        ...


class Transcriber(Protocol):
    """Turns speech into text."""

    async def transcribe(self, audio: bytes, content_type: str, *, name: str) -> str:
        """Return what was said. `name`: a file name. Raises: AiError."""
        ...
