"""No table of a team is forgotten, and no secret is told."""

import re

import pytest

from rooftree.archive import formats, queries
from rooftree.archive.model import Table
from rooftree.archive.rules import BLOBS, KIND_OF, KINDS, LEFT_OUT, SIGNED
from rooftree.platform.database import Database

#: What may look like a secret by its name, and is none.
NO_SECRETS = {
    "kept_answer.fingerprint",
    "lead_import.content_hash",  # of a file
    "lofty_thing.digest",  # of what was taken
    "webhook.old_secret_until",
    "arrival.raw",  # an e-mail as it came
    "webhook_delivery.body",
}
#: Columns that name something, and not in the blob store.
NO_BLOBS = {"kept_answer.key"}


@pytest.fixture
async def tables(owner_db: Database) -> dict[str, Table]:
    """The catalogue's tables of a team."""
    async with owner_db.unscoped() as tx:
        return await queries.tables(tx)


async def test_every_table_is_archived_or_left_out_for_a_reason(tables: dict[str, Table]) -> None:
    assert tables.keys() == KIND_OF.keys() | LEFT_OUT.keys(), "a line in archive/rules.py is missing, or too many"
    assert not KIND_OF.keys() & LEFT_OUT.keys()
    assert all(LEFT_OUT.values())
    files = [kind.file for kind in KINDS]
    assert len(set(files)) == len(files) == len(KIND_OF)
    assert set(SIGNED) <= {kind.table for kind in KINDS if kind.is_credential}
    order = list(tables)
    assert all(order.index(other) < order.index(name) for name, table in tables.items() for other in table.references)
    for table in tables.values():
        assert table.name in LEFT_OUT or table.key, f"{table.name} has no primary key to be ordered by"
        for column in table.columns:
            formats.type_of(column)  # KeyError: archive/formats.py does not know this type yet


async def test_what_looks_like_a_secret_is_one_or_is_named_here(tables: dict[str, Table]) -> None:
    looks = re.compile(r"secret|hash|password|token|credential|fingerprint")
    told: set[str] = set()
    for table in tables.values():
        kind = KIND_OF.get(table.name)
        if kind is None or kind.is_credential:
            continue
        for column in table.columns:
            if (looks.search(column.name) or column.type == "bytea") and column.name not in kind.secrets:
                told.add(f"{table.name}.{column.name}")
        assert {column.name for column in table.columns if column.type == "bytea"} >= set(kind.secrets)
    assert told <= NO_SECRETS, "is it a secret? Say so in archive/rules.py, or name it here"


async def test_what_is_kept_as_a_file_goes_along(tables: dict[str, Table]) -> None:
    named = {
        f"{table.name}.{column.name}"
        for table in tables.values()
        for column in table.columns
        if column.type == "text" and re.search(r"(^|_)(key|blob)($|_)", column.name)
    }
    assert named - NO_BLOBS == {f"{table}.{key}" for table, key, _ in BLOBS}
