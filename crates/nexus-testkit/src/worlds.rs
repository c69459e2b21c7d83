//! An application over a database of its own, with a clock that stands still and people in it; no sockets.

use std::collections::HashMap;
use std::sync::Arc;

use nexus_core::keys::{Keys, generate_jwt_pkcs8};
use nexus_core::logins::Tokens;
use nexus_core::passwords::{Cost, Hasher};
use nexus_core::{App, Caller, Clock, Ports, Settings, sessions};
use nexus_store::{Db, Options};
use nexus_types::limits::LOG_WINDOW_MS;
use nexus_types::logins::Register;
use tempfile::TempDir;

/// When every test begins: in the middle of a second, so that nothing depends on whole ones.
pub const START_MS: i64 = 1_795_166_227_123;
/// The password of everybody in a test.
pub const PASSWORD: &str = "correct horse";
/// So cheap that a test hardly notices.
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

/// An application and what it stands on. Clones are the same application.
#[derive(Clone)]
pub struct World {
    /// The application.
    pub app: App,
    /// Its clock.
    pub clock: Clock,
    options: Options,
    instance_key: [u8; 32],
    jwt_pkcs8: Vec<u8>,
    folder: Arc<TempDir>,
}

/// A person with one login.
#[derive(Debug, Clone)]
pub struct Person {
    /// The user name.
    pub name: String,
    /// As use cases know the person.
    pub caller: Caller,
    /// The access token, for requests and IDENTIFY.
    pub token: String,
}

impl World {
    /// Anybody may register.
    pub fn new() -> Self {
        Self::with(Options {
            read_threads: 2,
            cache_kib: 512,
            ..Options::default()
        })
    }

    /// A database opened with these options.
    pub fn with(options: Options) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let clock = Clock::fixed(START_MS);
        let (instance_key, jwt_pkcs8) = (clock.random(), generate_jwt_pkcs8().to_vec());
        let app = app(open(&folder, options.clone()), clock.clone(), instance_key, &jwt_pkcs8);
        Self {
            app,
            clock,
            options,
            instance_key,
            jwt_pkcs8,
            folder,
        }
    }

    /// Stops the application and starts it again over the same data.
    pub async fn restart(self) -> Self {
        self.app.db.close().await;
        let db = open(&self.folder, self.options.clone());
        let highest = sessions::highest_id(&db).await.expect("the highest id is read");
        let clock = Clock::system(highest, 0);
        clock.set(self.clock.now_ms());
        let app = app(db, clock.clone(), self.instance_key, &self.jwt_pkcs8);
        Tokens::rebuild(&app).await.expect("the ended logins are read");
        Self { app, clock, ..self }
    }

    /// Lets time pass.
    pub fn pass(&self, ms: i64) {
        self.clock.set(self.clock.now_ms() + ms);
    }

    /// Makes an account.
    pub async fn person(&self, name: &str) -> Person {
        person(&self.app, name).await
    }

    /// Makes accounts, by name.
    pub async fn people(&self, names: &[&'static str]) -> HashMap<&'static str, Person> {
        let mut people = HashMap::new();
        for name in names {
            people.insert(*name, self.person(name).await);
        }
        people
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes an account in an application.
pub async fn person(app: &App, name: &str) -> Person {
    let register = Register {
        username: name.into(),
        password: PASSWORD.into(),
        invite: None,
    };
    let granted = app.logins().register(register, "testkit").await.expect("the account is made");
    let caller = app.logins().authenticate(&granted.access_token).await.expect("the token is good");
    Person {
        name: name.into(),
        caller,
        token: granted.access_token,
    }
}

fn open(folder: &TempDir, options: Options) -> Db {
    Db::open(&folder.path().join("nexus.db"), options).expect("the database opens")
}

fn app(db: Db, clock: Clock, instance_key: [u8; 32], jwt_pkcs8: &[u8]) -> App {
    App::new(Ports {
        db,
        clock,
        keys: Keys::from_parts(instance_key, jwt_pkcs8).expect("good keys"),
        hasher: Hasher::new(CHEAP),
        settings: Settings {
            name: "Test".into(),
            registration_open: true,
            registration_needs_admin: false,
            events_ms: LOG_WINDOW_MS,
        },
        tokens: Tokens::default(),
    })
}
