-- oldest: 1
-- An older binary knows none of these tables and touches none of them. Times of the key log are seconds since 1970, as in its contract.

-- ── key_log: which log this is and how far it is published; at most one row ───────────────────────────────────────────────────
CREATE TABLE key_log (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    log_id BLOB    NOT NULL,           -- 32 random bytes
    size   INTEGER NOT NULL DEFAULT 0, -- leaves
    users  INTEGER NOT NULL DEFAULT 0, -- different ids
    heads  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- ── leaves: every registration, in log order, without a gap; never changed ────────────────────────────────────────────────────
CREATE TABLE leaves (
    leaf_index  INTEGER NOT NULL PRIMARY KEY,
    id          TEXT    NOT NULL,
    public_key  BLOB    NOT NULL,
    timestamp_s INTEGER NOT NULL,
    rotation    BLOB,              -- two signatures, by the key that is left and by the new one
    leaf_hash   BLOB    NOT NULL   -- level 0 of the tree
) STRICT;
CREATE INDEX leaves_id ON leaves (id, leaf_index);

-- ── tree_nodes: the complete subtrees above the leaves; a complete one never changes ──────────────────────────────────────────
CREATE TABLE tree_nodes (
    level      INTEGER NOT NULL, -- 1 or more
    node_index INTEGER NOT NULL,
    hash       BLOB    NOT NULL,
    PRIMARY KEY (level, node_index)
) STRICT, WITHOUT ROWID;

-- ── tree_heads: the policy is always two of three ─────────────────────────────────────────────────────────────────────────────
CREATE TABLE tree_heads (
    tree_size   INTEGER NOT NULL PRIMARY KEY,
    root        BLOB    NOT NULL,
    prev_hash   BLOB,             -- null for the first
    timestamp_s INTEGER NOT NULL,
    signatures  TEXT    NOT NULL  -- JSON: [{"cosigner", "sig"}]
) STRICT;
-- How many registrations there were in an hour is two steps into this index.
CREATE INDEX tree_heads_time ON tree_heads (timestamp_s, tree_size);

-- ── proposals: the batch that cosigners are asked about, invisible to readers; at most one row, never changed ─────────────────
CREATE TABLE proposals (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    body TEXT    NOT NULL -- JSON: the leaves and their unsigned heads
) STRICT;

-- ── cosigner_keys: every key that ever counted ────────────────────────────────────────────────────────────────────────────────
CREATE TABLE cosigner_keys (
    place       INTEGER NOT NULL PRIMARY KEY, -- the order in which they are told
    cosigner    TEXT    NOT NULL,
    public_key  BLOB    NOT NULL,
    from_s      INTEGER NOT NULL,
    until_s     INTEGER,
    endorsement BLOB,                         -- by the key before it; null for a cosigner's first
    ended_size  INTEGER,                      -- of the last head before the key ended
    ended_head  BLOB,                         -- its hash
    operator    TEXT    NOT NULL,
    url         TEXT
) STRICT;
