"""Two installations: one that is moved out of, one that is moved into."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conftest import fresh_database
from tests.support.installation import Installation, installation


@pytest.fixture
async def there(server_dsn: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The source."""
    async with installation(await fresh_database(server_dsn), tmp_path / "there") as found:
        yield found


@pytest.fixture
async def here(server_dsn: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The target."""
    async with installation(await fresh_database(server_dsn), tmp_path / "here") as found:
        yield found
