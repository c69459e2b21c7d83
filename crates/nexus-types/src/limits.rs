//! Every bound of the product in one place. Whatever grows has a line here.

/// Milliseconds in a second, a minute, an hour and a day.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

// ── Accounts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Characters of a user name.
pub const USERNAME_CHARS_MIN: usize = 2;
/// Characters of a user name.
pub const USERNAME_CHARS_MAX: usize = 32;
/// Characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Characters of a password; longer ones are refused before any hashing.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Logins a user may hold at once; the one unused for longest ends when one more begins.
pub const LOGINS_PER_USER_MAX: i64 = 50;
/// How long an access token is good for.
pub const ACCESS_TOKEN_MS: i64 = 15 * MINUTE_MS;
/// How long an unused refresh token is good for.
pub const REFRESH_TOKEN_MS: i64 = 30 * DAY_MS;
/// For how long the token before the last rotation still answers with the same successor.
pub const REFRESH_GRACE_MS: i64 = 15 * SECOND_MS;
/// Passwords hashed at the same time.
pub const HASHES_AT_ONCE_MAX: usize = 2;
/// Requests that may wait for a password hash; one more is told to come back later.
pub const HASHES_WAITING_MAX: usize = 32;
/// Verified access tokens remembered by their hash.
pub const VERIFIED_TOKENS_MAX: usize = 65_536;
/// How long a setup link works.
pub const SETUP_LINK_MS: i64 = DAY_MS;
/// Wrong passwords a minute for one account and address.
pub const BAD_LOGINS_PER_MINUTE: u32 = 5;
/// Wrong passwords a minute from one address, for whichever accounts: fewer than the hashes that may wait.
pub const BAD_LOGINS_PER_ADDRESS_PER_MINUTE: u32 = 30;
/// Tokens for administrators' routes.
pub const ADMIN_TOKENS_MAX: i64 = 100;
/// Accounts of programs.
pub const BOTS_MAX: i64 = 1_000;
/// Registrations an hour from one address; those with an invite are also joins.
pub const REGISTRATIONS_PER_HOUR: u32 = 20;

// ── Guilds ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Characters of a guild's name.
pub const GUILD_NAME_CHARS_MAX: usize = 100;
/// Guilds a user may be a member of.
pub const GUILDS_PER_USER_MAX: i64 = 200;
/// Members of a guild.
pub const MEMBERS_PER_GUILD_MAX: i64 = 500_000;
/// Members a GUILD_CREATE carries; of a larger guild it carries only the viewer, and `large` is true.
pub const MEMBERS_IN_SNAPSHOT_MAX: i64 = 250;
/// Members in one page of a list.
pub const MEMBERS_PAGE_MAX: i64 = 1_000;
/// Channels of a guild.
pub const CHANNELS_PER_GUILD_MAX: i64 = 500;
/// Characters of a channel's name.
pub const CHANNEL_NAME_CHARS_MAX: usize = 100;
/// Characters of a channel's topic.
pub const TOPIC_CHARS_MAX: usize = 1_024;
/// Overwrites of a channel.
pub const OVERWRITES_PER_CHANNEL_MAX: usize = 100;
/// Live invites of a guild.
pub const INVITES_PER_GUILD_MAX: i64 = 1_000;
/// Uses an invite may be limited to.
pub const INVITE_USES_MAX: i64 = 100;
/// The longest life of an invite that ends, in seconds.
pub const INVITE_AGE_S_MAX: i64 = 7 * 24 * 60 * 60;

// ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Characters of a message.
pub const MESSAGE_CHARS_MAX: usize = 4_000;
/// Characters of a nonce (Discord allows 25; a UUID has 36).
pub const NONCE_CHARS_MAX: usize = 64;
/// For how long a nonce is remembered.
pub const NONCE_MS: i64 = DAY_MS;
/// Messages in one page of history.
pub const HISTORY_PAGE_MAX: i64 = 100;
/// Messages in one page of history when the client names no number.
pub const HISTORY_PAGE_DEFAULT: i64 = 50;

// ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Bytes of a request body.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Nesting of a JSON body (`serde_json` itself stops at 128).
pub const JSON_DEPTH_MAX: usize = 32;
/// Bytes of a request's head (request line and headers).
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long a client may take to send a request's head.
pub const HEAD_MS_MAX: i64 = 10 * SECOND_MS;
/// How long a connection may wait for its next request; longer than the minute that proxies keep theirs.
pub const IDLE_MS_MAX: i64 = 90 * SECOND_MS;
/// How long a client may take to send a request's body.
pub const BODY_MS_MAX: i64 = 30 * SECOND_MS;
/// How long a client may take to read what waits for it of an answer.
pub const ANSWER_MS_MAX: i64 = 2 * MINUTE_MS;
/// Connections of one address at once, unless the operator says otherwise.
pub const CONNECTIONS_PER_ADDRESS: u32 = 256;
/// How long a request may take in all.
pub const REQUEST_MS_MAX: i64 = 60 * SECOND_MS;
/// Requests a second by one user over all routes.
pub const REQUESTS_PER_SECOND: u32 = 50;
/// Messages by one user in one channel within five seconds (Discord's own limit).
pub const MESSAGES_PER_5_S: u32 = 5;
/// Typing notices by one user in one channel within ten seconds; clients send one every eight.
pub const TYPING_PER_10_S: u32 = 5;
/// Guilds one user makes in an hour, after the first ten at once.
pub const GUILDS_PER_HOUR: u32 = 10;
/// Channels one user makes or changes in ten minutes.
pub const CHANNEL_CHANGES_PER_10_MIN: u32 = 50;
/// Invites one user makes in ten minutes.
pub const INVITES_PER_10_MIN: u32 = 50;
/// Guilds one user joins in ten minutes; each join writes a snapshot of the guild into the log.
pub const JOINS_PER_10_MIN: u32 = 20;
/// Guilds one user changes, deletes or leaves, and members one user removes, in ten minutes.
pub const GUILD_CHANGES_PER_10_MIN: u32 = 100;
/// Wrong codes of invites and setup links from one address in a minute.
pub const GUESSES_PER_MINUTE: u32 = 20;
/// Keys one rate limiter remembers; beyond it, idle ones are dropped and, if there are none, new ones are refused.
pub const RATE_LIMIT_KEYS_MAX: usize = 100_000;

// ── Event log ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// For how long an entry stays in the log; a session may resume for at least this long.
pub const LOG_WINDOW_MS: i64 = 6 * MINUTE_MS;
/// Entries one RESUME replays; a session that missed more identifies anew.
pub const REPLAY_ENTRIES_MAX: usize = 10_000;
/// Rows one job may touch (a 10⁶-row delete in one job stalled senders for 1.1 s, chunks of 500 for 17 ms).
pub const ROWS_PER_JOB_MAX: usize = 500;

// ── Gateway ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The interval a client is told to send heartbeats at.
pub const HEARTBEAT_MS: i64 = 41_250;
/// A client silent for this long is closed with 4009: two intervals and a little.
pub const HEARTBEAT_MISSED_MS: i64 = 2 * HEARTBEAT_MS + 7_500;
/// A client that has not identified or resumed by then is closed with 4003.
pub const IDENTIFY_MS_MAX: i64 = 10 * SECOND_MS;
/// Bytes of a client's gateway payload; larger ones close with 4002.
pub const PAYLOAD_BYTES_MAX: usize = 4_096;
/// Bytes of a client's WebSocket frame or message at the transport; larger ones close with 1009.
pub const FRAME_BYTES_MAX: usize = 16 * 1024;
/// Commands a client may send in [`COMMANDS_WINDOW_MS`]; one more closes with 4008.
pub const COMMANDS_MAX: u32 = 120;
/// The window of [`COMMANDS_MAX`].
pub const COMMANDS_WINDOW_MS: i64 = MINUTE_MS;
/// Bytes of live dispatches that may wait for a slow reader before it is closed with 4000.
pub const LIVE_BYTES_MAX: usize = 1024 * 1024;
/// Gateway sockets of one login.
pub const SOCKETS_PER_LOGIN_MAX: usize = 20;
/// For how long a typing notice is good, which is also the least time between two that are sent on.
pub const TYPING_MS: i64 = 10 * SECOND_MS;
/// How long a stopping server waits for requests and sockets to end.
pub const DRAIN_MS_MAX: i64 = 8 * SECOND_MS;

