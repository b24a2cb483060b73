-- room: leads
-- What `key` searches (leads/search.py makes the tokens). Array operators and LIKE are not leakproof, so
-- under row-level security no index could serve them. The server's role therefore writes this table under the
-- usual guard, and reads it through find_leads_by_key(), which sees one team only.

SELECT guard_by_team('lead_search');
-- The pending list (in kB) makes inserts cheap, and a search reads it whole: neither too small nor too large.
CREATE INDEX lead_search_tokens ON lead_search USING gin (tokens) WITH (fastupdate = on, gin_pending_list_limit = 2048);

-- Leads whose text holds every fragment (patterns); only if there is none, those that hold every word with
-- one typing error. near: a word's neighbours, blank-separated, per word; edits: the regular expression that
-- proves it; short: tokens of words too short to be mistyped.
CREATE FUNCTION find_leads_by_key(grams text[], patterns text[], short text[], near text[], edits text[])
    RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path FROM CURRENT
    SET plan_cache_mode = force_custom_plan
    AS $$
DECLARE
    team  bigint := current_team();
    exact bigint[];
    words text := '';
    word  text;
BEGIN
    exact := ARRAY(SELECT s.lead_id FROM lead_search s
                    WHERE s.team_id = team AND s.tokens @> grams AND s.haystack LIKE ALL (patterns));
    IF cardinality(exact) > 0 OR cardinality(near) = 0 THEN
        RETURN QUERY SELECT unnest(exact);
        RETURN;
    END IF;
    FOREACH word IN ARRAY near LOOP
        words := words || format(' AND s.tokens && %L::text[]', string_to_array(word, ' '));
    END LOOP;
    RETURN QUERY EXECUTE
        'SELECT s.lead_id FROM lead_search s WHERE s.team_id = $1 AND s.tokens @> $2 AND s.haystack ~ ALL ($3)' || words
        USING team, short, edits;
END $$;
REVOKE ALL ON FUNCTION find_leads_by_key(text[], text[], text[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_leads_by_key(text[], text[], text[], text[], text[]) TO rooftree_server;
