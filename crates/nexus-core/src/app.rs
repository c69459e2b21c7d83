//! The application: a struct of ports, and a borrowed view of the use cases of each noun.

use std::sync::Arc;

use nexus_store::Db;

use crate::clock::Clock;
use crate::keys::Keys;
use crate::passwords::Hasher;
use crate::{admin_tokens, bots, channels, guilds, invites, logins, members, messages, read_states, sessions, setup, typing, users};

/// What the operator chose and the use cases need to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The instance's name.
    pub name: String,
    /// May anybody register?
    pub registration_open: bool,
    /// Is registration closed until there is an administrator (when the instance does not listen on loopback only)?
    pub registration_needs_admin: bool,
    /// For how long the event log is kept, at least [`LOG_WINDOW_MS`](nexus_types::limits::LOG_WINDOW_MS): what RESUME may read.
    pub events_ms: i64,
}

/// The ports.
pub struct Ports {
    /// The database and its bus.
    pub db: Db,
    /// Time, ids and randomness.
    pub clock: Clock,
    /// The instance's secrets.
    pub keys: Keys,
    /// Password hashing, bounded.
    pub hasher: Hasher,
    /// What the operator chose.
    pub settings: Settings,
    /// Access tokens that were verified and logins that ended.
    pub tokens: logins::Tokens,
}

/// The application. Clones are the same application.
#[derive(Clone)]
pub struct App(pub(crate) Arc<Ports>);

impl std::ops::Deref for App {
    type Target = Ports;
    fn deref(&self) -> &Ports {
        &self.0
    }
}

macro_rules! views {
    ($($(#[$doc:meta])* $name:ident: $view:ty = $construct:expr,)*) => {
        impl App { $($(#[$doc])* pub fn $name(&self) -> $view { $construct(self) })* }
    };
}

views! {
    /// Tokens for administrators' routes.
    admin_tokens: admin_tokens::AdminTokens<'_> = admin_tokens::AdminTokens,
    /// Programs with accounts.
    bots: bots::Bots<'_> = bots::Bots,
    /// Registering, signing in, refreshing, signing out.
    logins: logins::Logins<'_> = logins::Logins,
    /// The caller's own account.
    users: users::Users<'_> = users::Users,
    /// The first administrator.
    setup: setup::SetupLinks<'_> = setup::SetupLinks,
    /// Communities.
    guilds: guilds::Guilds<'_> = guilds::Guilds,
    /// Channels.
    channels: channels::Channels<'_> = channels::Channels,
    /// Members.
    members: members::Members<'_> = members::Members,
    /// Invites.
    invites: invites::Invites<'_> = invites::Invites,
    /// Messages.
    messages: messages::Messages<'_> = messages::Messages,
    /// How far users have read.
    read_states: read_states::ReadStates<'_> = read_states::ReadStates,
    /// Who is writing.
    typing: typing::Typing<'_> = typing::Typing,
    /// Gateway sessions: READY, resuming, the log for one reader.
    sessions: sessions::Sessions<'_> = sessions::Sessions,
}

impl App {
    /// The application over these ports.
    pub fn new(ports: Ports) -> Self {
        Self(Arc::new(ports))
    }
}
