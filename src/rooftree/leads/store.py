"""Every INSERT, UPDATE and DELETE on a lead and on what finds it.

A lead's labels, contacts, search words and tally cells are rewritten in the statement that writes its row, so
none of them can ever disagree with it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import asdict, astuple

from rooftree.leads.handles import Handles, contact_points, handles_of
from rooftree.leads.model import CustomField, Lead, Stage, Tag
from rooftree.leads.search import haystack, search_tokens
from rooftree.platform.database import Arguments, Transaction, columns

#: The columns that place a lead in a cell of the tally.
CELL: Final = (
    "stage_id",
    "source",
    "assigned_user_id",
    "pond_id",
    "ownership_scope",
    "ownership_id",
    "is_hidden",
    "is_contacted",
)
_CELL: Final = ", ".join(CELL)
_cell: Final = attrgetter(*CELL)
#: The columns that the other tables beside a lead are made from.
_NAMED: Final = frozenset({"first_name", "last_name", "emails", "phones"})
_LABELLED: Final = frozenset({"tags", "segments", "created_at"})
#: The columns by which duplicates are found.
_COMPARED: Final = _NAMED | {"street_address", "city", "state", "zip_code", "properties", "trashed_at"}


class Words(Struct, frozen=True):
    """The team's words that a request names, looked up in one statement, with fresh ids for what it creates."""

    ids: list[int]
    stage_id: int | None  #: of the named stage; of the first stage when none was named
    source_id: int | None
    tags: list[Tag]
    fields: list[CustomField]
    members: list[tuple[int, str, str]]  #: active ones among those asked for: id, login, full name
    offices: list[int]
    duplicate_ids: list[int]  #: leads that share a contact, at most five per contact


#: Tags, custom fields, people and offices among those that are named, by $4 to $7.
_NAMED_WORDS: Final = f"""
       ARRAY(SELECT ({columns(Tag)}) FROM tag WHERE team_id = $1 AND name = ANY ($4::text[])) AS tags,
       ARRAY(SELECT ({columns(CustomField)}) FROM custom_field
              WHERE team_id = $1 AND lower(name) = ANY ($5::text[])) AS fields,
       ARRAY(SELECT (id, email, rtrim(first_name || ' ' || last_name)) FROM member
              WHERE team_id = $1 AND id = ANY ($6::bigint[]) AND status = 'active') AS members,
       ARRAY(SELECT id FROM office WHERE team_id = $1 AND id = ANY ($7::bigint[])) AS offices"""

#: The fresh ids are counted by an array, not generate_series(): PostgreSQL takes that for 1,000 rows, hence any plan
#: for all arguments for a dear one, and would make a plan for each lead, which takes longer than the statement.
_LOOK_UP: Final = f"""
SELECT ARRAY(SELECT next_id() FROM unnest(array_fill(0, ARRAY[$8::integer]))) AS ids,
       CASE WHEN $2::text IS NULL
            THEN (SELECT id FROM stage WHERE team_id = $1 ORDER BY position, id LIMIT 1)
            ELSE (SELECT id FROM stage WHERE team_id = $1 AND lower(name) = lower($2)) END AS stage_id,
       (SELECT id FROM source WHERE team_id = $1 AND name = $3::text) AS source_id,{_NAMED_WORDS},
       ARRAY(SELECT DISTINCT c.lead_id FROM unnest($9::text[], $10::text[]) AS w (kind, value),
                    LATERAL (SELECT lead_id FROM lead_contact
                              WHERE team_id = $1 AND kind = w.kind AND value = w.value LIMIT 5) c) AS duplicates"""


async def look_up(
    tx: Transaction,
    *,
    stage: str | None,
    source: str | None,
    tags: Sequence[str],
    fields: Sequence[str],
    member_ids: Sequence[int],
    office_ids: Sequence[int],
    contacts: Sequence[tuple[str, str]],
    id_count: int,
) -> Words:
    """Return what the named words and people are, all by index, in one round trip."""
    row = await tx.fetchrow(
        _LOOK_UP,
        tx.team_id,
        stage,
        source,
        list(tags),
        [name.lower() for name in fields],
        list(member_ids),
        list(office_ids),
        id_count,
        [kind for kind, _ in contacts],
        [value for _, value in contacts],
    )
    assert row is not None
    return Words(
        row["ids"],
        row["stage_id"],
        row["source_id"],
        [Tag(*tag) for tag in row["tags"]],
        [CustomField(*field) for field in row["fields"]],
        [tuple(member) for member in row["members"]],
        row["offices"],
        row["duplicates"],
    )


