-- room: team
-- What people may, what is known of them and of the company, and the ponds that several of them work together.

ALTER TABLE team ADD COLUMN details jsonb NOT NULL DEFAULT '{}';     -- the company's record, in its wire form
ALTER TABLE office ADD COLUMN details jsonb NOT NULL DEFAULT '{}';   -- phone, address ..., in its wire form
ALTER TABLE office ADD COLUMN allow_manage_sub boolean NOT NULL DEFAULT true;

-- A name and a set of switches. The built-in ones come with the roles and have no row.
CREATE TABLE permission_profile (
    team_id     bigint NOT NULL REFERENCES team (id),
    id          bigint NOT NULL DEFAULT next_id(),
    name        text NOT NULL,
    permissions text[] NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('permission_profile');
CREATE UNIQUE INDEX permission_profile_name ON permission_profile (team_id, lower(name));

CREATE TABLE member_tag (
    team_id    bigint NOT NULL REFERENCES team (id),
    id         bigint NOT NULL DEFAULT next_id(),
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('member_tag');
CREATE UNIQUE INDEX member_tag_name ON member_tag (team_id, lower(name));

ALTER TABLE member ADD COLUMN profile_id bigint;                       -- null: what the role comes with
ALTER TABLE member ADD COLUMN tag_ids bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE member ADD COLUMN details jsonb NOT NULL DEFAULT '{}';     -- work, photos ..., in their wire form
ALTER TABLE member ADD FOREIGN KEY (team_id, profile_id) REFERENCES permission_profile (team_id, id);

-- Title companies, lenders, photographers ...: people the team works with, some of them members.
CREATE TABLE vendor (
    team_id    bigint NOT NULL REFERENCES team (id),
    id         bigint NOT NULL DEFAULT next_id(),
    member_id  bigint,
    first_name text NOT NULL,
    last_name  text NOT NULL DEFAULT '',
    role_name  text NOT NULL DEFAULT '',
    details    jsonb NOT NULL DEFAULT '{}',   -- phone, e-mail, company, in their wire form
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id)
);
SELECT guard_by_team('vendor');

-- Leads that belong to no agent yet, for several to draw from.
CREATE TABLE lead_pond (
    team_id    bigint NOT NULL REFERENCES team (id),
    id         bigint NOT NULL DEFAULT next_id(),
    name       text NOT NULL,
    owner_id   bigint NOT NULL,
    office_id  bigint,                                   -- null: the company's
    agent_ids  bigint[] NOT NULL DEFAULT '{}',
    is_enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, owner_id) REFERENCES member (team_id, id),
    FOREIGN KEY (team_id, office_id) REFERENCES office (team_id, id)
);
SELECT guard_by_team('lead_pond');
CREATE UNIQUE INDEX lead_pond_name ON lead_pond (team_id, lower(name));
