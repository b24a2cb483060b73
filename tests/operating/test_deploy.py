"""What lies in deploy/ speaks of what there is: settings, metrics, commands."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.client import Client
from typer.testing import CliRunner

from rooftree.app import MEASURES
from rooftree.cli import app as commands
from rooftree.platform.database import Database
from rooftree.platform.figures import Figures
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.settings import PREFIX, Settings, read_settings

DEPLOY = Path(__file__).parents[2] / "deploy"
#: Of Prometheus itself, and of the operating system.
_NOT_OURS = {"up", "process_resident_memory_bytes"}


@pytest.fixture
async def exported(client: Client, app: RequestIds, owner_db: Database, tmp_path: Path) -> dict[str, float]:
    """Every sample of /metrics after a request, as `rooftree serve` answers."""
    app.state.figures = Figures(owner_db, Settings(data_dir=str(tmp_path)), MEASURES)
    await client.ok("GET", "/v1.0/me")
    text = (await client.send("GET", "/metrics")).text
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


def _named(expressions: str) -> set[str]:
    return set(re.findall(r"\b(?:rooftree_\w+|process_\w+|up)\b(?=[\s{\[)]|$)", expressions))


@pytest.mark.parametrize("file", ["dashboard.json", "alerts.yaml"])
async def test_every_metric_is_exported(exported: dict[str, float], file: str) -> None:
    text = (DEPLOY / file).read_text()
    if file.endswith("json"):
        targets = [target["expr"] for panel in json.loads(text)["panels"] for target in panel["targets"]]
    else:
        targets = re.findall(r"^ +expr: (.+)$", text, re.MULTILINE)
    named = {name for target in targets for name in _named(target)}
    assert len(named) > 10
    assert named - _NOT_OURS <= set(exported)


async def test_figures_say_how_things_stand(exported: dict[str, float]) -> None:
    assert exported["rooftree_database_up"] == 1
    assert exported["rooftree_database_size_bytes"] > 1_000_000
    assert exported["rooftree_backup_finished_timestamp_seconds"] == 0
    assert exported["rooftree_build_info"] == 1
    assert exported["rooftree_database_connections_limit"] > 0
    assert exported["rooftree_database_wait_seconds_count"] > 0


async def test_without_a_database_there_are_figures_still(
    client: Client, app: RequestIds, server_dsn: str, dsn: str, tmp_path: Path
) -> None:
    gone = await Database.connect(dsn, min_size=0, max_size=1, server_role=False)
    await gone.close()
    app.state.figures = Figures(gone, Settings(data_dir=str(tmp_path)), MEASURES)
    answer = await client.send("GET", "/metrics")
    assert answer.status_code == 200
    assert "rooftree_database_up 0.0" in answer.text
    assert "rooftree_jobs_due" not in answer.text


@pytest.mark.parametrize("name", ["compose.yaml", "Containerfile", "rooftree.service", "rooftree-backup.service"])
def test_settings_and_commands_exist(name: str) -> None:
    text = re.sub(r"(?m)^#.*$", "", (DEPLOY / name).read_text())
    settings = set(re.findall(rf"\b{PREFIX}[A-Z_]+", text))
    assert settings
    assert {
        setting for setting in settings if setting.removeprefix(PREFIX).lower() not in Settings.__struct_fields__
    } == set()
    for command in re.findall(r"ExecStart=\S+/rooftree (\w+)", text):
        assert CliRunner().invoke(commands, [command, "--help"]).exit_code == 0


def test_the_containers_settings_can_be_read() -> None:
    given = dict(re.findall(rf"({PREFIX}[A-Z_]+)=(\S+)", (DEPLOY / "Containerfile").read_text().partition("\nFROM")[2]))
    settings = read_settings(given)
    assert (settings.host, settings.data_dir) == ("0.0.0.0", "/data")
