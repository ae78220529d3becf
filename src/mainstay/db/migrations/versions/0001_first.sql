CREATE TABLE workspaces (
    id          uuid PRIMARY KEY,
    slug        text NOT NULL UNIQUE,
    name        text NOT NULL,
    -- Digests of what was deleted are made with it.
    digest_key  bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Which connection is right about which field of a contact: as the stack says, and as all contacts were last told by.
    owners      jsonb NOT NULL DEFAULT '{}',
    told_by     jsonb NOT NULL DEFAULT '{}',
    told_to     uuid,
    tell_run_id uuid
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

CREATE INDEX delivery_keys_by_delivery ON delivery_keys (delivery_id);

-- How far a workspace's old rows of a kind have been gone through; see retention.py.
CREATE TABLE forgetting (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    kind          text NOT NULL CHECK (kind IN ('calls', 'runs', 'deliveries')),
    after         uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    next_at       timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (workspace_id, kind)
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

-- A contact that was merged keeps its row and points at the one that took it in: its id redirects for ever. No foreign key
-- to workspaces, which are never removed: a look-up and a row lock for each contact that an import brings.
CREATE TABLE contacts (
    id              uuid PRIMARY KEY,
    workspace_id    uuid NOT NULL,
    email           text NOT NULL DEFAULT '',
    phone           text NOT NULL DEFAULT '',
    first_name      text NOT NULL DEFAULT '',
    last_name       text NOT NULL DEFAULT '',
    company         text NOT NULL DEFAULT '',
    source          text NOT NULL DEFAULT '',
    tags            text[] NOT NULL DEFAULT '{}',
    custom          jsonb NOT NULL DEFAULT '{}',
    flags           text[] NOT NULL DEFAULT '{}',
    do_not_contact  boolean NOT NULL DEFAULT false,
    -- For each value that stands: when it was said, by which kind of source, in which change.
    origins         jsonb NOT NULL DEFAULT '{}',
    -- Of this row alone, whatever it was merged into: so that undoing a merge gives each side back its own.
    opted_out_at    timestamptz,
    consented_at    timestamptz,
    merged_into     uuid REFERENCES contacts CHECK (merged_into <> id),
    deleted_at      timestamptz,
    version         integer NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
) WITH (fillfactor = 85);
-- Rising, as ids come: in a falling index each page is split in half as its first place is taken, and stays half empty.
CREATE INDEX contacts_by_workspace ON contacts (workspace_id, id) WHERE merged_into IS NULL AND deleted_at IS NULL;
CREATE INDEX contacts_by_name ON contacts
    (workspace_id, lower(last_name) text_pattern_ops, lower(first_name) text_pattern_ops)
    WHERE merged_into IS NULL AND deleted_at IS NULL;
CREATE INDEX contacts_by_first_name ON contacts
    (workspace_id, lower(first_name) text_pattern_ops, lower(last_name) text_pattern_ops)
    WHERE merged_into IS NULL AND deleted_at IS NULL;
CREATE INDEX contacts_by_employer ON contacts (workspace_id, lower(last_name), lower(company) text_pattern_ops)
    WHERE company <> '' AND merged_into IS NULL AND deleted_at IS NULL;
CREATE INDEX contacts_by_short_id ON contacts (workspace_id, right(id::text, 8) text_pattern_ops);
CREATE INDEX contacts_by_survivor ON contacts (merged_into) WHERE merged_into IS NOT NULL;

-- contact_id is the contact that an identifier names now, home_id the one that it came to first: undoing a merge takes it
-- back there. One contact owns an e-mail or a phone, but for a phone that people of different names share; what does not
-- identify (a role mailbox, a blocked value) is kept and found, and names nobody. No foreign keys to contacts: two look-ups
-- and two row locks an identifier, a fifth of what a bulk import costs here, for rows that identity alone writes, in the
-- transaction of their contact, and contacts are never removed. `mainstay contacts check` looks for orphans.
CREATE TABLE identifiers (
    workspace_id  uuid NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('email', 'phone')),
    -- In byte order, so that the one index of the primary key finds it and whatever begins like it.
    value         text COLLATE "C" NOT NULL,
    home_id       uuid NOT NULL,
    contact_id    uuid NOT NULL,
    standing      text NOT NULL CHECK (standing IN ('owner', 'shared', 'weak')) CHECK (standing <> 'shared' OR kind = 'phone'),
    alias_key     text NOT NULL DEFAULT '',
    source        text NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, kind, value, home_id)
);
CREATE UNIQUE INDEX identifiers_one_owner ON identifiers (workspace_id, kind, value) WHERE standing = 'owner';
CREATE INDEX identifiers_by_contact ON identifiers (contact_id);
CREATE INDEX identifiers_by_alias ON identifiers (workspace_id, alias_key) WHERE alias_key <> '';

-- Append-only: what each write said (person: the values that count, raw: as they were written), and what it altered.
-- The contacts are a view over it: the values that stand follow from the changes of all that was merged into one.
CREATE TABLE changes (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    contact_id    uuid NOT NULL,
    home_id       uuid NOT NULL,
    version       integer NOT NULL,
    rule          text NOT NULL,
    source        text NOT NULL,
    kind          text NOT NULL,
    delivery_id   uuid,
    run_id        uuid,
    merge_id      uuid,
    occurred_at   timestamptz NOT NULL,
    -- What was taken back: it stays, and counts no more.
    undone_at     timestamptz,
    undone_by     text NOT NULL DEFAULT '',
    person        jsonb NOT NULL,
    raw           jsonb NOT NULL DEFAULT '{}',
    before        jsonb NOT NULL,
    after         jsonb NOT NULL,
    note          text NOT NULL DEFAULT '',
    content       bytea,
    at            timestamptz NOT NULL,
    -- Where it stood in which file; for what a bulk import brought.
    import_id     uuid,
    line          integer
);
CREATE INDEX changes_by_contact ON changes (contact_id, id);
CREATE INDEX changes_by_home ON changes (home_id, id);
CREATE INDEX changes_by_content ON changes (workspace_id, content) WHERE content IS NOT NULL;

-- One row for each file that was brought in as a whole. digest is of its bytes and of how its columns are read: the same
-- again goes on where it was (records: how many of its records are done). as_of is when its values were said.
CREATE TABLE imports (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    digest        bytea NOT NULL,
    file          text NOT NULL,
    source        text NOT NULL,
    as_of         timestamptz NOT NULL,
    records       integer NOT NULL DEFAULT 0,
    counts        jsonb NOT NULL DEFAULT '{}',
    started_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    UNIQUE (workspace_id, digest)
);
CREATE INDEX imports_by_workspace ON imports (workspace_id, id DESC);

CREATE TABLE merges (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    survivor_id   uuid NOT NULL,
    merged_id     uuid NOT NULL,
    rule          text NOT NULL,
    by            text NOT NULL DEFAULT '',
    note          text NOT NULL DEFAULT '',
    at            timestamptz NOT NULL,
    undone_at     timestamptz,
    undone_by     text NOT NULL DEFAULT ''
);
CREATE INDEX merges_by_survivor ON merges (survivor_id, id);
CREATE INDEX merges_by_merged ON merges (merged_id, id);
CREATE UNIQUE INDEX merges_standing ON merges (merged_id) WHERE undone_at IS NULL;
CREATE INDEX merges_of_a_dedupe ON merges (workspace_id, rule, id) WHERE rule LIKE 'dedupe %';

