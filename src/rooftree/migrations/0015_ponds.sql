-- room: leads
-- A lead may lie in a pond instead of being somebody's.

ALTER TABLE lead ADD COLUMN pond_id bigint;
ALTER TABLE lead ADD FOREIGN KEY (team_id, pond_id) REFERENCES lead_pond (team_id, id);
CREATE INDEX lead_in_pond ON lead (team_id, pond_id, created_at, id) WHERE trashed_at IS NULL AND pond_id IS NOT NULL;

ALTER TABLE lead_tally ADD COLUMN pond_id bigint;
