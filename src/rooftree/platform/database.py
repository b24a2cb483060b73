"""The one door to PostgreSQL.

A connection remembers the team it works for (`rooftree.team_id`), which is what row-level security
reads: no extra round trip while one team asks. Behind a pooler in transaction mode, or on Citus, nothing
may outlive a transaction, so there the team is set inside each one (`is_pooled`).
"""

import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from itertools import count
from typing import Any, Final, Self, cast

import asyncpg
from msgspec import Struct
from msgspec.structs import fields
from prometheus_client import Gauge, Histogram

Record = asyncpg.Record
#: What a statement takes as an argument.
Argument = object

SERVER_ROLE = "rooftree_server"
#: What is raised when the server does not answer, or does not let us in.
DATABASE_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that was cut off in the middle of an answer
)

LIMIT: Final = Gauge(
    "rooftree_database_connections_limit", "Connections that may be open at most.", multiprocess_mode="livesum"
)
BUSY: Final = Gauge("rooftree_database_connections_busy", "Connections in use.", multiprocess_mode="livesum")
WAITED: Final = Histogram(
    "rooftree_database_wait_seconds",
    "How long a request or a job waited for a connection.",
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10),
)

_AUTHENTICATE = "SELECT * FROM authenticate($1, $2)"
#: The same, and counts the request of a valid credential: for its application, else for itself.
_AUTHENTICATE_AND_COUNT = """
SELECT a.*, c.used, c.ends_at
  FROM authenticate($1, $2) a
  LEFT JOIN LATERAL count_request(
       a.team_id, CASE WHEN a.is_key_valid AND a.is_member_active THEN coalesce(a.app_id, a.key_id) END) c ON true"""


_cursors = count(1)


class Arguments(list["Argument"]):
    """The arguments of a statement that is put together: add one, get its placeholder."""

    def add(self, value: Argument) -> str:
        """Append a value, return `$n`."""
        self.append(value)
        return f"${len(self)}"


class CommitFailed(Exception):
    """PostgreSQL answered COMMIT with ROLLBACK: an error inside the transaction was swallowed."""


class _Connection(asyncpg.Connection):
    """A connection that knows which team it was last set to."""

    __slots__ = ("team",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.team: int | None = None

    def get_reset_query(self) -> str:
        """Nothing to reset between uses: each use sets its team itself, and a reset is a round trip."""
        return ""

    def is_team(self, team_id: int | None) -> bool:
        return self.team == team_id

    def remember_team(self, team_id: int | None) -> None:
        self.team = team_id


class Transaction:
    """What every query and store function gets first: a connection bound to one team.

    Inside `Database.transaction` all statements commit together; inside `Database.reading` each is its own.
    """

    __slots__ = ("__weakref__", "_connection", "team_id")

    def __init__(self, connection: _Connection, team_id: int | None) -> None:
        self._connection = connection
        self.team_id = cast(int, team_id)

    async def fetch(self, sql: str, *args: Argument) -> list[Record]:
        """Run a statement, return its rows."""
        return await self._connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: Argument) -> Record | None:
        """Run a statement, return its first row."""
        return await self._connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Argument) -> Any:
        """Run a statement, return the first value of its first row."""
        return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Argument) -> str:
        """Run a statement, return its command tag."""
        return await self._connection.execute(sql, *args)

    async def executemany(self, sql: str, rows: Iterable[Sequence[Argument]]) -> None:
        """Run a statement once per row."""
        await self._connection.executemany(sql, rows)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Let a part of a transaction fail alone: an exception undoes what happened inside, and nothing else."""
        await self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            with suppress(*DATABASE_AWAY):  # a lost connection keeps nothing anyway
                await self._connection.execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")
            raise
        await self._connection.execute("RELEASE SAVEPOINT part")

    async def stream(self, sql: str, *args: Argument, batch: int) -> AsyncGenerator[list[Record]]:
        """Yield a query's rows, so many at a time: a cursor of the server's, so that memory stays flat.

        Needs a transaction. The cursor is told of in SQL, since a pooler knows no prepared statements.
        """
        cursor = f"stream_{next(_cursors)}"
        await self._connection.execute(f"DECLARE {cursor} NO SCROLL CURSOR FOR {sql}", *args)
        while rows := await self._connection.fetch(f"FETCH {batch} FROM {cursor}"):
            yield rows
        await self._connection.execute(f"CLOSE {cursor}")

    async def copy_records(
        self,
        table: str,
        *,
        records: Iterable[Sequence[Argument]] | AsyncIterable[Sequence[Argument]],
        columns: Sequence[str],
    ) -> None:
        """Load rows by COPY. Row-level security does not allow it: needs the owner's connection."""
        await self._connection.copy_records_to_table(table, records=records, columns=list(columns))

    async def copy_csv_to(self, sql: str, output: Callable[[bytes], Awaitable[None]]) -> None:
        """Write a query's rows as CSV with a header, piece by piece. A null is empty, an empty text is `""`."""
        await self._connection.copy_from_query(sql, output=output, format="csv", header=True)

    async def copy_csv(self, table: str, *, source: AsyncIterable[bytes], columns: Sequence[str]) -> None:
        """Load what `copy_csv_to` wrote. Needs the owner's connection, as `copy_records` does."""
        await self._connection.copy_to_table(table, source=source, columns=list(columns), format="csv", header=True)


