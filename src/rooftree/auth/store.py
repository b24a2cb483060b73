"""Every INSERT, UPDATE and DELETE of keys, applications, tokens, passwords and sessions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rooftree.auth.model import ApiKey, OauthApp, OauthCode, OauthGrant
from rooftree.platform import clock
from rooftree.platform.database import Database, Transaction, columns


async def insert_key(
    tx: Transaction,
    key_id: int,
    member_id: int,
    name: str,
    key_hash: bytes,
    last_four: str,
    expires_at: datetime | None,
    grants: Sequence[str] | None = None,
) -> ApiKey:
    """Store what is known of a key."""
    row = await tx.fetchrow(
        f"""INSERT INTO api_key (team_id, id, member_id, name, key_hash, last_four, expires_at, grants)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {columns(ApiKey)}""",
        tx.team_id,
        key_id,
        member_id,
        name,
        key_hash,
        last_four,
        expires_at,
        grants,
    )
    assert row is not None
    return ApiKey(*row)


async def revoke(tx: Transaction, key_id: int) -> bool:
    """End a key; False when there is no such key, or it ended before."""
    tag = await tx.execute(
        "UPDATE api_key SET revoked_at = now() WHERE team_id = $1 AND id = $2 AND revoked_at IS NULL",
        tx.team_id,
        key_id,
    )
    return tag == "UPDATE 1"


async def revoke_of_member(tx: Transaction, member_id: int) -> None:
    """End all keys of a member that have not ended."""
    await tx.execute(
        "UPDATE api_key SET revoked_at = now() WHERE team_id = $1 AND member_id = $2 AND revoked_at IS NULL",
        tx.team_id,
        member_id,
    )


async def insert_app(tx: Transaction, app: OauthApp) -> None:
    """Store an application."""
    await tx.execute(
        """INSERT INTO oauth_app (team_id, id, client_id, secret_hash, name, description, redirect_uris, mode, grants,
                                  limit_per_minute, is_rotating, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)""",
        tx.team_id,
        *(getattr(app, name) for name in OauthApp.__struct_fields__[1:]),
    )


async def update_app(tx: Transaction, app: OauthApp) -> None:
    """Store what may change of an application."""
    await tx.execute(
        """UPDATE oauth_app SET secret_hash = $3, name = $4, description = $5, redirect_uris = $6, mode = $7,
                  grants = $8, limit_per_minute = $9, is_rotating = $10
            WHERE team_id = $1 AND id = $2""",
        tx.team_id,
        app.id,
        app.secret_hash,
        app.name,
        app.description,
        app.redirect_uris,
        app.mode,
        app.grants,
        app.limit_per_minute,
        app.is_rotating,
    )


async def delete_app(tx: Transaction, app_id: int) -> None:
    """Delete an application with all its codes, grants and tokens."""
    await tx.execute("DELETE FROM oauth_app WHERE team_id = $1 AND id = $2", tx.team_id, app_id)


async def lock_member(tx: Transaction, member_id: int) -> bool:
    """Hold off whoever would deactivate a member until the transaction ends; False when they have no access."""
    row = await tx.fetchrow(
        "SELECT id FROM member WHERE team_id = $1 AND id = $2 AND status = 'active' FOR SHARE", tx.team_id, member_id
    )
    return row is not None


async def find_key(tx: Transaction, key_hash: bytes) -> int | None:
    """Return whose key of the team it is."""
    return await tx.fetchval("SELECT member_id FROM api_key WHERE team_id = $1 AND key_hash = $2", tx.team_id, key_hash)


async def lock_key(tx: Transaction, key_hash: bytes) -> ApiKey | None:
    """Return a valid key of the team, and hold off whoever would revoke it."""
    row = await tx.fetchrow(
        f"""SELECT {columns(ApiKey)} FROM api_key
             WHERE team_id = $1 AND key_hash = $2 AND revoked_at IS NULL
               AND (expires_at IS NULL OR expires_at > now()) FOR SHARE""",
        tx.team_id,
        key_hash,
    )
    return ApiKey(*row) if row else None


async def insert_code(
    tx: Transaction,
    app: OauthApp,
    member_id: int,
    code_hash: bytes,
    *,
    redirect_uri: str,
    is_redirect_named: bool,
    challenge: str | None,
    seconds: int,
) -> None:
    """Store a code, and forget those of the application that nobody can use or replay any more."""
    await tx.execute(
        """WITH over AS (
             DELETE FROM oauth_code WHERE team_id = $1 AND app_id = $2 AND expires_at < now() - interval '7 days')
           INSERT INTO oauth_code (team_id, app_id, member_id, code_hash, redirect_uri, is_redirect_named, challenge,
                                   grants, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9))""",
        tx.team_id,
        app.id,
        member_id,
        code_hash,
        redirect_uri,
        is_redirect_named,
        challenge,
        app.grants,
        seconds,
    )


async def find_code(tx: Transaction, app_id: int, code_hash: bytes) -> int | None:
    """Return whose consent a code of this application stands for."""
    return await tx.fetchval(
        "SELECT member_id FROM oauth_code WHERE team_id = $1 AND app_id = $2 AND code_hash = $3",
        tx.team_id,
        app_id,
        code_hash,
    )


async def lock_code(tx: Transaction, app_id: int, code_hash: bytes) -> tuple[OauthCode, bool] | None:
    """Return a code of this application, and whether its time is over; whoever else brings it waits."""
    row = await tx.fetchrow(
        f"""SELECT expires_at <= clock_timestamp() AS is_over, {columns(OauthCode)} FROM oauth_code
             WHERE team_id = $1 AND app_id = $2 AND code_hash = $3 FOR UPDATE""",
        tx.team_id,
        app_id,
        code_hash,
    )
    return (OauthCode(*row[1:]), row[0]) if row else None


async def use_code(tx: Transaction, code_id: int, grant_id: int | None) -> None:
    """Note that a code was brought, and what it gave."""
    await tx.execute(
        "UPDATE oauth_code SET used_at = now(), grant_id = $3 WHERE team_id = $1 AND id = $2",
        tx.team_id,
        code_id,
        grant_id,
    )


async def insert_grant(
    tx: Transaction,
    app_id: int,
    member_id: int,
    grants: Sequence[str] | None,
    *,
    key: ApiKey | None,
    days: int,
) -> int:
    """Store a consent, not longer than the key that stands for it; forget the application's that are over."""
    return await tx.fetchval(
        """WITH over AS (
             DELETE FROM oauth_grant WHERE team_id = $1 AND app_id = $2 AND expires_at < now() - interval '7 days')
           INSERT INTO oauth_grant (team_id, app_id, member_id, key_id, grants, expires_at)
           VALUES ($1, $2, $3, $4, $5, least(now() + make_interval(days => $6), $7)) RETURNING id""",
        tx.team_id,
        app_id,
        member_id,
        key.id if key else None,
        grants,
        days,
        key.expires_at if key else None,
    )


