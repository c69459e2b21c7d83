-- The schema of the first release. Times are milliseconds since 1970, ids are 64-bit snowflakes, booleans are 0 or 1.

-- ── instance: facts about this database, one row each ─────────────────────────────────────────────────────────────────────────
CREATE TABLE instance (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The log epoch names this history of the log. A restore from a backup replaces it, so that an old `s` cannot meet another history.
INSERT INTO instance (key, value) VALUES ('log_epoch', CAST(random() & 9223372036854775807 AS TEXT));
-- Written by the writer thread to see whether the disk takes writes again.
INSERT INTO instance (key, value) VALUES ('probe', '0');

-- ── log: what happened, in order of commit ────────────────────────────────────────────────────────────────────────────────────
-- AUTOINCREMENT: a position is never used twice, not even after trimming; a rolled back savepoint leaves no gap.
CREATE TABLE log (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at_ms    INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    topic    INTEGER NOT NULL, -- the guild or direct conversation, 0 = none
    channel  INTEGER NOT NULL, -- visibility filter, 0 = none
    subject  INTEGER NOT NULL, -- the user whose scope changed, or the only reader, 0 = none
    object   INTEGER NOT NULL, -- what a scrub must find, 0 = none
    body     TEXT    NOT NULL  -- JSON; empty once scrubbed
) STRICT;
-- `kind` rides along so that "did anything of this kind happen here" never touches the rows.
CREATE INDEX log_topic   ON log (topic, position, kind);
CREATE INDEX log_subject ON log (subject, position) WHERE subject <> 0;
CREATE INDEX log_object  ON log (object) WHERE object <> 0;

-- ── log_trim: the last trimmed position per topic and per subject ─────────────────────────────────────────────────────────────
-- A topic is a guild or conversation, a subject a user; snowflakes never collide, so one key column holds both.
CREATE TABLE log_trim (
    key      INTEGER NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;

-- ── guilds: a deleted one keeps its rows until the resume window has passed, then a sweep removes them in small pieces ────────
CREATE TABLE guilds (
    id           INTEGER NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL,
    owner_id     INTEGER NOT NULL,
    member_count INTEGER NOT NULL,
    deleted_ms   INTEGER
) STRICT;
CREATE INDEX guilds_deleted ON guilds (deleted_ms) WHERE deleted_ms IS NOT NULL;

CREATE TABLE roles (
    id          INTEGER NOT NULL PRIMARY KEY, -- @everyone has its guild's id
    guild_id    INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    position    INTEGER NOT NULL,
    permissions INTEGER NOT NULL
) STRICT;
CREATE INDEX roles_guild ON roles (guild_id);

CREATE TABLE members (
    guild_id  INTEGER NOT NULL,
    user_id   INTEGER NOT NULL,
    joined_ms INTEGER NOT NULL,
    roles     TEXT    NOT NULL DEFAULT '[]', -- JSON: the ids of the member's roles without @everyone
    PRIMARY KEY (guild_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id, guild_id);

-- ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE channels (
    id              INTEGER NOT NULL PRIMARY KEY,
    guild_id        INTEGER NOT NULL,
    kind            INTEGER NOT NULL,
    name            TEXT    NOT NULL,
    topic           TEXT,
    position        INTEGER NOT NULL,
    last_message_id INTEGER NOT NULL DEFAULT 0,
    overwrites      TEXT    NOT NULL DEFAULT '[]', -- JSON: the channel's exceptions
    deleted_ms      INTEGER
) STRICT;
CREATE INDEX channels_guild ON channels (guild_id) WHERE deleted_ms IS NULL;
CREATE INDEX channels_deleted ON channels (deleted_ms) WHERE deleted_ms IS NOT NULL;

-- ── messages: clustered by channel, in order of commit ────────────────────────────────────────────────────────────────────────
CREATE TABLE messages (
    channel_id INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    author_id  INTEGER NOT NULL,
    content    TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    edited_ms  INTEGER,
    PRIMARY KEY (channel_id, id)
) STRICT, WITHOUT ROWID;

-- What an author called a message: at most one message for 24 hours.
CREATE TABLE message_nonces (
    channel_id INTEGER NOT NULL,
    author_id  INTEGER NOT NULL,
    nonce      TEXT    NOT NULL,
    message_id INTEGER NOT NULL,
    PRIMARY KEY (channel_id, author_id, nonce)
) STRICT, WITHOUT ROWID;
-- Snowflakes sort by time, so the sweep of old nonces walks this.
CREATE INDEX message_nonces_age ON message_nonces (message_id);

-- ── read_states: how far a user has read ──────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE read_states (
    user_id         INTEGER NOT NULL,
    channel_id      INTEGER NOT NULL,
    last_message_id INTEGER NOT NULL,
    PRIMARY KEY (user_id, channel_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX read_states_channel ON read_states (channel_id);

-- ── invites: a code is never given out twice, so a revoked one stays ──────────────────────────────────────────────────────────
CREATE TABLE invites (
    code       TEXT    NOT NULL PRIMARY KEY,
    guild_id   INTEGER NOT NULL,
    channel_id INTEGER NOT NULL,
    inviter_id INTEGER NOT NULL,
    uses       INTEGER NOT NULL DEFAULT 0,
    max_uses   INTEGER NOT NULL, -- 0 = no limit
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL, -- 0 = never
    revoked    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX invites_guild ON invites (guild_id) WHERE revoked = 0;

-- ── users ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE users (
    id            INTEGER NOT NULL PRIMARY KEY,
    username      TEXT    NOT NULL, -- as typed
    folded        TEXT    NOT NULL, -- what must be unique, so that no two names look alike
    password_hash TEXT    NOT NULL, -- PHC string of Argon2id
    admin         INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_folded ON users (folded);
CREATE INDEX users_admin ON users (id) WHERE admin;

-- ── logins: an ended one keeps its row until the last access token that was made for it has expired ───────────────────────────
CREATE TABLE logins (
    id            INTEGER NOT NULL PRIMARY KEY,
    user_id       INTEGER NOT NULL,
    client        TEXT    NOT NULL, -- in words, never an address
    family_hash   BLOB    NOT NULL, -- SHA-256 of the part that all refresh tokens of this login share
    token_hash    BLOB    NOT NULL, -- SHA-256 of the present refresh token
    previous_hash BLOB,             -- SHA-256 of the one before it
    created_ms    INTEGER NOT NULL,
    used_ms       INTEGER NOT NULL, -- when the refresh token was last exchanged
    ended_ms      INTEGER
) STRICT;
CREATE UNIQUE INDEX logins_family ON logins (family_hash);
CREATE INDEX logins_user ON logins (user_id, used_ms) WHERE ended_ms IS NULL;
CREATE INDEX logins_used ON logins (used_ms) WHERE ended_ms IS NULL;
CREATE INDEX logins_ended ON logins (ended_ms) WHERE ended_ms IS NOT NULL;

-- ── setup_links: the way to the first administrator; at most one row ──────────────────────────────────────────────────────────
CREATE TABLE setup_links (
    token_hash BLOB    NOT NULL PRIMARY KEY, -- SHA-256
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
