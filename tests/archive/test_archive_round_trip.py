"""Export, then import into an empty server: every read operation answers as it did, in all three formats."""

import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace
from tests.conftest import fresh_database
from tests.contract.test_operations import _listed
from tests.contract.test_permissions import PROBES, WITHOUT_CALLER, At, Probe
from tests.support.client import Client
from tests.support.company import Company, build
from tests.support.contract import served_document
from tests.support.people import Person

from rooftree.app import create_app
from rooftree.archive.actions import Imported, export_team, import_team
from rooftree.archive.model import Secrets
from rooftree.archive.packing import packed, unpacked
from rooftree.auth.actions import create_key
from rooftree.messaging.actions import allow, set_account, silence
from rooftree.platform.blobs import BlobStore
from rooftree.platform.database import Database
from rooftree.platform.secret import shared_secret
from rooftree.platform.settings import Settings
from rooftree.platform.vault import open_vault

#: Who asks, and about whose things: 0 their own, 2 an agent's of another office.
CALLERS: Final = (("owner", 0), ("agent", 0), ("agent", 2))
#: A new one without an archive's secrets, as is right.
SECRET: Final = "GET /rooftree/v1/webhooks/{subscribeId}/secret"
#: Sealed texts, which are different each time they are asked for; the links are followed instead.
SEALED: Final = re.compile(r'("scrollId": ?|"cursor": ?|/rooftree/v1/blobs/)"?[\w.-]+"?')
#: What a lead can have, all of it.
FULL: Final = {
    "firstName": "Zoë",
    "lastName": 'O\'Neil, "Jr"',
    "emails": ["zoe@example.com", "zoe.second@example.com"],
    "phones": ["4155550123", "+442071838750"],
    "leadTypes": [1, 2],
    "birthday": "Feb 29, 1980",
    "source": "the table",
    "referredBy": "",
    "tags": ["=SUM(1)", "Ours tag", "back\\slash\n\\."],
    "segments": ["VIP", "a,b"],
    "language": "en",
    "buyingTimeFrame": "1-3",
    "inquiry": {"priceMin": 100000, "priceMax": 200000, "locations": [{"city": "Austin", "stateCode": "TX"}]},
    "property": {"streetAddress": "1 Main St", "city": "Austin", "state": "TX", "zipCode": "78701", "price": 99},
    "leadFamilyMemberList": [{"firstName": "Sam", "relationship": "Spouse"}],
    "customAttributeList": [{"attributeName": "Ours field", "value": "ü\t€ \u2028"}],
    "leadTransaction": {
        "transactionName": "House",
        "transactionType": "Buyer",
        "homePrice": 1000000.1,
        "expectedCloseDate": 1798761600000,
    },
    "content": "a note that came along",
}


@asynccontextmanager
async def server(dsn: str, folder: Path, key: str) -> AsyncIterator[tuple[Database, Client, BlobStore]]:
    """An installation on a database, with a key of its own for what it encrypts."""
    settings = Settings(
        auth_failures_per_minute=1_000_000,
        data_dir=str(folder),
        secret_key=key,
        webhook_allow_insecure=True,
        webhook_quota=1000,
        public_url="http://rooftree.test",
    )
    owner_db = await Database.connect(dsn, min_size=0, max_size=4, server_role=False)
    db = await Database.connect(dsn, min_size=0, max_size=8)
    async with Client(create_app(settings, db, await shared_secret(owner_db))) as client:
        yield owner_db, client, BlobStore.open("", folder / "blobs")
    await db.close()
    await owner_db.close()


async def furnish(company: Company) -> int:
    """Add what no other test's company has; return a call with a recording."""
    owner = company.callers["owner"]
    lead_id = (await company.ok(owner, "POST", "/v1.0/leads", FULL))["leadId"]
    await company.ok(owner, "DELETE", f"/v1.0/leads/{await company.lead(owner, 'Gone')}?reason=moved")
    note = await company.note(owner, lead_id, "to be deleted")
    await company.ok(owner, "DELETE", f"/v1.0/notes/{note}")
    call = await company.ok(owner, "POST", "/rooftree/v1/calls", {"leadId": lead_id, "note": "recorded"})
    answer = await company.client.as_(owner).send(
        "PUT",
        f"/rooftree/v1/calls/{call['callId']}/recording",
        content=bytes(range(256)) * 50,
        headers={"Authorization": f"Bearer {owner.key}", "Content-Type": "audio/mpeg"},
    )
    assert answer.status_code == 200, answer.text
    async with company.owner_db.transaction(owner.team_id) as tx:
        await silence(tx, "email", "stop@example.com", "opted_out")
        await silence(tx, "sms", "+14155550999", "opted_out")
        await allow(tx, "sms", "+14155550999", ["opted_out"])
        await set_account(tx, 0, open_vault("old", Path()).seal("smtp://me:pw@mail.example.com"), None)
    return call["callId"]


