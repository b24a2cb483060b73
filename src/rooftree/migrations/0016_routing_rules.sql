-- room: routing
-- Rules, who takes part, whose turn it is in a weighted line, and leads on offer.

-- business_type: 1 agent, 2 lender, 4 assistant (then role_id says which). office_id null: the company's rules.
-- A supplement rule is what happens when no other fits: one per type, role and level; it cannot be deleted.
-- A draft is tried by rehearsals only.
CREATE TABLE routing_rule (
    team_id       bigint NOT NULL REFERENCES team (id),
    id            bigint NOT NULL DEFAULT next_id(),
    business_type smallint NOT NULL CHECK (business_type IN (1, 2, 4)),
    role_id       integer NOT NULL DEFAULT -1,
    office_id     bigint,
    position      integer NOT NULL DEFAULT 0,
    name          text NOT NULL DEFAULT '',
    is_on         boolean NOT NULL DEFAULT true,
    is_draft      boolean NOT NULL DEFAULT false,
    is_supplement boolean NOT NULL DEFAULT false,
    criteria      jsonb NOT NULL DEFAULT '{}',
    active_days   smallint[] NOT NULL DEFAULT '{1,2,3,4,5,6,7}',
    hours_start   smallint NOT NULL DEFAULT 0 CHECK (hours_start BETWEEN 0 AND 23),
    hours_end     smallint NOT NULL DEFAULT 0 CHECK (hours_end BETWEEN 0 AND 23),
    time_zone     text,                                    -- null: the team's
    strategy      smallint NOT NULL DEFAULT 1 CHECK (strategy BETWEEN 1 AND 5),
    touch_minutes integer CHECK (touch_minutes BETWEEN 1 AND 1440),
    pond_id       bigint,
    assignee_id   bigint,
    weights       jsonb NOT NULL DEFAULT '[]',             -- [[member id, weight], ...]; empty: all, evenly
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, office_id) REFERENCES office (team_id, id),
    FOREIGN KEY (team_id, pond_id) REFERENCES lead_pond (team_id, id),
    FOREIGN KEY (team_id, assignee_id) REFERENCES member (team_id, id)
);
SELECT guard_by_team('routing_rule');
CREATE UNIQUE INDEX routing_rule_supplement
    ON routing_rule (team_id, business_type, role_id, coalesce(office_id, 0)) WHERE is_supplement;

-- Who is out of the line, and how much they take. No row: always in, no limits.
CREATE TABLE routing_member (
    team_id      bigint NOT NULL,
    member_id    bigint NOT NULL,
    is_paused    boolean NOT NULL DEFAULT false,
    paused_until timestamptz,                              -- null: until they say otherwise
    vacations    jsonb NOT NULL DEFAULT '[]',              -- [["2026-12-24", "2027-01-02"], ...], both inclusive
    daily_cap    integer CHECK (daily_cap >= 0),           -- leads a day by routing
    open_cap     integer CHECK (open_cap >= 0),            -- leads they have at once
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, member_id),
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id)
);
SELECT guard_by_team('routing_member');

-- How many leads routing gave a member with a daily limit on a day of the team's calendar.
CREATE TABLE routing_load (
    team_id   bigint NOT NULL,
    member_id bigint NOT NULL,
    day       date NOT NULL,
    leads     integer NOT NULL,
    PRIMARY KEY (team_id, member_id, day),
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id)
) WITH (fillfactor = 50);
SELECT guard_by_team('routing_load');

-- A member of weight 3 stands in a line three times.
ALTER TABLE routing_turn ADD COLUMN slot integer NOT NULL DEFAULT 0;
ALTER TABLE routing_turn DROP CONSTRAINT routing_turn_pkey;
ALTER TABLE routing_turn ADD PRIMARY KEY (team_id, scope, member_id, slot);

-- A lead that somebody has to touch in time, or that the first to claim it gets.
-- status: open, touched, claimed, passed on (to the next), ended (assigned by hand, trashed).
CREATE TABLE routing_offer (
    team_id       bigint NOT NULL,
    id            bigint NOT NULL DEFAULT next_id(),
    lead_id       bigint NOT NULL,
    rule_id       bigint,
    strategy      smallint NOT NULL,
    member_ids    bigint[] NOT NULL,                       -- who may claim it
    tried_ids     bigint[] NOT NULL DEFAULT '{}',          -- who had it before and did not touch it
    spent_rule_ids bigint[] NOT NULL DEFAULT '{}',           -- blasts that nobody claimed
    status        text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'touched', 'claimed', 'passed', 'ended')),
    due_at        timestamptz NOT NULL,
    claimed_by    bigint,
    created_at    timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('routing_offer');
CREATE UNIQUE INDEX routing_offer_open ON routing_offer (team_id, lead_id) WHERE status = 'open';
CREATE INDEX routing_offer_lead ON routing_offer (team_id, lead_id, created_at);
