"""Large things outside the database: a folder, or an S3-compatible bucket; and links to them that end."""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from msgspec import Struct
from obstore.store import LocalStore, S3Store

from rooftree.platform import clock
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.pages import Sealer
from rooftree.platform.settings import SettingError

_CHUNK: Final = 1024 * 1024
_KEY: Final = re.compile(r"(?!.{513})[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
_OPTIONS: Final = {"endpoint", "region", "allow_http"}
#: Where a file of the folder grows until it is whole; no key begins with a dot.
_DRAFTS: Final = ".drafts"


class BlobMissing(Exception):
    """Nothing is kept under this key."""


class BlobLinkInvalid(Exception):
    """A link that is over, or that this server never gave out."""


class Blob(Struct, frozen=True):
    """A part of something kept, as it is read."""

    size: int  #: of the whole, in bytes
    start: int  #: of this part
    end: int  #: of this part, exclusive
    chunks: AsyncIterator[bytes]


class BlobStore:
    """Keeps bytes by key, such as `17/recordings/5`.

    A key is names of ASCII letters, digits, `_`, `-` and dots (not in front), with slashes between; 512 characters.
    Every method raises ValueError for another one, so that none leaves the folder.
    """

    def __init__(self, store: Any, folder: Path | None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def open(cls, url: str, folder: Path) -> Self:
        """Return the store of a URL: `s3://bucket/prefix?endpoint=...&region=...&allow_http=true`; empty: the folder.

        Credentials stand in the URL (s3://key:secret@bucket) or in the usual variables of AWS.
        Raises: SettingError for another URL.
        """
        if not url:
            return cls(LocalStore(prefix=folder, mkdir=True), folder)
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname:
            raise SettingError("ROOFTREE_BLOB_URL must be s3://bucket/prefix, or empty for the data folder.")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if unknown := sorted(query.keys() - _OPTIONS):
            raise SettingError(f"ROOFTREE_BLOB_URL: {unknown[0]} is not an option; {', '.join(sorted(_OPTIONS))} are.")
        # What is absent here is left to AWS_REGION, AWS_ENDPOINT and the like, which the library reads.
        options: dict[str, Any] = {name: query[name] for name in ("endpoint", "region") if query.get(name)}
        if parts.username:
            options["access_key_id"] = unquote(parts.username)
            options["secret_access_key"] = unquote(parts.password or "")
        client = {"allow_http": query.get("allow_http", "").lower() == "true"}
        prefix = parts.path.strip("/") or None
        return cls(S3Store(parts.hostname, prefix=prefix, client_options=client, **options), None)  # type: ignore[arg-type]

    async def put(self, key: str, content: bytes | AsyncIterator[bytes], content_type: str) -> int:
        """Keep something, in place of what was there, return its size in bytes; on disk, or in the bucket, by then.

        It appears whole or not at all, after a crash too. `content` may come in pieces; if it breaks off, nothing is
        kept, and what was there stays. A folder keeps no content type: whoever asks has to know it.
        """
        _check(key)
        if self._folder:
            return await _keep(self._folder, key, content)
        counted = _Counted(content)
        await obstore.put_async(self._store, key, counted.content, attributes={"Content-Type": content_type})  # type: ignore[arg-type]
        return counted.size

    async def size(self, key: str) -> int:
        """Return how many bytes are kept. Raises: BlobMissing."""
        _check(key)
        try:
            return (await obstore.head_async(self._store, key))["size"]
        except FileNotFoundError:
            raise BlobMissing(key) from None

    async def get(self, key: str, part: tuple[int, int] | None = None) -> Blob:
        """Return something kept, or a part of it: first byte, and the one after the last. Raises: BlobMissing.

        A part has a byte at least and begins within the whole; it ends there too, wherever it was asked to.
        """
        _check(key)
        try:
            found = await obstore.get_async(self._store, key, options={"range": part} if part else None)
        except FileNotFoundError:
            raise BlobMissing(key) from None
        start, end = found.range
        return Blob(found.meta["size"], start, end, _pieces(found))

    async def read(self, key: str) -> bytes:
        """Return all of something kept. Raises: BlobMissing."""
        return b"".join([piece async for piece in (await self.get(key)).chunks])


async def _pieces(found: Any) -> AsyncIterator[bytes]:
    async for piece in found.stream(min_chunk_size=_CHUNK):
        yield bytes(piece)


class _Counted:
    """Content that is counted while it is read."""

    def __init__(self, content: bytes | AsyncIterator[bytes]) -> None:
        self.size = len(content) if isinstance(content, bytes) else 0
        self.content = content if isinstance(content, bytes) else self._pieces(content)

    async def _pieces(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in content:
            self.size += len(piece)
            yield piece


def _check(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of a blob")


async def _keep(folder: Path, key: str, content: bytes | AsyncIterator[bytes]) -> int:
    """Write a file of the folder, return its size.

    The library would bring nothing to disk before the file has its name, and would write on when its caller gave up.
    """
    draft = folder / _DRAFTS / secrets.token_hex(8)
    file = _begin(draft)
    try:
        size = 0
        async for piece in _one(content) if isinstance(content, bytes) else content:
            size += await asyncio.to_thread(file.write, piece)
        await asyncio.to_thread(_settle, file, draft, folder.joinpath(*key.split("/")), key.count("/") + 1)
        return size
    finally:
        draft.unlink(missing_ok=True)
        file.close()


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _begin(draft: Path) -> BinaryIO:
    draft.parent.mkdir(parents=True, exist_ok=True)
    return draft.open("xb")


def _settle(file: BinaryIO, draft: Path, path: Path, depth: int) -> None:
    """Give a whole file its name: first its bytes reach the disk, then the name, then the folders that lead to it."""
    file.flush()
    os.fsync(file.fileno())
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(path)
    for folder in path.parents[:depth]:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class _Token(Struct, frozen=True, array_like=True):
    key: str
    content_type: str
    ends_at: int  #: epoch seconds


class BlobLinks:
    """Links to what is kept, for whoever holds them, for a while."""

    def __init__(self, secret: bytes, address: str) -> None:
        self._sealer = Sealer(secret, "blob link")
        self._address = address

    def link(self, key: str, content_type: str, *, seconds: int = 3600) -> str:
        """Return a link that is good for so long."""
        ends_at = int((clock.now() + timedelta(seconds=seconds)).timestamp())
        return f"{self._address}/rooftree/v1/blobs/{self._sealer.seal(_Token(key, content_type, ends_at))}"

    def open(self, token: str) -> tuple[str, str]:
        """Return key and content type of a link's token. Raises: BlobLinkInvalid."""
        try:
            found = self._sealer.open(token, _Token)
        except InvalidParameter:
            raise BlobLinkInvalid from None
        if found.ends_at < clock.now().timestamp():
            raise BlobLinkInvalid
        return found.key, found.content_type