async def questions(company: Company) -> dict[str, tuple[Probe, str]]:
    """Every read operation, with who asks it."""
    found: dict[str, tuple[Probe, str]] = {}
    probes = [probe for probe in PROBES if probe.method == "GET"]
    for probe in probes:
        for role, relation in CALLERS:
            at = At(company, company.callers[role], relation, 1, "mark")
            thing = probe.thing(at)
            thing = await thing if isinstance(thing, Awaitable) else thing
            if thing is not None:
                found[f"{role} {probe.path(thing)}"] = (probe, role)
    return found


async def answers(client: Client, callers: dict[str, Person], asked: dict[str, tuple[Probe, str]]) -> dict[str, Any]:
    """What a server says."""
    found: dict[str, Any] = {}
    for question, (_, role) in asked.items():
        # Past the check against the contract, which tests/contract makes of the same operations.
        headers = {"Authorization": f"Bearer {callers[role].key}"}
        answer = await client._http.get(question.partition(" ")[2], headers=headers)
        found[question] = (answer.status_code, answer.headers.get("etag"), SEALED.sub(r"\1", answer.text))
    return found


async def recording(client: Client, owner: Person, call_id: int) -> bytes:
    """A recording, by the link that the server gives."""
    link = (await client.as_(owner).ok("GET", f"/v1.0/call/url/{call_id}"))["calls"]["url"]
    return (await client.as_(None).send("GET", link.removeprefix("http://rooftree.test"))).content


def test_every_read_operation_is_asked() -> None:
    """Through its probe, which tests/contract demands of every operation."""
    reads = {path for path, operations in served_document()["paths"].items() if "get" in operations}
    asked = {probe.name.split(" ")[1] for probe in PROBES if probe.method == "GET"}
    not_yet = {path for method, path in _listed() if method == "GET"}
    missing = {path for path in reads - asked - not_yet if not path.startswith(tuple(WITHOUT_CALLER))}
    assert not missing


async def new_keys(dsn: str, callers: dict[str, Person]) -> dict[str, Person]:
    """The same people with new keys."""
    owner_db = await Database.connect(dsn, min_size=0, server_role=False)
    async with owner_db.transaction(callers["owner"].team_id) as tx:
        secret = await shared_secret(owner_db)
        found = {
            role: replace(callers[role], key=(await create_key(tx, secret, callers[role].id, "new"))[0])
            for role in dict(CALLERS)
        }
    await owner_db.close()
    return found


async def take_in(path: Path, dsn: str, folder: Path) -> Imported:
    """Import an archive."""
    owner_db = await Database.connect(dsn, min_size=0, server_role=False)
    with unpacked(path) as unpacker:
        done = await import_team(
            owner_db,
            unpacker,
            unpacker.manifest(),
            BlobStore.open("", folder / "blobs"),
            open_vault("new", folder),
            region="US",
        )
    await owner_db.close()
    return done


ARCHIVES: Final = (("ndjson", "folder", True), ("csv", "archive.tar", False), ("parquet", "archive.zip", False))


async def test_a_round_trip_answers_the_same(dsn: str, server_dsn: str, tmp_path: Path) -> None:
    async with server(dsn, tmp_path / "old", "old") as (owner_db, client, blobs):
        secret = await shared_secret(owner_db)
        company = await build(client, owner_db, secret)
        call_id = await furnish(company)
        owner = company.callers["owner"]
        asked = await questions(company)
        before = await answers(client, company.callers, asked)
        heard = await recording(client, owner, call_id)
        for kind, name, with_secrets in ARCHIVES:
            secrets = Secrets(secret, b"old") if with_secrets else None
            with packed(tmp_path / name) as packer:
                await export_team(owner_db, owner.team_id, packer, kind, blobs, secrets=secrets)
    assert len(heard) == 256 * 50
    assert sum(status == 200 for status, _, _ in before.values()) > 100
    for kind, name, with_secrets in ARCHIVES:
        new_dsn, folder = await fresh_database(server_dsn), tmp_path / f"new-{kind}"
        done = await take_in(tmp_path / name, new_dsn, folder)
        assert (done.has_credentials, done.manifest.file_count, done.manifest.missing_files) == (with_secrets, 1, 0)
        callers = company.callers if with_secrets else await new_keys(new_dsn, company.callers)
        async with server(new_dsn, folder, "new") as (_, client, _):
            after = await answers(client, callers, asked)
            assert await recording(client, callers["owner"], call_id) == heard
        differ = [
            f"{question}\n  {before[question]}\n  {after[question]}"
            for question, (probe, _) in asked.items()
            if before[question] != after[question] and (with_secrets or probe.name != SECRET)
        ]
        assert not differ, f"{kind}: {len(differ)} answers differ\n" + "\n".join(differ[:5])
