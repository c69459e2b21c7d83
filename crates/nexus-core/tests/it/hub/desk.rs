//! A hub for tests: its own folder of rules, a stub that others are asked through, and ways to wait.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use nexus_core::hub::views::EventQuery;
use nexus_core::hub::{Claim, CustomType, DefaultSecrets, Hub, HubPorts, HubSettings, Published, TypeRegistry};
use nexus_core::keys::Keys;
use nexus_core::outbound::{Answer, Call, CallError, Outbound};
use nexus_core::{Clock, Error};
use nexus_store::Db;
use nexus_types::limits::DAY_MS;
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;

/// The secret of the default source.
pub(super) const SECRET: &str = "a secret of the tests with at least 32 bytes";
/// A payment.
pub(super) const PAYMENT: &str =
    r#"{"event":"PAYMENT_RECEIVED","payload":{"orderId":"7730","amount":15.00,"currency":"EUR","payerId":"@hana"}}"#;

type Behave = dyn Fn(&Call, usize) -> Result<Answer, CallError> + Send + Sync;

/// What others did: each call, and how to answer the next one.
#[derive(Clone)]
pub(super) struct Stub {
    calls: Arc<Mutex<Vec<Call>>>,
    behave: Arc<Mutex<Arc<Behave>>>,
}

impl Stub {
    fn new() -> Self {
        let fine: Arc<Behave> = Arc::new(|_, _| Ok(answer(200, "{}")));
        Self {
            calls: Arc::default(),
            behave: Arc::new(Mutex::new(fine)),
        }
    }

    /// From now on the n-th call, counted from 0, is answered so.
    pub(super) fn behave(&self, behave: impl Fn(&Call, usize) -> Result<Answer, CallError> + Send + Sync + 'static) {
        *self.behave.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(behave);
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn outbound(&self) -> Outbound {
        let stub = self.clone();
        let send = move |call: Call| {
            let stub = stub.clone();
            async move {
                let number = {
                    let mut calls = stub.calls.lock().unwrap_or_else(PoisonError::into_inner);
                    calls.push(call.clone());
                    calls.len() - 1
                };
                let behave = stub.behave.lock().unwrap_or_else(PoisonError::into_inner).clone();
                behave(&call, number)
            }
            .boxed()
        };
        let check = |url: &str| match url {
            url if url.contains("169.254") => Err(CallError::Blocked("169.254.169.254".into())),
            url if url.starts_with("http") => Ok(()),
            _ => Err(CallError::BadUrl("it is neither http nor https".into())),
        };
        Outbound::new(send, check)
    }
}

/// An answer with a body.
pub(super) fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: vec![],
        body: body.as_bytes().to_vec(),
    }
}

/// A hub with what is around it.
pub(super) struct Desk {
    pub(super) hub: Hub,
    pub(super) clock: Clock,
    pub(super) stub: Stub,
    db: Db,
    keys: Arc<Keys>,
    environment: HashMap<String, String>,
    secret: String,
    previous: Option<String>,
    folder: Arc<TempDir>,
}

impl Desk {
    /// A hub over this database, with these rules.
    pub(super) async fn over(db: Db, clock: Clock, rules: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let stub = Stub::new();
        let keys = Arc::new(Keys::generate());
        let variables = [
            ("FACTORY_API_URL", "https://factory.example"),
            ("FACTORY_API_KEY", "the key of the factory"),
            // No rule names it.
            ("CLOUD_ROOT", "https://the.cloud"),
        ];
        let environment: HashMap<_, _> = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        std::fs::create_dir(folder.path().join("reactors")).expect("a folder");
        for (name, text) in rules {
            std::fs::write(folder.path().join("reactors").join(format!("{name}.toml")), text).expect("the rule is written");
        }
        let ports = ports(&db, &clock, &keys, &stub, settings(&folder, &environment, (SECRET, None)));
        Self {
            hub: Hub::start(ports).await.expect("the hub starts"),
            clock,
            stub,
            db,
            keys,
            environment,
            secret: SECRET.to_owned(),
            previous: None,
            folder,
        }
    }

    /// A hub over a database of its own.
    pub(super) async fn new(rules: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Db::open(&folder.keep().join("nexus.db"), nexus_store::Options::default()).expect("the database opens");
        Self::over(db, Clock::fixed(crate::support::START_MS), rules).await
    }

    /// Stops the hub and starts it again.
    pub(super) async fn restart(self) -> Self {
        self.hub.stop().await;
        let ports = ports(
            &self.db,
            &self.clock,
            &self.keys,
            &self.stub,
            settings(&self.folder, &self.environment, (&self.secret, self.previous.as_deref())),
        );
        Self {
            hub: Hub::start(ports).await.expect("the hub starts"),
            ..self
        }
    }

