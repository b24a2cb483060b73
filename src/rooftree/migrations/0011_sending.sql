-- room: messaging
-- Sending for real: where a message stands, who must not be written to, whose mail account it goes by, and
-- what came in.

ALTER TABLE message
    ADD COLUMN timeline_id    bigint,
    ADD COLUMN sender         text,
    ADD COLUMN recipient_name text,
    ADD COLUMN leased_until   timestamptz,
    ADD COLUMN tried_at       timestamptz,
    ADD COLUMN provider       text,
    ADD COLUMN provider_id    text,
    ADD COLUMN updated_at     timestamptz NOT NULL DEFAULT now(),
    DROP CONSTRAINT message_state_check,
    ADD CONSTRAINT message_state_check CHECK (state IN ('queued', 'sending', 'sent', 'delivered', 'failed'));
CREATE INDEX message_provider ON message (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX message_timeline ON message (team_id, timeline_id) WHERE timeline_id IS NOT NULL;

-- Addresses and numbers that asked for silence, or do not exist. address is normalised (lower case, E.164).
CREATE TABLE suppression (
    team_id    bigint NOT NULL,
    channel    text NOT NULL CHECK (channel IN ('email', 'sms')),
    address    text NOT NULL,
    reason     text NOT NULL CHECK (reason IN ('opted_out', 'bounced', 'unsubscribed')),
    detail     text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, channel, address)
);
SELECT guard_by_team('suppression');

-- An SMTP account: a member's own, or the team's (member_id 0). The URL holds a password, so it is encrypted.
CREATE TABLE mail_account (
    team_id      bigint NOT NULL,
    member_id    bigint NOT NULL DEFAULT 0,
    url          bytea NOT NULL,
    from_address text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, member_id)
);
SELECT guard_by_team('mail_account');

-- Everything that arrives, kept before it is understood. Without a lead it waits in the tray until somebody
-- looks at it.
CREATE TABLE arrival (
    team_id     bigint NOT NULL,
    id          bigint NOT NULL DEFAULT next_id(),
    channel     text NOT NULL CHECK (channel IN ('email', 'sms', 'call')),
    provider_id text NOT NULL,
    sender      text NOT NULL,
    recipient   text NOT NULL,
    subject     text,
    body        text NOT NULL,
    raw         bytea,
    lead_id     bigint,
    timeline_id bigint,
    arrived_at  timestamptz NOT NULL DEFAULT now(),
    handled_at  timestamptz,
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('arrival');
CREATE UNIQUE INDEX arrival_once ON arrival (team_id, channel, provider_id);
CREATE INDEX arrival_tray ON arrival (team_id, id) WHERE lead_id IS NULL AND handled_at IS NULL;

-- room: team
CREATE UNIQUE INDEX member_virtual_number ON member (virtual_number) WHERE virtual_number IS NOT NULL;

-- Whose number this is: what arrives from a provider names a number, not a team. It runs with the owner's
-- rights because the team is not known before. An unknown number belongs to the first team: nothing is lost.
CREATE FUNCTION team_of_number(number text)
    RETURNS TABLE (team_id bigint, member_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
    (SELECT m.team_id, m.id FROM member m WHERE m.virtual_number = number)
    UNION ALL
    (SELECT t.id, NULL::bigint FROM team t ORDER BY t.created_at, t.id LIMIT 1)
    LIMIT 1
$$;
REVOKE ALL ON FUNCTION team_of_number(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION team_of_number(text) TO rooftree_server;

-- Whose address this is: a member's own, by login.
CREATE FUNCTION team_of_address(address text)
    RETURNS TABLE (team_id bigint, member_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$
    (SELECT m.team_id, m.id FROM member m WHERE lower(m.email) = lower(address) ORDER BY m.team_id LIMIT 1)
    UNION ALL
    (SELECT t.id, NULL::bigint FROM team t ORDER BY t.created_at, t.id LIMIT 1)
    LIMIT 1
$$;
REVOKE ALL ON FUNCTION team_of_address(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION team_of_address(text) TO rooftree_server;

-- Whose message a provider speaks of, by the provider's own id. No row: nobody's.
CREATE FUNCTION team_of_message(known_as text)
    RETURNS TABLE (team_id bigint, message_id bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$ SELECT m.team_id, m.id FROM message m WHERE m.provider_id = known_as ORDER BY m.id DESC LIMIT 1 $$;
REVOKE ALL ON FUNCTION team_of_message(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION team_of_message(text) TO rooftree_server;