class Database:
    """A pool of connections that work as the server's role, or as the owner of the tables."""

    def __init__(self, pool: asyncpg.Pool, *, server_role: bool, is_pooled: bool, is_distributed: bool = False) -> None:
        self._pool = pool
        self._is_pooled = is_pooled
        self._is_distributed = is_distributed
        # Behind a pooler the role, too, is taken anew in each transaction, in the round trip that begins it.
        self._begin = f"BEGIN; SET LOCAL ROLE {SERVER_ROLE}" if is_pooled and server_role else "BEGIN"
        LIMIT.inc(pool.get_max_size())

    @classmethod
    async def connect(
        cls, dsn: str, *, min_size: int = 1, max_size: int = 10, server_role: bool = True, is_pooled: bool = False
    ) -> Self:
        """Open the pool. `server_role=False` keeps the rights of the URL's role, which owns the tables."""
        # A pooler keeps these two apart for each of its clients, and refuses others.
        settings = {"application_name": "rooftree", "timezone": "UTC"}
        if not is_pooled:
            # Requests are short: a parallel plan or compiled code costs more than it brings.
            settings |= {"jit": "off", "max_parallel_workers_per_gather": "0"}
        if server_role and not is_pooled:
            settings["role"] = SERVER_ROLE
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            init=_teach_json_at_once if is_pooled else _teach_json,
            connection_class=_Connection,
            server_settings=settings,
            statement_cache_size=0 if is_pooled else 512,
            max_inactive_connection_lifetime=0,
        )
        is_distributed = is_pooled and await _is_distributed(pool)
        return cls(pool, server_role=server_role, is_pooled=is_pooled, is_distributed=is_distributed)

    async def close(self) -> None:
        """Wait for running uses, then close all connections."""
        await self._pool.close()
        LIMIT.dec(self._pool.get_max_size())

    @asynccontextmanager
    async def transaction(self, team_id: int) -> AsyncGenerator[Transaction]:
        """BEGIN ... COMMIT for one team; any exception rolls everything back."""
        begin = f"{self._begin}; {_local_team(team_id)}" if self._is_pooled else self._begin
        async with self._bound(team_id) as connection, _begun(connection, begin):
            yield Transaction(connection, team_id)

    @asynccontextmanager
    async def snapshot(self, team_id: int) -> AsyncGenerator[Transaction]:
        """One look at everything, however long it takes: what commits meanwhile is not seen, and nothing is written."""
        begin = self._begin.replace("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", 1)
        if self._is_pooled:
            begin = f"{begin}; {_local_team(team_id)}"
        async with self._bound(team_id) as connection, _begun(connection, begin):
            yield Transaction(connection, team_id)

    @asynccontextmanager
    async def reading(self, team_id: int) -> AsyncGenerator[Transaction]:
        """Single statements for one team, each its own transaction: saves BEGIN and COMMIT."""
        if self._is_pooled:
            async with self.transaction(team_id) as tx:
                yield tx
            return
        async with self._bound(team_id) as connection:
            yield Transaction(connection, team_id)

    @asynccontextmanager
    async def unscoped(self) -> AsyncGenerator[Transaction]:
        """BEGIN ... COMMIT without a team: for the owner's housekeeping; the server's role sees nothing here."""
        async with self._bound(None) as connection, _begun(connection, self._begin):
            yield Transaction(connection, None)

    @asynccontextmanager
    async def asking(
        self, key_hash: bytes, *, is_writing: bool, is_counted: bool = False
    ) -> AsyncGenerator[tuple[Transaction, Record | None]]:
        """Find who holds this key, and serve the request on the same connection, bound to their team.

        One round trip does both. Yields the row of `authenticate()`, None for an unknown key; with `is_counted`
        its columns `used` and `ends_at` say how many requests there were in this minute. What is counted stays
        counted, whatever becomes of the request, and holds up no other: behind a pooler that takes a round trip more.
        """
        sql = _AUTHENTICATE_AND_COUNT if is_counted else _AUTHENTICATE
        async with self._acquired() as connection:
            if self._is_pooled:
                counted = None
                if is_counted:
                    async with _begun(connection, self._begin):
                        _, counted = await _authenticated(connection, sql, key_hash, is_local=True)
                async with _begun(connection, self._begin):
                    tx, record = await _authenticated(connection, _AUTHENTICATE, key_hash, is_local=True)
                    if record and self._is_distributed:  # what authenticate() set does not reach the nodes of Citus
                        await connection.execute(_local_team(tx.team_id))
                    yield tx, counted or record
                return
            asked = await _authenticated(connection, sql, key_hash, is_local=False)
            if not is_writing:
                yield asked
                return
            async with _begun(connection, self._begin):
                yield asked

    @asynccontextmanager
    async def _bound(self, team_id: int | None) -> AsyncGenerator[_Connection]:
        async with self._acquired() as connection:
            if not self._is_pooled and not connection.is_team(team_id):
                await _set_team(connection, team_id)
                connection.remember_team(team_id)
            yield connection

    @asynccontextmanager
    async def _acquired(self) -> AsyncGenerator[_Connection]:
        asked_at = time.perf_counter()
        async with self._pool.acquire() as proxy:
            WAITED.observe(time.perf_counter() - asked_at)
            BUSY.inc()
            try:
                yield cast(_Connection, proxy)
            finally:
                BUSY.dec()


