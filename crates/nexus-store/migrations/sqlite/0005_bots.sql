-- oldest: 1
-- An older binary takes a bot for a person with a password that nobody has, and touches nothing of these tables.

-- ── users: is the account a program's? ────────────────────────────────────────────────────────────────────────────────────────
ALTER TABLE users ADD COLUMN bot INTEGER NOT NULL DEFAULT 0;

-- ── bots: what a program's account has instead of a password ──────────────────────────────────────────────────────────────────
CREATE TABLE bots (
    user_id    INTEGER NOT NULL PRIMARY KEY,
    token_hash BLOB, -- SHA-256; none as long as only the server itself speaks as this bot
    created_ms INTEGER NOT NULL
) STRICT;

-- ── bot_joins: where a bot was ever put, so that who removed it is respected ──────────────────────────────────────────────────
CREATE TABLE bot_joins (
    guild_id INTEGER NOT NULL,
    user_id  INTEGER NOT NULL,
    PRIMARY KEY (guild_id, user_id)
) STRICT, WITHOUT ROWID;
