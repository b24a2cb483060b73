-- room: lofty
-- Taking over an account over the contract's own API: how far it is, and which thing of the source is which here.

-- One run. `wanted`: the kinds it was asked for. What is older than `until` is its business, the rest the next run's.
CREATE TABLE lofty_pull (
    team_id    bigint NOT NULL REFERENCES team (id),
    id         bigint NOT NULL DEFAULT next_id(),
    account    text NOT NULL,             -- the source's own number of the account: a team takes from one only
    base_url   text NOT NULL,
    wanted     text[] NOT NULL,
    since      timestamptz,
    until      timestamptz NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('lofty_pull');

-- Where a run stands: the place is written in the transaction that writes what came from there.
CREATE TABLE lofty_step (
    team_id bigint NOT NULL,
    pull_id bigint NOT NULL,
    kind    text NOT NULL,
    place   text NOT NULL DEFAULT '',     -- a scroll, a window and its cursor, the last lead
    total   bigint,                       -- as the source says
    is_done boolean NOT NULL DEFAULT false,
    problem text,                         -- why the source does not give it
    PRIMARY KEY (team_id, pull_id, kind),
    FOREIGN KEY (team_id, pull_id) REFERENCES lofty_pull (team_id, id)
);
SELECT guard_by_team('lofty_step');

-- What was taken: its id there and here. digest: of what the source said, so that only what changed is written again.
CREATE TABLE lofty_thing (
    team_id   bigint NOT NULL,
    kind      text NOT NULL,
    source_id text NOT NULL COLLATE "C",
    own_id    bigint NOT NULL,
    digest    bytea NOT NULL,
    pull_id   bigint NOT NULL,            -- the last run that saw it
    PRIMARY KEY (team_id, kind, source_id)
);
SELECT guard_by_team('lofty_thing');

-- Conversations that the source's search names; the leads' own timelines have what was said in them.
CREATE TABLE lofty_talk (
    team_id   bigint NOT NULL,
    lead_id   text NOT NULL COLLATE "C",
    source_id text NOT NULL COLLATE "C",
    PRIMARY KEY (team_id, lead_id, source_id)
);
SELECT guard_by_team('lofty_talk');

-- What could not be taken, and why.
CREATE TABLE lofty_refusal (
    team_id   bigint NOT NULL,
    kind      text NOT NULL,
    source_id text NOT NULL,
    reason    text NOT NULL,
    PRIMARY KEY (team_id, kind, source_id)
);
SELECT guard_by_team('lofty_refusal');
