"""Secrets that sign deliveries: 32 random bytes, stored encrypted."""

import base64
import secrets
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from rooftree.platform.settings import Settings
from rooftree.platform.vault import Vault, open_vault

PREFIX: Final = "whsec_"
#: How long the old secret signs beside the new one.
OVERLAP: Final = timedelta(hours=24)


def new_secret() -> str:
    """Return a fresh secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def vault_of(settings: Settings) -> Vault:
    """Return what encrypts secrets. Raises: VaultError when the key file cannot be used."""
    return _vault(settings.secret_key, settings.data_path)


@lru_cache(maxsize=8)
def _vault(secret_key: str, folder: Path) -> Vault:
    return open_vault(secret_key, folder)


def valid_secrets(
    vault: Vault, secret: bytes, old_secret: bytes | None, until: datetime | None, now: datetime
) -> list[str]:
    """Return the secrets that sign at this moment, the new one first. Raises: VaultError."""
    found = [vault.open(secret)]
    if old_secret is not None and until is not None and now < until:
        found.append(vault.open(old_secret))
    return found