-- Two contacts that may be one person. one_id is the lower id. A rejected pair stays rejected.
CREATE TABLE suggestions (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    one_id        uuid NOT NULL,
    other_id      uuid NOT NULL,
    state         text NOT NULL CHECK (state IN ('open', 'accepted', 'rejected', 'stale')),
    rule          text NOT NULL,
    score         double precision NOT NULL DEFAULT 0,
    -- What the shipped model said, before the workspace's own decisions refined it; NULL where no model has judged.
    model_score   double precision,
    reasons       jsonb NOT NULL DEFAULT '[]',
    opened_at     timestamptz NOT NULL,
    decided_at    timestamptz,
    decided_by    text NOT NULL DEFAULT '',
    CHECK (one_id < other_id),
    UNIQUE (one_id, other_id)
);
CREATE INDEX suggestions_open ON suggestions (workspace_id, score DESC, id DESC) WHERE state = 'open';
CREATE INDEX suggestions_by_short_id ON suggestions (workspace_id, right(id::text, 8) text_pattern_ops);
CREATE INDEX suggestions_by_other ON suggestions (other_id);
CREATE INDEX suggestions_decided ON suggestions (workspace_id, decided_at DESC) WHERE state IN ('accepted', 'rejected');

-- Contacts that were written and are still to be compared with the others. One row for each write, not for each contact:
-- a write never waits for the comparing of the one before, and is compared itself even when it comes in the midst of that.
CREATE TABLE to_compare (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    contact_id    uuid NOT NULL
);

-- How often names, employers and places occur in a book, from a sample where it is large. total is the number of contacts
-- then, compared how many were compared since.
CREATE TABLE book_frequencies (
    workspace_id  uuid PRIMARY KEY REFERENCES workspaces,
    total         bigint NOT NULL,
    counts        jsonb NOT NULL,
    compared      bigint NOT NULL DEFAULT 0,
    at            timestamptz NOT NULL
);

-- What a workspace's decisions have taught: a suggestion's log odds are intercept + slope * the shipped model's.
CREATE TABLE learned_from_reviews (
    workspace_id  uuid PRIMARY KEY REFERENCES workspaces,
    slope         double precision NOT NULL,
    intercept     double precision NOT NULL,
    decisions     integer NOT NULL,
    at            timestamptz NOT NULL
);

-- What is left of a deleted contact: digests of its identifiers, so that a do-not-contact outlives it and an older write
-- does not bring it back.
CREATE TABLE erased_identifiers (
    workspace_id    uuid NOT NULL,
    digest          bytea NOT NULL,
    -- NULL where others had the identifier too: then it speaks of the opt-out alone.
    erased_at       timestamptz,
    opted_out_at    timestamptz,
    PRIMARY KEY (workspace_id, digest)
);

