"""What a provider gives back."""

from typing import Any

from msgspec import Struct


class Keyword(Struct, frozen=True):
    """Something named in a call. `type`: one of the contract's words, e.g. propertyPrice."""

    content: str
    type: str
    params: list[Any] = []


class Summary(Struct, frozen=True):
    """A call, summed up."""

    text: str
    keywords: list[Keyword] = []


class AiError(Exception):
    """A provider did not do it."""

    def __init__(self, reason: str, *, is_permanent: bool, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_permanent = is_permanent
        self.retry_after_seconds = retry_after_seconds  #: the provider asked for this much patience