class WordsOfMany(Struct):
    """The team's words that many requests name, with fresh ids for what they create."""

    ids: list[int]
    first_stage_id: int | None
    stages: dict[str, int]  #: by the name that was asked for
    sources: dict[str, int]
    tags: dict[str, Tag]
    fields: list[CustomField]
    members: list[tuple[int, str, str]]  #: active ones among those asked for: id, login, full name
    offices: list[int]
    duplicates: dict[tuple[str, str], list[int]]  #: leads by contact, at most five each


_LOOK_UP_MANY: Final = f"""
SELECT ARRAY(SELECT next_id() FROM generate_series(1, $8::integer)) AS ids,
       (SELECT id FROM stage WHERE team_id = $1 ORDER BY position, id LIMIT 1) AS first_stage_id,
       ARRAY(SELECT (w.name, s.id) FROM unnest($2::text[]) AS w (name)
               JOIN stage s ON s.team_id = $1 AND lower(s.name) = lower(w.name)) AS stages,
       ARRAY(SELECT (name, id) FROM source WHERE team_id = $1 AND name = ANY ($3::text[])) AS sources,{_NAMED_WORDS},
       ARRAY(SELECT (w.kind, w.value, c.lead_id) FROM unnest($9::text[], $10::text[]) AS w (kind, value),
                    LATERAL (SELECT lead_id FROM lead_contact
                              WHERE team_id = $1 AND kind = w.kind AND value = w.value LIMIT 5) c) AS duplicates"""


async def look_up_many(
    tx: Transaction,
    *,
    stages: Collection[str],
    sources: Collection[str],
    tags: Collection[str],
    fields: Collection[str],
    member_ids: Collection[int],
    office_ids: Collection[int],
    contacts: Collection[tuple[str, str]],
    id_count: int,
) -> WordsOfMany:
    """Return what `look_up` returns for one request, for many in one round trip."""
    row = await tx.fetchrow(
        _LOOK_UP_MANY,
        tx.team_id,
        list(stages),
        list(sources),
        list(tags),
        [name.lower() for name in fields],
        list(member_ids),
        list(office_ids),
        id_count,
        [kind for kind, _ in contacts],
        [value for _, value in contacts],
    )
    assert row is not None
    duplicates: dict[tuple[str, str], list[int]] = {}
    for kind, value, lead_id in row["duplicates"]:
        duplicates.setdefault((kind, value), []).append(lead_id)
    return WordsOfMany(
        row["ids"],
        row["first_stage_id"],
        dict(tuple(stage) for stage in row["stages"]),
        dict(tuple(source) for source in row["sources"]),
        {(known := Tag(*tag)).name: known for tag in row["tags"]},
        [CustomField(*field) for field in row["fields"]],
        [tuple(member) for member in row["members"]],
        row["offices"],
        duplicates,
    )


async def begin_batch(tx: Transaction) -> bool:
    """Be the only batch of the team until the transaction ends; False: another one is running."""
    return await tx.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended('leads/batch', $1))", tx.team_id)


async def ensure_stage(tx: Transaction, name: str) -> int:
    """Return the id of a stage, added at the end of the pipeline when the team has none of that name."""
    await tx.execute(
        """INSERT INTO stage (team_id, name, position)
           SELECT $1, $2, coalesce(max(position), 0) + 1 FROM stage WHERE team_id = $1
           ON CONFLICT DO NOTHING""",
        tx.team_id,
        name,
    )
    return await tx.fetchval("SELECT id FROM stage WHERE team_id = $1 AND lower(name) = lower($2)", tx.team_id, name)


async def ensure_source(tx: Transaction, name: str) -> int:
    """Return the number of a source, counted on from the team's last when it is new."""
    return (await ensure_sources(tx, [name]))[name]