CREATE FUNCTION identifier_digest(digest_key bytea, kind text, value text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(digest_key || convert_to(kind || ':' || value, 'UTF8'));

-- The contact that an id means today.
CREATE FUNCTION surviving(contact_id uuid) RETURNS uuid LANGUAGE plpgsql STABLE AS $$
DECLARE
    found uuid := contact_id;
    next_id uuid;
BEGIN
    LOOP
        SELECT merged_into INTO next_id FROM contacts WHERE id = found;
        IF next_id IS NULL THEN
            RETURN found;
        END IF;
        found := next_id;
    END LOOP;
END $$;

-- A contact and all that was merged into it. OFFSET 0: else it reads the book where statistics are of before an import.
CREATE FUNCTION contact_group(survivor_id uuid) RETURNS SETOF uuid LANGUAGE sql STABLE ROWS 2 AS $$
    WITH RECURSIVE members (id) AS (
        SELECT survivor_id UNION ALL
        SELECT merged.id FROM members
        CROSS JOIN LATERAL (SELECT id FROM contacts WHERE merged_into = members.id OFFSET 0) AS merged
    )
    SELECT id FROM members
$$;

-- One write path: only a transaction that identity has opened for itself may change who is who.
CREATE FUNCTION refuse_bypass() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the table % is written by mainstay.identity alone', TG_TABLE_NAME
        USING HINT = 'Use POST /api/v1/contacts, an import, a source, or the verbs of mainstay.identity.';
END $$;
CREATE TRIGGER contacts_one_path BEFORE INSERT OR UPDATE OR DELETE ON contacts FOR EACH STATEMENT
    WHEN (current_setting('mainstay.writer', true) IS DISTINCT FROM 'identity') EXECUTE FUNCTION refuse_bypass();
CREATE TRIGGER identifiers_one_path BEFORE INSERT OR UPDATE OR DELETE ON identifiers FOR EACH STATEMENT
    WHEN (current_setting('mainstay.writer', true) IS DISTINCT FROM 'identity') EXECUTE FUNCTION refuse_bypass();
CREATE TRIGGER changes_one_path BEFORE INSERT OR UPDATE OR DELETE ON changes FOR EACH STATEMENT
    WHEN (current_setting('mainstay.writer', true) IS DISTINCT FROM 'identity') EXECUTE FUNCTION refuse_bypass();
CREATE TRIGGER merges_one_path BEFORE INSERT OR UPDATE OR DELETE ON merges FOR EACH STATEMENT
    WHEN (current_setting('mainstay.writer', true) IS DISTINCT FROM 'identity') EXECUTE FUNCTION refuse_bypass();

-- What keys name, as identity reads it before it writes: first rows of keys, then each of their contacts once. kind is
-- 'email', 'phone' or 'id:CONNECTION'; in the same words 'contact' asks what an id means today, and 'content' for the
-- contact of a write that comes again.
CREATE TYPE key_meaning AS (
    workspace_id  uuid,
    kind          text,
    value         text,
    standing      text,
    contact_id    uuid,
    home_id       uuid,
    erased_at     timestamptz,
    opted_out_at  timestamptz,
    contact       contacts
);

-- Begins to write: takes the locks, in the order given, then reads, then holds the contacts in the order of their ids. Each
-- statement sees what was committed until it began, so the reading sees whatever the locks had to wait for. Plans are
-- kept, and go by indexes whatever statistics say: planning would take ten times as long as the reading.
CREATE FUNCTION begin_writing(
    shared_locks bigint[], locks bigint[], workspace_ids uuid[], kinds text[], key_values text[]
) RETURNS SETOF key_meaning LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    found key_meaning[];
BEGIN
    PERFORM set_config('mainstay.writer', 'identity', true);
    PERFORM pg_advisory_xact_lock_shared(each) FROM unnest(shared_locks) AS t (each);
    PERFORM pg_advisory_xact_lock(each) FROM unnest(locks) AS t (each);
    WITH asked AS MATERIALIZED (SELECT * FROM unnest(workspace_ids, kinds, key_values) AS t (workspace_id, kind, value))
    SELECT array_agg(meant) INTO found FROM (
        SELECT asked.*, i.standing, i.contact_id, i.home_id, NULL::timestamptz, NULL::timestamptz, NULL::contacts
        FROM asked JOIN identifiers AS i USING (workspace_id, kind, value) WHERE i.standing <> 'weak'
        UNION ALL
        SELECT asked.*, 'owner', surviving(c.record_id), coalesce(c.home_id, c.record_id), NULL, NULL, NULL
        FROM asked JOIN crosswalk AS c ON c.workspace_id = asked.workspace_id AND c.record_type = 'contact'
             AND c.connection = substr(asked.kind, 4) AND c.external_id = asked.value
        WHERE asked.kind LIKE 'id:%'
        UNION ALL
        SELECT asked.*, 'owner', surviving(c.record_id), c.record_id, NULL, NULL, NULL
        FROM asked JOIN crosswalk_beside AS c ON c.workspace_id = asked.workspace_id AND c.record_type = 'contact'
             AND c.connection = substr(asked.kind, 4) AND c.external_id = asked.value
        WHERE asked.kind LIKE 'id:%'
        UNION ALL
        SELECT asked.*, 'erased', NULL, NULL, e.erased_at, e.opted_out_at, NULL
        FROM asked JOIN workspaces AS w ON w.id = asked.workspace_id
        JOIN erased_identifiers AS e ON e.workspace_id = asked.workspace_id
             AND e.digest = identifier_digest(w.digest_key, asked.kind, asked.value)
        UNION ALL
        SELECT asked.*, 'owner', c.id, c.asked_id, NULL, NULL, NULL
        FROM asked JOIN LATERAL (
            SELECT contacts.id, asked_id FROM CAST(asked.value AS uuid) AS asked_id
            JOIN contacts ON contacts.id = surviving(asked_id) AND contacts.workspace_id = asked.workspace_id
            WHERE contacts.deleted_at IS NULL
        ) AS c ON true
        WHERE asked.kind = 'contact'
        UNION ALL
        SELECT asked.*, 'owner', surviving(c.home_id), c.home_id, NULL, NULL, NULL
        FROM asked JOIN changes AS c ON c.workspace_id = asked.workspace_id AND c.content = decode(asked.value, 'hex')
        WHERE asked.kind = 'content'
    ) AS meant;
    IF found IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM unnest(found);
    RETURN QUERY
        SELECT c.workspace_id, NULL, NULL, NULL, c.id, NULL::uuid, NULL::timestamptz, NULL::timestamptz, c
        FROM contacts AS c WHERE c.id = ANY(ARRAY(SELECT contact_id FROM unnest(found))) ORDER BY c.id FOR NO KEY UPDATE;
    -- Their keys are locked, those of the others are not.
    IF EXISTS (
        SELECT FROM unnest(found) AS f WHERE f.kind IN ('contact', 'content') AND surviving(f.home_id) <> f.contact_id
    ) THEN
        RAISE EXCEPTION 'a merge was undone meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- One row for each Idempotency-Key that a caller of the API has used.
CREATE TABLE idempotency_keys (
    workspace_id  uuid NOT NULL,
    key           text NOT NULL,
    digest        bytea NOT NULL,
    answer        jsonb NOT NULL,
    at            timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at);
CREATE INDEX idempotency_keys_by_contact ON idempotency_keys (workspace_id, (answer ->> 'contact_id'));

-- Holds the keys until the transaction ends, then tells what was answered to them before; as begin_writing does.
CREATE FUNCTION hold_answers(workspace_ids uuid[], keys text[]) RETURNS SETOF idempotency_keys LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(lock) FROM (
        SELECT DISTINCT hashtextextended(t.workspace_id || ':' || t.key, 42) AS lock
        FROM unnest(workspace_ids, keys) AS t (workspace_id, key) ORDER BY 1) AS locks;
    RETURN QUERY
        SELECT known.* FROM unnest(workspace_ids, keys) AS t (workspace_id, key)
        JOIN idempotency_keys AS known USING (workspace_id, key);
END $$;

-- Who may use the API of a workspace. Only a digest of the token is kept; hint is its last four characters.
CREATE TABLE api_tokens (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    name          text NOT NULL,
    digest        bytea NOT NULL UNIQUE,
    hint          text NOT NULL,
    scopes        text[] NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,
    revoked_at    timestamptz
);
CREATE UNIQUE INDEX api_tokens_by_name ON api_tokens (workspace_id, name) WHERE revoked_at IS NULL;

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
    -- Where a merge took the row from; undoing the merge takes it back.
    home_id         uuid,
    connection      text NOT NULL,
    external_id     text,
    -- Whether our own push made the record there: then its being another says nothing of who is who.
    is_ours         boolean NOT NULL DEFAULT false,
    wanted_version  integer NOT NULL,
    pushed_version  integer NOT NULL DEFAULT 0,
    push_run_id     uuid,
    error           text NOT NULL DEFAULT '',
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, record_type, record_id, connection)
);
CREATE UNIQUE INDEX crosswalk_by_external_id ON crosswalk (workspace_id, connection, record_type, external_id)
    WHERE external_id IS NOT NULL;

-- Further ids of a record in a system: it has the person twice. record_id is the contact that an id was first said of, and
-- never moves.
CREATE TABLE crosswalk_beside (
    workspace_id    uuid NOT NULL,
    record_type     text NOT NULL,
    connection      text NOT NULL,
    external_id     text NOT NULL,
    record_id       uuid NOT NULL,
    is_ours         boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace_id, connection, record_type, external_id)
);
CREATE INDEX crosswalk_beside_by_record ON crosswalk_beside (record_id);

CREATE VIEW record_ids AS
    SELECT workspace_id, record_type, connection, external_id, record_id, coalesce(home_id, record_id) AS home_id, is_ours
    FROM crosswalk WHERE external_id IS NOT NULL
    UNION ALL
    SELECT workspace_id, record_type, connection, external_id, record_id, record_id, is_ours FROM crosswalk_beside;

-- Records that are no contacts ------------------------------------------------------------------------------------

