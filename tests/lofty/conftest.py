"""Two installations: one that is moved out of, one that is moved into."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conftest import fresh_database
from tests.support.installation import Installation, installation


@pytest.fixture(scope="session")
def other_dsn(dsn: str, server_dsn: str) -> str:
    """Another database than that of all tests."""
    return asyncio.run(fresh_database(server_dsn))


@pytest.fixture
async def there(other_dsn: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The source."""
    async with installation(other_dsn, tmp_path / "there") as found:
        yield found


@pytest.fixture
async def here(dsn: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The target."""
    async with installation(dsn, tmp_path / "here") as found:
        yield found
