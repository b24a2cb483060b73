-- room: platform
-- What every room stands on: the server's role, the team guard, ids, secrets and the outbox.

-- The server works as this role. It owns nothing, so row-level security binds it even when the
-- database URL names a superuser. Roles belong to the cluster, hence the care for a second database.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rooftree_server') THEN
        CREATE ROLE rooftree_server NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$;

-- An administrator may have created and granted the role beforehand; then there is nothing left to grant.
DO $$
BEGIN
    EXECUTE format('GRANT rooftree_server TO %I', current_user);
EXCEPTION WHEN insufficient_privilege THEN
    IF NOT pg_has_role(current_user, 'rooftree_server', 'MEMBER') THEN
        RAISE;
    END IF;
END $$;

-- The team whose rows this connection may touch; null (and so nothing) until somebody authenticated.
CREATE FUNCTION current_team() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('rooftree.team_id', true), '')::bigint $$;

-- The second lock of a tenant table. The sub-select makes the team one lookup per statement, not per row.
CREATE FUNCTION guard_by_team(guarded regclass) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format(
        'CREATE POLICY own_team ON %s TO rooftree_server USING (team_id = (SELECT current_team())) '
        'WITH CHECK (team_id = (SELECT current_team()))', guarded);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO rooftree_server', guarded);
END $$;

-- Milliseconds since 2023-11-14 in the high 41 bits, a cycling counter in the low 12: unique across
-- processes, ordered by time, below 2^53 until 2093.
CREATE SEQUENCE id_sequence CACHE 1;
GRANT USAGE ON SEQUENCE id_sequence TO rooftree_server;

CREATE FUNCTION next_id() RETURNS bigint
    LANGUAGE sql VOLATILE
    AS $$
    SELECT (((extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1700000000000) << 12)
           | (nextval('id_sequence') & 4095)
$$;

-- Secrets that all processes of one installation share, e.g. the key that signs API keys.
CREATE TABLE server_secret (
    name       text PRIMARY KEY,
    value      bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT ON server_secret TO rooftree_server;

-- The outbox: announcements written in the transaction that made them true. A later worker delivers them.
-- payload is the entry of the webhook body (contract: webhooks.md 5.2) without its updateTime.
CREATE TABLE announcement (
    team_id      bigint NOT NULL,
    id           bigint NOT NULL DEFAULT next_id(),
    list_id      smallint NOT NULL,
    verb         text NOT NULL,
    lead_id      bigint,
    payload      jsonb NOT NULL,
    audience     jsonb NOT NULL,
    happened_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('announcement');
