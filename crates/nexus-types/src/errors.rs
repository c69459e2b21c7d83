//! Everything a caller can be told it did wrong, as data: one line a code.
//!
//! # Shape
//! On the wire: `{"code": int, "message", "error": "snake_case", "request_id", "errors"?}`; `code` is Discord's JSON code where it
//! has one and 0 otherwise, because bots branch on it.
//!
//! # Source
//! <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json-json-error-codes>

use serde_json::{Map, Value, json};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = ($status:literal, $number:literal, $word:literal, $message:literal),)*) => {
        /// A refusal: the caller can act on it, and nothing was changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            /// All of them, for the documentation and its test.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name,)*];

            /// The HTTP status.
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)* } }

            /// Discord's JSON code, or 0.
            pub const fn number(self) -> u32 { match self { $(Self::$name => $number,)* } }

            /// The stable word for programs.
            pub const fn word(self) -> &'static str { match self { $(Self::$name => $word,)* } }

            /// The sentence for people.
            pub const fn message(self) -> &'static str { match self { $(Self::$name => $message,)* } }
        }
    };
}

error_codes! {
    /// The body is not JSON, repeats a key or nests too deeply.
    InvalidJson = (400, 50109, "invalid_json", "The request body is not valid JSON."),
    /// The body is JSON of the wrong shape; the fields are named.
    InvalidBody = (400, 50035, "invalid_body", "Invalid Form Body"),
    /// An id in the path or query is not a decimal of a positive 63-bit number.
    InvalidId = (400, 50035, "invalid_id", "An id is a decimal number."),
    /// A `limit` outside of its range.
    InvalidLimit = (400, 50035, "invalid_limit", "The limit is out of range."),
    /// A query parameter that can't be read or contradicts another.
    InvalidQuery = (400, 50035, "invalid_query", "A query parameter is not valid."),
    /// The body's type is not JSON.
    UnsupportedMediaType = (415, 0, "unsupported_media_type", "Send the body as application/json."),
    /// The body is too large.
    PayloadTooLarge = (413, 40005, "payload_too_large", "Request entity too large"),
    /// No token, or none that is good.
    Unauthorized = (401, 40001, "invalid_token", "401: Unauthorized"),
    /// User name or password are wrong; which one is not said.
    BadCredentials = (401, 0, "bad_credentials", "The name or the password is wrong."),
    /// The refresh token is unknown, ended or expired.
    InvalidRefreshToken = (401, 0, "invalid_refresh_token", "This login has ended. Sign in again."),
    /// A refresh token was used a second time; the whole login ended.
    TokenReused = (401, 0, "token_reused", "This login was ended because its token was used twice. Sign in again."),
    /// The setup link is wrong, used or too old.
    InvalidSetupToken = (401, 0, "invalid_setup_token", "This setup link is no longer good. Start the server again for a new one."),
    /// A cookie came without the header that proves our own page sent it, or from another site.
    CsrfFailed = (403, 0, "csrf_failed", "This request did not come from this server's own page."),
    /// The `Origin` is not this instance.
    ForeignOrigin = (403, 0, "foreign_origin", "This server answers its own pages only."),
    /// Seen, but not allowed.
    MissingPermission = (403, 50013, "missing_permission", "Missing Permissions"),
    /// The route is for people.
    BotsNotAllowed = (403, 20001, "bots_not_allowed", "Bots cannot use this endpoint"),
    /// The bot was in the guild before, and somebody who may removed it, or it left.
    BotRemoved = (403, 0, "bot_removed", "The bot was removed from this community."),
    /// The role or member is not below the caller's own highest role, or a bit is not the caller's to give.
    RoleHierarchy = (403, 50013, "role_hierarchy", "You can only do this to roles and members below your own highest role."),
    /// Registration is closed.
    RegistrationClosed = (403, 0, "registration_closed", "This server does not take new accounts."),
    /// The object does not exist or may not be seen; which one is not said.
    NotFound = (404, 0, "not_found", "404: Not Found"),
    /// No such guild for this caller.
    UnknownGuild = (404, 10004, "not_found", "Unknown Guild"),
    /// No such channel for this caller.
    UnknownChannel = (404, 10003, "not_found", "Unknown Channel"),
    /// No such message for this caller.
    UnknownMessage = (404, 10008, "not_found", "Unknown Message"),
    /// No such member for this caller.
    UnknownMember = (404, 10007, "not_found", "Unknown Member"),
    /// No such user for this caller.
    UnknownUser = (404, 10013, "not_found", "Unknown User"),
    /// No such invite was ever made.
    UnknownInvite = (404, 10006, "unknown_invite", "Unknown Invite"),
    /// No such login of this user.
    UnknownLogin = (404, 0, "not_found", "Unknown Login"),
    /// The method does not fit the route.
    MethodNotAllowed = (405, 0, "method_not_allowed", "405: Method Not Allowed"),
    /// The client took too long to send its request.
    RequestTimeout = (408, 0, "request_timeout", "The request took too long to arrive."),
    /// The user name belongs to somebody.
    UsernameTaken = (409, 0, "username_taken", "This name is taken, or looks like one that is."),
    /// The name that a bot should have belongs to a person.
    NotABot = (409, 0, "not_a_bot", "This name belongs to a person's account."),
    /// The nonce was used for another text.
    NonceConflict = (409, 0, "nonce_conflict", "This nonce was used for a message with another text."),
    /// A guild can't be without an owner.
    OwnerRequired = (409, 0, "owner_required", "An owner can't leave. Hand the community over or delete it first."),
    /// An administrator exists already.
    AlreadySetUp = (409, 0, "already_set_up", "This server has an administrator already."),
    /// The invite expired, was revoked or is used up.
    InviteInvalid = (410, 10006, "invite_invalid", "This invite is no longer good."),
    /// Too many guilds.
    TooManyGuilds = (400, 30001, "too_many_guilds", "Maximum number of guilds reached (200)"),
    /// Too many channels.
    TooManyChannels = (400, 30013, "too_many_channels", "Maximum number of guild channels reached (500)"),
    /// Too many invites.
    TooManyInvites = (400, 30016, "too_many_invites", "Maximum number of invites reached (1000)"),
    /// Too many tokens for administrators' routes.
    TooManyAdminTokens = (400, 0, "too_many_admin_tokens", "There are 100 such tokens already."),
    /// Too many bots.
    TooManyBots = (400, 0, "too_many_bots", "There are 1000 bots already."),
    /// The guild is full.
    GuildFull = (403, 30001, "guild_full", "This community is full."),
    /// No id of the key log.
    InvalidDid = (400, 0, "invalid_did", "id must be 1 to 255 bytes of letters, digits and : . _ @ % -"),
    /// No key that can be registered.
    InvalidPublicKey = (400, 0, "invalid_public_key", "public_key must be an Ed25519 public key, 32 bytes in padded standard base64"),
    /// A time that a registration can't have.
    InvalidTimestamp = (400, 0, "invalid_timestamp", "timestamp must be an integer from 0 to 300 seconds from now"),
    /// An id of this instance's own accounts.
    DidReserved = (403, 0, "did_reserved", "ids that begin with did:nexus: belong to the accounts of this server"),
    /// The key log is empty.
    NoTreeHead = (404, 0, "no_tree_head", "No STH found"),
    /// Nobody registered that id.
    UnknownDid = (404, 0, "unknown_did", "No such id"),
    /// No such leaf, or no tree of that size.
    UnknownLeaf = (404, 0, "unknown_leaf", "No such leaf or tree size"),
    /// The id has another key.
    DidTaken = (409, 0, "did_taken", "the id has another key; a change needs a rotation signed by both keys"),
    /// The id had that key and left it.
    KeyReturned = (409, 0, "key_returned", "the id had that key before, and a key that was left never returns"),
    /// A signature of the rotation is wrong or about something else.
    RotationInvalid = (409, 0, "rotation_invalid", "a signature of the rotation is not good for this log, the id's current leaf and the new one"),
    /// The new leaf is not later than the current one.
    RotationNotLater = (409, 0, "rotation_not_later", "the timestamp must be later than that of the id's current leaf"),
    /// The id has had as many keys as its history shows.
    TooManyKeys = (409, 0, "too_many_keys", "the id has changed its key as often as an id may"),
    /// Cosigners are missing; the same request will be answered once they are back.
    NotPublished = (503, 0, "not_published", "not published yet: fewer than two cosigners answered; send the same request again"),
    /// Too many others read pages of the key log.
    PagesBusy = (503, 0, "pages_busy", "too many are reading pages of the key log now; try again in a few seconds"),
    /// Nobody whose secret the source has signed these bytes; what is wrong is not said.
    InvalidSignature = (401, 0, "invalid_signature", "The signature is not good for these bytes."),
    /// The signed time is too far from now, or the source must send one.
    StaleTimestamp = (401, 0, "stale_timestamp", "X-Nexus-Timestamp must be within 300 seconds of now, and signed."),
    /// The hub knows no such type of events. The contract fixes these words.
    InvalidEventType = (400, 0, "Invalid event type", "Invalid event type"),
    /// The payload does not fit the schema of its type; the field is named.
    InvalidPayload = (400, 0, "invalid_payload", "The payload does not fit the schema of its type."),
    /// The source may not send this type.
    TypeNotAllowed = (403, 0, "missing_permission", "This source may not send events of this type."),
    /// The event id was used for another body.
    EventConflict = (409, 0, "event_conflict", "This event id was used for another body."),
    /// No event id.
    InvalidEventId = (400, 0, "invalid_event_id", "X-Nexus-Event-Id must be 1 to 128 printable ASCII characters."),
    /// No such event, reactor, source, webhook or dead letter.
    UnknownEvent = (404, 0, "not_found", "The hub has no such thing."),
    /// A source of that name exists, or the name is reserved or malformed.
    SourceTaken = (409, 0, "source_taken", "There is a source of that name."),
    /// No name of a source.
    InvalidSourceName = (422, 0, "invalid_name", "A name has 1 to 32 small letters, digits and dashes, and is not \"nexus\"."),
    /// The secret comes from the environment and is changed there.
    SourceFixed = (409, 0, "source_fixed", "This source's secret is NEXUS_SECRET; change it there."),
    /// A list of types that is empty, too long, or names what nobody knows.
    InvalidPatterns = (422, 0, "invalid_events", "events must list 1 to 20 known types, NAMESPACE:* or *."),
    /// As many sources or webhooks as there may be.
    TooManyInHub = (400, 0, "too_many", "There are as many of these as there may be."),
    /// An address that requests of this server may not go to.
    BlockedAddress = (422, 0, "blocked_address", "Requests to this address are not sent: it is private, or this server itself."),
    /// A URL that requests are not sent to.
    InvalidUrl = (422, 0, "invalid_url", "The url must be http or https, without name and password, on a port for the web."),
    /// A rule that can't be read.
    InvalidRule = (422, 0, "invalid_rule", "The rule can't be read."),
    /// It stands otherwise than the request needs: not dead, paused, switched off.
    WrongState = (409, 0, "wrong_state", "It does not stand so that this can be done."),
    /// Too many requests; the answer says when to come back.
    RateLimited = (429, 0, "rate_limited", "You are being rate limited."),
    /// Too many passwords are being hashed.
    Busy = (429, 0, "busy", "The server is busy with other sign-ins. Try again in a second."),
}

