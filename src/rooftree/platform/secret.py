"""Secrets that all processes of an installation share. They are made once, by whoever comes first."""

import secrets
from typing import Final

from rooftree.platform.database import Database, Transaction

SIGNING: Final = "signing"


async def shared_secret(database: Database, name: str = SIGNING) -> bytes:
    """Return a 32-byte secret by name, made on first use."""
    async with database.unscoped() as tx:
        await tx.execute(
            "INSERT INTO server_secret (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            name,
            secrets.token_bytes(32),
        )
        return await tx.fetchval("SELECT value FROM server_secret WHERE name = $1", name)


async def adopt_secret(tx: Transaction, value: bytes, name: str = SIGNING) -> None:
    """Take over another installation's secret, so that what it signed is valid here. Processes read it when they start.

    Needs the owner's rights.
    """
    await tx.execute(
        """INSERT INTO server_secret (name, value) VALUES ($1, $2)
           ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value""",
        name,
        value,
    )