CREATE TABLE records (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    type          text NOT NULL,
    -- The contact that it was first said of, which may have been merged since.
    contact_id    uuid,
    -- Canonical fields, and further ones under "custom.": of each the value that stands, and why it stands.
    values        jsonb NOT NULL DEFAULT '{}',
    origins       jsonb NOT NULL DEFAULT '{}',
    -- What each connection says otherwise, and is not right about.
    refused       jsonb NOT NULL DEFAULT '{}',
    version       integer NOT NULL DEFAULT 1,
    gone_at       timestamptz,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX records_by_type ON records (workspace_id, type, id);
CREATE INDEX records_by_contact ON records (contact_id, id) WHERE contact_id IS NOT NULL;
CREATE INDEX records_by_status ON records (workspace_id, type, (values ->> 'status'), id);
CREATE INDEX records_by_reference ON records (workspace_id, type, (values ->> 'reference') text_pattern_ops)
    WHERE values ->> 'reference' <> '';
-- What it is called, as people search it.
CREATE FUNCTION record_title(of jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(left(coalesce(nullif(of ->> 'title', ''), nullif(of ->> 'name', ''), nullif(of ->> 'number', ''),
                               nullif(of ->> 'subject', '')), 200))
$$;
CREATE INDEX records_by_title ON records (workspace_id, type, record_title(values) text_pattern_ops)
    WHERE record_title(values) IS NOT NULL;
CREATE INDEX records_by_short_id ON records (workspace_id, right(id::text, 8) text_pattern_ops);

-- What systems said of a record: append-only. refused are the values that do not stand, as another system is right.
CREATE TABLE record_changes (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    record_id     uuid NOT NULL,
    connection    text NOT NULL,
    source        text NOT NULL,
    delivery_id   uuid,
    run_id        uuid,
    said_at       timestamptz NOT NULL,
    before        jsonb NOT NULL,
    after         jsonb NOT NULL,
    refused       jsonb NOT NULL DEFAULT '{}',
    at            timestamptz NOT NULL
);
CREATE INDEX record_changes_by_record ON record_changes (record_id, id);

-- Pulls ----------------------------------------------------------------------------------------------------------

-- How far a workspace has read what changed in its system of record. What was made there before began_at starts no workflow.
CREATE TABLE pulls (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    connection    text NOT NULL,
    record_type   text NOT NULL DEFAULT 'contact',
    cursor        text NOT NULL,
    began_at      timestamptz NOT NULL,
    -- When all was read that had changed.
    pulled_at     timestamptz,
    -- When a webhook first told of a record of this type: until one has, none is missed.
    heard_at      timestamptz,
    run_id        uuid,
    PRIMARY KEY (workspace_id, connection, record_type)
);

-- What failed in no-code layers is asked for: how far each source has come.
CREATE TABLE failure_pulls (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    source        text NOT NULL,
    connection    text NOT NULL,
    cursor        text NOT NULL DEFAULT '',
    -- When all was read that had failed.
    pulled_at     timestamptz,
    run_id        uuid,
    PRIMARY KEY (workspace_id, source)
);

-- What a pull told of a record before its webhook did, event by event: so that a webhook which comes late tells it to nobody
-- a second time. is_answered: some webhook of the record has come since; is_judged: that it has not was counted.
CREATE TABLE pulled_records (
    record_id     uuid NOT NULL,
    event         text NOT NULL,
    workspace_id  uuid NOT NULL,
    connection    text NOT NULL,
    record_type   text NOT NULL,
    changed_at    timestamptz NOT NULL,
    told_at       timestamptz NOT NULL,
    is_answered   boolean NOT NULL DEFAULT false,
    is_judged     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (record_id, event)
);
CREATE INDEX pulled_records_by_time ON pulled_records (workspace_id, connection, record_type, told_at);
-- Of a connection without webhooks all that was pulled is here, for days: only what is still open is looked through.
CREATE INDEX pulled_records_open ON pulled_records (workspace_id, connection, record_type, changed_at)
    WHERE NOT is_judged AND NOT is_answered;

-- Changes that a pull brought, for some minutes: then it is known whether a webhook brought them, too.
CREATE TABLE pulled_changes (
    workspace_id  uuid NOT NULL,
    connection    text NOT NULL,
    contact_id    uuid NOT NULL,
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, connection, contact_id, changed_at)
);

-- Mirrors -----------------------------------------------------------------------------------------------------

-- One row for each copy of a type of record that a stack declares. layout is a digest of where it is and what it holds; the
-- first load goes by id, has come to loaded_to (loaded records of to_load), and begins when every transaction has ended that
-- may not have seen this row. One in a CRM that became the system of record is followed for a while, for what processes of
-- before still write.
CREATE TABLE mirrors (
    workspace_id   uuid NOT NULL REFERENCES workspaces,
    name           text NOT NULL,
    layout         text NOT NULL,
    record_type    text NOT NULL DEFAULT 'contact',
    -- Whether its rows change with the contacts that the records are about.
    shows_contacts boolean NOT NULL DEFAULT false,
    is_declared    boolean NOT NULL DEFAULT true,
    -- The first transaction of all that surely see that it is declared.
    began_in       xid8,
    loaded_to      uuid,
    loaded         bigint NOT NULL DEFAULT 0,
    to_load        bigint,
    loaded_at      timestamptz,
    written_at     timestamptz,
    run_id         uuid,
    followed_until timestamptz,
    -- The comparison under way or the last one, which counts from one.
    comparison     integer NOT NULL DEFAULT 0,
    compare_run_id uuid,
    compared_at    timestamptz,
    PRIMARY KEY (workspace_id, name)
);

-- Records that changed since they were written to a mirror. change tells one change of a record from the next.
CREATE SEQUENCE mirror_changes;
CREATE TABLE stale_in_mirror (
    workspace_id  uuid NOT NULL,
    mirror        text NOT NULL,
    record_id     uuid NOT NULL,
    change        bigint NOT NULL DEFAULT nextval('mirror_changes'),
    PRIMARY KEY (workspace_id, mirror, record_id)
);

-- Contacts that changed and are shown in rows of other records: all of theirs are stale, as soon as anybody looks.
CREATE TABLE contacts_stale_in_mirror (
    workspace_id  uuid NOT NULL,
    mirror        text NOT NULL,
    contact_id    uuid NOT NULL,
    PRIMARY KEY (workspace_id, mirror, contact_id)
);

-- What a mirror holds by our last write, as a digest. seen_in is the last comparison that came across it, on which page of
-- the mirror; a row that is written in the midst of one counts as seen, on page -1.
CREATE TABLE mirrored (
    workspace_id  uuid NOT NULL,
    mirror        text NOT NULL,
    record_id     uuid NOT NULL,
    digest        bytea NOT NULL,
    written_at    timestamptz NOT NULL,
    seen_in       integer NOT NULL,
    seen_page     integer NOT NULL,
    PRIMARY KEY (workspace_id, mirror, record_id)
) WITH (fillfactor = 45);  -- Each comparison writes each row: where the new one fits beside the old, no index is touched.

-- Where a mirror is not what we wrote. key is the row's there; fields has, for each column that differs, ours and theirs.
CREATE TABLE drifts (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    mirror        text NOT NULL,
    key           text NOT NULL,
    record_id     uuid,
    kind          text NOT NULL CHECK (kind IN ('changed', 'missing', 'unknown', 'double', 'refused')),
    state         text NOT NULL CHECK (state IN ('open', 'reverted', 'taken over', 'left', 'gone', 'undone')),
    fields        jsonb NOT NULL DEFAULT '{}',
    -- It waits for a person's review, and is no incident.
    is_proposed   boolean NOT NULL DEFAULT false,
    -- By which change the contact took it over.
    change_id     uuid,
    found_in      integer NOT NULL,
    found_at      timestamptz NOT NULL DEFAULT now(),
    decided_at    timestamptz,
    decided_by    text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX drifts_open ON drifts (workspace_id, mirror, key, kind) WHERE state IN ('open', 'left');
CREATE INDEX drifts_by_workspace ON drifts (workspace_id, id DESC);
CREATE INDEX drifts_waiting ON drifts (workspace_id, id DESC) WHERE state = 'open';
CREATE INDEX drifts_proposed ON drifts (workspace_id, id DESC) WHERE state = 'open' AND is_proposed;
CREATE INDEX drifts_by_short_id ON drifts (workspace_id, right(id::text, 8) text_pattern_ops);
CREATE INDEX drifts_by_record ON drifts (record_id) WHERE record_id IS NOT NULL;

-- One row for each system of record that is, or was, to take another's place. What stands in stack.toml decides; this is
-- who did what when, and what stood against it.
CREATE TABLE swaps (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    record_type   text NOT NULL,
    old           text NOT NULL,
    new           text NOT NULL,
    state         text NOT NULL CHECK (state IN ('running', 'over', 'back')),
    began_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    began_by      text NOT NULL,
    over_at       timestamptz,
    over_by       text NOT NULL DEFAULT '',
    ended_at      timestamptz,
    despite       text NOT NULL DEFAULT ''
);
CREATE INDEX swaps_by_workspace ON swaps (workspace_id, record_type, began_at DESC);

-- In the transaction of each write, so that no order of commits can hide one. Where there is no mirror, to look is a third
-- of what to join would cost.
CREATE FUNCTION note_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM mirrors WHERE is_declared) THEN
        RETURN NULL;
    END IF;
    INSERT INTO stale_in_mirror (workspace_id, mirror, record_id)
    SELECT m.workspace_id, m.name, w.id
    FROM mirrors AS m JOIN (SELECT DISTINCT workspace_id, id FROM written) AS w USING (workspace_id)
    WHERE m.is_declared AND m.record_type = 'contact' ORDER BY m.workspace_id, m.name, w.id
    ON CONFLICT (workspace_id, mirror, record_id) DO UPDATE SET change = nextval('mirror_changes');
    -- One that is new has no records yet. A note that is there is written too: so nobody takes it before this commits.
    IF TG_OP = 'UPDATE' AND EXISTS (SELECT FROM mirrors WHERE is_declared AND shows_contacts) THEN
        INSERT INTO contacts_stale_in_mirror (workspace_id, mirror, contact_id)
        SELECT m.workspace_id, m.name, w.id
        FROM mirrors AS m JOIN (SELECT DISTINCT workspace_id, id FROM written) AS w USING (workspace_id)
        WHERE m.is_declared AND m.shows_contacts ORDER BY m.workspace_id, m.name, w.id
        ON CONFLICT (workspace_id, mirror, contact_id) DO UPDATE SET contact_id = excluded.contact_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER contacts_made_stale AFTER INSERT ON contacts REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION note_stale();
CREATE TRIGGER contacts_changed_stale AFTER UPDATE ON contacts REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION note_stale();

CREATE FUNCTION note_stale_records() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM mirrors WHERE is_declared AND record_type <> 'contact') THEN
        RETURN NULL;
    END IF;
    INSERT INTO stale_in_mirror (workspace_id, mirror, record_id)
    SELECT m.workspace_id, m.name, w.id
    FROM mirrors AS m JOIN (SELECT DISTINCT workspace_id, type, id FROM written) AS w
        ON w.workspace_id = m.workspace_id AND w.type = m.record_type
    WHERE m.is_declared ORDER BY m.workspace_id, m.name, w.id
    ON CONFLICT (workspace_id, mirror, record_id) DO UPDATE SET change = nextval('mirror_changes');
    RETURN NULL;
