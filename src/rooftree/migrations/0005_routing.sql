-- room: routing
-- Whose turn it is. One row per agent of a scope; the fewest turns goes next.

-- scope: 'company', or 'office:<id>'.
CREATE TABLE routing_turn (
    team_id   bigint NOT NULL,
    scope     text NOT NULL,
    member_id bigint NOT NULL,
    turns     bigint NOT NULL,
    PRIMARY KEY (team_id, scope, member_id),
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id)
) WITH (fillfactor = 50);
SELECT guard_by_team('routing_turn');
