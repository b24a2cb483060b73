-- room: platform
-- The outbox in commit order: one writer at a time numbers what is committed, so that whoever reads on from a number
-- misses nothing that commits later.
CREATE SEQUENCE announcement_seq;
ALTER TABLE announcement ADD COLUMN seq bigint;
CREATE INDEX announcement_new ON announcement (id) WHERE seq IS NULL;
CREATE UNIQUE INDEX announcement_feed ON announcement (team_id, seq) WHERE seq IS NOT NULL;
CREATE INDEX announcement_age ON announcement USING brin (happened_at);

-- room: webhooks
-- Who wants to hear of what, where. status: active, disabled (410, days of failure, by hand), deleted.
CREATE TABLE webhook (
    team_id          bigint NOT NULL REFERENCES team (id),
    id               bigint NOT NULL DEFAULT next_id(),
    member_id        bigint NOT NULL,
    vendor_id        bigint,                               -- the OAuth application; null: a personal key
    list_id          smallint NOT NULL CHECK (list_id BETWEEN 1 AND 12),
    callback_url     text NOT NULL,
    batch_limit      integer NOT NULL CHECK (batch_limit BETWEEN 1 AND 5000),
    permission_mode  smallint NOT NULL CHECK (permission_mode IN (0, 1)),
    status           text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled', 'deleted')),
    reason           text,                                 -- why it is disabled
    secret           bytea NOT NULL,                       -- encrypted
    old_secret       bytea,
    old_secret_until timestamptz,
    failing_since    timestamptz,                          -- null: the last attempt was answered
    last_success_at  timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, member_id) REFERENCES member (team_id, id)
);
SELECT guard_by_team('webhook');
CREATE UNIQUE INDEX webhook_once ON webhook (team_id, member_id, list_id, md5(callback_url)) WHERE status <> 'deleted';
CREATE INDEX webhook_active ON webhook (team_id, list_id) WHERE status = 'active';

-- One POST to be made. state: waiting, sending (due_at: when its lease ends), delivered, failed, cancelled.
CREATE TABLE webhook_delivery (
    team_id      bigint NOT NULL,
    id           bigint NOT NULL DEFAULT next_id(),
    webhook_id   bigint NOT NULL,
    list_id      smallint NOT NULL,
    body         bytea NOT NULL,
    entries      integer NOT NULL,
    lead_ids     bigint[] NOT NULL DEFAULT '{}',
    state        text NOT NULL DEFAULT 'waiting'
                 CHECK (state IN ('waiting', 'sending', 'delivered', 'failed', 'cancelled')),
    attempts     smallint NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL DEFAULT now(),
    created_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, webhook_id) REFERENCES webhook (team_id, id)
) WITH (fillfactor = 80);
SELECT guard_by_team('webhook_delivery');
CREATE INDEX webhook_delivery_due ON webhook_delivery (team_id, webhook_id, due_at) WHERE state IN ('waiting', 'sending');
CREATE INDEX webhook_delivery_log ON webhook_delivery (team_id, webhook_id, id);
CREATE INDEX webhook_delivery_age ON webhook_delivery USING brin (created_at);

CREATE TABLE webhook_attempt (
    team_id     bigint NOT NULL,
    id          bigint NOT NULL DEFAULT next_id(),
    delivery_id bigint NOT NULL,
    number      smallint NOT NULL,                         -- from 1; a replay begins anew
    started_at  timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    status      smallint,                                  -- of the answer; null: there was none
    error       text,                                      -- null: it was answered with 2xx
    answer      text NOT NULL DEFAULT '',                  -- its first 1,024 bytes
    next_at     timestamptz,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, delivery_id) REFERENCES webhook_delivery (team_id, id) ON DELETE CASCADE
);
SELECT guard_by_team('webhook_attempt');
CREATE INDEX webhook_attempt_delivery ON webhook_attempt (team_id, delivery_id, id);

-- Whether any team has such a subscription: deleting another team's is refused in words of its own.
CREATE FUNCTION is_webhook(webhook_id bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT
    AS $$ SELECT EXISTS (SELECT FROM webhook w WHERE w.id = webhook_id AND w.status <> 'deleted') $$;
REVOKE ALL ON FUNCTION is_webhook(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_webhook(bigint) TO rooftree_server;