async def ensure_sources(tx: Transaction, names: Sequence[str]) -> dict[str, int]:
    """Return the numbers of distinct sources, those that are new counted on from the team's last, in this order.

    Two requests that bring new sources wait for each other, or they would take the same number.
    """
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('source', $1))", tx.team_id)
    await tx.execute(
        """INSERT INTO source (team_id, id, name)
           SELECT $1, coalesce((SELECT max(id) FROM source WHERE team_id = $1), 0) + row_number() OVER (ORDER BY place),
                  name
             FROM unnest($2::text[]) WITH ORDINALITY AS n (name, place)
            WHERE NOT EXISTS (SELECT FROM source s WHERE s.team_id = $1 AND s.name = n.name)""",
        tx.team_id,
        list(names),
    )
    rows = await tx.fetch("SELECT name, id FROM source WHERE team_id = $1 AND name = ANY ($2)", tx.team_id, list(names))
    return {row["name"]: row["id"] for row in rows}


async def ensure_tags(tx: Transaction, names: Sequence[str], creator_id: int | None) -> list[Tag]:
    """Return the tags of these names, those that are new added to the team. Sorted, so that no two deadlock."""
    await tx.execute(
        """INSERT INTO tag (team_id, name, creator_user_id)
           SELECT $1, name, $3 FROM unnest($2::text[]) AS name ORDER BY name
           ON CONFLICT DO NOTHING""",
        tx.team_id,
        list(names),
        creator_id,
    )
    rows = await tx.fetch(
        f"SELECT {columns(Tag)} FROM tag WHERE team_id = $1 AND name = ANY ($2)", tx.team_id, list(names)
    )
    return [Tag(*row) for row in rows]


async def insert_custom_field(tx: Transaction, name: str, kind: str, params: str | None) -> CustomField | None:
    """Add a field to the team's leads; None when the name is taken."""
    row = await tx.fetchrow(
        f"""INSERT INTO custom_field (team_id, name, type, params) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING RETURNING {columns(CustomField)}""",
        tx.team_id,
        name,
        kind,
        params,
    )
    return CustomField(*row) if row else None


async def insert_stages(tx: Transaction, names: Sequence[str]) -> list[Stage]:
    """Give a team its first pipeline, in this order."""
    rows = await tx.fetch(
        f"""INSERT INTO stage (team_id, name, position)
            SELECT $1, name, place FROM unnest($2::text[]) WITH ORDINALITY AS s (name, place)
            RETURNING {columns(Stage)}""",
        tx.team_id,
        list(names),
    )
    return [Stage(*row) for row in rows]


_INSERTED: Final = tuple(
    name for name in Lead.__struct_fields__ if name not in {"trashed_at", "trashed_by", "trash_reason", "merged_into"}
)
_PLACES: Final = ", ".join(f"${place}" for place in range(1, len(_INSERTED) + 1))
_NEXT: Final = len(_INSERTED) + 1
_TEAM, _ID, _CREATED = (f"${_INSERTED.index(name) + 1}" for name in ("team_id", "id", "created_at"))

_INSERT_LEAD: Final = f"""
WITH written AS (
    INSERT INTO lead ({", ".join(_INSERTED)}) VALUES ({_PLACES}) RETURNING team_id, {_CELL}),
labelled AS (
    INSERT INTO lead_label (team_id, kind, name, created_at, lead_id)
    SELECT {_TEAM}, kind, name, {_CREATED}, {_ID}
      FROM unnest(${_NEXT}::text[], ${_NEXT + 1}::text[]) AS t (kind, name)),
reached AS (
    INSERT INTO lead_contact (team_id, kind, value, lead_id)
    SELECT {_TEAM}, kind, value, {_ID} FROM unnest(${_NEXT + 2}::text[], ${_NEXT + 3}::text[]) AS t (kind, value)),
searched AS (
    INSERT INTO lead_search (team_id, lead_id, haystack, tokens)
    VALUES ({_TEAM}, {_ID}, ${_NEXT + 4}, ${_NEXT + 5})),
compared AS (
    INSERT INTO lead_to_compare (team_id, lead_id) VALUES ({_TEAM}, {_ID}))
INSERT INTO lead_tally (team_id, tag, {_CELL}, amount)
SELECT team_id, tag, {_CELL}, 1 FROM written, unnest(${_NEXT + 6}::text[]) AS tag"""


async def insert_lead(tx: Transaction, lead: Lead, region: str) -> None:
    """Store a new lead and what finds it, in one statement. `region` (e.g. US) completes phone numbers."""
    tags = tag_names(lead)
    handles = _handles(lead, region)
    await tx.execute(
        _INSERT_LEAD,
        *(getattr(lead, name) for name in _INSERTED),
        ["tag"] * len(tags) + ["segment"] * len(lead.segments),
        tags + lead.segments,
        [kind for kind, _ in handles.contacts],
        [value for _, value in handles.contacts],
        handles.haystack,
        handles.tokens,
        ["", *tags],
    )


