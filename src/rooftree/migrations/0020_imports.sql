-- room: platform
-- What a transaction with rooftree.quiet = on announces stands in the feed, and is posted to nobody.
ALTER TABLE announcement ADD COLUMN is_quiet boolean NOT NULL
    DEFAULT coalesce(current_setting('rooftree.quiet', true), '') = 'on';

-- room: imports
-- Imports of leads from files. The numbers count per team, so that people can type them.
CREATE TABLE lead_import (
    team_id      bigint NOT NULL REFERENCES team (id),
    id           integer NOT NULL,
    member_id    bigint NOT NULL,                -- who does it
    file_name    text NOT NULL,
    content_hash text NOT NULL,                  -- SHA-256 of the file
    plan         jsonb NOT NULL,                 -- how its columns are read, and what is done with them
    state        text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'undoing', 'undone')),
    position     bigint NOT NULL DEFAULT 0,      -- rows of the file that are done
    created      bigint NOT NULL DEFAULT 0,
    updated      bigint NOT NULL DEFAULT 0,
    skipped      bigint NOT NULL DEFAULT 0,
    failed       bigint NOT NULL DEFAULT 0,
    errors_path  text,
    errors_bytes bigint NOT NULL DEFAULT 0,      -- how much of that file belongs to the rows that are done
    started_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id)
);
SELECT guard_by_team('lead_import');
CREATE INDEX lead_import_file ON lead_import (team_id, content_hash, id);

-- The rows that were committed together, and the leads they made: what undo needs, in a few rows.
CREATE TABLE lead_import_batch (
    team_id     bigint NOT NULL,
    import_id   integer NOT NULL,
    first_row   bigint NOT NULL,
    lead_ids    bigint[] NOT NULL,               -- once undone: those that stayed
    recorded_at timestamptz NOT NULL DEFAULT now(),
    undone_at   timestamptz,
    PRIMARY KEY (team_id, import_id, first_row),
    FOREIGN KEY (team_id, import_id) REFERENCES lead_import (team_id, id)
);
SELECT guard_by_team('lead_import_batch');

-- What an import changed on a lead that was there before: its columns, as they were and as they are.
CREATE TABLE lead_import_change (
    team_id    bigint NOT NULL,
    import_id  integer NOT NULL,
    row_number bigint NOT NULL,
    lead_id    bigint NOT NULL,
    before     jsonb NOT NULL,
    after      jsonb NOT NULL,
    PRIMARY KEY (team_id, import_id, row_number),
    FOREIGN KEY (team_id, import_id) REFERENCES lead_import (team_id, id)
);
SELECT guard_by_team('lead_import_change');
