"""The command line: one module per group of commands. `rooftree --help` lists them."""

import typer

from rooftree.cli import (
    apps,
    archive,
    backup,
    citus,
    database,
    doctor,
    duplicates,
    held_jobs,
    imports,
    keys,
    leads,
    lofty,
    mail,
    outbox,
    seed,
    serve,
    tray,
    users,
    webhooks,
)

app = typer.Typer(
    name="rooftree",
    help="A self-hosted CRM server for real-estate teams. `rooftree serve` is all it takes to begin.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(serve.serve)
app.command()(serve.worker)
app.command()(database.migrate)
app.command()(backup.restore)
app.command()(seed.seed)
app.command()(doctor.doctor)
app.command()(serve.openapi)
app.command()(serve.version)
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
app.add_typer(apps.app, name="apps")
app.add_typer(leads.app, name="leads")
app.add_typer(duplicates.app, name="duplicates")
app.add_typer(imports.app, name="import")
app.add_typer(archive.app, name="export")
imports.app.command("lofty")(lofty.import_lofty)
app.add_typer(outbox.app, name="outbox")
app.add_typer(tray.app, name="tray")
app.add_typer(held_jobs.app, name="jobs")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(mail.app, name="mail")
app.add_typer(backup.app, name="backup")
app.add_typer(database.app, name="db")
app.add_typer(citus.app, name="citus")
