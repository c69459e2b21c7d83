//! A hub with streams in this process, and somebody who listens to it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use futures_util::{SinkExt as _, StreamExt as _};
use nexus_core::Clock;
use nexus_core::hub::{Access, CustomType, Hub, HubPorts, HubSettings, NewSource, SecretMark, SourceAccess, TypeRegistry};
use nexus_core::keys::Keys;
use nexus_core::outbound::{CallError, Outbound};
use nexus_server::http::Door;
use nexus_server::http::origins::Origins;
use nexus_server::serve::{Connections, listen_all};
use nexus_server::streams::{Patience, Streams};
use nexus_store::{Db, NewEntry, Options, StoreError};
use nexus_types::events::Kind;
use nexus_types::hub::Pattern;
use nexus_types::limits::DAY_MS;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, client_async};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest as _;

/// How long the server may take for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// When every test begins.
pub(super) const START_MS: i64 = 1_795_166_227_123;

/// A hub whose streams can be opened.
pub(super) struct Stage {
    pub(super) address: SocketAddr,
    pub(super) hub: Hub,
    pub(super) streams: Streams,
    pub(super) clock: Clock,
    options: Options,
    keys: Arc<Keys>,
    connections: Connections,
    folder: TempDir,
}

async fn open(folder: &Path, options: Options, keys: Arc<Keys>, clock: Clock) -> Hub {
    let db = Db::open(&folder.join("nexus.db"), options).expect("the database opens");
    let custom = ["GAUGE:READING", "GAUGE:ALARM", "MILL:STOPPED"].map(|name| CustomType {
        name: name.into(),
        schema: None,
    });
    let nobody = |_| Box::pin(async { Err(CallError::Broken("nobody is asked".into())) }) as _;
    let settings = HubSettings {
        types: TypeRegistry::new(custom.into()).expect("good types"),
        reactors_dir: folder.join("reactors"),
        environment: HashMap::new(),
        default_secrets: None,
        retention_ms: 30 * DAY_MS,
        platform_events: true,
        webhook_failure_days: 0,
    };
    let ports = HubPorts {
        db,
        clock,
        keys,
        outbound: Outbound::new(nobody, |_| Ok(())),
        settings,
    };
    Hub::start(ports).await.expect("the hub starts")
}

