-- room: timeline
-- Calls, texts and e-mails stand in the logbook like everything else; these columns say how they are read.
-- status, is_pinned and the deletion are the only things about an entry that change, and each change is an
-- entry of its own.

ALTER TABLE timeline_entry
    ADD COLUMN channel    text CHECK (channel IN ('call', 'text', 'email')),
    ADD COLUMN direction  text CHECK (direction IN ('outbound', 'inbound')),
    ADD COLUMN origin     text CHECK (origin IN ('auto', 'manual', 'logged')),
    ADD COLUMN status     text,
    ADD COLUMN is_pinned  boolean NOT NULL DEFAULT false,
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN deleted_by bigint;

-- One index per reader. All channels of a lead, one channel, manual logs by time and by id, an agent's, the team's.
CREATE INDEX timeline_talk ON timeline_entry (team_id, lead_id, happened_at, id)
    WHERE channel IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX timeline_talk_by_channel ON timeline_entry (team_id, lead_id, channel, happened_at, id)
    WHERE channel IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX timeline_log ON timeline_entry (team_id, lead_id, channel, happened_at, id)
    WHERE origin = 'logged' AND deleted_at IS NULL;
CREATE INDEX timeline_log_by_id ON timeline_entry (team_id, lead_id, channel, id)
    WHERE origin = 'logged' AND deleted_at IS NULL;
CREATE INDEX timeline_talk_by_agent ON timeline_entry (team_id, actor_id, happened_at, id)
    WHERE channel IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX timeline_talk_by_team ON timeline_entry (team_id, happened_at, id)
    WHERE channel IS NOT NULL AND deleted_at IS NULL;
-- Site activity, and what is neither that nor talk: the system log.
CREATE INDEX timeline_site ON timeline_entry (team_id, lead_id, happened_at, id)
    WHERE kind LIKE 'site\_%';
CREATE INDEX timeline_system ON timeline_entry (team_id, lead_id, happened_at, id)
    WHERE channel IS NULL AND kind NOT LIKE 'site\_%';
CREATE INDEX timeline_pinned ON timeline_entry (team_id, lead_id, happened_at, id)
    WHERE is_pinned AND deleted_at IS NULL;