// ── Transparency ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Leaves, and heads, that are proposed and published together.
pub const LOG_BATCH_MAX: usize = 128;
/// Registrations that may wait for the batch after the one that is being published.
pub const LOG_QUEUE_MAX: usize = 1_024;
/// Tree heads in one page.
pub const HEADS_PAGE_MAX: usize = 1_000;
/// Leaves in one page.
pub const LEAVES_PAGE_MAX: usize = 1_000;
/// Pages of the key log that are read at once; fewer than the database has threads for reading, so that publishing and proofs never wait
/// for them.
pub const LOG_PAGES_AT_ONCE: usize = 2;
/// How long a page may wait for its turn before it is answered with 503.
pub const LOG_PAGE_WAIT_MS: i64 = 5 * SECOND_MS;
/// Leaves that one id may have, so that its history is one page and every former key is known.
pub const ID_HISTORY_MAX: usize = 1_000;
/// Ids whose current leaves are looked up at once.
pub const IDS_PAGE_MAX: usize = 1_000;
/// Hashes of upper subtrees that are kept in memory for proofs: enough for a million leaves, some 5 MiB.
pub const CACHED_NODES_MAX: usize = 65_536;
/// Bytes of a request to register a key.
pub const REGISTRATION_BYTES_MAX: usize = 16 * 1024;
/// Keys of cosigners, former ones included, that a log knows.
pub const COSIGNER_KEYS_MAX: usize = 1_000;
/// Hours of the log's growth that are told at once.
pub const GROWTH_HOURS_MAX: i64 = 365 * 24;
/// Refused proposals that a cosigner keeps as evidence; when there are so many, the oldest are kept.
pub const EVIDENCE_MAX: usize = 1_000;
/// Bytes of such a proposal that are kept.
pub const EVIDENCE_BYTES_MAX: usize = 128 * 1024;

// ── Relay ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Bytes of a relay frame, unless the operator says otherwise; a larger one closes with 1009.
pub const RELAY_FRAME_BYTES: usize = 128 * 1024;
/// The most that an operator may set [`RELAY_FRAME_BYTES`] to: a frame has to fit into a reader's queue, also when events double it.
pub const RELAY_FRAME_BYTES_MAX: usize = 256 * 1024;
/// Bytes that may wait for one reader before it is closed with 4901.
pub const RELAY_QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that may wait for all readers together with those of unfinished frames of all senders; beyond it, a reader that already keeps
/// others waiting is closed with 4901, and a sender of whose frame more than the first bytes came with 1013.
pub const RELAY_QUEUES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Relay sessions of one node at once.
pub const RELAY_SESSIONS_MAX: usize = 65_536;
/// Ids of one session, with those that it has yet to prove.
pub const RELAY_IDS_PER_SESSION_MAX: usize = 64;
/// Frames a second that a session may send, control frames included; what comes faster is read later.
pub const RELAY_FRAMES_PER_SECOND: u32 = 200;
/// Frames that it may send at once.
pub const RELAY_FRAMES_BURST: u32 = 400;
/// Frames that can't be taken (invalid, under another's name, before the proof) that a session may send at once; one more closes with
/// 4400.
pub const RELAY_FAULTS_BURST: u32 = 20;
/// One of them is forgotten every so often.
pub const RELAY_FAULT_MS: i64 = 3 * SECOND_MS;
/// `undeliverable` answers that a session may get at once; further ones are left out.
pub const RELAY_UNDELIVERABLE_BURST: u32 = 20;
/// One more is allowed every so often.
pub const RELAY_UNDELIVERABLE_MS: i64 = 500;
/// How often the relay pings.
pub const RELAY_PING_MS: i64 = 30 * SECOND_MS;
/// A relay peer silent for this long is dropped.
pub const RELAY_SILENCE_MS: i64 = 60 * SECOND_MS;
/// How long a peer may take to prove an id.
pub const RELAY_PROOF_MS: i64 = 10 * SECOND_MS;
/// How long a posted frame may wait for its turn before it is answered with 429.
pub const RELAY_POST_MS_MAX: i64 = 5 * SECOND_MS;

