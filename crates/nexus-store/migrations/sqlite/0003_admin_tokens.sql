-- oldest: 1
-- An older binary knows nothing of this table and touches nothing of it.

-- ── admin_tokens: who may use administrators' routes without being a person ───────────────────────────────────────────────────
CREATE TABLE admin_tokens (
    token_hash BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of 256 random bits
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