fn serve(hub: &Hub, address: SocketAddr, patience: Patience) -> (Streams, SocketAddr, Connections) {
    let listener = listen_all(&[address], false).expect("the port is free").pop();
    let listener = listener.expect("one address, one listener");
    let address = listener.local_addr().expect("it has an address");
    let origins = Origins::new(None, vec![], true);
    let streams = Streams::start_with(hub.clone(), origins.clone(), patience);
    let (hub, opened) = (hub.clone(), streams.clone());
    let door = async move |request: Request| {
        let who = request.headers().get("authorization").and_then(|who| who.to_str().ok());
        let access = match who {
            Some("admin") => Some(Access::Admin),
            Some(name) => hub.sources().access(name).map(Access::Source),
            None => None,
        };
        opened.upgrade(request, access)
    };
    let router = Router::new().route("/events/stream", get(door));
    let connections = Connections::new(Door::plain(router, origins), 4_096);
    connections.accept(listener);
    (streams, address, connections)
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::with(Options::default(), Patience::default()).await
    }

    /// A ring of so few bytes that the past is hardly ever in it.
    pub(super) async fn with_ring(bytes: usize) -> Self {
        let options = Options {
            ring_bytes_max: bytes,
            ..Options::default()
        };
        Self::with(options, Patience::default()).await
    }

    pub(super) async fn with(options: Options, patience: Patience) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (keys, clock) = (Arc::new(Keys::generate()), Clock::fixed(START_MS));
        let hub = open(folder.path(), options.clone(), keys.clone(), clock.clone()).await;
        let (streams, address, connections) = serve(&hub, SocketAddr::from(([127, 0, 0, 1], 0)), patience);
        Self {
            address,
            hub,
            streams,
            clock,
            options,
            keys,
            connections,
            folder,
        }
    }

    /// Stops it as a signal would, and starts it again on the same port over the same data.
    pub(super) async fn restart(self) -> Self {
        self.streams.drain(PATIENCE).await;
        assert!(self.connections.finish(PATIENCE).await, "every request ends");
        self.hub.stop().await;
        self.hub.db().close().await;
        let hub = open(self.folder.path(), self.options.clone(), self.keys.clone(), self.clock.clone()).await;
        let (streams, _, connections) = serve(&hub, self.address, Patience::default());
        Self {
            hub,
            streams,
            connections,
            ..self
        }
    }

    /// Somebody who may send and read everything.
    pub(super) fn writer() -> SourceAccess {
        SourceAccess {
            name: "writer".into(),
            patterns: [Pattern::All].into(),
            reads: true,
            secret: SecretMark::default(),
        }
    }

    /// An event comes in; its position.
    pub(super) async fn publish(&self, kind: &str, payload: Value) -> i64 {
        publish(&self.hub, kind, payload).await
    }

    /// A message is sent somewhere on the platform; the position.
    pub(super) async fn message(&self) -> i64 {
        message(&self.hub).await
    }

    /// A source that may read.
    pub(super) async fn source(&self, name: &str, events: &[&str]) {
        let new = NewSource {
            name: name.into(),
            events: events.iter().map(ToString::to_string).collect(),
            reads: true,
            demands_timestamp: false,
        };
        self.hub.sources().add(new).await.expect("it is added");
    }

    pub(super) async fn listener(&self) -> Listener {
        Listener::open(self.address, Way::default()).await.expect("it is let in")
    }
}

/// See [`Stage::publish`].
pub(super) async fn publish(hub: &Hub, kind: &str, payload: Value) -> i64 {
    let body = json!({ "event": kind, "payload": payload }).to_string();
    let published = hub.ingest(&Stage::writer(), body.as_bytes(), None).await.expect("it is taken");
    published.position
}

/// See [`Stage::message`].
pub(super) async fn message(hub: &Hub) -> i64 {
    let entry = NewEntry {
        at_ms: START_MS,
        kind: Kind::MessageCreate as i64,
        topic: 1,
        channel: 2,
        subject: 0,
        object: 3,
        body: r#"{"author":{"id":"4"},"content":"what nobody hears"}"#.into(),
    };
    let appended = hub.db().write::<_, StoreError, _>(async move |tx| tx.append(entry).await).await;
    appended.expect("it is appended")
}

/// How to come in.
#[derive(Clone, Copy)]
pub(in crate::events) struct Way<'a> {
    pub(in crate::events) path: &'a str,
    pub(in crate::events) who: Option<&'a str>,
    pub(in crate::events) origin: Option<&'a str>,
    /// The receive buffer, if it shall be small.
    pub(in crate::events) receive_bytes: Option<u32>,
}

impl Default for Way<'_> {
    fn default() -> Self {
        Self {
            path: "/events/stream",
            who: Some("admin"),
            origin: None,
            receive_bytes: None,
        }
    }
}

/// What came from the server.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::events) enum Heard {
    Said(Value),
    Ping,
    Closed(u16),
    /// The connection ended without a word.
    Cut,
}

/// Somebody who listens.
pub(in crate::events) struct Listener(WebSocketStream<TcpStream>);