async def find_refresh(tx: Transaction, app_id: int, token_hash: bytes) -> int | None:
    """Return whose refresh token of this application it is."""
    return await tx.fetchval(
        """SELECT g.member_id FROM oauth_refresh r JOIN oauth_grant g ON g.team_id = r.team_id AND g.id = r.grant_id
            WHERE r.team_id = $1 AND g.app_id = $2 AND r.token_hash = $3""",
        tx.team_id,
        app_id,
        token_hash,
    )


async def lock_refresh(tx: Transaction, app_id: int, token_hash: bytes) -> tuple[OauthGrant, bool, bool] | None:
    """Return a refresh token's grant, whether the grant is alive, and whether the token was replaced before."""
    row = await tx.fetchrow(
        f"""SELECT g.revoked_at IS NULL AND g.expires_at > clock_timestamp()
                   AND (k.id IS NULL OR k.revoked_at IS NULL AND coalesce(k.expires_at > clock_timestamp(), true)),
                   r.replaced_at IS NOT NULL, {columns(OauthGrant, "g")}
              FROM oauth_refresh r
              JOIN oauth_grant g ON g.team_id = r.team_id AND g.id = r.grant_id
              LEFT JOIN api_key k ON k.team_id = g.team_id AND k.id = g.key_id
             WHERE r.team_id = $1 AND g.app_id = $2 AND r.token_hash = $3 FOR UPDATE OF r, g""",
        tx.team_id,
        app_id,
        token_hash,
    )
    return (OauthGrant(*row[2:]), row[0], row[1]) if row else None


async def insert_refresh(tx: Transaction, grant_id: int, token_hash: bytes) -> None:
    """Store a refresh token; those that the grant had are replaced by it."""
    await tx.execute(
        """WITH replaced AS (
             UPDATE oauth_refresh SET replaced_at = now()
              WHERE team_id = $1 AND grant_id = $2 AND replaced_at IS NULL)
           INSERT INTO oauth_refresh (team_id, grant_id, token_hash) VALUES ($1, $2, $3)""",
        tx.team_id,
        grant_id,
        token_hash,
    )


async def insert_access(tx: Transaction, grant_id: int, token_hash: bytes, seconds: int) -> int:
    """Store an access token, which ends with its grant at the latest; return the seconds it has."""
    return await tx.fetchval(
        """WITH over AS (
             DELETE FROM oauth_access WHERE team_id = $1 AND grant_id = $2 AND expires_at < now())
           INSERT INTO oauth_access (team_id, grant_id, token_hash, expires_at)
           SELECT $1, $2, $3, least(now() + make_interval(secs => $4), g.expires_at)
             FROM oauth_grant g WHERE g.team_id = $1 AND g.id = $2
           RETURNING floor(extract(epoch FROM expires_at - now()))::integer""",
        tx.team_id,
        grant_id,
        token_hash,
        seconds,
    )


