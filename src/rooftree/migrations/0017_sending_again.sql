-- room: platform
-- What makes a request safe to send again: kept answers. And how many requests each key has made this minute.

-- The first answer to a write under an Idempotency-Key, written in the transaction of the change it tells of:
-- there are both or neither. fingerprint: SHA-256 of method, path with query, and body.
CREATE TABLE kept_answer (
    team_id      bigint NOT NULL,
    member_id    bigint NOT NULL,
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint  bytea NOT NULL,
    status       smallint NOT NULL,
    content_type text NOT NULL,
    body         bytea NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (team_id, member_id, key)
);
SELECT guard_by_team('kept_answer');
CREATE INDEX kept_answer_age ON kept_answer (created_at);

-- Takes a key until the transaction ends, without waiting, and returns the answer that is kept under it.
-- No row: somebody else holds it. A row of nulls: it is free. VOLATILE, so that the second statement sees what was
-- committed before the lock was let go of, in one round trip; in a plain statement it would not.
CREATE FUNCTION take_key(asking_team bigint, asking_member bigint, wanted text, kept_for interval)
    RETURNS TABLE (fingerprint bytea, status smallint, content_type text, body bytea)
    LANGUAGE plpgsql VOLATILE ROWS 1
    AS $$
#variable_conflict use_column
BEGIN
    IF NOT pg_try_advisory_xact_lock(
        hashtextextended('kept_answer ' || asking_member || ' ' || wanted, asking_team)) THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT a.fingerprint, a.status, a.content_type, a.body FROM kept_answer a
     WHERE a.team_id = asking_team AND a.member_id = asking_member AND a.key = wanted
       AND a.created_at > clock_timestamp() - kept_for;
    IF NOT FOUND THEN
        RETURN QUERY SELECT NULL::bytea, NULL::smallint, NULL::text, NULL::bytea;
    END IF;
END $$;

-- How many requests somebody made in the running minute, one row each. Not logged: nobody waits for the disk to
-- count, and after a crash the minute begins anew. holder_id: an API key, or whatever else has a limit of its own.
CREATE UNLOGGED TABLE rate_window (
    team_id    bigint NOT NULL,
    holder_id  bigint NOT NULL,
    started_at timestamptz NOT NULL,
    used       integer NOT NULL,
    PRIMARY KEY (team_id, holder_id)
) WITH (fillfactor = 50);
SELECT guard_by_team('rate_window');

-- Counts one request, exactly, and returns how many there were in this minute, with this one, and when it ends in
-- seconds since 1970. With the owner's rights, because it stands in the statement that finds the team. Null: nothing.
-- A request that waited past the end of its minute counts in the next; a clock that was put back begins anew.
CREATE FUNCTION count_request(asking_team bigint, holder bigint)
    RETURNS TABLE (used integer, ends_at bigint)
    LANGUAGE sql VOLATILE STRICT SECURITY DEFINER ROWS 1 SET search_path FROM CURRENT
    AS $$
    INSERT INTO rate_window AS w (team_id, holder_id, started_at, used)
    VALUES ($1, $2, date_trunc('minute', clock_timestamp()), 1)
    ON CONFLICT (team_id, holder_id) DO UPDATE
       SET started_at = CASE WHEN w.started_at - EXCLUDED.started_at BETWEEN interval '0' AND interval '1 minute'
                             THEN w.started_at ELSE EXCLUDED.started_at END,
           used = CASE WHEN w.started_at - EXCLUDED.started_at BETWEEN interval '0' AND interval '1 minute'
                       THEN w.used + 1 ELSE 1 END
    RETURNING w.used, extract(epoch FROM w.started_at)::bigint + 60
$$;
REVOKE ALL ON FUNCTION count_request(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_request(bigint, bigint) TO rooftree_server;
