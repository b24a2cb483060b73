"""Blobs: whole or not at all, in the folder or a bucket; links that end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.receiver import Answer, Received, Receiver, answer_of

from rooftree.platform import clock
from rooftree.platform.blobs import BlobLinkInvalid, BlobLinks, BlobMissing, BlobStore

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
    with pytest.raises(Exception, match=""):  # the library wraps it
        await store.put(KEY, broken(), "audio/mpeg")
    with pytest.raises(BlobMissing):
        await store.size(KEY)


async def test_writers_of_one_key_leave_one_of_theirs(tmp_path: Path) -> None:
    store = BlobStore.open("", tmp_path)
    contents = [bytes([number]) * 200_000 for number in range(8)]
    await asyncio.gather(*(store.put(KEY, content, "audio/mpeg") for content in contents))
    assert await store.read(KEY) in contents


@pytest.mark.parametrize("key", ["../secret", "a/../../b"])
async def test_no_key_leaves_the_folder(tmp_path: Path, key: str) -> None:
    store = BlobStore.open("", tmp_path / "blobs")
    with pytest.raises(Exception, match=r"\.\."):
        await store.put(key, b"x", "audio/mpeg")
    assert not (tmp_path / "secret").exists()


def test_another_url_is_explained() -> None:
    with pytest.raises(ValueError, match="ROOFTREE_BLOB_URL"):
        BlobStore.open("ftp://x", Path("unused"))


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