_REVOKE: Final = "UPDATE oauth_grant SET revoked_at = now() WHERE team_id = $1 AND revoked_at IS NULL"


async def revoke_grant(tx: Transaction, grant_id: int) -> None:
    """End a consent, and with it its tokens."""
    await tx.execute(f"{_REVOKE} AND id = $2", tx.team_id, grant_id)


async def revoke_grants_of_key(tx: Transaction, key_id: int) -> None:
    """End what was made from a key."""
    await tx.execute(f"{_REVOKE} AND key_id = $2", tx.team_id, key_id)


async def revoke_grants_of_member(tx: Transaction, member_id: int, app_id: int | None = None) -> bool:
    """End a member's consents to an application, or to all, and the codes that nobody brought yet."""
    await tx.execute(
        """UPDATE oauth_code SET used_at = now()
            WHERE team_id = $1 AND member_id = $2 AND used_at IS NULL AND ($3::bigint IS NULL OR app_id = $3)""",
        tx.team_id,
        member_id,
        app_id,
    )
    tag = await tx.execute(
        f"{_REVOKE} AND member_id = $2 AND ($3::bigint IS NULL OR app_id = $3)", tx.team_id, member_id, app_id
    )
    return tag != "UPDATE 0"


async def end_token(tx: Transaction, app_id: int, token_hash: bytes) -> None:
    """End an access token of this application alone, or a refresh token with all that came of its grant."""
    await tx.execute(
        """WITH access AS (
             DELETE FROM oauth_access a USING oauth_grant g
              WHERE a.team_id = $1 AND a.token_hash = $3 AND g.team_id = $1 AND g.id = a.grant_id AND g.app_id = $2)
           UPDATE oauth_grant g SET revoked_at = now()
             FROM oauth_refresh r
            WHERE g.team_id = $1 AND g.app_id = $2 AND g.revoked_at IS NULL
              AND r.team_id = $1 AND r.grant_id = g.id AND r.token_hash = $3""",
        tx.team_id,
        app_id,
        token_hash,
    )


async def put_password(tx: Transaction, member_id: int, password_hash: str) -> None:
    """Store a member's password, and end the sessions that an older one began."""
    await tx.execute(
        """WITH over AS (DELETE FROM web_session WHERE team_id = $1 AND member_id = $2)
           INSERT INTO member_password (team_id, member_id, password_hash) VALUES ($1, $2, $3)
           ON CONFLICT (team_id, member_id)
           DO UPDATE SET password_hash = excluded.password_hash, changed_at = now()""",
        tx.team_id,
        member_id,
        password_hash,
    )


async def insert_session(tx: Transaction, member_id: int, token_hash: bytes, seconds: int) -> None:
    """Store a session, and forget the member's that are over."""
    await tx.execute(
        """WITH over AS (DELETE FROM web_session WHERE team_id = $1 AND member_id = $2 AND expires_at < now())
           INSERT INTO web_session (team_id, member_id, token_hash, expires_at)
           VALUES ($1, $2, $3, now() + make_interval(secs => $4))""",
        tx.team_id,
        member_id,
        token_hash,
        seconds,
    )


async def delete_session(tx: Transaction, session_id: int) -> None:
    """End a session."""
    await tx.execute("DELETE FROM web_session WHERE team_id = $1 AND id = $2", tx.team_id, session_id)


async def delete_sessions_of(tx: Transaction, member_id: int) -> None:
    """End a member's sessions."""
    await tx.execute("DELETE FROM web_session WHERE team_id = $1 AND member_id = $2", tx.team_id, member_id)


class LastUsed:
    """Remembers when keys were used, to be written once a minute instead of at each request."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], datetime] = {}

    def note(self, team_id: int, key_id: int) -> None:
        """Remember a use."""
        self._seen[team_id, key_id] = clock.now()

    async def flush(self, database: Database) -> None:
        """Write what was remembered, a statement per team. What could not be written is kept for the next time."""
        seen = dict(self._seen)
        for team_id in {team for team, _ in seen}:
            uses = [(key_id, at) for (team, key_id), at in seen.items() if team == team_id]
            async with database.reading(team_id) as tx:
                await tx.execute(
                    """UPDATE api_key k SET last_used_at = greatest(k.last_used_at, u.at)
                         FROM unnest($2::bigint[], $3::timestamptz[]) AS u (id, at)
                        WHERE k.team_id = $1 AND k.id = u.id""",
                    team_id,
                    [key_id for key_id, _ in uses],
                    [at for _, at in uses],
                )
            for key_id, at in uses:
                if self._seen[team_id, key_id] == at:  # else it was used again meanwhile
                    del self._seen[team_id, key_id]
