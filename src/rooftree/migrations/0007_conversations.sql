-- room: messaging
-- Messages to send. State and next attempt stand in the row; a job only wakes the worker.

CREATE TABLE message (
    team_id    bigint NOT NULL,
    id         bigint NOT NULL DEFAULT next_id(),
    lead_id    bigint,
    sender_id  bigint,
    channel    text NOT NULL CHECK (channel IN ('email', 'sms')),
    purpose    text NOT NULL,
    recipient  text NOT NULL,
    subject    text,
    body       text NOT NULL,
    state      text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'failed')),
    attempts   integer NOT NULL DEFAULT 0,
    next_at    timestamptz DEFAULT now(),
    error      text,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz,
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('message');
CREATE INDEX message_lead ON message (team_id, lead_id, id);
CREATE INDEX message_due ON message (next_at) WHERE state IN ('queued', 'sending');

-- room: notes
CREATE TABLE note (
    team_id        bigint NOT NULL,
    id             bigint NOT NULL DEFAULT next_id(),
    timeline_id    bigint NOT NULL,
    lead_id        bigint NOT NULL,
    creator_id     bigint,
    last_editor_id bigint,
    content        text NOT NULL,
    is_pinned      boolean NOT NULL DEFAULT false,
    is_system      boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    deleted_at     timestamptz,
    deleted_by     bigint,
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('note');
CREATE INDEX note_lead ON note (team_id, lead_id, is_pinned, created_at, id) WHERE deleted_at IS NULL;

-- room: transactions
CREATE TABLE transaction_pipeline (
    team_id          bigint NOT NULL,
    transaction_type text NOT NULL,
    position         integer NOT NULL,
    stages           text[] NOT NULL,
    PRIMARY KEY (team_id, transaction_type)
);
SELECT guard_by_team('transaction_pipeline');

CREATE TABLE lead_transaction (
    team_id                 bigint NOT NULL,
    id                      bigint NOT NULL DEFAULT next_id(),
    lead_id                 bigint NOT NULL,
    transaction_name        text NOT NULL,
    transaction_type        text NOT NULL,
    transaction_status      text NOT NULL,
    home_price              double precision,
    commission_rate         double precision,
    gci                     double precision,
    team_revenue            double precision,
    agent_revenue           double precision,
    expected_close_at       timestamptz,
    close_at                timestamptz,
    appointment_at          timestamptz,
    agreement_signed_at     timestamptz,
    offer_at                timestamptz,
    contract_at             timestamptz,
    appraisal_at            timestamptz,
    home_inspection_at      timestamptz,
    escrow_at               timestamptz,
    expires_at              timestamptz,
    custom_fields           jsonb NOT NULL DEFAULT '[]',
    commissions             jsonb,
    created_by              bigint,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    deleted_at              timestamptz,
    PRIMARY KEY (team_id, id)
);
SELECT guard_by_team('lead_transaction');
CREATE INDEX lead_transaction_lead ON lead_transaction (team_id, lead_id, id) WHERE deleted_at IS NULL;
