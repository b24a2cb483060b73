-- room: leads
-- Leads, the words they are sorted by (stage, source, tag, segment, custom field), and what finds them again.

CREATE TABLE stage (
    team_id    bigint NOT NULL,
    id         bigint NOT NULL DEFAULT next_id(),
    name       text NOT NULL,
    position   integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('stage');
CREATE UNIQUE INDEX stage_name ON stage (team_id, lower(name));

-- Source ids leave as a 32-bit integer (contract: LeadResponse.leadSource), so they count per team.
CREATE TABLE source (
    team_id    bigint NOT NULL,
    id         integer NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('source');
CREATE UNIQUE INDEX source_name ON source (team_id, name);

CREATE TABLE tag (
    team_id         bigint NOT NULL,
    id              bigint NOT NULL DEFAULT next_id(),
    name            text NOT NULL,
    creator_user_id bigint,
    visible_type    integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('tag');
CREATE UNIQUE INDEX tag_name ON tag (team_id, name);

CREATE TABLE custom_field (
    team_id    bigint NOT NULL,
    id         bigint NOT NULL DEFAULT next_id(),
    name       text NOT NULL,
    type       text NOT NULL CHECK (type IN ('number', 'text', 'date', 'anniversary_date', 'single_select',
                                             'multi_select', 'percentage', 'currency')),
    params     text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('custom_field');
CREATE UNIQUE INDEX custom_field_name ON custom_field (team_id, lower(name));

-- The jsonb columns hold documents in their wire form; they go out as they are. A lead is read and
-- written as a whole, so its inquiry, properties and family are part of its row.
CREATE TABLE lead (
    team_id             bigint NOT NULL,
    id                  bigint NOT NULL DEFAULT next_id(),
    first_name          text NOT NULL,
    last_name           text,
    birthday_on         date,
    emails              text[] NOT NULL DEFAULT '{}',
    phones              text[] NOT NULL DEFAULT '{}',
    phone_statuses      integer[] NOT NULL DEFAULT '{}',
    lead_types          integer[] NOT NULL DEFAULT '{}',
    stage_id            bigint NOT NULL,
    source_id           integer NOT NULL DEFAULT -1,
    source              text,
    assigned_user_id    bigint,
    assigned_at         timestamptz,
    lender_user_id      bigint,
    ownership_scope     text NOT NULL CHECK (ownership_scope IN ('TEAM', 'OFFICE', 'PERSONAL')),
    ownership_id        bigint NOT NULL,
    is_hidden           boolean NOT NULL DEFAULT false,
    is_contacted        boolean NOT NULL DEFAULT false,
    cannot_text         boolean NOT NULL DEFAULT false,
    cannot_call         boolean NOT NULL DEFAULT false,
    cannot_email        boolean NOT NULL DEFAULT false,
    is_unsubscribed     boolean NOT NULL DEFAULT false,
    street_address      text,
    city                text,
    state               text,
    zip_code            text,
    referred_by         text,
    facebook            text,
    twitter             text,
    buying_time_frame   text,
    selling_time_frame  text,
    pre_qual            text,
    house_to_sell       text,
    fthb                text,
    with_buyer_agent    text,
    mortgage            text,
    buy_house           text,
    with_listing_agent  text,
    language            text,
    opportunity         text,
    segments            text[] NOT NULL DEFAULT '{}',
    tags                jsonb NOT NULL DEFAULT '[]',
    inquiry             jsonb,
    properties          jsonb NOT NULL DEFAULT '[]',
    family_members      jsonb NOT NULL DEFAULT '[]',
    custom_attributes   jsonb NOT NULL DEFAULT '[]',
    role_assignees      jsonb NOT NULL DEFAULT '[]',
    inquiry_updated_at  timestamptz,
    trashed_at          timestamptz,
    trashed_by          bigint,
    trash_reason        text,
    created_by          bigint,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, stage_id) REFERENCES stage (team_id, id),
    FOREIGN KEY (team_id, assigned_user_id) REFERENCES member (team_id, id)
);
SELECT guard_by_team('lead');
CREATE INDEX lead_created  ON lead (team_id, created_at, id) WHERE trashed_at IS NULL;
CREATE INDEX lead_stage    ON lead (team_id, stage_id, created_at, id) WHERE trashed_at IS NULL;
CREATE INDEX lead_source   ON lead (team_id, source, created_at, id) WHERE trashed_at IS NULL;
CREATE INDEX lead_assigned ON lead (team_id, assigned_user_id, created_at, id) WHERE trashed_at IS NULL;
CREATE INDEX lead_owner    ON lead (team_id, ownership_scope, ownership_id, created_at, id) WHERE trashed_at IS NULL;
CREATE INDEX lead_assign_time ON lead (team_id, assigned_at, id) WHERE trashed_at IS NULL AND assigned_at IS NOT NULL;
CREATE INDEX lead_inquiry_time ON lead (team_id, inquiry_updated_at, id) WHERE trashed_at IS NULL AND inquiry_updated_at IS NOT NULL;
CREATE INDEX lead_lender   ON lead (team_id, lender_user_id, id) WHERE trashed_at IS NULL AND lender_user_id IS NOT NULL;
CREATE INDEX lead_language ON lead (team_id, language, created_at, id) WHERE trashed_at IS NULL AND language IS NOT NULL;
CREATE INDEX lead_uncontacted ON lead (team_id, is_contacted, created_at, id) WHERE trashed_at IS NULL;
CREATE INDEX lead_trashed  ON lead (team_id, trashed_at, id) WHERE trashed_at IS NOT NULL;

-- Which leads carry a word. kind: 'tag' or 'segment'; created_at repeats the lead's, which never changes,
-- so that a tag's newest leads are a range of the index.
CREATE TABLE lead_label (
    team_id    bigint NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('tag', 'segment')),
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    lead_id    bigint NOT NULL,
    PRIMARY KEY (team_id, kind, name, created_at, lead_id),
    FOREIGN KEY (team_id, lead_id) REFERENCES lead (team_id, id) ON DELETE CASCADE
);
SELECT guard_by_team('lead_label');
CREATE INDEX lead_label_lead ON lead_label (team_id, lead_id);

-- E-mail addresses in lower case and phone numbers in E.164: the exact filters and the duplicates.
CREATE TABLE lead_contact (
    team_id bigint NOT NULL,
    kind    text NOT NULL CHECK (kind IN ('email', 'phone')),
    value   text NOT NULL,
    lead_id bigint NOT NULL,
    PRIMARY KEY (team_id, kind, value, lead_id),
    FOREIGN KEY (team_id, lead_id) REFERENCES lead (team_id, id) ON DELETE CASCADE
);
SELECT guard_by_team('lead_contact');
CREATE INDEX lead_contact_lead ON lead_contact (team_id, lead_id);

-- Who works a lead besides its agent. role_id: 0 shared agent, -1 assistant, -2 lender, else a custom role.
CREATE TABLE lead_role (
    team_id   bigint NOT NULL,
    lead_id   bigint NOT NULL,
    role_id   integer NOT NULL,
    member_id bigint NOT NULL,
    PRIMARY KEY (team_id, lead_id, role_id, member_id),
    FOREIGN KEY (team_id, lead_id) REFERENCES lead (team_id, id) ON DELETE CASCADE,
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id)
);
SELECT guard_by_team('lead_role');
CREATE INDEX lead_role_member ON lead_role (team_id, member_id, lead_id);

-- What `key` searches. haystack: folded names, addresses and digits; tokens: its trigrams and the
-- one-deletion neighbours of its words. No index can look behind row-level security with an array
-- operator, so the server may not read the table at all: find_leads_by_key() is the only door.
CREATE TABLE lead_search (
    team_id  bigint NOT NULL,
    lead_id  bigint NOT NULL,
    haystack text NOT NULL,
    tokens   text[] NOT NULL,
    PRIMARY KEY (team_id, lead_id),
    FOREIGN KEY (team_id, lead_id) REFERENCES lead (team_id, id) ON DELETE CASCADE
);

-- How many untrashed leads stand in each cell, as sums of rows: a change adds rows of -1 and +1, which
-- never wait for each other, and the worker adds them up. tag '' counts every lead, any other the
-- leads that carry it. Exact in every snapshot, because the rows are written with the change.
CREATE TABLE lead_tally (
    team_id          bigint NOT NULL,
    tag              text NOT NULL,
    stage_id         bigint NOT NULL,
    source           text,
    assigned_user_id bigint,
    ownership_scope  text NOT NULL,
    ownership_id     bigint NOT NULL,
    is_hidden        boolean NOT NULL,
    is_contacted     boolean NOT NULL,
    amount           bigint NOT NULL
);
SELECT guard_by_team('lead_tally');
CREATE INDEX lead_tally_cell ON lead_tally (team_id, tag, assigned_user_id, stage_id);
