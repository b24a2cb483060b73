-- room: team
-- Companies, offices, members, and the custom roles a member can have on a lead.

CREATE TABLE team (
    id         bigint PRIMARY KEY DEFAULT next_id(),
    name       text NOT NULL,
    time_zone  text NOT NULL DEFAULT 'America/Los_Angeles',
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE team ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_team ON team TO rooftree_server USING (id = (SELECT current_team()));
GRANT SELECT, UPDATE ON team TO rooftree_server;

CREATE TABLE office (
    team_id      bigint NOT NULL REFERENCES team (id),
    id           bigint NOT NULL DEFAULT next_id(),
    name         text NOT NULL,
    parent_id    bigint,
    ancestor_ids bigint[] NOT NULL DEFAULT '{}',
    status       text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'PENDING', 'INACTIVE')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, parent_id) REFERENCES office (team_id, id)
);
SELECT guard_by_team('office');

CREATE TABLE member (
    team_id         bigint NOT NULL REFERENCES team (id),
    id              bigint NOT NULL DEFAULT next_id(),
    office_id       bigint,
    role            text NOT NULL DEFAULT 'agent'
                    CHECK (role IN ('owner', 'admin', 'office_owner', 'office_admin', 'agent', 'assistant', 'lender')),
    status          text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'invited', 'deactivated')),
    email           text NOT NULL,
    first_name      text NOT NULL,
    last_name       text NOT NULL DEFAULT '',
    phone_number    text,
    virtual_number  text,
    time_zone       text,
    invitor_user_id bigint,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, office_id) REFERENCES office (team_id, id)
);
SELECT guard_by_team('member');
-- Logins and user ids name one person in the whole installation.
CREATE UNIQUE INDEX member_email ON member (lower(email));
CREATE UNIQUE INDEX member_id ON member (id);
CREATE UNIQUE INDEX member_one_owner ON member (team_id) WHERE role = 'owner';
CREATE INDEX member_office ON member (team_id, office_id);

CREATE TABLE custom_role (
    team_id bigint NOT NULL REFERENCES team (id),
    id      integer NOT NULL,
    name    text NOT NULL,
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('custom_role');
CREATE UNIQUE INDEX custom_role_name ON custom_role (team_id, lower(name));
