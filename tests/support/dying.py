"""Processes that serve one request and are killed in the middle of it: `python -m tests.support.dying`.

Reads a JSON object from standard input: `dsn`, `method`, `url`, `body`, `headers`; their texts may hold `{n}`. For
n = 1, 2, ... a process of its own serves the request and kills itself before the n-th statement that it says to
PostgreSQL; then one kills itself after its commit, before the answer leaves. Prints how many statements there were.
"""

import asyncio
import json
import os
import signal
import sys
from typing import Any

import httpx

from rooftree.app import create_app
from rooftree.platform import database
from rooftree.platform.http.logging import RequestIds
from rooftree.platform.log import configure_logging
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import Settings

MOST = 60


def _dies_before(step: int) -> None:
    """Let this process die before its step-th statement; 0: when everything is committed."""
    said = 0
    connection: Any = database._Connection

    def counting(name: str) -> Any:
        original = getattr(connection, name)

        async def count(self: Any, sql: str, *args: Any, **options: Any) -> Any:
            nonlocal said
            said += 1
            if said == step:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = await original(self, sql, *args, **options)
            if step == 0 and sql == "COMMIT":
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return count

    for name in ("fetch", "fetchrow", "fetchval", "execute", "executemany"):
        setattr(connection, name, counting(name))


async def _secret(dsn: str) -> bytes:
    owner = await database.Database.connect(dsn, min_size=0, max_size=1, server_role=False)
    secret = await shared_secret(owner)
    await owner.close()
    return secret


async def _serve(app: RequestIds, plan: dict[str, Any], step: int) -> None:
    app.state.database = await database.Database.connect(plan["dsn"], min_size=1, max_size=1)
    _dies_before(step)
    request = json.loads(json.dumps({**plan, "dsn": ""}).replace("{n}", str(step)))
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://rooftree.test") as client:
        answer = await client.request(
            request["method"], request["url"], content=request["body"].encode(), headers=request["headers"]
        )
    assert answer.status_code == 200, answer.text


def _is_killed(app: RequestIds, plan: dict[str, Any], step: int) -> bool:
    child = os.fork()
    if child == 0:
        asyncio.run(_serve(app, plan, step))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def main() -> None:
    """Die as often as there are steps."""
    configure_logging("error", "console")
    plan = json.load(sys.stdin)
    nowhere: Any = None  # each process connects by itself
    app = create_app(Settings(), nowhere, asyncio.run(_secret(plan["dsn"])))
    step = 1
    while _is_killed(app, plan, step):
        step += 1
        assert step < MOST
    assert _is_killed(app, plan, 0)
    print(step - 1)


if __name__ == "__main__":
    main()