    /// Gives the default source another secret at the next start.
    pub(super) fn change_secret(&mut self, secret: &str) {
        secret.clone_into(&mut self.secret);
    }

    /// Names the secret before it at the next start.
    pub(super) fn name_previous(&mut self, secret: &str) {
        self.previous = Some(secret.to_owned());
    }

    /// Writes or changes a rule.
    pub(super) fn write_rule(&self, name: &str, text: &str) {
        let file: PathBuf = self.folder.path().join("reactors").join(format!("{name}.toml"));
        std::fs::write(file, text).expect("the rule is written");
    }

    /// Takes a rule away.
    pub(super) fn remove_rule(&self, name: &str) {
        let file = self.folder.path().join("reactors").join(format!("{name}.toml"));
        std::fs::remove_file(file).expect("the rule is removed");
    }

    /// Lets time pass, and lets every reactor look at the clock.
    pub(super) async fn pass(&self, ms: i64) {
        self.clock.set(self.clock.now_ms() + ms);
        for reactor in listed(&self.hub.reactors()) {
            let is_paused = reactor["state"] == "paused";
            if !is_paused {
                // Nothing else wakes a foreman whose clock was set; one that rests goes on.
                drop(self.hub.resume(reactor["name"].as_str().expect("a name")).await);
            }
        }
    }

    /// Posts an event as the default source.
    pub(super) async fn post(&self, body: &str) -> Result<Published, Error> {
        let access = self.hub.sources().verify(claim(body, &sign(SECRET, None, body)))?;
        self.hub.ingest(&access, body.as_bytes(), None).await
    }

    /// What became of an event, as soon as it is as wanted.
    pub(super) async fn life(&self, published: &Published, is_wanted: impl Fn(&Value) -> bool) -> Value {
        self.until(async || {
            let life = self.hub.life(published.id).await.expect("it is there");
            Some(json!(life)).filter(|life| is_wanted(life))
        })
        .await
    }

    /// The events of a type, the newest first.
    pub(super) async fn events(&self, kind: &str) -> Vec<Value> {
        let query = EventQuery {
            limit: 100,
            patterns: vec![self.hub.types().pattern(kind).expect("a known type")],
            source: None,
            before: None,
            lives: true,
        };
        listed(&self.hub.events(query).await.expect("a page"))
    }

    /// Waits until something is there. Work here takes milliseconds.
    pub(super) async fn until<T>(&self, look: impl AsyncFn() -> Option<T>) -> T {
        for _ in 0..2_000 {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it did not happen within ten seconds: {:?}", self.hub.reactors());
    }
}

fn settings(folder: &TempDir, environment: &HashMap<String, String>, (secret, previous): (&str, Option<&str>)) -> HubSettings {
    let gauge = CustomType {
        name: "GAUGE:READING".into(),
        schema: None,
    };
    HubSettings {
        types: TypeRegistry::new(vec![gauge]).expect("good types"),
        reactors_dir: folder.path().join("reactors"),
        environment: environment.clone(),
        default_secrets: Some(DefaultSecrets {
            current: secret.to_owned().into(),
            previous: previous.map(|secret| secret.to_owned().into()),
        }),
        retention_ms: 30 * DAY_MS,
        platform_events: true,
        webhook_failure_days: 5,
    }
}

fn ports(db: &Db, clock: &Clock, keys: &Arc<Keys>, stub: &Stub, settings: HubSettings) -> HubPorts {
    HubPorts {
        db: db.clone(),
        clock: clock.clone(),
        keys: keys.clone(),
        outbound: stub.outbound(),
        settings,
    }
}

/// A list as JSON values.
pub(super) fn listed(list: &impl serde::Serialize) -> Vec<Value> {
    match json!(list) {
        Value::Array(items) => items,
        other => panic!("no list: {other}"),
    }
}

/// The signature of a body.
pub(super) fn sign(secret: &str, timestamp: Option<&str>, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    if let Some(timestamp) = timestamp {
        mac.update(format!("{timestamp}.").as_bytes());
    }
    mac.update(body.as_bytes());
    let mut digits = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(digits, "{byte:02x}").expect("a text takes it");
    }
    digits
}

/// A request of the default source.
pub(super) fn claim<'a>(body: &'a str, signature: &'a str) -> Claim<'a> {
    Claim {
        source: None,
        signature: Some(signature),
        timestamp: None,
        signed: body.as_bytes(),
        must_be_timely: false,
    }
}