_INSERT_LEADS: Final = f"""
WITH written AS (
    INSERT INTO lead ({", ".join(_INSERTED)})
    SELECT {", ".join(_INSERTED)} FROM jsonb_populate_recordset(NULL::lead, $2)),
searched AS (
    INSERT INTO lead_search (team_id, lead_id, haystack, tokens)
    SELECT $1, lead_id, haystack, tokens
      FROM jsonb_to_recordset($3) AS s (lead_id bigint, haystack text, tokens text[])),
labelled AS (
    INSERT INTO lead_label (team_id, kind, name, created_at, lead_id)
    SELECT $1, * FROM unnest($4::text[], $5::text[], $6::timestamptz[], $7::bigint[])),
compared AS (
    INSERT INTO lead_to_compare (team_id, lead_id) SELECT $1, * FROM unnest($11::bigint[]))
INSERT INTO lead_contact (team_id, kind, value, lead_id)
SELECT $1, * FROM unnest($8::text[], $9::text[], $10::bigint[])"""


async def insert_leads(tx: Transaction, leads: Sequence[Lead], region: str) -> None:
    """Store new leads and what finds them, as `insert_lead` does one."""
    labels = [(kind, name, lead.created_at, lead.id) for lead in leads for kind, name in _labels(lead)]
    contacts = [(*point, lead.id) for lead in leads for point in contact_points(lead.emails, lead.phones, region)]
    await tx.execute(
        _INSERT_LEADS,
        tx.team_id,
        _as_json(asdict(lead) for lead in leads),
        _as_json(_search_row(lead) for lead in leads),
        *_columns_of(labels, 4),
        *_columns_of(contacts, 3),
        [lead.id for lead in leads],
    )
    await _count_cells(tx, Counter(cell for lead in leads for cell in _cells(lead)))


class Change(Struct, frozen=True):
    """A lead that is locked, as it was and as it shall be."""

    old: Lead
    new: Lead
    columns: Collection[str]


async def update_leads(tx: Transaction, changes: Sequence[Change], region: str) -> None:
    """Store changed columns of distinct leads, as `update_lead` does of one."""
    names = sorted({name for change in changes for name in change.columns})
    rows = ({"team_id": one.new.team_id, "id": one.new.id} | {n: getattr(one.new, n) for n in names} for one in changes)
    await tx.execute(
        f"""UPDATE lead l SET {", ".join(f"{name} = r.{name}" for name in names)}
              FROM jsonb_populate_recordset(NULL::lead, $2) r
             WHERE l.team_id = $1 AND l.team_id = r.team_id AND l.id = r.id""",
        tx.team_id,
        _as_json(rows),
    )
    await _relabel_many(tx, [one for one in changes if _LABELLED.intersection(one.columns)])
    await _rename_many(tx, [one.new for one in changes if _NAMED.intersection(one.columns)], region)
    await compare_again(tx, [one.new.id for one in changes if _COMPARED.intersection(one.columns)])
    moved = Counter(cell for one in changes for cell in _cells(one.new))
    moved.subtract(cell for one in changes for cell in _cells(one.old))
    await _count_cells(tx, moved)


async def _relabel_many(tx: Transaction, changes: Sequence[Change]) -> None:
    moved = [(one.new, *_moved_labels(one.old, one.new)) for one in changes]
    gone = [(*label, lead.id) for lead, left, _ in moved for label in left]
    come = [(*label, lead.created_at, lead.id) for lead, _, taken in moved for label in taken]
    if gone:
        await tx.execute(
            """DELETE FROM lead_label l USING unnest($2::text[], $3::text[], $4::bigint[]) AS g (kind, name, lead_id)
                WHERE l.team_id = $1 AND l.lead_id = g.lead_id AND l.kind = g.kind AND l.name = g.name""",
            tx.team_id,
            *_columns_of(gone, 3),
        )
    if come:
        await tx.execute(
            """INSERT INTO lead_label (team_id, kind, name, created_at, lead_id)
               SELECT $1, * FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::bigint[])""",
            tx.team_id,
            *_columns_of(come, 4),
        )


