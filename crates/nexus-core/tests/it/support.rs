//! What the tests share: an application over a database of its own, and people in it.

use std::sync::Arc;

use nexus_core::keys::{Keys, generate_jwt_pkcs8};
use nexus_core::logins::Tokens;
use nexus_core::passwords::{Cost, Hasher};
use nexus_core::{App, Caller, Clock, Error, Ports, Settings};
use nexus_store::{Db, Entry, Options, Window};
use nexus_types::ErrorCode;
use nexus_types::limits::LOG_WINDOW_MS;
use nexus_types::logins::{Granted, Register, SignIn};
use tempfile::TempDir;

/// When every test begins: in the middle of a second, so that nothing depends on whole ones.
pub(crate) const START_MS: i64 = 1_795_166_227_123;
/// A good password.
pub(crate) const PASSWORD: &str = "correct horse";
/// What the tests' people sign in with.
pub(crate) const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// An application whose clock stands still and whose hashes are cheap.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Clock,
    /// What signs access tokens, for forging some.
    pub(crate) jwt_pkcs8: Vec<u8>,
    settings: Settings,
    cost: Cost,
    instance_key: [u8; 32],
    folder: Arc<TempDir>,
}

/// So cheap that a test hardly notices.
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

impl std::ops::Deref for World {
    type Target = App;
    fn deref(&self) -> &App {
        &self.app
    }
}

impl World {
    /// Anybody may register.
    pub(crate) fn open() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            name: "Test".into(),
            registration_open: true,
            registration_needs_admin: false,
            events_ms: LOG_WINDOW_MS,
        };
        change(&mut settings);
        Self::new(settings, CHEAP)
    }

    /// Anybody may register, and passwords cost what they cost in a real server.
    pub(crate) fn with_real_hashes() -> Self {
        Self::new(
            Settings {
                name: "Test".into(),
                registration_open: true,
                registration_needs_admin: false,
                events_ms: LOG_WINDOW_MS,
            },
            Cost::default(),
        )
    }

    fn new(settings: Settings, cost: Cost) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let clock = Clock::fixed(START_MS);
        let (instance_key, jwt_pkcs8) = (clock.random(), generate_jwt_pkcs8().to_vec());
        let app = app(
            &folder,
            settings.clone(),
            clock.clone(),
            Keys::from_parts(instance_key, &jwt_pkcs8).expect("good keys"),
            cost,
        );
        Self {
            app,
            clock,
            jwt_pkcs8,
            settings,
            cost,
            instance_key,
            folder,
        }
    }

    /// Stops the application and starts it again over the same data.
    pub(crate) async fn restart(self) -> Self {
        self.app.db.close().await;
        let keys = Keys::from_parts(self.instance_key, &self.jwt_pkcs8).expect("good keys");
        let app = app(&self.folder, self.settings.clone(), self.clock.clone(), keys, self.cost);
        Tokens::rebuild(&app).await.expect("the ended logins are read");
        Self { app, ..self }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, ms: i64) {
        self.clock.set(self.clock.now_ms() + ms);
    }

    pub(crate) async fn register(&self, username: &str) -> Granted {
        let register = Register {
            username: username.into(),
            password: PASSWORD.into(),
            invite: None,
        };
        self.logins().register(register, FIREFOX).await.expect("the account is made")
    }

    pub(crate) async fn sign_in(&self, username: &str) -> Granted {
        let sign_in = SignIn {
            username: username.into(),
            password: PASSWORD.into(),
        };
        self.logins().sign_in(sign_in, FIREFOX).await.expect("the login begins")
    }

    pub(crate) async fn caller(&self, granted: &Granted) -> Caller {
        self.logins().authenticate(&granted.access_token).await.expect("the token is good")
    }

    /// The log from its beginning.
    pub(crate) fn log(&self) -> Vec<Arc<Entry>> {
        match self.db.bus().after(0, usize::MAX) {
            Window::Entries(entries) => entries,
            Window::Gone => panic!("the tests' logs are short"),
        }
    }
}

fn app(folder: &TempDir, settings: Settings, clock: Clock, keys: Keys, cost: Cost) -> App {
    let db = Db::open(&folder.path().join("nexus.db"), Options::default()).expect("the database opens");
    App::new(Ports {
        db,
        clock,
        keys,
        hasher: Hasher::new(cost),
        settings,
        tokens: Tokens::default(),
    })
}

/// The refresh token of an answer.
pub(crate) fn refresh_token(granted: &Granted) -> &str {
    granted.refresh_token.as_deref().expect("core always gives it")
}

/// Asserts that something was refused with this code.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Error>, expected: ErrorCode) {
    match answer {
        Err(Error::Refused(refusal)) if refusal.code == expected => {}
        other => panic!("expected {expected:?}, got {other:?}"),
    }
}
