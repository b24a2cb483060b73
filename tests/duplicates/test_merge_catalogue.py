"""Nothing of a lead that was merged away is forgotten: every column of every table is handled, or excused here."""

from typing import Any

import msgspec
from tests.support.client import Client
from tests.support.make import Make
from tests.support.people import People

#: Tables that re-point their rows, by column.
MOVED = {
    "timeline_entry.lead_id",
    "note.lead_id",
    "lead_transaction.lead_id",
    "call.lead_id",
    "message.lead_id",
    "arrival.lead_id",
    "routing_offer.lead_id",
}
#: Columns that may still name a lead that was merged away, and why.
EXCUSED = {
    # its own row, and what finds it: in the trash, as it was
    "lead.id": "the lead itself",
    "lead.tags": "its own documents: they stay as they were, and come back with it",
    "lead.inquiry": "the same",
    "lead.properties": "the same",
    "lead_label.lead_id": "finds the lead itself; lists leave out the trash",
    "lead_contact.lead_id": "the same",
    "lead_search.lead_id": "the same",
    "lead_role.lead_id": "who worked it; the survivor has rows of its own",
    "timeline_summary.lead_id": "what was counted of it before; added to the survivor's",
    "lead.merged_into": "of another one that was merged into it before: the chain",
    # what tells of the merge
    "timeline_entry.details": "history in the words of its moment: whose merge it was",
    "lead_merge.lead_id": "the merge itself",
    "lead_merge.merged_lead_id": "the merge itself",
    "lead_merge.changes": "what undoing takes",
    # what went out, or was kept word for word
    "announcement.lead_id": "what was told, as it was told",
    "announcement.payload": "the same",
    "webhook_delivery.lead_ids": "the same",
    "webhook_delivery.body": "the same",
    "kept_answer.body": "an answer, as it was given",
    "job.args": "asks for the survivor when it runs",
    # what looks for duplicates
    "lead_to_compare.lead_id": "has it looked at, and left out",
    "duplicate_key.lead_id": "goes with the next scan",
    "duplicate_pair.lead_id": "not shown while one of both is in the trash; open ones go with the next scan",
    "duplicate_pair.other_id": "the same",
    # imports know whom they made, and undo that
    "lead_import_change.lead_id": "what an import changed, for its own undo",
    "lead_import_batch.lead_ids": "what an import made, for its own undo",
}


async def test_every_column_of_a_lead_is_handled_or_excused(make: Make) -> None:
    """A new table with a lead in it belongs into duplicates/history.py, or into the list above with a reason."""
    rows = await make.rows(
        """SELECT table_name || '.' || column_name FROM information_schema.columns
            WHERE table_schema = current_schema() AND column_name ~ '(^|_)leads?(_ids?)?$'
              AND data_type IN ('bigint', 'ARRAY')"""
    )
    named = {row[0] for row in rows}
    assert len(named) > 15
    assert named - MOVED - EXCUSED.keys() == set(), "neither moved by a merge nor excused"
    assert named >= MOVED


async def _rich_lead(client: Client, make: Make, people: People) -> int:
    """Return a lead of which there is something in every room."""
    lead_id = await make.lead(
        firstName="B",
        emails=["b@x.example"],
        phones=["3105550123"],
        tags=["t"],
        segments=["s"],
        content="n",
        inquiry={"priceMin": 1},
        property={"city": "Austin"},
        leadTransaction={"transactionName": "T", "transactionType": "Purchase", "transactionStatus": "Offer"},
    )
    await client.ok("DELETE", f"/v1.0/notes/{await make.note(lead_id, 'gone')}")
    await make.log(lead_id)
    await make.site(lead_id)
    await client.ok(
        "POST", f"/v1.0/leads/{lead_id}/assignment", [{"userId": people.adam.id}, {"userId": people.ana.id}]
    )
    await client.ok("POST", "/v1.0/message/email/send", {"leadId": lead_id, "subject": "s", "body": "b"})
    await client.ok("POST", "/rooftree/v1/calls", {"leadId": lead_id, "direction": "outbound", "status": "Completed"})
    await make.change(
        """INSERT INTO arrival (team_id, channel, provider_id, sender, recipient, body, lead_id)
           VALUES ($1, 'sms', 'p', 'x', 'y', 'z', $2)""",
        people.adam.team_id,
        lead_id,
    )
    await make.change(
        """INSERT INTO routing_offer (team_id, lead_id, strategy, member_ids, status, due_at)
           VALUES ($1, $2, 1, '{}', 'claimed', now())""",
        people.adam.team_id,
        lead_id,
    )
    return lead_id


async def _columns_naming(make: Make, team_id: int, lead_id: int) -> set[str]:
    """Return the columns of the team's tables in which an id stands: as a number, in an array, inside a document."""
    found: set[str] = set()
    columns = await make.rows(
        """SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
             JOIN information_schema.columns t USING (table_schema, table_name)
             JOIN information_schema.tables k USING (table_schema, table_name)
            WHERE c.table_schema = current_schema() AND t.column_name = 'team_id' AND k.table_type = 'BASE TABLE'
              AND c.data_type IN ('bigint', 'ARRAY', 'jsonb', 'bytea', 'text') ORDER BY 1, 2"""
    )
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in columns:
        tables.setdefault(table, []).append((column, kind))
    for table, names in tables.items():
        tests = ", ".join(_test(column, kind) for column, kind in names)
        (row,) = await make.rows(f"SELECT {tests} FROM {table} WHERE team_id = $1", team_id, str(lead_id)) or [[]]
        found |= {f"{table}.{column}" for (column, _), is_there in zip(names, row, strict=True) if is_there}
    return found


def _test(column: str, kind: str) -> str:
    text = f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
    return f"bool_or({text} ~ ('(^|[^0-9])' || $2 || '([^0-9]|$)'))"


async def test_nothing_names_the_lead_that_went_but_what_is_excused(client: Client, make: Make, people: People) -> None:
    """The same, seen from the data: ids inside documents too (tags[].leadId)."""
    stays, goes = await make.lead(firstName="A"), await _rich_lead(client, make, people)
    before = await _columns_naming(make, people.adam.team_id, goes)
    assert before >= MOVED, "the lead has something everywhere"
    done = await client.ok("POST", f"/rooftree/v1/leads/{stays}/merge", {"otherLeadId": goes})
    assert all(done["moved"].values()), done["moved"]
    after = await _columns_naming(make, people.adam.team_id, goes)
    unexcused = after - EXCUSED.keys() - {"timeline_entry.lead_id", "lead.trash_reason"}
    assert unexcused == set(), "these still name the lead that was merged away"
    kinds = await make.rows(
        "SELECT kind FROM timeline_entry WHERE team_id = $1 AND lead_id = $2", people.adam.team_id, goes
    )
    assert [row[0] for row in kinds] == ["lead_merged_away"]
    # of the survivor's own documents none names the other
    (row,) = await make.rows("SELECT tags, inquiry, properties FROM lead WHERE id = $1", stays)
    documents: list[Any] = [msgspec.json.decode(one) for one in row]
    assert str(goes) not in str(documents)
    await client.ok("POST", f"/rooftree/v1/merges/{done['mergeId']}/undo")
    again = await _columns_naming(make, people.adam.team_id, goes)
    assert again >= before - {"job.args"}, "and back again"
