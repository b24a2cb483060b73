"""Blobs: whole or not at all, in the folder or a bucket; links that end."""

import asyncio
import os
import random
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.receiver import Answer, Received, Receiver, answer_of

from rooftree.platform import clock
from rooftree.platform.blobs import BlobLinkInvalid, BlobLinks, BlobMissing, BlobStore
from rooftree.platform.settings import SettingError

KEY = "17/recordings/5"


_STARTED = b"""<InitiateMultipartUploadResult><Bucket>recordings</Bucket><Key>k</Key><UploadId>1</UploadId>
</InitiateMultipartUploadResult>"""
_FINISHED = b"""<CompleteMultipartUploadResult><Location>l</Location><Bucket>recordings</Bucket><Key>k</Key>
<ETag>"1"</ETag></CompleteMultipartUploadResult>"""


class _Bucket(Receiver):
    """As much of S3 as is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, bytes] = {}
        self.parts: dict[int, bytes] = {}

    def respond(self, request: Received) -> Answer:
        path = request.path
        assert "AWS4-HMAC-SHA256" in request.headers["authorization"]
        query = dict(request.query)
        if request.method == "POST" and "uploads" in query:
            return Answer(200, _STARTED, {"Content-Type": "application/xml"})
        if request.method == "PUT" and "partNumber" in query:
            self.parts[int(query["partNumber"])] = request.body
            return Answer(200, b"", {"ETag": '"1"'})
        if request.method == "POST" and "uploadId" in query:
            self.kept[path] = b"".join(self.parts[number] for number in sorted(self.parts))
            return Answer(200, _FINISHED, {"Content-Type": "application/xml"})
        if request.method == "PUT":
            self.kept[path] = request.body
            return Answer(200, b"", {"ETag": '"1"'})
        if path not in self.kept:
            return answer_of(404)
        content = self.kept[path]
        headers = {"ETag": '"1"', "Last-Modified": "Wed, 06 May 2026 12:00:00 GMT"}
        if wish := request.headers.get("range"):
            start, _, end = wish.removeprefix("bytes=").partition("-")
            part = content[int(start) : int(end) + 1]
            headers |= {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
            return Answer(206, part, headers)
        return Answer(200, content, headers)


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _use(store: BlobStore) -> None:
    await store.put(KEY, _pieces(b"abc", b"def"), "audio/mpeg")
    assert await store.size(KEY) == 6
    assert await store.read(KEY) == b"abcdef"
    part = await store.get(KEY, (1, 4))
    assert (part.size, part.start, part.end) == (6, 1, 4)
    assert b"".join([piece async for piece in part.chunks]) == b"bcd"
    await store.put(KEY, b"new", "audio/mpeg")
    assert await store.read(KEY) == b"new"
    for missing in (store.size("17/no"), store.read("17/no"), store.get("17/no")):
        with pytest.raises(BlobMissing):
            await missing


async def test_the_folder(tmp_path: Path) -> None:
    await _use(BlobStore.open("", tmp_path / "blobs"))


async def test_a_bucket() -> None:
    async with _Bucket() as bucket:
        url = f"s3://key:secret@recordings/rt?endpoint={bucket.url}&region=eu-central-1&allow_http=true"
        await _use(BlobStore.open(url, Path("unused")))
        assert bucket.kept == {"/recordings/rt/17/recordings/5": b"new"}


async def test_what_breaks_off_is_not_kept(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionError

    store = BlobStore.open("", tmp_path)
    with pytest.raises(ConnectionError):
        await store.put(KEY, broken(), "audio/mpeg")
    with pytest.raises(BlobMissing):
        await store.size(KEY)
    await store.put(KEY, b"old", "audio/mpeg")
    with pytest.raises(ConnectionError):
        await store.put(KEY, broken(), "audio/mpeg")
    assert await store.read(KEY) == b"old"
    assert _files(tmp_path) == [KEY]


async def test_who_gives_up_leaves_nothing(tmp_path: Path) -> None:
    has_begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 100_000
        has_begun.set()
        await asyncio.Event().wait()

    async def upload() -> None:
        await BlobStore.open("", tmp_path).put(KEY, endless(), "audio/mpeg")

    task = asyncio.create_task(upload())
    await has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _files(tmp_path) == []


async def test_bytes_reach_the_disk_before_they_have_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noting_fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        steps.append("folder" if stat.S_ISDIR(status.st_mode) else f"{status.st_size} bytes")
        fsync(descriptor)

    def noting_replace(path: Path, target: Path) -> Path:
        steps.append("name")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "replace", noting_replace)
    assert await BlobStore.open("", tmp_path).put(KEY, b"abcdef", "audio/mpeg") == 6
    assert steps == ["6 bytes", "name", "folder", "folder", "folder"]


@given(st.binary(max_size=5000), st.data())
async def test_any_part_is_read(tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject) -> None:
    store = BlobStore.open("", tmp_path_factory.mktemp("blobs"))
    size = data.draw(st.integers(1, 700))
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    assert await store.put(KEY, _pieces(*pieces), "audio/mpeg") == len(content)
    assert await store.read(KEY) == content
    if content:
        start = data.draw(st.integers(0, len(content) - 1))
        end = data.draw(st.integers(start + 1, len(content) + 10))
        part = await store.get(KEY, (start, end))
        assert (part.size, part.start, part.end) == (len(content), start, min(end, len(content)))
        assert b"".join([piece async for piece in part.chunks]) == content[start:end]


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def test_writers_of_one_key_leave_one_of_theirs(tmp_path: Path) -> None:
    store = BlobStore.open("", tmp_path)
    contents = [bytes([number]) * 200_000 for number in range(8)]
    await asyncio.gather(*(store.put(KEY, content, "audio/mpeg") for content in contents))
    assert await store.read(KEY) in contents


@pytest.mark.parametrize(
    "key",
    [
        "../secret",
        "a/../../b",
        "/abs",
        "",
        ".",
        "a//b",
        "a/",
        ".drafts/x",
        "a#1",
        "a\\b",
        "a\0b",
        "a\n",
        "é",
        "a" * 513,
    ],
)
async def test_no_key_leaves_the_folder(tmp_path: Path, key: str) -> None:
    store = BlobStore.open("", tmp_path / "blobs")
    for use in (store.put(key, b"x", "audio/mpeg"), store.size(key), store.get(key), store.read(key)):
        with pytest.raises(ValueError, match="is no key"):
            await use
    assert _files(tmp_path) == []


def test_another_url_is_explained() -> None:
    with pytest.raises(SettingError, match="ROOFTREE_BLOB_URL"):
        BlobStore.open("ftp://x", Path("unused"))
    with pytest.raises(SettingError, match="zone is not an option"):
        BlobStore.open("s3://bucket?zone=eu-central-1", Path("unused"))


async def test_a_bucket_takes_what_comes_in_many_pieces() -> None:
    async with _Bucket() as bucket:
        store = BlobStore.open(f"s3://key:secret@recordings?endpoint={bucket.url}&allow_http=true", Path("unused"))
        content = random.Random(5).randbytes(12_000_000)
        pieces = [content[start : start + 500_000] for start in range(0, len(content), 500_000)]
        assert await store.put(KEY, _pieces(*pieces), "audio/mpeg") == len(content)
        assert len(bucket.parts) > 1
        assert await store.read(KEY) == content


async def test_the_region_is_also_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    async with _Bucket() as bucket:
        url = f"s3://recordings?endpoint={bucket.url}&allow_http=true"
        await BlobStore.open(url, Path("unused")).put(KEY, b"x", "audio/mpeg")
        signed = bucket.requests[-1].headers
        assert "Credential=of-the-environment/" in signed["authorization"]
        assert "/eu-north-1/s3/" in signed["authorization"]
        assert signed["content-type"] == "audio/mpeg"


LINKS = BlobLinks(b"secret", "https://crm.example.test")


@given(st.text(min_size=1, max_size=50), st.sampled_from(["audio/mpeg", "audio/wav"]))
def test_a_link_opens(key: str, content_type: str) -> None:
    link = LINKS.link(key, content_type)
    assert link.startswith("https://crm.example.test/rooftree/v1/blobs/")
    assert LINKS.open(link.rpartition("/")[2]) == (key, content_type)


@given(st.text(max_size=100))
def test_a_forged_link_does_not(token: str) -> None:
    with pytest.raises(BlobLinkInvalid):
        LINKS.open(token)


def test_a_link_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    token = LINKS.link(KEY, "audio/mpeg", seconds=60).rpartition("/")[2]
    later = clock.now() + timedelta(seconds=62)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(BlobLinkInvalid):
        LINKS.open(token)
