CREATE TABLE workspaces (
    id          uuid PRIMARY KEY,
    slug        text NOT NULL UNIQUE,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- Intake ------------------------------------------------------------------------------------------------------

CREATE TABLE deliveries (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    source        text NOT NULL,
    kind          text NOT NULL,
    state         text NOT NULL CHECK (state IN ('accepted', 'processed', 'ignored', 'rejected', 'failed')),
    verified      text NOT NULL,
    reason        text NOT NULL DEFAULT '',
    method        text NOT NULL,
    url           text NOT NULL,
    headers       jsonb NOT NULL,
    body          bytea NOT NULL,
    received_at   timestamptz NOT NULL,
    run_id        uuid
);
CREATE INDEX deliveries_by_workspace ON deliveries (workspace_id, id DESC);
CREATE INDEX deliveries_by_source ON deliveries (workspace_id, source, id DESC);
CREATE INDEX deliveries_in_trouble ON deliveries (workspace_id, state, id DESC) WHERE state IN ('rejected', 'failed');
CREATE INDEX deliveries_by_short_id ON deliveries (workspace_id, right(id::text, 8) text_pattern_ops);

-- One row for each delivery id a sender has used: the unique key is what makes a redelivery the same delivery.
CREATE TABLE delivery_keys (
    workspace_id  uuid NOT NULL,
    source        text NOT NULL,
    key           text NOT NULL,
    delivery_id   uuid NOT NULL,
    seen_at       timestamptz NOT NULL,
    repeats       integer NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, source, key)
);

-- Bounded by count, size and age for each source; never run by itself.
CREATE TABLE quarantine (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    source        text NOT NULL,
    reason        text NOT NULL,
    method        text NOT NULL,
    url           text NOT NULL,
    headers       jsonb NOT NULL,
    body          bytea NOT NULL,
    received_at   timestamptz NOT NULL,
    delivery_id   uuid
);
CREATE INDEX quarantine_by_source ON quarantine (workspace_id, source, id DESC);

-- Identity ----------------------------------------------------------------------------------------------------

CREATE TABLE contacts (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    email         text NOT NULL DEFAULT '',
    phone         text NOT NULL DEFAULT '',
    first_name    text NOT NULL DEFAULT '',
    last_name     text NOT NULL DEFAULT '',
    company       text NOT NULL DEFAULT '',
    source        text NOT NULL DEFAULT '',
    tags          text[] NOT NULL DEFAULT '{}',
    custom        jsonb NOT NULL DEFAULT '{}',
    version       integer NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE INDEX contacts_by_workspace ON contacts (workspace_id, id DESC);
CREATE INDEX contacts_by_name ON contacts (workspace_id, lower(last_name) text_pattern_ops, lower(first_name));
CREATE INDEX contacts_by_first_name ON contacts (workspace_id, lower(first_name) text_pattern_ops);
CREATE INDEX contacts_by_short_id ON contacts (workspace_id, right(id::text, 8) text_pattern_ops);

-- The primary key is the promise: one identifier, one contact, in each workspace.
CREATE TABLE identifiers (
    workspace_id  uuid NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('email', 'phone')),
    value         text NOT NULL,
    contact_id    uuid NOT NULL REFERENCES contacts,
    source        text NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, kind, value)
);
CREATE INDEX identifiers_by_contact ON identifiers (contact_id);
CREATE INDEX identifiers_by_prefix ON identifiers (workspace_id, value text_pattern_ops);

CREATE TABLE changes (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    contact_id    uuid NOT NULL,
    version       integer NOT NULL,
    rule          text NOT NULL,
    source        text NOT NULL,
    delivery_id   uuid,
    run_id        uuid,
    before        jsonb NOT NULL,
    after         jsonb NOT NULL,
    note          text NOT NULL DEFAULT '',
    at            timestamptz NOT NULL
);
CREATE INDEX changes_by_contact ON changes (contact_id, id DESC);

CREATE TABLE events (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    type          text NOT NULL,
    contact_id    uuid,
    source        text NOT NULL,
    delivery_id   uuid,
    data          jsonb NOT NULL,
    at            timestamptz NOT NULL
);
CREATE INDEX events_by_contact ON events (contact_id, id DESC);
CREATE INDEX events_by_type ON events (workspace_id, type, id);

-- Records -----------------------------------------------------------------------------------------------------

-- Where a record lives in each system. A push is owned by a run, not by a process: the run is durable, so is its claim.
CREATE TABLE crosswalk (
    workspace_id    uuid NOT NULL,
    record_type     text NOT NULL,
    record_id       uuid NOT NULL,
    connection      text NOT NULL,
    external_id     text,
    wanted_version  integer NOT NULL,
    pushed_version  integer NOT NULL DEFAULT 0,
    push_run_id     uuid,
    error           text NOT NULL DEFAULT '',
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, record_type, record_id, connection)
);
CREATE UNIQUE INDEX crosswalk_by_external_id ON crosswalk (workspace_id, connection, record_type, external_id)
    WHERE external_id IS NOT NULL;

-- Runs --------------------------------------------------------------------------------------------------------