/// What is wrong with which field.
///
/// # Shape
/// `{"name": {"_errors": [{"code": "BASE_TYPE_BAD_LENGTH", "message": "…"}]}}`, nested as the body is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(pub Map<String, Value>);

impl FieldErrors {
    /// One field with one error.
    pub fn one(field: &str, code: &str, message: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, code, message);
        errors
    }

    /// Adds an error at a field; dots in the name descend (`permission_overwrites.0.allow`).
    pub fn add(&mut self, field: &str, code: &str, message: impl Into<String>) {
        let mut at = &mut self.0;
        for part in field.split('.') {
            let slot = at.entry(part).or_insert_with(|| json!({}));
            at = slot.as_object_mut().expect("every level of field errors is an object");
        }
        let list = at.entry("_errors").or_insert_with(|| json!([]));
        list.as_array_mut()
            .expect("_errors is a list")
            .push(json!({ "code": code, "message": message.into() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_client_status_and_a_word() {
        for code in ErrorCode::ALL {
            // Not now: neither the caller is at fault nor are we, and the caller can act.
            let is_later = [ErrorCode::NotPublished, ErrorCode::PagesBusy].contains(code);
            assert!((400..500).contains(&code.status()) || is_later, "{code:?}");
            // The contract of the hub has words of its own for one.
            let is_word = code.word().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(is_word || *code == ErrorCode::InvalidEventType, "{code:?}");
        }
    }

    #[test]
    fn field_errors_nest_as_the_body_does() {
        let errors = FieldErrors::one("permission_overwrites.0.allow", "NUMBER", "not a number");
        assert_eq!(
            Value::Object(errors.0),
            json!({"permission_overwrites": {"0": {"allow": {"_errors": [{"code": "NUMBER", "message": "not a number"}]}}}})
        );
    }
}
