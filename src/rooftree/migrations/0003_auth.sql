-- room: auth
-- API keys. The key itself is shown once and never stored.

CREATE TABLE api_key (
    team_id      bigint NOT NULL,
    id           bigint NOT NULL DEFAULT next_id(),
    member_id    bigint NOT NULL,
    name         text NOT NULL,
    key_hash     bytea NOT NULL,
    last_four    text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id)
);
SELECT guard_by_team('api_key');
CREATE UNIQUE INDEX api_key_hash ON api_key (key_hash);

-- Who holds this key, and from now on the connection is theirs: one round trip says who asks and turns
-- the second lock. It runs with the owner's rights because the team is not known before.
-- No row: no such key. `is_local` binds the team to the running transaction (pooler, Citus).
CREATE FUNCTION authenticate(presented_hash bytea, is_local boolean)
    RETURNS TABLE (
        key_id bigint, is_key_valid boolean, is_member_active boolean, team_id bigint, member_id bigint,
        role text, office_id bigint, office_ids bigint[], user_ids bigint[], time_zone text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT k.id,
           k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp()),
           m.status = 'active',
           m.team_id, m.id, m.role, m.office_id,
           CASE WHEN m.role IN ('office_owner', 'office_admin')
                THEN ARRAY(SELECT o.id FROM office o
                            WHERE o.team_id = m.team_id AND (o.id = m.office_id OR m.office_id = ANY (o.ancestor_ids)))
                WHEN m.office_id IS NULL THEN '{}'::bigint[]
                ELSE ARRAY[m.office_id] END,
           CASE WHEN m.role IN ('office_owner', 'office_admin')
                THEN ARRAY(SELECT c.id FROM member c JOIN office o ON o.team_id = c.team_id AND o.id = c.office_id
                            WHERE c.team_id = m.team_id AND (o.id = m.office_id OR m.office_id = ANY (o.ancestor_ids)))
                ELSE ARRAY[m.id] END,
           coalesce(m.time_zone, t.time_zone)
      FROM api_key k
      JOIN member m ON m.team_id = k.team_id AND m.id = k.member_id
      JOIN team t ON t.id = k.team_id
     WHERE k.key_hash = presented_hash;
    PERFORM set_config('rooftree.team_id',
                       coalesce((SELECT k.team_id::text FROM api_key k WHERE k.key_hash = presented_hash), ''),
                       is_local);
END $$;
REVOKE ALL ON FUNCTION authenticate(bytea, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate(bytea, boolean) TO rooftree_server;