END $$;
CREATE TRIGGER records_made_stale AFTER INSERT ON records REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION note_stale_records();
CREATE TRIGGER records_changed_stale AFTER UPDATE ON records REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION note_stale_records();
CREATE TRIGGER records_deleted_stale AFTER DELETE ON records REFERENCING OLD TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION note_stale_records();

-- Runs --------------------------------------------------------------------------------------------------------

CREATE TABLE runs (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    workflow      text NOT NULL,
    state         text NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'done', 'failed', 'cancelled')),
    input         jsonb NOT NULL,
    execution_id  text NOT NULL,
    claim         uuid,
    -- A driver died in the middle, and none since has come to its first unrecorded step, which may have been under way.
    is_in_doubt   boolean NOT NULL DEFAULT false,
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
    handled_at    timestamptz,
    lane          text NOT NULL DEFAULT 'lead' CHECK (lane IN ('lead', 'backfill')),
    -- Runs of one workflow and key do not overlap: those that come later are behind until their turn comes. Beside is
    -- what had begun under another key, before a merge made the two keys one.
    key           text NOT NULL DEFAULT '',
    is_behind     boolean NOT NULL DEFAULT false,
    is_beside     boolean NOT NULL DEFAULT false,
    -- The connection at whose gate it waits.
    held_at       text NOT NULL DEFAULT '',
    held_since    timestamptz,
    -- How often its worker has died under it since it did a step (so many had it done then); see runs/deaths.py.
    deaths        integer NOT NULL DEFAULT 0,
    done_at_death integer NOT NULL DEFAULT 0,
    -- The run that began it, in which of its steps, and its place among those that the step began; see runs/children.py.
    parent_id     uuid,
    parent_step   integer,
    place         integer,
    deadline_at   timestamptz,
    result        jsonb
);
CREATE INDEX runs_by_workspace ON runs (workspace_id, id DESC);
CREATE INDEX runs_by_workflow ON runs (workspace_id, workflow, id DESC);
CREATE INDEX runs_open ON runs (workspace_id, state, id) WHERE state IN ('queued', 'running', 'waiting', 'failed');
CREATE INDEX runs_queued_leads ON runs (workspace_id) WHERE state = 'queued' AND lane = 'lead';
CREATE INDEX runs_to_drive ON runs (execution_id) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX runs_by_contact ON runs (contact_id, id DESC);
CREATE INDEX runs_by_delivery ON runs (delivery_id);
CREATE INDEX runs_by_incident ON runs (incident_id, id DESC) WHERE incident_id IS NOT NULL;
CREATE INDEX runs_failed ON runs (workspace_id, finished_at) WHERE state = 'failed' AND handled_at IS NULL;
CREATE INDEX runs_unhealed ON runs (incident_id, id) WHERE incident_id IS NOT NULL
    AND (state IN ('queued', 'running', 'waiting') OR state = 'failed' AND handled_at IS NULL);
CREATE INDEX runs_by_short_id ON runs (workspace_id, right(id::text, 8) text_pattern_ops);

-- One that has its turn for each key, then those behind in their order.
CREATE UNIQUE INDEX runs_by_key ON runs (workspace_id, key, workflow, is_behind,
                                         (CASE WHEN is_behind OR is_beside THEN id END)) NULLS NOT DISTINCT
    WHERE key <> '' AND state IN ('queued', 'running', 'waiting');
CREATE INDEX runs_behind ON runs (id) WHERE is_behind AND state = 'waiting';
CREATE INDEX runs_by_deadline ON runs (deadline_at) WHERE deadline_at IS NOT NULL AND state = 'waiting';
CREATE INDEX runs_cancelled ON runs (workspace_id, id DESC) WHERE state = 'cancelled';
CREATE UNIQUE INDEX runs_by_parent ON runs (parent_id, parent_step, place) WHERE parent_id IS NOT NULL;
CREATE INDEX runs_children_begun ON runs (parent_id, parent_step)
    WHERE parent_id IS NOT NULL AND state IN ('queued', 'running', 'waiting') AND waiting_for <> 'its place';
CREATE INDEX runs_children_to_begin ON runs (parent_id, parent_step, place)
    WHERE parent_id IS NOT NULL AND state = 'waiting' AND waiting_for = 'its place';
CREATE INDEX runs_held ON runs (workspace_id, held_at, lane DESC, id) WHERE held_at <> '' AND state = 'waiting';
CREATE INDEX runs_held_until ON runs (wake_at) WHERE held_at <> '' AND state = 'waiting' AND wake_at IS NOT NULL;

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
    -- Of a repeat: how it was made sure that the effect is not there twice.
    guard         text NOT NULL DEFAULT '',
    asked         integer NOT NULL DEFAULT 0,
    -- Story, but no checkpoint: the step is taken as if it had never been begun.
    is_set_aside  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, step, number)
);

