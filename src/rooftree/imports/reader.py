"""The process that reads the file, so that reading and loading use a processor each.

It gets a job on standard input and writes batches to standard output, each behind its length. It is never far ahead:
the pipe holds it back, so memory stays flat; and it ends with its parent, because then nobody holds the pipe.
"""

import asyncio
import gc
import pickle
import struct
import sys
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from rooftree.imports.files import FileError, rows
from rooftree.imports.plan import Plan
from rooftree.imports.rows import ReadRow, RowReader, Told

T = TypeVar("T")
BATCH: Final = 2000
LENGTH: Final = struct.Struct(">Q")
_CHUNK: Final = 1 << 20


class Job(Struct, frozen=True):
    """What to read."""

    path: str
    plan: Plan
    told: Told
    position: int  #: rows that are done


class Batch(Struct, frozen=True):
    """Rows to be committed together."""

    first: int  #: place of the first among the file's rows, from 0
    rows: list[ReadRow]
    share: float  #: how much of the file has been read, from 0 to 1


@asynccontextmanager
async def reading(job: Job) -> AsyncGenerator[AsyncGenerator[Batch]]:
    """Start the process, yield its batches, end it. Raises: FileError when it ends before its time."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from rooftree.imports.reader import main; main()",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_CHUNK,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(job))
    process.stdin.close()
    try:
        yield _received(process.stdout)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@contextmanager
def collecting_by_hand() -> Generator[None]:
    """Look for cycles only when asked: among so many new objects, of which none has any, it takes long."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


async def _received(pipe: asyncio.StreamReader) -> AsyncGenerator[Batch]:
    while (packed := await _next(pipe)) is not None:
        yield await asyncio.to_thread(unpack, packed)


async def ahead(source: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield what a source yields, the next one already on its way while one is worked on."""
    coming = asyncio.ensure_future(anext(source, None))
    try:
        while (one := await coming) is not None:
            coming = asyncio.ensure_future(anext(source, None))
            yield one
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await source.aclose()


async def _next(pipe: asyncio.StreamReader) -> bytes | None:
    """Return what comes next, None at the end, which is a length of zero."""
    try:
        (length,) = LENGTH.unpack(await pipe.readexactly(LENGTH.size))
        return await pipe.readexactly(length) if length else None
    except asyncio.IncompleteReadError:
        raise FileError("The process that reads the file ended. The same command goes on where it stopped.") from None


def batches(job: Job) -> Iterator[Batch]:
    """Yield what is left of a file."""
    reader = RowReader(job.plan, job.told)
    read: list[ReadRow] = []
    first, share = job.position, 0.0
    for place, row in enumerate(rows(Path(job.path), job.plan)):
        if place < job.position:
            continue
        read.append(reader.read(row))
        share = row.share
        if len(read) == BATCH:
            yield Batch(first, read, share)
            first, read = first + BATCH, []
    if read:
        yield Batch(first, read, share)


def pack(batch: Batch) -> bytes:
    """Return a batch as it goes through the pipe."""
    return pickle.dumps(batch, pickle.HIGHEST_PROTOCOL)


def unpack(packed: bytes) -> Batch:
    """Return the batch of our own child."""
    return pickle.loads(packed)  # noqa: S301 - written by `pack` a moment ago


def main() -> None:
    """Read the job, write its batches."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    with suppress(BrokenPipeError), collecting_by_hand():
        _write(job)


def _write(job: Job) -> None:
    out: Any = sys.stdout.buffer
    for batch in batches(job):
        packed = pack(batch)
        out.write(LENGTH.pack(len(packed)))
        out.write(packed)
        out.flush()
        gc.collect()
    out.write(LENGTH.pack(0))
    out.flush()
