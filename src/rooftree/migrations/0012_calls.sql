-- room: calls
-- What a dialer or telephone provider knows of a call, beside its entry in the logbook, whose id it has.

CREATE TABLE call (
    team_id             bigint NOT NULL,
    id                  bigint NOT NULL,
    lead_id             bigint,            -- null: nobody known; it lies in the tray
    user_id             bigint,
    user_phone          text,
    lead_phone          text,
    direction           text NOT NULL CHECK (direction IN ('outbound', 'inbound')),
    status              text CHECK (status IN ('Completed', 'Missed', 'Failed', 'Busy', 'NoAnswer', 'VoiceMail')),
    started_at          timestamptz NOT NULL DEFAULT now(),
    ended_at            timestamptz,
    duration_seconds    integer,
    ring_seconds        integer,
    outcome             text,
    rate_score          smallint CHECK (rate_score BETWEEN 0 AND 5),
    caller_id           text,
    note                text,
    is_machine_answered boolean,
    price               double precision,
    provider_id         text,
    is_told             boolean NOT NULL DEFAULT false,  -- its entry is in the logbook
    recording_url       text,              -- where the provider keeps it, until it is fetched
    recording_key       text,              -- where we keep it
    recording_type      text,
    transcript          text,
    summary             text,
    summary_state       smallint,          -- 0 pending, 1 processing, 2 finished, 3 failed
    summary_data        jsonb,
    summary_error       text,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('call');
CREATE UNIQUE INDEX call_provider ON call (team_id, provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX call_known_as ON call (provider_id) WHERE provider_id IS NOT NULL;

-- Whose call a provider speaks of, by the provider's own id. It runs with the owner's rights because the team
-- is not known before.
CREATE FUNCTION team_of_call(known_as text)
    RETURNS TABLE (team_id bigint, call_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$ SELECT c.team_id, c.id FROM call c WHERE c.provider_id = known_as ORDER BY c.id LIMIT 1 $$;
REVOKE ALL ON FUNCTION team_of_call(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION team_of_call(text) TO rooftree_server;
