"""A backup is made while writers write, put back elsewhere, and served: what was acknowledged before is there."""

import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.test_serve import Server, printed_curl

from rooftree.platform import backups


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place that PostgreSQL's own account may enter."""
    with tempfile.TemporaryDirectory(prefix="rt") as name:
        Path(name).chmod(0o755)
        yield Path(name)


class Writer(threading.Thread):
    """Creates leads until told to stop, and keeps the ids that were acknowledged."""

    def __init__(self, server: Server, key: str) -> None:
        super().__init__()
        self.acknowledged: list[int] = []
        self.is_over = threading.Event()
        self._create = lambda: server.call(key, "POST", "/v1.0/leads", {"firstName": "W"})
        self.start()

    def run(self) -> None:
        """Create one after the other."""
        while not self.is_over.is_set():
            self.acknowledged.append(self._create()["leadId"])

    def until(self, amount: int) -> list[int]:
        """Wait for so many, return what was acknowledged by then."""
        while len(self.acknowledged) < amount:
            assert self.is_alive()
            self.is_over.wait(0.05)
        return list(self.acknowledged)


def test_what_was_acknowledged_before_a_backup_is_there_after_a_restore(folder: Path) -> None:
    server = Server(folder / "data")
    key, _, _ = printed_curl(server.said())
    recording = folder / "data" / "blobs" / "17" / "recordings" / "5"
    recording.parent.mkdir(parents=True)
    recording.write_bytes(b"wave" * 5000)
    (folder / "data" / "secret.key").write_text("a key")

    writers = [Writer(server, key) for _ in range(2)]
    before = [lead_id for writer in writers for lead_id in writer.until(10)]
    made = server.run("backup", "--to", str(folder / "kept"))
    for writer in writers:
        writer.is_over.set()
        writer.join()
    assert made.returncode == 0, made.stderr
    assert "secret.key is in it" in made.stderr
    assert server.end(signal.SIGTERM) == 0

    (path,) = backups.kept(folder / "kept")
    assert path.stat().st_mode & 0o077 == 0
    server.environment["ROOFTREE_DATA_DIR"] = str(folder / "fresh")
    restored = server.run("restore", str(path))
    assert restored.returncode == 0, restored.stderr
    assert "secret.key among them" in restored.stdout
    assert (folder / "fresh" / "blobs" / "17" / "recordings" / "5").read_bytes() == recording.read_bytes()
    assert (folder / "fresh" / "secret.key").read_bytes() == (folder / "data" / "secret.key").read_bytes()

    again = Server(folder / "fresh")
    for lead_id in before:
        assert again.call(key, "GET", f"/v1.0/leads/{lead_id}")["lead"]["firstName"] == "W"
    assert again.call(key, "POST", "/v1.0/leads", {"firstName": "After"})["leadId"] not in before
    assert again.end(signal.SIGTERM) == 0
