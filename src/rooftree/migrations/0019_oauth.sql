-- room: auth
-- OAuth: applications, what members granted them, codes and tokens; passwords and sessions of the pages that ask.
-- Of every secret text only a hash is here.

-- Tags of the operations that a credential may use; null: all.
ALTER TABLE api_key ADD COLUMN grants text[];

CREATE TABLE oauth_app (
    team_id          bigint NOT NULL REFERENCES team (id),
    id               bigint NOT NULL DEFAULT next_id(),
    client_id        text NOT NULL,
    secret_hash      bytea,
    name             text NOT NULL,
    description      text NOT NULL DEFAULT '',
    redirect_uris    text[] NOT NULL DEFAULT '{}',
    mode             text NOT NULL DEFAULT 'development' CHECK (mode IN ('development', 'production')),
    grants           text[],
    limit_per_minute integer CHECK (limit_per_minute > 0),
    is_rotating      boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('oauth_app');
CREATE UNIQUE INDEX oauth_app_client ON oauth_app (client_id);

-- A member's consent to an application. Its tokens live and die with it.
CREATE TABLE oauth_grant (
    team_id    bigint NOT NULL,
    id         bigint NOT NULL DEFAULT next_id(),
    app_id     bigint NOT NULL,
    member_id  bigint NOT NULL,
    key_id     bigint,
    grants     text[],
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, app_id) REFERENCES oauth_app (team_id, id) ON DELETE CASCADE,
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id),
    FOREIGN KEY (team_id, key_id) REFERENCES api_key (team_id, id)
);
SELECT guard_by_team('oauth_grant');
CREATE INDEX oauth_grant_member ON oauth_grant (team_id, member_id);
CREATE INDEX oauth_grant_app ON oauth_grant (team_id, app_id, expires_at);
CREATE INDEX oauth_grant_key ON oauth_grant (team_id, key_id) WHERE key_id IS NOT NULL;

CREATE TABLE oauth_code (
    team_id           bigint NOT NULL,
    id                bigint NOT NULL DEFAULT next_id(),
    app_id            bigint NOT NULL,
    member_id         bigint NOT NULL,
    code_hash         bytea NOT NULL,
    redirect_uri      text NOT NULL,
    is_redirect_named boolean NOT NULL,
    challenge         text,
    grants            text[],
    expires_at        timestamptz NOT NULL,
    used_at           timestamptz,
    grant_id          bigint,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, app_id) REFERENCES oauth_app (team_id, id) ON DELETE CASCADE,
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id),
    FOREIGN KEY (team_id, grant_id) REFERENCES oauth_grant (team_id, id) ON DELETE CASCADE
);
SELECT guard_by_team('oauth_code');
CREATE UNIQUE INDEX oauth_code_hash ON oauth_code (team_id, code_hash);
CREATE INDEX oauth_code_app ON oauth_code (team_id, app_id, expires_at);
CREATE INDEX oauth_code_grant ON oauth_code (team_id, grant_id);

CREATE TABLE oauth_access (
    team_id    bigint NOT NULL,
    id         bigint NOT NULL DEFAULT next_id(),
    grant_id   bigint NOT NULL,
    token_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, grant_id) REFERENCES oauth_grant (team_id, id) ON DELETE CASCADE
);
SELECT guard_by_team('oauth_access');
CREATE UNIQUE INDEX oauth_access_hash ON oauth_access (token_hash);
CREATE INDEX oauth_access_grant ON oauth_access (team_id, grant_id);

-- A replaced one is kept: whoever shows it once more ends the grant.
CREATE TABLE oauth_refresh (
    team_id     bigint NOT NULL,
    id          bigint NOT NULL DEFAULT next_id(),
    grant_id    bigint NOT NULL,
    token_hash  bytea NOT NULL,
    replaced_at timestamptz,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, grant_id) REFERENCES oauth_grant (team_id, id) ON DELETE CASCADE
);
SELECT guard_by_team('oauth_refresh');
CREATE UNIQUE INDEX oauth_refresh_hash ON oauth_refresh (team_id, token_hash);
CREATE INDEX oauth_refresh_grant ON oauth_refresh (team_id, grant_id);

CREATE TABLE member_password (
    team_id       bigint NOT NULL,
    member_id     bigint NOT NULL,
    password_hash text NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, member_id),
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id)
);
SELECT guard_by_team('member_password');

CREATE TABLE web_session (
    team_id    bigint NOT NULL,
    id         bigint NOT NULL DEFAULT next_id(),
    member_id  bigint NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id)
);
SELECT guard_by_team('web_session');
CREATE UNIQUE INDEX web_session_hash ON web_session (token_hash);
CREATE INDEX web_session_member ON web_session (team_id, member_id);

