"""Where an archive's files lie: in a folder, or in one .tar or .zip, by the name's ending.

While it is written everything lies in `NAME.partial`; only a whole archive, its manifest written last, gets the name.
"""

import hashlib
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol, TypeVar, cast

import msgspec

from rooftree.archive.errors import ArchiveError
from rooftree.archive.model import Manifest, PackedFile

MANIFEST: Final = "manifest.json"
#: Version of the layout.
LAYOUT: Final = 1
T = TypeVar("T")


class _Container(Protocol):
    """One file that holds all others."""

    def write(self, path: Path, name: str) -> None:
        """Put a file into it."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class _Tar:
    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, "w")  # noqa: SIM115 - closed with the archive

    def write(self, path: Path, name: str) -> None:
        self._tar.add(path, name, recursive=False)
        self._tar.members = []  # type: ignore[attr-defined]  # or it would remember every recording

    def close(self) -> None:
        self._tar.close()


class _Zip:
    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)

    def write(self, path: Path, name: str) -> None:
        is_small = name.endswith(".parquet") or name.startswith("files/")  # compressed already, most of them
        self._zip.write(path, name, zipfile.ZIP_STORED if is_small else zipfile.ZIP_DEFLATED)

    def close(self) -> None:
        self._zip.close()


class Packer:
    """An archive that is being written. A file is written at `draft(name)`, then taken in by `add(name)`."""

    def __init__(self, folder: Path, container: _Container | None) -> None:
        self._folder = folder
        self._container = container

    def draft(self, name: str) -> Path:
        """Return where to write a file."""
        path = self._folder / "content" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def add(self, name: str) -> PackedFile:
        """Take in a file that is written."""
        path = self.draft(name)
        member = _measured(path, name)
        if self._container:
            self._container.write(path, name)
            path.unlink()
        else:
            _sync(path)
        return member


@contextmanager
def packed(target: Path) -> Generator[Packer]:
    """Yield an archive to be filled; it gets its name when all went well, and nothing stays otherwise.

    Raises: ArchiveError when something of that name is there, or is being written.
    """
    if target.exists():
        raise ArchiveError(f"{target} is there already: name another, or remove it.")
    folder = target.with_name(f"{target.name}.partial")
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise ArchiveError(
            f"{folder} is there: another export is writing it, or one was broken off. Remove it then."
        ) from None
    try:
        (folder / "content").mkdir()
        ending = target.suffix.lower()
        whole = folder / "whole"
        container = _Tar(whole) if ending == ".tar" else _Zip(whole) if ending == ".zip" else None
        yield Packer(folder, container)
        if container:
            container.close()
            _sync(whole)
        (whole if container else folder / "content").rename(target)
        _sync(target.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Unpacker:
    """An archive that is read. Every file is checked before it is used."""

    def __init__(self, source: Path, scratch: Path, container: tarfile.TarFile | zipfile.ZipFile | None) -> None:
        self._source = source
        self._scratch = scratch
        self._container = container

    def manifest(self) -> Manifest:
        """Return what the archive says it holds. Raises: ArchiveError when it is not one, or not a whole one."""
        try:
            with self._taken(MANIFEST) as path:
                found = decoded(path.read_bytes(), Manifest, MANIFEST)
        except (KeyError, FileNotFoundError):
            raise ArchiveError(f"{self._source} is no whole archive: it has no {MANIFEST}.") from None
        if found.archive != LAYOUT:
            raise ArchiveError(f"{self._source} has layout {found.archive}; this version reads {LAYOUT}.")
        return found

    @contextmanager
    def file(self, wanted: PackedFile) -> Generator[Path]:
        """Yield where a file lies meanwhile. Raises: ArchiveError when it is missing, or not as it was written."""
        try:
            with self._taken(wanted.name) as path:
                if _measured(path, wanted.name) != wanted:
                    raise ArchiveError(f"{wanted.name} was changed or cut off: its SHA-256 is not that of {MANIFEST}.")
                yield path
        except (KeyError, FileNotFoundError):
            raise ArchiveError(f"{wanted.name} is missing in {self._source}.") from None

    @contextmanager
    def _taken(self, name: str) -> Generator[Path]:
        if self._container is None:
            path = self._source / name
            if not path.resolve().is_relative_to(self._source.resolve()):
                raise ArchiveError(f"{name} leads out of the archive.")
            yield path
            return
        path = self._scratch / name.replace("/", "_")
        try:
            self._extract(name, path)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _extract(self, name: str, path: Path) -> None:
        try:
            with ExitStack() as stack:
                inside = (
                    self._container.open(name)
                    if isinstance(self._container, zipfile.ZipFile)
                    else cast(tarfile.TarFile, self._container).extractfile(name)
                )
                if inside is None:
                    raise KeyError(name)
                stack.enter_context(inside)
                with path.open("wb") as file:
                    shutil.copyfileobj(inside, file, 1024 * 1024)
        except (KeyError, FileNotFoundError):
            raise
        except Exception as error:  # what is damaged, they say in a dozen ways
            raise ArchiveError(f"{self._source}: {name} cannot be read: {error}") from error


@contextmanager
def unpacked(source: Path) -> Generator[Unpacker]:
    """Yield an archive to be read. Raises: ArchiveError when it is none."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rooftree")))
        container: tarfile.TarFile | zipfile.ZipFile | None = None
        if not source.is_dir():
            try:
                is_zip = zipfile.is_zipfile(source)
                container = zipfile.ZipFile(source) if is_zip else tarfile.open(source, "r:")  # noqa: SIM115
            except Exception as error:  # noqa: BLE001 - what is damaged, they say in a dozen ways
                raise ArchiveError(f"{source} is neither a folder nor a .tar or .zip: {error}") from None
            stack.enter_context(container)
        yield Unpacker(source, scratch, container)


def decoded(content: bytes, kind: type[T], name: str) -> T:
    """Return a document of an archive. Raises: ArchiveError, naming its file."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArchiveError(f"{name}: {error}") from None


def _measured(path: Path, name: str) -> PackedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return PackedFile(name, path.stat().st_size, digest)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
