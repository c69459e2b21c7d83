-- What a cosigner remembers. Lost, it could sign a second history; so this file is its conscience.

CREATE TABLE instance (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- ── seen: the tree as this cosigner saw it grow; one row ──────────────────────────────────────────────────────────────────────
CREATE TABLE seen (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    log_id BLOB    NOT NULL,
    size   INTEGER NOT NULL,
    peaks  BLOB    NOT NULL, -- 32 bytes for each bit of the size that is set, largest subtree first
    last   BLOB,             -- the hash of the head at that size; null for the empty tree
    last_s INTEGER NOT NULL  -- the time of that head
) STRICT;

-- ── leaves: what was appended, hashes only ────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE leaves (
    leaf_index INTEGER NOT NULL PRIMARY KEY,
    leaf_hash  BLOB    NOT NULL
) STRICT;

-- ── signatures: one for a size, ever ──────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE signatures (
    tree_size INTEGER NOT NULL PRIMARY KEY,
    head      BLOB    NOT NULL, -- the hash that was signed
    signature BLOB    NOT NULL
) STRICT;

-- ── evidence: proposals that were refused ─────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE evidence (
    id       INTEGER NOT NULL PRIMARY KEY,
    digest   BLOB    NOT NULL, -- SHA-256 of reason and proposal, so that asking again makes no second row
    reason   TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    proposal TEXT    NOT NULL, -- JSON, as it came
    times    INTEGER NOT NULL DEFAULT 1,
    first_ms INTEGER NOT NULL,
    last_ms  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX evidence_digest ON evidence (digest);
CREATE INDEX evidence_last ON evidence (last_ms);
