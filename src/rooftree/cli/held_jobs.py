"""rooftree jobs: what the worker could not do."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from rooftree.cli.running import Refused, console, out, run, running
from rooftree.platform import jobs
from rooftree.platform.wire_time import utc_text

app = typer.Typer(help="Jobs that failed too often and are held: list, retry.", no_args_is_help=True)


@app.command("list")
def list_jobs() -> None:
    """List the jobs that are held, with what went wrong last."""
    run(_list())


async def _list() -> None:
    async with running() as server, server.owner.unscoped() as tx:
        found = await jobs.held(tx)
    table = Table("id", "job", "of", "held since (UTC)", "starts", "error")
    for job in found:
        about = job.args.decode("utf-8", "replace")
        table.add_row(str(job.id), job.name, about, utc_text(job.held_at), str(job.attempts), escape(job.error or ""))
    out.print(table)


@app.command()
def retry(job_id: Annotated[int, typer.Argument(help="Its id, from the list.")]) -> None:
    """Let a held job run once more, as if it were new."""
    run(_retry(job_id))


async def _retry(job_id: int) -> None:
    async with running() as server, server.owner.unscoped() as tx:
        if not await jobs.retry(tx, job_id):
            raise Refused(f"There is no held job {job_id}. All of them: rooftree jobs list")
    console.print("It runs as soon as a worker has time.")
