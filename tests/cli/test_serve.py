"""The command line as a newcomer uses it: real processes, a real first run."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from rooftree.cli import serving
from rooftree.platform.http.logging import RequestIds

PATIENCE_SECONDS = 60


class Server:
    """`rooftree serve` on a data directory of its own."""

    def __init__(self, data: Path, *args: str, is_awaited: bool = True) -> None:
        self.environment = {**os.environ, "ROOFTREE_DATA_DIR": str(data)}
        self.environment.pop("ROOFTREE_TEST_DSN", None)
        command = [sys.executable, "-m", "rooftree", "serve", "--port", "0", *args]
        self._log = (data.parent / f"{data.name}.log").open("w+")
        self.process = subprocess.Popen(command, env=self.environment, stdout=self._log, stderr=subprocess.STDOUT)
        self.url = self._wait_for(r"listens on (http://\S+)")
        if is_awaited:
            self._until_ready()

    def said(self) -> str:
        """Everything it printed."""
        self._log.flush()
        return Path(self._log.name).read_text()

    def _wait_for(self, pattern: str) -> str:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if match := re.search(pattern, self.said()):
                return match[1]
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)
        raise AssertionError(self.said())

    def _until_ready(self) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=5)
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
            else:
                return
        raise AssertionError(self.said())

    def call(self, key: str, method: str, path: str, body: Any = None) -> Any:
        """Send a request as curl would."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {key}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run another command on the same data."""
        command = [sys.executable, "-m", "rooftree", *args]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=120)

    def end(self, how: signal.Signals) -> int:
        """Send a signal, wait for the end."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def data() -> Iterator[Path]:
    """A place for a data directory that PostgreSQL's own account may enter."""
    with tempfile.TemporaryDirectory(prefix="rt") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


def printed_curl(text: str) -> tuple[str, str, dict[str, Any]]:
    """Return key, path and body of the curl that the first run prints."""
    words = shlex.split(text[text.index("curl -X POST") :].split("\n\n", maxsplit=1)[0].replace("\\\n", " "))
    key = next(word for word in words if word.startswith("Authorization")).rpartition(" ")[2]
    return key, words[3], json.loads(words[-1])


def test_a_first_run_a_crash_and_a_second_run(data: Path) -> None:
    server = Server(data)
    key, url, body = printed_curl(server.said())
    assert url == f"{server.url}/v1.0/leads"
    lead_id = server.call(key, "POST", "/v1.0/leads", body)["leadId"]

    made = server.run("keys", "create", "--name", "X", "--plain")
    assert made.returncode == 0, made.stderr
    assert server.call(made.stdout.strip(), "GET", f"/v1.0/leads/{lead_id}")["lead"]["firstName"] == "Jane"
    assert "valid" in server.run("keys", "list").stdout
    assert server.run("doctor").returncode == 0

    assert server.end(signal.SIGKILL) == -9
    again = Server(data)
    assert "First run" not in again.said()
    assert again.call(key, "GET", f"/v1.0/leads/{lead_id}")["lead"]["leadId"] == lead_id

    again.call(key, "DELETE", f"/v1.0/leads/{lead_id}?reason=x")
    assert again.run("leads", "restore", str(lead_id)).returncode == 0
    assert again.call(key, "GET", f"/v1.0/leads/{lead_id}")
    assert again.run("leads", "restore", "12").returncode == 1
    assert again.run("users", "add", "ana@example.com", "--first-name", "Ana", "--office", "North").returncode == 0
    assert "ana@example.com" in again.run("users", "list").stdout
    assert again.run("users", "deactivate", "ana@example.com").returncode == 0

    assert again.end(signal.SIGTERM) == 0
    assert "Everything that was answered is on disk." in again.said()
    dump = data.parent / "all.dump"
    assert again.run("db", "dump", str(dump)).returncode == 0
    again.environment["ROOFTREE_DATA_DIR"] = str(data.parent / "other")
    restored = again.run("db", "restore", str(dump))
    assert restored.returncode == 0, restored.stderr
    assert "North" in again.run("users", "list").stdout


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_running_request_is_answered_before_the_end(data: Path, workers: str) -> None:
    """SIGTERM while a create waits for a lock: it is answered, and then the database stops."""
    server = Server(data, "--workers", workers)
    key, _, body = printed_curl(server.said())
    command = [sys.executable, "-m", "rooftree", "db", "psql", "-qAt"]
    psql = subprocess.Popen(
        command, env=server.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert psql.stdin
    assert psql.stdout
    psql.stdin.write("BEGIN; LOCK TABLE lead; SELECT 'locked';\n")
    assert psql.stdout.readline() == "locked\n"
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(server.call, key, "POST", "/v1.0/leads", body)
        time.sleep(1)
        assert not answer.done()
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        assert server.process.poll() is None
        psql.stdin.write("COMMIT;\n\\q\n")
        lead_id = answer.result(PATIENCE_SECONDS)["leadId"]
    assert server.process.wait(PATIENCE_SECONDS) == 0
    assert psql.wait(PATIENCE_SECONDS) == 0
    again = Server(data)
    assert again.call(key, "GET", f"/v1.0/leads/{lead_id}")["lead"]["leadId"] == lead_id
    assert again.end(signal.SIGINT) == 0


@pytest.mark.parametrize("is_awaited", [True, False])
def test_a_killed_server_leaves_nobody_on_its_port(data: Path, is_awaited: bool) -> None:
    """Its API processes end, too, those that had only just been started included."""
    server = Server(data, "--workers", "2", is_awaited=is_awaited)
    time.sleep(0 if is_awaited else 0.3)
    assert server.end(signal.SIGKILL) == -9
    host, _, port = server.url.removeprefix("http://").partition(":")
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except ConnectionRefusedError:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("somebody still listens")
    assert "RuntimeWarning" not in server.said()


def test_demo_with_two_processes(data: Path) -> None:
    server = Server(data, "--demo", "--workers", "2")
    key = printed_curl(server.said())[0]
    listed = server.call(key, "GET", "/v1.0/leads?limit=5&sort=LastActivity&desc=true")
    assert listed["_metadata"]["total"] == 2000
    assert len(server.call(key, "GET", "/v1.0/members")["members"]) == 9
    made = server.run("seed", "--leads", "150")
    assert made.returncode == 0, made.stderr
    assert server.call(key, "GET", "/v1.0/leads?limit=1")["_metadata"]["total"] == 2150
    assert server.end(signal.SIGTERM) == 0


def test_a_wrong_setting_is_said_in_a_line(data: Path) -> None:
    command = [sys.executable, "-m", "rooftree", "keys", "list"]
    environment = {**os.environ, "ROOFTREE_PROT": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ROOFTREE_PORT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("args", [["--help"], ["serve", "--help"], ["keys", "--help"], ["version"], ["openapi"]])
def test_help_and_facts_need_no_database(args: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rooftree", *args], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_an_idle_connection_is_closed_by_clients_and_balancers_first() -> None:
    """Whoever closes second may have sent a request already, which then has no answer."""
    assert serving.server_of(cast(RequestIds, None)).config.timeout_keep_alive > 60
