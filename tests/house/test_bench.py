"""What the benchmark says to PostgreSQL for a request can be said by pgbench."""

import os
import subprocess
from pathlib import Path

from bench.prepare import prepared, scripts_of
from tests.conftest import fresh_database

from rooftree.platform import embedded_postgres


async def test_every_case_can_be_repeated(server_dsn: str, tmp_path: Path) -> None:
    dsn = await fresh_database(server_dsn)
    pgbench = str(embedded_postgres.binaries() / "pgbench")
    key, cases = await prepared(dsn, 60)
    assert {"get", "list by stage", "key", "create", "update", "note"} <= cases.keys()
    for name, case in cases.items():
        script, options = await scripts_of(dsn, key, case._replace(requests=case.requests[:1]), tmp_path, name)
        command = [pgbench, "-n", "-M", "prepared", "-t", "2", *script, dsn]
        environment = {**os.environ, "PGOPTIONS": options}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{name}: {done.stderr[-1000:]}\n{Path(script[1]).read_text()}"
