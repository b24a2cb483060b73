-- room: timeline
-- The logbook: one append-only stream per lead. Every reader of "what happened" reads it.

-- details holds what belongs to the kind (kinds.py names the keys); old and new values of a change too.
CREATE TABLE timeline_entry (
    team_id     bigint NOT NULL,
    lead_id     bigint NOT NULL,
    id          bigint NOT NULL DEFAULT next_id(),
    kind        text NOT NULL,
    happened_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    actor_id    bigint,
    details     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('timeline_entry');
CREATE INDEX timeline_entry_lead ON timeline_entry (team_id, lead_id, happened_at, id);

-- What the lead list sorts by. A lead to which nothing happened has no row; a null never happened.
CREATE TABLE timeline_summary (
    team_id             bigint NOT NULL,
    lead_id             bigint NOT NULL,
    last_contact_at     timestamptz,
    last_call_at        timestamptz,
    last_email_at       timestamptz,
    last_text_at        timestamptz,
    last_activity_at    timestamptz,
    last_visit_at       timestamptz,
    last_touch_at       timestamptz,
    communication_count integer,
    activity_count      integer,
    search_count        integer,
    view_count          integer,
    favorite_count      integer,
    score               integer,
    PRIMARY KEY (team_id, lead_id)
);
SELECT guard_by_team('timeline_summary');
CREATE INDEX summary_last_contact  ON timeline_summary (team_id, last_contact_at, lead_id)     WHERE last_contact_at IS NOT NULL;
CREATE INDEX summary_last_call     ON timeline_summary (team_id, last_call_at, lead_id)        WHERE last_call_at IS NOT NULL;
CREATE INDEX summary_last_email    ON timeline_summary (team_id, last_email_at, lead_id)       WHERE last_email_at IS NOT NULL;
CREATE INDEX summary_last_activity ON timeline_summary (team_id, last_activity_at, lead_id)    WHERE last_activity_at IS NOT NULL;
CREATE INDEX summary_communication ON timeline_summary (team_id, communication_count, lead_id) WHERE communication_count IS NOT NULL;
CREATE INDEX summary_activity      ON timeline_summary (team_id, activity_count, lead_id)      WHERE activity_count IS NOT NULL;
CREATE INDEX summary_search        ON timeline_summary (team_id, search_count, lead_id)        WHERE search_count IS NOT NULL;
CREATE INDEX summary_view          ON timeline_summary (team_id, view_count, lead_id)          WHERE view_count IS NOT NULL;
CREATE INDEX summary_favorite      ON timeline_summary (team_id, favorite_count, lead_id)      WHERE favorite_count IS NOT NULL;
CREATE INDEX summary_score         ON timeline_summary (team_id, score, lead_id)               WHERE score IS NOT NULL;