async def _rename_many(tx: Transaction, leads: Sequence[Lead], region: str) -> None:
    if not leads:
        return
    contacts = [(*point, lead.id) for lead in leads for point in contact_points(lead.emails, lead.phones, region)]
    await tx.execute(
        "DELETE FROM lead_contact WHERE team_id = $1 AND lead_id = ANY ($2)", tx.team_id, [lead.id for lead in leads]
    )
    await tx.execute(
        """WITH reached AS (
               INSERT INTO lead_contact (team_id, kind, value, lead_id)
               SELECT $1, * FROM unnest($3::text[], $4::text[], $5::bigint[]))
           INSERT INTO lead_search (team_id, lead_id, haystack, tokens)
           SELECT $1, lead_id, haystack, tokens
             FROM jsonb_to_recordset($2) AS s (lead_id bigint, haystack text, tokens text[])
           ON CONFLICT (team_id, lead_id) DO UPDATE SET haystack = EXCLUDED.haystack, tokens = EXCLUDED.tokens""",
        tx.team_id,
        _as_json(_search_row(lead) for lead in leads),
        *_columns_of(contacts, 3),
    )


async def _count_cells(tx: Transaction, cells: Mapping[tuple[Any, ...], int]) -> None:
    names = ("tag", *CELL, "amount")
    rows = [dict[str, Any](zip(names, (*cell, amount), strict=True)) for cell, amount in cells.items() if amount]
    if rows:
        await tx.execute(
            f"""INSERT INTO lead_tally (team_id, {", ".join(names)})
                SELECT $1, {", ".join(names)} FROM jsonb_populate_recordset(NULL::lead_tally, $2)""",
            tx.team_id,
            _as_json(rows),
        )


