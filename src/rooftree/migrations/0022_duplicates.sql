-- room: leads
-- Where a lead went that was merged into another, and the leads that came or changed since duplicates were last
-- looked for: rows are only added and taken away, so nobody who writes a lead waits for whoever compares them.

ALTER TABLE lead ADD COLUMN merged_into bigint;

CREATE TABLE lead_to_compare (
    team_id bigint NOT NULL,
    id      bigint NOT NULL DEFAULT next_id(),
    lead_id bigint NOT NULL,
    PRIMARY KEY (team_id, id, lead_id)
);
SELECT guard_by_team('lead_to_compare');
INSERT INTO lead_to_compare (team_id, lead_id) SELECT team_id, id FROM lead WHERE trashed_at IS NULL;

-- room: notes
-- A merge moves what was deleted, too.
CREATE INDEX note_deleted ON note (team_id, lead_id) WHERE deleted_at IS NOT NULL;

-- room: transactions
CREATE INDEX lead_transaction_deleted ON lead_transaction (team_id, lead_id) WHERE deleted_at IS NOT NULL;

-- room: messaging
CREATE INDEX arrival_lead ON arrival (team_id, lead_id) WHERE lead_id IS NOT NULL;

-- room: calls
CREATE INDEX call_lead ON call (team_id, lead_id) WHERE lead_id IS NOT NULL;

-- room: duplicates
-- What makes two leads worth comparing, hashed: a name together with a place, a number or an address.
CREATE TABLE duplicate_key (
    team_id bigint NOT NULL,
    key     bigint NOT NULL,
    lead_id bigint NOT NULL,
    PRIMARY KEY (team_id, key, lead_id)
);
SELECT guard_by_team('duplicate_key');
CREATE INDEX duplicate_key_lead ON duplicate_key (team_id, lead_id);

-- The review list. lead_id < other_id.
CREATE TABLE duplicate_pair (
    team_id      bigint NOT NULL,
    id           bigint NOT NULL DEFAULT next_id(),
    lead_id      bigint NOT NULL,
    other_id     bigint NOT NULL,
    score        smallint NOT NULL,
    reasons      jsonb NOT NULL,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'dismissed')),
    found_at     timestamptz NOT NULL DEFAULT now(),
    dismissed_at timestamptz,
    dismissed_by bigint,
    PRIMARY KEY (team_id, id),
    UNIQUE (team_id, lead_id, other_id)
);
SELECT guard_by_team('duplicate_pair');
CREATE INDEX duplicate_pair_other ON duplicate_pair (team_id, other_id);
CREATE INDEX duplicate_pair_review ON duplicate_pair (team_id, state, score, id);

-- Who was merged into whom. What is needed to undo it goes after 30 days; the row stays.
CREATE TABLE lead_merge (
    team_id        bigint NOT NULL,
    id             bigint NOT NULL DEFAULT next_id(),
    lead_id        bigint NOT NULL,            -- who stayed
    merged_lead_id bigint NOT NULL,            -- who went
    merged_by      bigint NOT NULL,
    merged_at      timestamptz NOT NULL DEFAULT now(),
    choices        jsonb NOT NULL,             -- what the caller chose, by field
    moved          jsonb NOT NULL,             -- how many rows moved, by kind
    changes        jsonb,                      -- of who stayed, by field: old and new values; null: forgotten
    summary        jsonb,                      -- what the logbook had counted; null: forgotten
    undone_at      timestamptz,
    undone_by      bigint,
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('lead_merge');
CREATE INDEX lead_merge_lead ON lead_merge (team_id, lead_id);
CREATE INDEX lead_merge_gone ON lead_merge (team_id, merged_lead_id);
CREATE INDEX lead_merge_undoable ON lead_merge (merged_at) WHERE changes IS NOT NULL;

-- Which rows a merge moved, by kind; they go with what is needed to undo it.
CREATE TABLE lead_merge_move (
    team_id  bigint NOT NULL,
    merge_id bigint NOT NULL,
    kind     text NOT NULL,
    ids      bigint[] NOT NULL,
    PRIMARY KEY (team_id, merge_id, kind),
    FOREIGN KEY (team_id, merge_id) REFERENCES lead_merge (team_id, id) ON DELETE CASCADE
);
SELECT guard_by_team('lead_merge_move');
