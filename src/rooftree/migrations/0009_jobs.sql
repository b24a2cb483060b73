-- room: platform
-- Work that no request waits for: jobs, written in the transaction that made them due, and timers.

-- A job is deleted when it is done, and held when it failed for good. run_at: when it may next be taken; while
-- it runs, when its lease ends. attempts counts its starts and, with the id, names one of them. A start that
-- told nothing about its end was a death of the worker.
CREATE TABLE job (
    team_id    bigint NOT NULL,
    id         bigint NOT NULL DEFAULT next_id(),
    name       text NOT NULL,
    args       jsonb NOT NULL DEFAULT '{}',
    run_at     timestamptz NOT NULL DEFAULT now(),
    attempts   integer NOT NULL DEFAULT 0,
    deaths     integer NOT NULL DEFAULT 0,
    started_at timestamptz,
    held_at    timestamptz,
    error      text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
SELECT guard_by_team('job');
CREATE INDEX job_due ON job (run_at) WHERE held_at IS NULL;
CREATE INDEX job_suspect ON job (run_at) WHERE held_at IS NULL AND deaths > 0;

-- One row per timer of the installation; whoever moves due_at on runs it.
CREATE TABLE timer (
    name   text PRIMARY KEY,
    due_at timestamptz NOT NULL
);