impl Listener {
    /// Comes in; the status and the body if it may not.
    pub(in crate::events) async fn open(address: SocketAddr, way: Way<'_>) -> Result<Self, (u16, String)> {
        let mut request = format!("ws://{address}{}", way.path).into_client_request().expect("a request");
        for (name, value) in [("authorization", way.who), ("origin", way.origin)] {
            if let Some(value) = value {
                request.headers_mut().insert(name, value.parse().expect("a header"));
            }
        }
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = way.receive_bytes {
            socket.set_recv_buffer_size(bytes).expect("a small buffer");
        }
        let cut = |cause: &dyn std::fmt::Display| (0, cause.to_string());
        let stream = socket.connect(address).await.map_err(|cause| cut(&cause))?;
        stream.set_nodelay(true).expect("it is set");
        match timeout(PATIENCE, client_async(request, stream)).await.expect("it answers in time") {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::Error::Http(answer)) => {
                let body = answer.body().clone().unwrap_or_default();
                Err((answer.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
            }
            Err(cause) => Err(cut(&cause)),
        }
    }

    /// Sends anything; false if the connection is gone.
    pub(in crate::events) async fn send(&mut self, message: Message) -> bool {
        self.0.send(message).await.is_ok()
    }

    pub(in crate::events) async fn say(&mut self, command: &Value) -> bool {
        self.send(Message::text(command.to_string())).await
    }

    /// Waits for what comes next.
    pub(in crate::events) async fn hear(&mut self) -> Heard {
        self.hear_within(PATIENCE).await.expect("something comes in time")
    }

    /// The same; `None` if nothing comes for so long.
    pub(in crate::events) async fn hear_within(&mut self, at_most: Duration) -> Option<Heard> {
        let next = timeout(at_most, self.0.next()).await.ok()?;
        Some(match next {
            Some(Ok(Message::Text(text))) => Heard::Said(serde_json::from_str(&text).expect("it says JSON")),
            Some(Ok(Message::Ping(_))) => Heard::Ping,
            Some(Ok(Message::Close(frame))) => frame.map_or(Heard::Cut, |frame| Heard::Closed(frame.code.into())),
            Some(Ok(other)) => panic!("text and pings are all that comes, not {other:?}"),
            Some(Err(_)) | None => Heard::Cut,
        })
    }

    /// The JSON that comes next.
    pub(in crate::events) async fn json(&mut self) -> Value {
        match self.hear().await {
            Heard::Said(value) => value,
            other => panic!("{other:?}"),
        }
    }

    /// The position of the event that comes next.
    pub(in crate::events) async fn event(&mut self) -> i64 {
        let event = self.json().await;
        event["position"]
            .as_i64()
            .filter(|_| event["event"].is_string())
            .unwrap_or_else(|| panic!("no event: {event}"))
    }

    /// What a command is answered with.
    pub(in crate::events) async fn ask(&mut self, command: &Value) -> Value {
        assert!(self.say(command).await, "it is sent");
        self.json().await
    }

    /// Subscribes, and checks that all of it is known.
    pub(in crate::events) async fn subscribe(&mut self, events: &[&str], since: Option<i64>) -> i64 {
        let answer = self.ask(&subscribe(events, since)).await;
        assert_eq!(
            (&answer["status"], &answer["invalidEvents"]),
            (&json!("subscribed"), &json!([])),
            "{answer}"
        );
        assert_eq!(answer["gap"], json!(false), "{answer}");
        answer["position"].as_i64().expect("a position")
    }

    /// The code that the server closes with, whatever comes before.
    pub(in crate::events) async fn closed(&mut self) -> u16 {
        loop {
            match self.hear().await {
                Heard::Closed(code) => return code,
                Heard::Cut => panic!("the connection ended without a word"),
                Heard::Said(_) | Heard::Ping => {}
            }
        }
    }

    /// Nothing comes for a moment.
    pub(in crate::events) async fn hears_nothing(&mut self) {
        let heard = self.hear_within(Duration::from_millis(150)).await;
        assert!(heard.is_none(), "{heard:?}");
    }
}

/// The command.
pub(in crate::events) fn subscribe(events: &[&str], since: Option<i64>) -> Value {
    match since {
        Some(since) => json!({ "action": "subscribe", "events": events, "since": since }),
        None => json!({ "action": "subscribe", "events": events }),
    }
}

/// That all of the past has come.
pub(in crate::events) fn caught_up(position: i64) -> Value {
    json!({ "status": "caught_up", "position": position })
}