-- One row for each time that a person had a run retried. from_step is where it began again, NULL where nothing that was
-- recorded had to be done again; input_before is what its input was, where it was edited. is_open: its bulk retry has yet
-- to learn how it went.
CREATE TABLE hand_retries (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL,
    run_id        uuid NOT NULL,
    bulk_id       uuid,
    at            timestamptz NOT NULL,
    by            text NOT NULL DEFAULT '',
    from_step     integer,
    input_before  jsonb,
    is_open       boolean NOT NULL DEFAULT false
);
CREATE INDEX hand_retries_by_run ON hand_retries (run_id, id);
CREATE INDEX hand_retries_by_bulk ON hand_retries (bulk_id, id) WHERE bulk_id IS NOT NULL;
CREATE INDEX hand_retries_open ON hand_retries (bulk_id) WHERE is_open;

-- Many failed runs retried by one order: those that chosen matches and that had failed by begun_at, in the order of their
-- ids; after is the last that was looked at. Its run, run_id, sends them at the rate it was given.
CREATE TABLE bulk_retries (
    id              uuid PRIMARY KEY,
    workspace_id    uuid NOT NULL REFERENCES workspaces,
    run_id          uuid NOT NULL,
    state           text NOT NULL CHECK (state IN ('running', 'stopped', 'done')),
    chosen          jsonb NOT NULL,
    per_second      double precision,
    stops_on_error  boolean NOT NULL,
    from_start      boolean NOT NULL,
    by              text NOT NULL,
    begun_at        timestamptz NOT NULL,
    after           uuid,
    next_at         timestamptz,
    sent            integer NOT NULL DEFAULT 0,
    note            text NOT NULL DEFAULT '',
    ended_at        timestamptz
);
CREATE INDEX bulk_retries_by_workspace ON bulk_retries (workspace_id, id DESC);
CREATE INDEX bulk_retries_by_short_id ON bulk_retries (workspace_id, right(id::text, 8) text_pattern_ops);

-- Runs that wait for an event; seen says that the run has been driven since it came.
CREATE TABLE waits (
    workspace_id  uuid NOT NULL,
    run_id        uuid NOT NULL,
    step          integer NOT NULL,
    event_type    text NOT NULL,
    contact_id    uuid,
    -- What the event must hold besides.
    match         jsonb NOT NULL DEFAULT '{}',
    deadline      timestamptz,
    event         jsonb,
    seen          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run_id, step)
);
CREATE INDEX waits_by_event ON waits (workspace_id, event_type, contact_id) WHERE event IS NULL;
CREATE INDEX waits_by_contact ON waits (contact_id) WHERE event IS NULL;

-- What a run asks people. It waits for an event of this very row; what stands here is the answer.
CREATE TABLE approvals (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    run_id        uuid NOT NULL,
    step          integer NOT NULL,
    contact_id    uuid,
    question      text NOT NULL,
    state         text NOT NULL CHECK (state IN ('open', 'approved', 'declined', 'expired')),
    asked_at      timestamptz NOT NULL,
    expires_at    timestamptz,
    decided_at    timestamptz,
    decided_by    text NOT NULL DEFAULT '',
    note          text NOT NULL DEFAULT '',
    UNIQUE (run_id, step)
);
CREATE INDEX approvals_open ON approvals (workspace_id, id) WHERE state = 'open';
CREATE INDEX approvals_by_workspace ON approvals (workspace_id, id DESC);
CREATE INDEX approvals_by_contact ON approvals (contact_id);
CREATE INDEX approvals_by_short_id ON approvals (workspace_id, right(id::text, 8) text_pattern_ops);

-- One row for each workflow with a schedule, as the process declared it that started last. Ticks up to last_tick have been
-- dealt with; next_at is the first that has not. That a tick is fired once is its run's id.
CREATE TABLE schedules (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    workflow      text NOT NULL,
    cron          text NOT NULL,
    timezone      text NOT NULL,
    catch_up      text NOT NULL,
    next_at       timestamptz,
    last_tick     timestamptz,
    last_run_id   uuid,
    missed        bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, workflow)
);
CREATE INDEX schedules_due ON schedules (next_at);

-- Counted as things end, so that no screen counts a big table. Each process has a shard of its own: a shared row would
-- make every commit wait for every other. What is over has one row again, in the shard -1.
CREATE TABLE tallies (
    workspace_id  uuid NOT NULL,
    hour          timestamptz NOT NULL,
    -- "KIND NAME", in byte order, so that the index finds those of a kind.
    name          text COLLATE "C" NOT NULL,
    label         text NOT NULL,
    shard         smallint NOT NULL,
    count         bigint NOT NULL,
    -- When it last grew.
    last_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, hour, name, label, shard)
);

-- Whose letter was begun: one a week.
CREATE TABLE weekly_reviews (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    week          text NOT NULL,
    run_id        uuid NOT NULL,
    begun_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, week)
);

-- The same since the beginning, of the hours that are over, so that a counter outside never has to add up all hours.
CREATE TABLE totals (
    workspace_id  uuid NOT NULL,
    name          text NOT NULL,
    label         text NOT NULL,
    count         bigint NOT NULL,
    PRIMARY KEY (workspace_id, name, label)
);

-- One row: the hours before this one are in the totals.
CREATE TABLE totals_until (
    is_only  boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    hour     timestamptz NOT NULL
);
INSERT INTO totals_until (hour) VALUES ('-infinity');

-- Gates -------------------------------------------------------------------------------------------------------

-- One row for each account at a vendor, of the deployment: workspaces that use the same account share what it may take.
CREATE TABLE accounts (
    account           text PRIMARY KEY,
    -- The vendor asked for rest.
    closed_until      timestamptz,
    -- A lead went away empty-handed: until then backfill gets nothing.
    lead_short_until  timestamptz NOT NULL DEFAULT '-infinity',
    ushered_at        timestamptz NOT NULL DEFAULT '-infinity'
);

