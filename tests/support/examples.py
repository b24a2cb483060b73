"""Hypothesis in the test's own event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")
PATIENCE_SECONDS = 120


async def for_all(examples: SearchStrategy[T], check: Callable[[T], Awaitable[None]], *, cost: int = 1) -> None:
    """Check many examples, one after the other: the profile's number of them, less for checks that cost more."""
    loop = asyncio.get_running_loop()
    profile = settings.default
    assert profile is not None

    @given(examples)
    @settings(max_examples=max(profile.max_examples // cost, 1))
    def check_one(example: T) -> None:
        asyncio.run_coroutine_threadsafe(_awaited(check(example)), loop).result(PATIENCE_SECONDS)

    await asyncio.to_thread(check_one)


async def _awaited(waiting: Awaitable[None]) -> None:
    await waiting
