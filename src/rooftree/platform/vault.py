"""Encrypting what the database must not show in clear: passwords of mail accounts."""

import base64
import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_FILE: Final = "secret.key"


class VaultError(Exception):
    """What is encrypted cannot be read; the message says what to do."""


class Vault:
    """Encrypts and decrypts with one key."""

    def __init__(self, key: bytes) -> None:
        derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"rooftree vault").derive(key)
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def seal(self, text: str) -> bytes:
        """Return a text encrypted."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Return what was encrypted. Raises: VaultError when it was under another key."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise VaultError(
                "This password was encrypted with another key. Set ROOFTREE_SECRET_KEY, or put back the file "
                f"{_FILE} of the data folder that it was stored with; or store it anew."
            ) from None


def open_vault(secret_key: str, folder: Path) -> Vault:
    """Return the vault of the setting's key, or of the file `secret.key` in a folder, which is made once.

    Raises: VaultError when the file can neither be read nor made.
    """
    return Vault(vault_key(secret_key, folder))


def vault_key(secret_key: str, folder: Path) -> bytes:
    """Return the key that `open_vault` opens with. Raises: VaultError."""
    if secret_key:
        return secret_key.encode()
    path = folder / _FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise VaultError(f"The key file {path} cannot be used: {error.strerror}. Or set ROOFTREE_SECRET_KEY.") from None
    if not key.strip():
        raise VaultError(f"The key file {path} is empty: put back its content, or remove it and store passwords anew.")
    return key.strip()


def _make(path: Path) -> None:
    """Make the key file unless it is there: whole or not at all, and of two that begin at once one makes it."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(32)))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        # Passwords are stored under this key right after: its name must outlast a crash as they do.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink()