-- How much of it was leased, in slots of time: when the slot's last lease was given, of how many calls, how many of them
-- to backfill.
CREATE TABLE budgets (
    account    text NOT NULL REFERENCES accounts ON DELETE CASCADE,
    seconds    double precision NOT NULL,
    allowed    integer NOT NULL,
    given_at   timestamptz[] NOT NULL DEFAULT '{}',
    tokens     integer[] NOT NULL DEFAULT '{}',
    backfill   integer[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (account, seconds)
);

CREATE TABLE connections (
    workspace_id     uuid NOT NULL REFERENCES workspaces,
    name             text NOT NULL,
    account          text NOT NULL REFERENCES accounts,
    paused_at        timestamptz,
    paused_by        text NOT NULL DEFAULT '',
    pause_reason     text NOT NULL DEFAULT '',
    -- The breaker: open since then, by what error, how often a probe has failed, when the next may go.
    opened_at        timestamptz,
    error            text NOT NULL DEFAULT '',
    failed_probes    integer NOT NULL DEFAULT 0,
    probe_at         timestamptz,
    PRIMARY KEY (workspace_id, name)
);
CREATE INDEX connections_by_account ON connections (account);

-- Access by OAuth 2. Tokens are sealed with the key of MAINSTAY_SECRET_KEY, never here in the clear. Each write raises the
-- version: whoever renews says which one they go by, and takes the renewal on until renewing_until. The refresh token
-- before is tried once more when the vendor refuses the newest. callback: what the vendor's page sent the person back with.
CREATE TABLE oauth_tokens (
    workspace_id     uuid NOT NULL REFERENCES workspaces,
    connection       text NOT NULL,
    state            text NOT NULL DEFAULT 'connected' CHECK (state IN ('connected', 'needs a person')),
    state_since      timestamptz NOT NULL,
    error            text NOT NULL DEFAULT '',
    access_token     text NOT NULL DEFAULT '',
    refresh_token    text NOT NULL DEFAULT '',
    previous_refresh_token text NOT NULL DEFAULT '',
    issued_at        timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    refresh_expires_at timestamptz,
    scopes           text[] NOT NULL DEFAULT '{}',
    facts            jsonb NOT NULL DEFAULT '{}',
    callback         jsonb NOT NULL DEFAULT '{}',
    connected_at     timestamptz NOT NULL,
    refreshed_at     timestamptz,
    version          integer NOT NULL DEFAULT 1,
    renewing_by      uuid,
    renewing_until   timestamptz,
    -- An app that gets in by itself needs nobody, ever.
    is_by_app        boolean NOT NULL DEFAULT false,
    ends_at          timestamptz GENERATED ALWAYS AS (CASE WHEN is_by_app THEN NULL WHEN refresh_token <> ''
                     THEN refresh_expires_at ELSE expires_at END) STORED,
    -- Whether each use of the refresh token moves its end.
    is_rolling       boolean NOT NULL DEFAULT false,
    -- The end that people were told of.
    warned_of        timestamptz,
    PRIMARY KEY (workspace_id, connection)
);

-- A person on their way to a vendor's page and back; the state that the vendor returns is kept as its digest.
CREATE TABLE oauth_flows (
    state_hash       text PRIMARY KEY,
    workspace_id     uuid NOT NULL REFERENCES workspaces,
    connection       text NOT NULL,
    verifier         text NOT NULL,
    redirect_url     text NOT NULL,
    by               text NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL
);
CREATE INDEX oauth_flows_by_connection ON oauth_flows (workspace_id, connection, created_at);
CREATE INDEX oauth_flows_by_end ON oauth_flows (expires_at);

-- Lease calls of an account for lease_seconds: as many as are needed where all its windows have room, and some ahead while
-- less than half is used. What was leased counts for its window's length from the lease's end on, so that no window of
-- that length ever sees more calls than are allowed, whenever in its time each lease is used. Backfill gets what leads leave
-- of four fifths, a twentieth in any case, and nothing while leads go short. Asked for none, it tells what there would be.
CREATE FUNCTION lease_tokens(
    of_account text, of_lane text, needed integer, ahead integer, at timestamptz,
    OUT granted integer, OUT wait_seconds double precision, OUT lease_seconds double precision, OUT room integer,
    OUT waited double precision
) LANGUAGE plpgsql AS $$
DECLARE
    holder accounts;
    budget budgets;
    moment timestamptz;
    used integer;
    by_backfill integer;
    own_room integer;
    slot double precision;
    kept integer;
    last integer;
BEGIN
    SELECT * INTO holder FROM accounts WHERE account = of_account FOR UPDATE;
    -- After the lock: what waited for it must not seem older than it is.
    moment := coalesce(at, clock_timestamp());
    waited := extract(epoch FROM clock_timestamp() - statement_timestamp());
    SELECT least(2.0, greatest(0.1, min(seconds) / 10)) INTO lease_seconds FROM budgets WHERE account = of_account;
    room := 2147483647;
    wait_seconds := 0;
    granted := needed + ahead;
    FOR budget IN SELECT * FROM budgets WHERE account = of_account LOOP
        SELECT coalesce(sum(n), 0), coalesce(sum(b), 0) INTO used, by_backfill
        FROM unnest(budget.given_at, budget.tokens, budget.backfill) AS s (g, n, b)
        WHERE g + make_interval(secs => budget.seconds + lease_seconds) > moment;
        own_room := budget.allowed - used;
        IF of_lane = 'backfill' THEN
            own_room := greatest(
                budget.allowed * 4 / 5 - used, least(greatest(1, budget.allowed / 20) - by_backfill, own_room)
            );
        END IF;
        room := least(room, own_room);
        granted := least(granted, greatest(least(needed, own_room), least(needed + ahead, own_room, budget.allowed / 2 - used)));
        IF own_room < greatest(needed, 1) THEN
            wait_seconds := greatest(wait_seconds, (
                SELECT extract(epoch FROM min(g) - moment) + budget.seconds + lease_seconds
                FROM unnest(budget.given_at, budget.tokens, budget.backfill) AS s (g, n, b)
                WHERE g + make_interval(secs => budget.seconds + lease_seconds) > moment
            ));
        END IF;
    END LOOP;
    IF holder.closed_until > moment THEN
        wait_seconds := greatest(wait_seconds, extract(epoch FROM holder.closed_until - moment));
        room := 0;
    END IF;
    IF of_lane = 'backfill' AND holder.lead_short_until > moment THEN
        wait_seconds := greatest(wait_seconds, extract(epoch FROM holder.lead_short_until - moment));
        room := 0;
    END IF;
    room := greatest(room, 0);
    granted := greatest(0, CASE WHEN room = 0 THEN 0 ELSE granted END);
    IF of_lane = 'lead' AND granted < needed THEN
        UPDATE accounts SET lead_short_until = moment + interval '1 second' WHERE account = of_account;
    END IF;
    IF granted = 0 THEN
        RETURN;
    END IF;
    FOR budget IN SELECT * FROM budgets WHERE account = of_account LOOP
        slot := budget.seconds / 40;
        kept := 1;
        last := cardinality(budget.given_at);
        WHILE kept <= last AND budget.given_at[kept] + make_interval(secs => budget.seconds + lease_seconds) <= moment LOOP
            kept := kept + 1;
        END LOOP;
        IF kept <= last AND floor(extract(epoch FROM budget.given_at[last]) / slot) = floor(extract(epoch FROM moment) / slot)
        THEN
            budget.given_at[last] := greatest(moment, budget.given_at[last]);
            budget.tokens[last] := budget.tokens[last] + granted;
            budget.backfill[last] := budget.backfill[last] + CASE of_lane WHEN 'backfill' THEN granted ELSE 0 END;
        ELSE
            budget.given_at := budget.given_at || greatest(moment, budget.given_at[last]);
            budget.tokens := budget.tokens || granted;
            budget.backfill := budget.backfill || CASE of_lane WHEN 'backfill' THEN granted ELSE 0 END;
        END IF;
        UPDATE budgets SET given_at = budget.given_at[kept:], tokens = budget.tokens[kept:], backfill = budget.backfill[kept:]
        WHERE account = of_account AND seconds = budget.seconds;
    END LOOP;
END $$;

-- Watching ----------------------------------------------------------------------------------------------------

-- news_at is when it last had news: opened, reopened by a cause that came again, or grown worse. ends_by says who resolves it: its runs
-- (all ended well or handled), quiet (a day without another), drift, or word (whoever reported it says when it is over).
-- The alert_ columns say where the telling of it stands, and alert_due_at when the next of that is due; see watch/telling.py.
CREATE TABLE incidents (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    fingerprint   text NOT NULL,
    state         text NOT NULL CHECK (state IN ('open', 'resolved')),
    severity      text NOT NULL DEFAULT 'other' CHECK (severity IN ('critical', 'other')),
    title         text NOT NULL,
    cause         text NOT NULL,
    mend          text NOT NULL DEFAULT '',
    workflow      text NOT NULL DEFAULT '',
    connection    text NOT NULL DEFAULT '',
    source        text NOT NULL DEFAULT '',
    ends_by       text NOT NULL DEFAULT 'runs' CHECK (ends_by IN ('runs', 'quiet', 'drift', 'word')),
    occurrences   integer NOT NULL DEFAULT 1,
    reopened      integer NOT NULL DEFAULT 0,
    first_seen    timestamptz NOT NULL,
    news_at       timestamptz NOT NULL DEFAULT now(),
    last_seen     timestamptz NOT NULL,
    resolved_at   timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text NOT NULL DEFAULT '',
    alert_news    text NOT NULL DEFAULT 'opened' CHECK (alert_news IN ('opened', 'reopened', 'worse')),
    alert_phase   text NOT NULL DEFAULT 'none'
                  CHECK (alert_phase IN ('none', 'telling', 'escalating', 'told', 'recovering', 'over')),
    alert_place   integer NOT NULL DEFAULT 0,
    alert_due_at  timestamptz
);
CREATE UNIQUE INDEX incidents_open ON incidents (workspace_id, fingerprint) WHERE state = 'open';
CREATE INDEX incidents_by_workspace ON incidents (workspace_id, state, last_seen DESC);
CREATE INDEX incidents_resolved ON incidents (workspace_id, fingerprint, resolved_at) WHERE state = 'resolved';
CREATE INDEX incidents_to_tell ON incidents (alert_due_at) WHERE alert_due_at IS NOT NULL;

-- What was told of an incident, over which route; one run tells of several where they go into one digest. A test of a
-- route is of no incident.
CREATE TABLE alerts (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    incident_id   uuid REFERENCES incidents,
    run_id        uuid NOT NULL,
    kind          text NOT NULL,
    route         jsonb NOT NULL,
    begun_at      timestamptz NOT NULL DEFAULT now(),
    told_at       timestamptz,
    error         text NOT NULL DEFAULT ''
);
CREATE INDEX alerts_by_incident ON alerts (incident_id, id);
CREATE INDEX alerts_by_run ON alerts (run_id);
CREATE INDEX alerts_by_workspace ON alerts (workspace_id, begun_at);

-- When each workspace's routes are tested next.
CREATE TABLE alert_tests (
    workspace_id  uuid PRIMARY KEY REFERENCES workspaces,
    due_at        timestamptz NOT NULL
);

-- Where traces are followed: what a run was begun by, as W3C's traceparent, so that the spans of all that drive it hang
-- together. No row, and no cost, where none are.
CREATE TABLE traces (
    run_id        uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    traceparent   text NOT NULL
);

-- Monitors of all kinds: where each stands, and what is next. One that waits for pings has an address with a key; the key
-- is kept as a hash, and sealed, so that it can be shown again. alert_at is when it is late, or of other kinds when the watch
-- looks at it next; NULL while nothing is awaited. facts are what a kind keeps for itself.
CREATE TABLE monitors (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    kind          text NOT NULL,
    name          text NOT NULL,
    rule          text NOT NULL,
    key_hash      text NOT NULL DEFAULT '',
    key_sealed    text NOT NULL DEFAULT '',
    is_declared   boolean NOT NULL DEFAULT true,
    state         text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'up', 'down')),
    seen_at       timestamptz,
    started_at    timestamptz,
    rid           uuid,
    took          interval,
    expected_at   timestamptz,
    alert_at      timestamptz,
    pings         bigint NOT NULL DEFAULT 0,
    facts         jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (workspace_id, kind, name)
);
CREATE INDEX monitors_due ON monitors (kind, alert_at) WHERE alert_at IS NOT NULL;