// ── Event hub ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Bytes of a posted event's body.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;
/// Characters of an event id that a source gives.
pub const EXTERNAL_ID_CHARS_MAX: usize = 128;
/// How far a signed time may be from now.
pub const SIGNATURE_SKEW_MS: i64 = 300 * SECOND_MS;
/// For how long the secret before the last rotation is still good.
pub const SECRET_OVERLAP_MS: i64 = DAY_MS;
/// Bytes of a source's secret, at least.
pub const SECRET_BYTES_MIN: usize = 32;
/// Sources.
pub const SOURCES_MAX: usize = 1_000;
/// Refused signatures a minute from one address; one more is answered with 429 before anything is computed.
pub const BAD_SIGNATURES_PER_MINUTE: u32 = 120;
/// Types that an operator may add.
pub const CUSTOM_TYPES_MAX: usize = 1_000;
/// Bytes of one schema.
pub const SCHEMA_BYTES_MAX: usize = 256 * 1024;
/// Types and patterns in one list: of a subscription, a rule, a webhook, a source.
pub const PATTERNS_MAX: usize = 20;
/// Events in one page.
pub const EVENTS_PAGE_MAX: i64 = 100;
/// Events in one page when the client names no number.
pub const EVENTS_PAGE_DEFAULT: i64 = 50;
/// Jobs in one page: dead letters, deliveries.
pub const JOBS_PAGE_MAX: i64 = 100;
/// Entries of the log that the dispatcher looks at in one write.
pub const DISPATCH_ENTRIES_MAX: usize = 200;
/// Rows that one write of the dispatcher makes, about.
pub const DISPATCH_ROWS_MAX: usize = 400;
/// Jobs of one reactor that may wait; one more is a dead letter at once.
pub const JOBS_WAITING_MAX: i64 = 200_000;
/// Dead letters; of more, the oldest are forgotten.
pub const DEAD_LETTERS_MAX: i64 = 100_000;
/// How many times an event may be made of an event before it is taken for a loop.
pub const HOPS_MAX: i64 = 8;
/// For how long a job may be worked on before another worker takes it.
pub const JOB_LEASE_MS: i64 = 2 * MINUTE_MS;
/// Jobs of one reactor that run at once, unless its rule says otherwise.
pub const REACTOR_CONCURRENCY: usize = 8;
/// The most that a rule may say.
pub const REACTOR_CONCURRENCY_MAX: usize = 64;
/// For how long a job is tried before it is a dead letter.
pub const RETRY_MS_MAX: i64 = 12 * 60 * MINUTE_MS;
/// Failures in a row after which a reactor rests.
pub const BREAKER_FAILURES: u32 = 8;
/// How long it rests before it tries one job; each further rest is twice as long.
pub const BREAKER_REST_MS: i64 = 5 * SECOND_MS;
/// The longest rest.
pub const BREAKER_REST_MS_MAX: i64 = 60 * SECOND_MS;
/// Rules in the folder of reactors.
pub const RULES_MAX: usize = 200;
/// Bytes of a rule's file.
pub const RULE_BYTES_MAX: usize = 64 * 1024;
/// Steps that one expression or template may take.
pub const RULE_STEPS_MAX: u64 = 10_000;
/// Bytes of what a template may print.
pub const RULE_TEXT_BYTES_MAX: usize = 256 * 1024;
/// Events that one rule makes of an event.
pub const RULE_EMITS_MAX: usize = 4;
/// How long an outgoing call may take, unless a rule says less.
pub const OUTBOUND_MS_MAX: u32 = 30_000;
/// How long it may take if nobody says.
pub const OUTBOUND_MS: u32 = 10_000;
/// Bytes of an answer that are read.
pub const OUTBOUND_ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How long it may take to reach the other side, its name included.
pub const OUTBOUND_CONNECT_MS: u64 = 5_000;
/// Headers of a request, and of an answer.
pub const OUTBOUND_HEADERS_MAX: usize = 100;
/// Bytes of all of them together.
pub const OUTBOUND_HEADER_BYTES_MAX: usize = 16 * 1024;
/// Connections to one host that are kept while nothing is sent.
pub const OUTBOUND_IDLE_PER_HOST: usize = 4;
/// For how long they are kept.
pub const OUTBOUND_IDLE_MS: u64 = 30_000;
/// Names that are looked up at once.
pub const OUTBOUND_LOOKUPS_MAX: usize = 64;
/// Of them, names that were not found promptly the last time, or never asked for.
pub const OUTBOUND_LOOKUPS_UNPROVEN: usize = OUTBOUND_LOOKUPS_MAX / 2;
/// Of these, names of one domain.
pub const OUTBOUND_LOOKUPS_PER_DOMAIN: usize = 8;
/// Names that were found promptly and are remembered, without their addresses.
pub const OUTBOUND_NAMES_PROVEN: usize = 1_024;
/// Private hosts and networks that an operator may list.
pub const OUTBOUND_PRIVATE_MAX: usize = 100;
/// Bytes of a request's or an answer's body that the delivery log keeps.
pub const ATTEMPT_BODY_BYTES_MAX: usize = 4 * 1024;
/// Attempts of one job that are kept; of more, the newest.
pub const ATTEMPTS_KEPT_MAX: i64 = 50;
/// Outgoing webhooks.
pub const WEBHOOKS_MAX: usize = 200;
/// Bytes of a URL.
pub const URL_BYTES_MAX: usize = 2_048;
/// Characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 200;
/// Tickets for streams that were given out and not used.
pub const TICKETS_MAX: usize = 10_000;
/// Of them, those of all sources together, so that administrators always get one.
pub const TICKETS_OF_SOURCES_MAX: usize = 8_000;
/// Those of one source, of one person's login, or of all administrators' tokens.
pub const TICKETS_PER_READER_MAX: usize = 1_000;
/// For how long a ticket is good.
pub const TICKET_MS: i64 = 30 * SECOND_MS;
/// Streams of one node.
pub const STREAMS_MAX: usize = 16_384;
/// Bytes of a client's command on a stream; a longer one closes with 1009.
pub const STREAM_COMMAND_BYTES_MAX: usize = 10 * 1024;
/// Commands a second of one stream.
pub const STREAM_COMMANDS_PER_SECOND: u32 = 10;
/// Bytes that may wait for one stream before it is closed with 4901.
pub const STREAM_QUEUE_BYTES_MAX: usize = 1024 * 1024;
/// How often a stream is pinged.
pub const STREAM_PING_MS: i64 = 30 * SECOND_MS;
/// A stream silent for this long is dropped.
pub const STREAM_SILENCE_MS: i64 = 60 * SECOND_MS;
/// Past events that a dry run looks at.
pub const DRY_RUN_EVENTS_MAX: i64 = 200;
/// Minutes of the hub's rates that are kept.
pub const HUB_MINUTES_KEPT: i64 = 7 * 24 * 60;