-- Three questions of somebody whose team is not known yet; each needs a text that only they can know, or a login.
CREATE FUNCTION find_oauth_app(presented_client_id text) RETURNS SETOF oauth_app
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$ SELECT * FROM oauth_app WHERE client_id = presented_client_id $$;
REVOKE ALL ON FUNCTION find_oauth_app(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_oauth_app(text) TO rooftree_server;

CREATE FUNCTION find_login(login text)
    RETURNS TABLE (team_id bigint, member_id bigint, password_hash text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
    SELECT m.team_id, m.id, p.password_hash
      FROM member m JOIN member_password p ON p.team_id = m.team_id AND p.member_id = m.id
     WHERE lower(m.email) = lower(login) AND m.status = 'active'
$$;
REVOKE ALL ON FUNCTION find_login(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_login(text) TO rooftree_server;

CREATE FUNCTION find_session(presented_hash bytea)
    RETURNS TABLE (team_id bigint, id bigint, member_id bigint, email text, name text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
    SELECT s.team_id, s.id, s.member_id, m.email, trim(m.first_name || ' ' || m.last_name)
      FROM web_session s JOIN member m ON m.team_id = s.team_id AND m.id = s.member_id
     WHERE s.token_hash = presented_hash AND s.expires_at > now() AND m.status = 'active'
$$;
REVOKE ALL ON FUNCTION find_session(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_session(bytea) TO rooftree_server;

-- What two lists allow together; null allows everything.
CREATE FUNCTION common_grants(one text[], other text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN one IS NULL THEN other WHEN other IS NULL THEN one
                ELSE ARRAY(SELECT unnest(one) INTERSECT SELECT unnest(other)) END
$$;

-- Authentication also takes access tokens, and says which application asks and which operations it may use.
DROP FUNCTION authenticate(bytea, boolean);

CREATE FUNCTION authenticate(presented_hash bytea, is_local boolean)
    RETURNS TABLE (
        key_id bigint, is_key_valid boolean, is_member_active boolean, team_id bigint, member_id bigint,
        role text, office_id bigint, office_ids bigint[], user_ids bigint[], time_zone text,
        permissions text[], department_ids bigint[], pond_ids bigint[],
        app_id bigint, app_mode text, app_limit integer, grants text[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
#variable_conflict use_column
DECLARE
    c record;
BEGIN
    SELECT k.team_id, k.member_id, k.id AS key_id, k.revoked_at IS NOT NULL AS is_revoked, k.expires_at,
           NULL::bigint AS app_id, NULL::text AS app_mode, NULL::integer AS app_limit, k.grants
      INTO c
      FROM api_key k
     WHERE k.key_hash = presented_hash;
    IF NOT FOUND THEN
        SELECT g.team_id, g.member_id, NULL::bigint AS key_id,
               g.revoked_at IS NOT NULL OR k.revoked_at IS NOT NULL AS is_revoked,
               least(a.expires_at, k.expires_at) AS expires_at,
               p.id AS app_id, p.mode AS app_mode, p.limit_per_minute AS app_limit,
               -- In production new permissions wait for each member's renewed consent. contract: auth.md 8
               common_grants(k.grants,
                             CASE p.mode WHEN 'production' THEN common_grants(p.grants, g.grants) ELSE p.grants END)
               AS grants
          INTO c
          FROM oauth_access a
          JOIN oauth_grant g ON g.team_id = a.team_id AND g.id = a.grant_id
          JOIN oauth_app p ON p.team_id = g.team_id AND p.id = g.app_id
          LEFT JOIN api_key k ON k.team_id = g.team_id AND k.id = g.key_id
         WHERE a.token_hash = presented_hash;
    END IF;
    PERFORM set_config('rooftree.team_id', coalesce(c.team_id::text, ''), is_local);
    RETURN QUERY
    SELECT c.key_id,
           -- A credential that ended with its holder's access is genuine: they are told so. contract: auth.md 3.4
           (NOT c.is_revoked OR m.status <> 'active') AND (c.expires_at IS NULL OR c.expires_at > clock_timestamp()),
           m.status = 'active',
           m.team_id, m.id, m.role, m.office_id,
           CASE WHEN m.role IN ('office_owner', 'office_admin') THEN d.ids
                WHEN m.office_id IS NULL THEN '{}'::bigint[]
                ELSE ARRAY[m.office_id] END,
           CASE WHEN m.role IN ('office_owner', 'office_admin')
                THEN ARRAY(SELECT o.id FROM member o WHERE o.team_id = m.team_id AND o.office_id = ANY (d.ids))
                ELSE ARRAY[m.id] END,
           coalesce(m.time_zone, t.time_zone),
           p.permissions,
           d.ids,
           ARRAY(SELECT n.id FROM lead_pond n
                  WHERE n.team_id = m.team_id AND n.is_enabled AND (n.owner_id = m.id OR m.id = ANY (n.agent_ids))),
           c.app_id, c.app_mode, c.app_limit, c.grants
      FROM member m
      JOIN team t ON t.id = m.team_id
      LEFT JOIN permission_profile p ON p.team_id = m.team_id AND p.id = m.profile_id
      CROSS JOIN LATERAL (
        SELECT CASE WHEN m.office_id IS NULL OR m.role NOT IN ('office_owner', 'office_admin') AND m.profile_id IS NULL
                    THEN '{}'::bigint[]
                    ELSE ARRAY(SELECT o.id FROM office o
                                WHERE o.team_id = m.team_id AND (o.id = m.office_id OR m.office_id = ANY (o.ancestor_ids)))
                END AS ids) d
     WHERE m.team_id = c.team_id AND m.id = c.member_id;
END $$;
REVOKE ALL ON FUNCTION authenticate(bytea, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate(bytea, boolean) TO rooftree_server;