-- The newest hundred of each monitor.
CREATE TABLE pings (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    monitor       text NOT NULL,
    number        bigint NOT NULL,
    at            timestamptz NOT NULL,
    signal        text NOT NULL CHECK (signal IN ('success', 'start', 'fail', 'log')),
    method        text NOT NULL,
    exit_status   smallint,
    rid           uuid,
    took          interval,
    body          text NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, monitor, number)
);

-- Leads of which something was missing when it should have been there; closed_at is when it came (is_met), or somebody
-- closed the incident.
CREATE TABLE outcome_breaches (
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    outcome       text NOT NULL,
    event_id      uuid NOT NULL,
    contact_id    uuid,
    source        text NOT NULL,
    at            timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    missing       text[] NOT NULL,
    is_met        boolean NOT NULL DEFAULT false,
    closed_at     timestamptz,
    PRIMARY KEY (workspace_id, outcome, event_id)
);
CREATE INDEX outcome_breaches_open ON outcome_breaches (workspace_id, outcome, event_id) WHERE closed_at IS NULL;

-- Synthetic leads: one at a time goes the real way. What of it was made is deleted when it has arrived, or has not.
CREATE TABLE canaries (
    id            uuid PRIMARY KEY,
    workspace_id  uuid NOT NULL REFERENCES workspaces,
    source        text NOT NULL,
    state         text NOT NULL DEFAULT 'flying' CHECK (state IN ('flying', 'arrived', 'lost')),
    delivery_id   uuid,
    contact_id    uuid,
    sent_at       timestamptz NOT NULL,
    ended_at      timestamptz,
    -- The hop that broke, and why; hops are those it passed, each with the milliseconds since it was sent.
    hop           text NOT NULL DEFAULT '',
    error         text NOT NULL DEFAULT '',
    hops          jsonb NOT NULL DEFAULT '[]',
    cleaned_at    timestamptz
);
CREATE INDEX canaries_by_workspace ON canaries (workspace_id, id DESC);
CREATE INDEX canaries_by_delivery ON canaries (delivery_id);
CREATE INDEX canaries_to_clean ON canaries (workspace_id, id) WHERE cleaned_at IS NULL;

-- When a workspace's watcher outside was last told that all moves: of many workers one tells it.
CREATE TABLE heartbeats (
    workspace_id  uuid PRIMARY KEY REFERENCES workspaces,
    sent_at       timestamptz NOT NULL DEFAULT '-infinity'
);

-- Of the deployment, not of a workspace -------------------------------------------------------------------------

CREATE TABLE workers (
    id            text PRIMARY KEY,
    host          text NOT NULL,
    pid           integer NOT NULL,
    process_start double precision NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    heartbeat_at  timestamptz NOT NULL DEFAULT now(),
    claimed_at    timestamptz
);

-- The name is who signs in by it, as whoever made the link said; it stands beside what they decide.
CREATE TABLE sign_in_links (
    token_hash    text PRIMARY KEY,
    name          text NOT NULL DEFAULT '',
    scopes        text[] NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz
);

CREATE TABLE sessions (
    token_hash    text PRIMARY KEY,
    name          text NOT NULL DEFAULT '',
    scopes        text[] NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL
);

-- The queue, as the stages see it: one name, so that SQL elsewhere does not know which engine carries it.
CREATE FUNCTION enqueue_execution(execution_id text, wake_at timestamptz, lane text DEFAULT 'lead') RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dbos.enqueue_workflow(
        workflow_name => 'mainstay.execution.v1',
        queue_name => CASE lane WHEN 'lead' THEN 'executions' ELSE lane END,
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
