-- oldest: 1
-- An older binary knows none of these tables and touches none of them.

-- ── hub_events: what the event hub was told, by the position of its entry in the log ──────────────────────────────────────────
CREATE TABLE hub_events (
    position    INTEGER NOT NULL PRIMARY KEY,
    id          INTEGER NOT NULL,
    type        TEXT    NOT NULL, -- NAMESPACE:NAME
    source      TEXT    NOT NULL,
    payload     TEXT    NOT NULL, -- JSON, as it came
    at_ms       INTEGER NOT NULL,
    external_id TEXT,             -- what the source calls it
    body_hash   BLOB,             -- SHA-256 of the body, for those that have an external id
    cause       INTEGER NOT NULL, -- the position of the event that a reactor made it of, 0 = none
    hops        INTEGER NOT NULL  -- how many events there are before it in that way
) STRICT;
-- Every index ends with the row's position or id, without naming it.
CREATE UNIQUE INDEX hub_events_id ON hub_events (id);
CREATE INDEX hub_events_type ON hub_events (type);
CREATE INDEX hub_events_source ON hub_events (source, type);
CREATE UNIQUE INDEX hub_events_external ON hub_events (source, external_id) WHERE external_id IS NOT NULL;

-- ── hub_sources: who may send events ──────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE hub_sources (
    name              TEXT    NOT NULL PRIMARY KEY,
    secret            BLOB    NOT NULL,
    previous          BLOB,             -- the secret before it
    previous_until_ms INTEGER,          -- good until then
    created_ms        INTEGER NOT NULL,
    rotated_ms        INTEGER NOT NULL,
    patterns          TEXT    NOT NULL, -- JSON: what it may send
    reads             INTEGER NOT NULL, -- may it read events?
    demands_timestamp INTEGER NOT NULL  -- must it sign the time too?
) STRICT, WITHOUT ROWID;

-- ── hub_webhooks: outgoing endpoints ──────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE hub_webhooks (
    id                INTEGER NOT NULL PRIMARY KEY,
    url               TEXT    NOT NULL,
    description       TEXT    NOT NULL,
    patterns          TEXT    NOT NULL, -- JSON: what it gets
    secret            BLOB    NOT NULL,
    previous          BLOB,
    previous_until_ms INTEGER,
    rotated_ms        INTEGER NOT NULL,
    state             INTEGER NOT NULL, -- 0 on, 1 off, 2 disabled
    reason            TEXT,             -- why it is not on
    failing_since_ms  INTEGER,
    created_ms        INTEGER NOT NULL
) STRICT;

-- ── log_readers: how far a durable reader of the log is; nothing beyond the lowest is trimmed ─────────────────────────────────
CREATE TABLE log_readers (
    name     TEXT    NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- ── reactors: what a person decided about one; a reactor without a row is not paused ──────────────────────────────────────────
CREATE TABLE reactors (
    name   TEXT    NOT NULL PRIMARY KEY,
    paused INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- ── reactor_jobs: one run of one reactor for one event; a job never outlives its event ────────────────────────────────────────
CREATE TABLE reactor_jobs (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    reactor    TEXT    NOT NULL,
    position   INTEGER NOT NULL,           -- of its event
    key        TEXT    NOT NULL,           -- at most one run of the reactor for each
    order_key  TEXT,                       -- those with the same run one after the other
    state      INTEGER NOT NULL,           -- 0 waiting, 1 done, 2 dead, 3 discarded
    attempts   INTEGER NOT NULL DEFAULT 0,
    due_ms     INTEGER NOT NULL,
    -- 0: nobody has it. Else until when a worker has it; 2^63-1 for as long as another of its order key is before it.
    lease_ms   INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    first_ms   INTEGER NOT NULL DEFAULT 0, -- when it was first taken, since the last replay; 0 = not yet
    ended_ms   INTEGER,
    reason     TEXT                        -- why the last attempt failed, or why it is not tried
) STRICT;
CREATE UNIQUE INDEX reactor_jobs_key ON reactor_jobs (reactor, key);
CREATE INDEX reactor_jobs_reactor ON reactor_jobs (reactor);
CREATE INDEX reactor_jobs_event ON reactor_jobs (position);
-- A waiting job is in one of these two: free to be taken, or held.
CREATE INDEX reactor_jobs_due ON reactor_jobs (reactor, due_ms) WHERE state = 0 AND lease_ms = 0;
CREATE INDEX reactor_jobs_held ON reactor_jobs (reactor, lease_ms) WHERE state = 0 AND lease_ms > 0;
CREATE INDEX reactor_jobs_order ON reactor_jobs (reactor, order_key) WHERE state = 0 AND order_key IS NOT NULL;
CREATE INDEX reactor_jobs_dead ON reactor_jobs (id) WHERE state = 2;
CREATE INDEX reactor_jobs_dead_of ON reactor_jobs (reactor) WHERE state = 2;

-- ── reactor_attempts: the record of what was tried ────────────────────────────────────────────────────────────────────────────
CREATE TABLE reactor_attempts (
    job      INTEGER NOT NULL,
    number   INTEGER NOT NULL, -- 1, 2 …
    began_ms INTEGER NOT NULL,
    took_us  INTEGER NOT NULL,
    outcome  INTEGER NOT NULL, -- 0 delivered, 1 failed, 2 refused
    status   INTEGER,          -- of the HTTP answer
    request  TEXT,             -- JSON, shortened and without secrets
    answer   TEXT,             -- JSON, shortened
    error    TEXT,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

-- ── hub_minutes, hub_reactions: rates; a minute is counted since 1970 ─────────────────────────────────────────────────────────
CREATE TABLE hub_minutes (
    minute    INTEGER NOT NULL,
    namespace TEXT    NOT NULL,
    events    INTEGER NOT NULL,
    PRIMARY KEY (minute, namespace)
) STRICT, WITHOUT ROWID;

CREATE TABLE hub_reactions (
    minute     INTEGER NOT NULL PRIMARY KEY,
    samples    INTEGER NOT NULL, -- runs that were timed
    typical_us INTEGER NOT NULL, -- from commit to effect
    slow_us    INTEGER NOT NULL, -- the slowest
    delivered  INTEGER NOT NULL,
    retried    INTEGER NOT NULL,
    dead       INTEGER NOT NULL
) STRICT;