CREATE TABLE runs (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    workflow      text NOT NULL,
    state         text NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'done', 'failed', 'cancelled')),
    input         jsonb NOT NULL,
    execution_id  text NOT NULL,
    claim         uuid,
    delivery_id   uuid,
    event_id      uuid,
    contact_id    uuid,
    incident_id   uuid,
    wake_at       timestamptz,
    waiting_for   text NOT NULL DEFAULT '',
    failed_step   integer,
    fate          text NOT NULL DEFAULT '',
    error         text NOT NULL DEFAULT '',
    retries       integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    finished_at   timestamptz,
    handled_at    timestamptz
);
CREATE INDEX runs_by_workspace ON runs (workspace_id, id DESC);
CREATE INDEX runs_by_workflow ON runs (workspace_id, workflow, id DESC);
CREATE INDEX runs_open ON runs (workspace_id, state, id) WHERE state IN ('queued', 'running', 'waiting', 'failed');
CREATE INDEX runs_to_drive ON runs (execution_id) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX runs_by_contact ON runs (contact_id, id DESC);
CREATE INDEX runs_by_delivery ON runs (delivery_id);
CREATE INDEX runs_by_incident ON runs (incident_id, id DESC) WHERE incident_id IS NOT NULL;
CREATE INDEX runs_by_short_id ON runs (workspace_id, right(id::text, 8) text_pattern_ops);

CREATE TABLE attempts (
    workspace_id  uuid NOT NULL,
    run_id        uuid NOT NULL,
    step          integer NOT NULL,
    number        integer NOT NULL,
    name          text NOT NULL,
    connection    text NOT NULL DEFAULT '',
    state         text NOT NULL CHECK (state IN ('ok', 'retry', 'failed', 'waiting')),
    exchanges     jsonb NOT NULL DEFAULT '[]',
    result        jsonb,
    fate          text NOT NULL DEFAULT '',
    error         text NOT NULL DEFAULT '',
    status        integer,
    started_at    timestamptz NOT NULL,
    duration_ms   integer NOT NULL DEFAULT 0,
    next_at       timestamptz,
    repeated      boolean NOT NULL DEFAULT false,
    asked         integer NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, step, number)
);

-- Runs that wait for an event; seen says that the run has been driven since it came.
CREATE TABLE waits (
    workspace_id  uuid NOT NULL,
    run_id        uuid NOT NULL,
    step          integer NOT NULL,
    event_type    text NOT NULL,
    contact_id    uuid,
    deadline      timestamptz,
    event         jsonb,
    seen          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, step)
);
CREATE INDEX waits_by_event ON waits (workspace_id, event_type, contact_id) WHERE event IS NULL;

-- Counted as things end, so that no screen counts a big table. Each process has a shard of its own: a shared row would
-- make every commit wait for every other.
CREATE TABLE tallies (
    workspace_id  uuid NOT NULL,
    hour          timestamptz NOT NULL,
    name          text NOT NULL,
    label         text NOT NULL,
    shard         smallint NOT NULL,
    count         bigint NOT NULL,
    PRIMARY KEY (workspace_id, hour, name, label, shard)
);

-- Watching ----------------------------------------------------------------------------------------------------

CREATE TABLE incidents (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    fingerprint   text NOT NULL,
    state         text NOT NULL CHECK (state IN ('open', 'resolved')),
    title         text NOT NULL,
    cause         text NOT NULL,
    mend          text NOT NULL DEFAULT '',
    workflow      text NOT NULL DEFAULT '',
    connection    text NOT NULL DEFAULT '',
    source        text NOT NULL DEFAULT '',
    occurrences   integer NOT NULL DEFAULT 1,
    first_seen    timestamptz NOT NULL,
    last_seen     timestamptz NOT NULL,
    resolved_at   timestamptz,
    alert_run_id  uuid
);
CREATE UNIQUE INDEX incidents_open ON incidents (workspace_id, fingerprint) WHERE state = 'open';
CREATE INDEX incidents_by_workspace ON incidents (workspace_id, state, last_seen DESC);

-- Of the deployment, not of a workspace -------------------------------------------------------------------------

CREATE TABLE workers (
    id            text PRIMARY KEY,
    host          text NOT NULL,
    pid           integer NOT NULL,
    process_start double precision NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    heartbeat_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sign_in_links (
    token_hash    text PRIMARY KEY,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz
);

CREATE TABLE sessions (
    token_hash    text PRIMARY KEY,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL
);

-- The queue, as the stages see it: one name, so that SQL elsewhere does not know which engine carries it.
CREATE FUNCTION enqueue_execution(execution_id text, wake_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dbos.enqueue_workflow(
        workflow_name => 'mainstay.execution.v1',
        queue_name => 'executions',
        positional_args => ARRAY[to_json(execution_id)],
        workflow_id => execution_id,
        app_version => '1',
        delay_until_epoch_ms => CASE WHEN wake_at IS NULL THEN NULL
                                     ELSE (extract(epoch FROM wake_at) * 1000)::bigint END
    );
END $$;

-- True when the entry still waits; then it does so until this transaction's end, and what is added to it will be driven.
CREATE FUNCTION join_execution(execution_id text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM dbos.workflow_status AS entry
    WHERE entry.workflow_uuid = execution_id AND entry.status = 'ENQUEUED' FOR SHARE SKIP LOCKED;
    RETURN FOUND;
END $$;
