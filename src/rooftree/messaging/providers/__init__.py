"""Outside services that carry messages. One file, one class each."""

from typing import Protocol

from rooftree.messaging.model import OutgoingEmail, OutgoingText, Receipt


class EmailProvider(Protocol):
    """Carries e-mail."""

    name: str

    async def send(self, email: OutgoingEmail) -> Receipt:
        """Hand an e-mail over. Raises: ProviderError."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class TextProvider(Protocol):
    """Carries text messages."""

    name: str

    async def send(self, text: OutgoingText) -> Receipt:
        """Hand a text over. Raises: ProviderError."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