def _as_json(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as PostgreSQL reads records; documents go in unparsed."""
    return msgspec.json.encode(
        [{name: Raw(value) if isinstance(value, bytes) else value for name, value in row.items()} for row in rows]
    )


def _columns_of(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[place] for row in rows] for place in range(width)]


def _search_row(lead: Lead) -> dict[str, Any]:
    named = (lead.first_name, lead.last_name, lead.emails, lead.phones)
    return {"lead_id": lead.id, "haystack": haystack(*named), "tokens": search_tokens(*named)}


async def insert_roles(tx: Transaction, people: Sequence[tuple[int, int, int]]) -> None:
    """Give new leads their people besides the agent: lead, role and member id."""
    await tx.execute(
        """INSERT INTO lead_role (team_id, lead_id, role_id, member_id)
           SELECT DISTINCT $1::bigint, * FROM unnest($2::bigint[], $3::integer[], $4::bigint[])""",
        tx.team_id,
        *_columns_of(people, 3),
    )


async def update_lead(tx: Transaction, old: Lead, new: Lead, changes: Mapping[str, Any], region: str) -> None:
    """Store changed columns of a lead that is locked, and rewrite what finds it where they matter."""
    args = Arguments([old.team_id, old.id])
    assignments = ", ".join(f"{name} = {args.add(value)}" for name, value in changes.items())
    await tx.execute(f"UPDATE lead SET {assignments} WHERE team_id = $1 AND id = $2", *args)
    if changes.keys() & _LABELLED:
        await _relabel(tx, old, new)
    if changes.keys() & _NAMED:
        await _rename(tx, new, region)
    if changes.keys() & _COMPARED:
        await compare_again(tx, [new.id])
    await _retally(tx, old, new)


async def compare_again(tx: Transaction, lead_ids: Sequence[int]) -> None:
    """Have leads looked at for duplicates."""
    await tx.execute(
        "INSERT INTO lead_to_compare (team_id, lead_id) SELECT $1, * FROM unnest($2::bigint[])",
        tx.team_id,
        list(lead_ids),
    )


async def compare_everything_again(tx: Transaction) -> None:
    """Have all leads of the team looked at for duplicates."""
    # sees all: the system compares, not a person
    await tx.execute(
        """INSERT INTO lead_to_compare (team_id, lead_id)
           SELECT team_id, id FROM lead WHERE team_id = $1 AND trashed_at IS NULL""",
        tx.team_id,
    )


async def take_to_compare(tx: Transaction, limit: int) -> list[int]:
    """Take leads that wait to be compared, those that wait longest first, each once; two takers share them."""
    rows = await tx.fetch(
        """WITH due AS (SELECT id, lead_id FROM lead_to_compare WHERE team_id = $1
                         ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED),
                taken AS (DELETE FROM lead_to_compare q USING due
                           WHERE q.team_id = $1 AND q.id = due.id AND q.lead_id = due.lead_id)
           SELECT DISTINCT lead_id FROM due""",
        tx.team_id,
        limit,
    )
    return [row["lead_id"] for row in rows]


async def _relabel(tx: Transaction, old: Lead, new: Lead) -> None:
    gone, come = _moved_labels(old, new)
    await tx.execute(
        """DELETE FROM lead_label WHERE team_id = $1 AND lead_id = $2
              AND (kind, name) IN (SELECT * FROM unnest($3::text[], $4::text[]))""",
        old.team_id,
        old.id,
        [kind for kind, _ in gone],
        [name for _, name in gone],
    )
    await tx.execute(
        """INSERT INTO lead_label (team_id, kind, name, created_at, lead_id)
           SELECT $1, kind, name, $3, $2 FROM unnest($4::text[], $5::text[]) AS t (kind, name)""",
        new.team_id,
        new.id,
        new.created_at,
        [kind for kind, _ in come],
        [name for _, name in come],
    )


async def _rename(tx: Transaction, new: Lead, region: str) -> None:
    handles = _handles(new, region)
    await tx.execute("DELETE FROM lead_contact WHERE team_id = $1 AND lead_id = $2", new.team_id, new.id)
    await tx.execute(
        """INSERT INTO lead_contact (team_id, kind, value, lead_id)
           SELECT $1, kind, value, $2 FROM unnest($3::text[], $4::text[]) AS t (kind, value)""",
        new.team_id,
        new.id,
        [kind for kind, _ in handles.contacts],
        [value for _, value in handles.contacts],
    )
    await tx.execute(
        """INSERT INTO lead_search (team_id, lead_id, haystack, tokens) VALUES ($1, $2, $3, $4)
           ON CONFLICT (team_id, lead_id) DO UPDATE SET haystack = EXCLUDED.haystack, tokens = EXCLUDED.tokens""",
        new.team_id,
        new.id,
        handles.haystack,
        handles.tokens,
    )


async def _retally(tx: Transaction, old: Lead, new: Lead) -> None:
    """Take the lead out of the cells where it stood, and put it into those where it stands."""
    before, after = _cells(old), _cells(new)
    moved = [(*cell, -1) for cell in before - after] + [(*cell, 1) for cell in after - before]
    if moved:
        names = f"team_id, tag, {_CELL}, amount"
        places = ", ".join(f"${place}" for place in range(1, len(CELL) + 4))
        await tx.executemany(
            f"INSERT INTO lead_tally ({names}) VALUES ({places})", [(new.team_id, *row) for row in moved]
        )


async def replace_roles(tx: Transaction, lead: Lead, people: Sequence[tuple[int, int]]) -> None:
    """Set who works a lead besides its agent: pairs of role and member id.

    Role ids: 0 shared agent, -1 assistant, -2 lender, or a custom role's.
    """
    await tx.execute("DELETE FROM lead_role WHERE team_id = $1 AND lead_id = $2", lead.team_id, lead.id)
    await tx.execute(
        """INSERT INTO lead_role (team_id, lead_id, role_id, member_id)
           SELECT DISTINCT $1::bigint, $2::bigint, * FROM unnest($3::integer[], $4::bigint[])""",
        lead.team_id,
        lead.id,
        [role_id for role_id, _ in people],
        [member_id for _, member_id in people],
    )


async def roles_of(tx: Transaction, lead: Lead) -> list[tuple[int, int]]:
    """Return who works a locked lead besides its agent: pairs of role id and member id."""
    rows = await tx.fetch(
        "SELECT role_id, member_id FROM lead_role WHERE team_id = $1 AND lead_id = $2 ORDER BY role_id, member_id",
        lead.team_id,
        lead.id,
    )
    return [(row["role_id"], row["member_id"]) for row in rows]


def tag_names(lead: Lead) -> list[str]:
    """Return the names of a lead's tags, in their order."""
    return [tag["tagName"] for tag in msgspec.json.decode(lead.tags)]


def _labels(lead: Lead) -> set[tuple[str, str]]:
    return {("tag", name) for name in tag_names(lead)} | {("segment", name) for name in lead.segments}


def _moved_labels(old: Lead, new: Lead) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return the labels whose rows go and those whose rows come; a row holds the time the lead was made."""
    before, after = _labels(old), _labels(new)
    if old.created_at != new.created_at:
        return before, after
    return before - after, after - before


def _cells(lead: Lead) -> set[tuple[Any, ...]]:
    """Return the cells a lead is counted in, one per tag and one for itself; a trashed lead is in none."""
    if lead.trashed_at:
        return set()
    return {(tag, *_cell(lead)) for tag in ["", *tag_names(lead)]}


def _handles(lead: Lead, region: str) -> Handles:
    return handles_of(lead.first_name, lead.last_name, lead.emails, lead.phones, region)


async def compact_tally(tx: Transaction) -> int:
    """Add up the tally rows of a team, cell by cell; return how many rows are left.

    Writers only ever insert, so nobody waits for anybody; the sums are the same in every snapshot. Two compactors
    take turns, since both would delete the same rows.
    """
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('lead_tally', $1))", tx.team_id)
    return await tx.fetchval(
        f"""
WITH gone AS (DELETE FROM lead_tally WHERE team_id = $1 RETURNING tag, {_CELL}, amount),
summed AS (
    INSERT INTO lead_tally (team_id, tag, {_CELL}, amount)
    SELECT $1, tag, {_CELL}, sum(amount) FROM gone GROUP BY tag, {_CELL} HAVING sum(amount) <> 0
    RETURNING 1)
SELECT count(*) FROM summed""",
        tx.team_id,
    )


async def copy_leads(tx: Transaction, leads: Sequence[Lead], handles: Sequence[Handles]) -> None:
    """Load many new leads by COPY, with all that finds them. Needs the owner's rights."""
    names = Lead.__struct_fields__
    await tx.copy_records("lead", records=map(astuple, leads), columns=names)
    await copy_finders(tx, leads, handles)


async def copy_finders(tx: Transaction, leads: Sequence[Lead], handles: Sequence[Handles]) -> None:
    """Load by COPY what finds leads that nothing finds yet. Needs the owner's rights."""
    tags = [tag_names(lead) for lead in leads]
    labels = [
        (lead.team_id, kind, name, lead.created_at, lead.id)
        for lead, own in zip(leads, tags, strict=True)
        for kind, words in (("tag", own), ("segment", lead.segments))
        for name in words
    ]
    await tx.copy_records("lead_label", records=labels, columns=("team_id", "kind", "name", "created_at", "lead_id"))
    found = list(zip(leads, handles, strict=True))
    contacts = [(lead.team_id, kind, value, lead.id) for lead, one in found for kind, value in one.contacts]
    await tx.copy_records("lead_contact", records=contacts, columns=("team_id", "kind", "value", "lead_id"))
    waiting = [(lead.team_id, lead.id) for lead in leads]
    await tx.copy_records("lead_to_compare", records=waiting, columns=("team_id", "lead_id"))
    words = [(lead.team_id, lead.id, one.haystack, one.tokens) for lead, one in found]
    await tx.copy_records("lead_search", records=words, columns=("team_id", "lead_id", "haystack", "tokens"))
    cells = Counter(
        (lead.team_id, tag, *_cell(lead))
        for lead, own in zip(leads, tags, strict=True)
        if not lead.trashed_at
        for tag in ("", *own)
    )
    await tx.copy_records(
        "lead_tally",
        records=[(*cell, amount) for cell, amount in cells.items()],
        columns=("team_id", "tag", *CELL, "amount"),
    )


async def delete_leads(tx: Transaction, lead_ids: Sequence[int]) -> list[Lead]:
    """Delete leads and all that finds them, for good; return them as they were."""
    rows = await tx.fetch(
        f"""
WITH gone AS (DELETE FROM lead WHERE team_id = $1 AND id = ANY ($2) RETURNING *),
counted AS (
    INSERT INTO lead_tally (team_id, tag, {_CELL}, amount)
    SELECT team_id, tag, {_CELL}, -count(*)
      FROM gone, LATERAL (SELECT '' AS tag UNION ALL SELECT t ->> 'tagName' FROM jsonb_array_elements(tags) t) own
     WHERE trashed_at IS NULL GROUP BY team_id, tag, {_CELL})
SELECT {columns(Lead)} FROM gone""",
        tx.team_id,
        list(lead_ids),
    )
    return [Lead(*row) for row in rows]