async def _authenticated(
    connection: _Connection, sql: str, key_hash: bytes, *, is_local: bool
) -> tuple[Transaction, Record | None]:
    record = await connection.fetchrow(sql, key_hash, is_local)
    team_id: int | None = record["team_id"] if record else None
    connection.remember_team(None if is_local else team_id)
    return Transaction(connection, team_id), record


async def _set_team(connection: _Connection, team_id: int | None) -> None:
    team = "" if team_id is None else str(team_id)
    await connection.execute("SELECT set_config('rooftree.team_id', $1, false)", team)


def _local_team(team_id: int) -> str:
    return f"SET LOCAL rooftree.team_id = '{int(team_id)}'"


@asynccontextmanager
async def _begun(connection: _Connection, begin: str) -> AsyncGenerator[None]:
    """BEGIN ... COMMIT that believes a commit only when PostgreSQL says so."""
    await connection.execute(begin)
    try:
        yield
    except BaseException:
        await _roll_back(connection)
        raise
    if await connection.execute("COMMIT") != "COMMIT":
        raise CommitFailed


async def _roll_back(connection: _Connection) -> None:
    """ROLLBACK. A lost connection has nothing to roll back, and the error on hand says more than ours would.

    The pool takes a lost connection back at once: from then on even `is_closed()` is an InterfaceError.
    """
    try:
        if not connection.is_closed():
            await connection.execute("ROLLBACK")
    except DATABASE_AWAY:
        with suppress(asyncpg.InterfaceError):
            connection.terminate()


async def _is_distributed(pool: asyncpg.Pool) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        return await connection.fetchval("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')")


async def _teach_json_at_once(connection: asyncpg.Connection) -> None:
    """Do it in a transaction: behind a pooler, what is prepared outside one may be run on another connection."""
    async with connection.transaction():
        await _teach_json(connection)


async def _teach_json(connection: asyncpg.Connection) -> None:
    """Let jsonb pass as JSON bytes: what comes out can be sent on unparsed. 1 is the version byte of the format."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_to_jsonb,
        decoder=_from_jsonb,
        format="binary",
    )


def _to_jsonb(value: bytes | str) -> bytes:
    return b"\x01" + (value.encode() if isinstance(value, str) else bytes(value))


def _from_jsonb(value: bytes) -> bytes:
    return bytes(value[1:])


@cache
def columns(row: type[Struct], prefix: str = "") -> str:
    """Return a row struct's fields as a SELECT list, so that `Row(*record)` is the whole mapping."""
    dot = f"{prefix}." if prefix else ""
    return ", ".join(dot + field.name for field in fields(row))
