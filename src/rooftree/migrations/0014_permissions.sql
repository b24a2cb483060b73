-- room: auth
-- Authentication also says what somebody may, and which ponds they draw from.

DROP FUNCTION authenticate(bytea, boolean);

CREATE FUNCTION authenticate(presented_hash bytea, is_local boolean)
    RETURNS TABLE (
        key_id bigint, is_key_valid boolean, is_member_active boolean, team_id bigint, member_id bigint,
        role text, office_id bigint, office_ids bigint[], user_ids bigint[], time_zone text,
        permissions text[], department_ids bigint[], pond_ids bigint[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT k.id,
           -- A key that ended with its holder's access is genuine: they are told so. contract: auth.md 3.4
           (k.revoked_at IS NULL OR m.status <> 'active')
           AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp()),
           m.status = 'active',
           m.team_id, m.id, m.role, m.office_id,
           CASE WHEN m.role IN ('office_owner', 'office_admin') THEN d.ids
                WHEN m.office_id IS NULL THEN '{}'::bigint[]
                ELSE ARRAY[m.office_id] END,
           CASE WHEN m.role IN ('office_owner', 'office_admin')
                THEN ARRAY(SELECT c.id FROM member c WHERE c.team_id = m.team_id AND c.office_id = ANY (d.ids))
                ELSE ARRAY[m.id] END,
           coalesce(m.time_zone, t.time_zone),
           p.permissions,
           d.ids,
           ARRAY(SELECT n.id FROM lead_pond n
                  WHERE n.team_id = m.team_id AND n.is_enabled AND (n.owner_id = m.id OR m.id = ANY (n.agent_ids)))
      FROM api_key k
      JOIN member m ON m.team_id = k.team_id AND m.id = k.member_id
      JOIN team t ON t.id = k.team_id
      LEFT JOIN permission_profile p ON p.team_id = m.team_id AND p.id = m.profile_id
      CROSS JOIN LATERAL (
        SELECT CASE WHEN m.office_id IS NULL OR m.role NOT IN ('office_owner', 'office_admin') AND m.profile_id IS NULL
                    THEN '{}'::bigint[]
                    ELSE ARRAY(SELECT o.id FROM office o
                                WHERE o.team_id = m.team_id AND (o.id = m.office_id OR m.office_id = ANY (o.ancestor_ids)))
                END AS ids) d
     WHERE k.key_hash = presented_hash;
    PERFORM set_config('rooftree.team_id',
                       coalesce((SELECT k.team_id::text FROM api_key k WHERE k.key_hash = presented_hash), ''),
                       is_local);
END $$;
REVOKE ALL ON FUNCTION authenticate(bytea, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate(bytea, boolean) TO rooftree_server;
