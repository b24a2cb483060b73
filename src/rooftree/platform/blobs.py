"""Large things outside the database: a folder, or an S3-compatible bucket; and links to them that end."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from msgspec import Struct
from obstore.store import LocalStore, S3Store

from rooftree.platform import clock
from rooftree.platform.errors import InvalidParameter
from rooftree.platform.pages import Sealer

_CHUNK: Final = 1024 * 1024


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
    """Keeps bytes by key, such as `17/recordings/5`."""

    def __init__(self, store: Any, folder: Path | None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def open(cls, url: str, folder: Path) -> Self:
        """Return the store of a URL: `s3://bucket/prefix?endpoint=...&region=...&allow_http=true`; empty: the folder.

        Credentials stand in the URL (s3://key:secret@bucket) or in the usual variables of AWS.
        Raises: ValueError for another URL.
        """
        if not url:
            return cls(LocalStore(prefix=folder, mkdir=True), folder)
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname:
            raise ValueError("ROOFTREE_BLOB_URL must be s3://bucket/prefix, or empty for the data folder.")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        options: dict[str, Any] = {"region": query.get("region", "us-east-1")}
        if endpoint := query.get("endpoint"):
            options |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        if parts.username:
            options["access_key_id"] = unquote(parts.username)
            options["secret_access_key"] = unquote(parts.password or "")
        client = {"allow_http": query.get("allow_http", "").lower() == "true"}
        prefix = parts.path.strip("/") or None
        return cls(S3Store(parts.hostname, prefix=prefix, client_options=client, **options), None)  # type: ignore[arg-type]

    async def put(self, key: str, content: bytes | AsyncIterator[bytes], content_type: str) -> None:
        """Keep something, in place of what was there; on disk, or in the bucket, when this returns.

        It appears whole or not at all. `content` may come in pieces; if it breaks off, nothing is kept.
        """
        attributes = None if self._folder else {"Content-Type": content_type}
        await obstore.put_async(self._store, key, content, attributes=attributes)  # type: ignore[arg-type]
        if self._folder:
            await asyncio.to_thread(_sync, self._folder, key)

    async def size(self, key: str) -> int:
        """Return how many bytes are kept. Raises: BlobMissing."""
        try:
            return (await obstore.head_async(self._store, key))["size"]
        except FileNotFoundError:
            raise BlobMissing(key) from None

    async def get(self, key: str, part: tuple[int, int] | None = None) -> Blob:
        """Return something kept, or a part of it: first byte, and the one after the last. Raises: BlobMissing."""
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


def _sync(folder: Path, key: str) -> None:
    """Bring a file and the folders that name it to disk: the library renames, and leaves that to us."""
    path = folder.joinpath(*key.split("/"))
    for one in (path, *path.parents[: len(key.split("/"))]):
        descriptor = os.open(one, os.O_RDONLY)
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
