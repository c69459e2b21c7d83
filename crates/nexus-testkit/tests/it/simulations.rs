//! Random people doing random things over a network that fails and a server that restarts, from one seed.
//!
//! Everything that can change is changed: messages, names, who sees which channel, who is a member, who owns. At the end every
//! session must know what a fresh one knows, and every channel must hold what the oracle says.

use std::collections::BTreeMap;
use std::time::Duration;

use nexus_core::sweeps;
use nexus_store::Options;
use nexus_testkit::sessions::{PATIENCE, row};
use nexus_testkit::stages::only_for;
use nexus_testkit::states::{differences, id};
use nexus_testkit::{Cut, Heard, Oracle, Person, Proxy, Rest, Seed, Server, Session, World, rounds};
use nexus_types::ids::GuildId;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

/// People in the simulation.
const PEOPLE: usize = 6;
/// Steps of one round.
const STEPS: usize = 120;

/// A reader behind a proxy of its own.
struct Reader {
    person: usize,
    proxy: Proxy,
    task: JoinHandle<Session>,
}

struct Simulation {
    seed: Seed,
    server: Option<Server>,
    people: Vec<Person>,
    /// With who owns it as far as the simulation knows.
    guild: GuildId,
    owner: usize,
    code: String,
    /// Channels that were made, with what was sent into each.
    channels: BTreeMap<i64, Oracle>,
    readers: Vec<Reader>,
    done: watch::Sender<bool>,
    sent: usize,
    trace: Vec<String>,
    /// Do read states count?
    reads: bool,
}

impl Simulation {
    async fn begin(mut seed: Seed) -> Self {
        // Now and then a ring that holds an entry or two, or none: shards fall behind it, and their sessions read the log themselves.
        let ring_bytes_max = if seed.once_in(2) {
            2_000
        } else {
            Options::default().ring_bytes_max
        };
        let world = World::with(Options {
            ring_bytes_max,
            read_threads: 2,
            ..Options::default()
        });
        let mut people = vec![];
        for number in 0..PEOPLE {
            people.push(world.person(&format!("person-{number}")).await);
        }
        let server = Server::over(world);
        let owner = server.rest(&people[0]);
        let guild = owner.must("POST", "/guilds", Some(&json!({"name": "Square"}))).await;
        let channel = id(&guild["channels"][0], "id");
        let invite = owner
            .must("POST", &format!("/channels/{channel}/invites"), Some(&json!({"max_age": 0})))
            .await;
        let code = invite["code"].as_str().expect("a code").to_owned();
        for person in &people[1..PEOPLE / 2] {
            server
                .rest(person)
                .must("POST", &format!("/invites/{code}"), Some(&json!({})))
                .await;
        }
        let (done, _) = watch::channel(false);
        let mut readers = vec![];
        for (person, who) in people.iter().enumerate() {
            let proxy = Proxy::start(server.address).await;
            let session = Session::new(proxy.address, &who.token);
            let task = tokio::spawn(read(session, done.subscribe()));
            readers.push(Reader { person, proxy, task });
        }
        let seed = seed.fork();
        let channels = BTreeMap::from([(channel, Oracle::default())]);
        let (guild, server) = (GuildId(id(&guild, "id")), Some(server));
        Self {
            seed,
            server,
            people,
            guild,
            owner: 0,
            code,
            channels,
            readers,
            done,
            sent: 0,
            trace: vec![],
            reads: true,
        }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs between steps")
    }

    fn rest(&self, person: usize) -> Rest {
        self.server().rest(&self.people[person])
    }

    fn any_channel(&mut self) -> i64 {
        let all: Vec<_> = self.channels.keys().copied().collect();
        *self.seed.pick(&all)
    }

    fn any_person(&mut self) -> usize {
        self.seed.below(PEOPLE)
    }

    /// A request of somebody who may or may not be allowed it; both are fine, a failure of the server is not.
    async fn ask(&mut self, person: usize, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self
            .rest(person)
            .request(method, path, body.as_ref())
            .await
            .expect("the server answers");
        assert!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.body);
        self.trace.push(format!(
            "person-{person} {method} {path} {}: {}",
            body.unwrap_or_default(),
            answer.status
        ));
        if answer.status < 300 { answer.body } else { Value::Null }
    }

    async fn step(&mut self) {
        let (person, channel) = (self.any_person(), self.any_channel());
        let guild = self.guild;
        match self.seed.below(100) {
            0..45 => self.send(person, channel).await,
            45..50 => drop(
                self.ask(person, "POST", &format!("/channels/{channel}/typing"), Some(json!({})))
                    .await,
            ),
            50..55 => self.read_up(person, channel).await,
            55..58 => {
                let name = format!("square-{}", self.sent);
                self.ask(self.owner, "PATCH", &format!("/guilds/{guild}"), Some(json!({"name": name})))
                    .await;
            }
            58..62 => {
                let topic = format!("about {}", self.sent);
                self.ask(self.owner, "PATCH", &format!("/channels/{channel}"), Some(json!({"topic": topic})))
                    .await;
            }
            62..65 => {
                let body = json!({"name": format!("room-{}", self.sent)});
                let made = self.ask(self.owner, "POST", &format!("/guilds/{guild}/channels"), Some(body)).await;
                if made.is_object() {
                    self.channels.insert(id(&made, "id"), Oracle::default());
                }
            }
            65..69 => self.hide_or_show(channel).await,
            69..75 => {
                let path = format!("/invites/{}", self.code);
                self.ask(person, "POST", &path, Some(json!({}))).await;
            }
            75..78 => drop(self.ask(person, "DELETE", &format!("/users/@me/guilds/{guild}"), None).await),
            78..81 => {
                let user = self.people[person].caller.user;
                self.ask(self.owner, "DELETE", &format!("/guilds/{guild}/members/{user}"), None)
                    .await;
            }
            81..83 => {
                let heir = json!({"owner_id": self.people[person].caller.user});
                if self
                    .ask(self.owner, "PATCH", &format!("/guilds/{guild}"), Some(heir))
                    .await
                    .is_object()
                {
                    self.owner = person;
                }
            }
            83..85 if self.channels.len() > 2 => {
                if self
                    .ask(self.owner, "DELETE", &format!("/channels/{channel}"), None)
                    .await
                    .is_object()
                {
                    self.channels.remove(&channel);
                }
            }
            85..90 => self.readers[person].proxy.cut(),
            90..93 => {
                let frames = 1 + self.seed.below(6);
                self.readers[person].proxy.cut_next(Cut::Frames(frames));
                self.readers[person].proxy.cut();
            }
            93..95 => {
                let bytes = 200 + self.seed.below(6_000);
                self.readers[person].proxy.cut_next(Cut::Bytes(bytes));
                self.readers[person].proxy.cut();
            }
            95..97 => {
                let stalled = self.seed.once_in(2);
                self.readers[person].proxy.stall(stalled);
            }
            97 => self.restart().await,
            98 => {
                // Seven minutes: what a session missed before is no longer in the log. Then the clock goes back, as clocks do, and
                // because the readers' tokens would expire. Ids go on all the same.
                self.server().world.pass(7 * 60 * 1_000);
                sweeps::sweep(self.server().app()).await.expect("the sweep does its work");
                self.server().world.pass(-7 * 60 * 1_000);
                self.trace.push("swept".into());
            }
            _ => self.server().world.pass(1_000),
        }
        // Links that were told to end early do so once.
        if self.seed.once_in(4) {
            for reader in &self.readers {
                reader.proxy.cut_next(Cut::Never);
            }
        }
        if self.seed.once_in(3) {
            sleep(Duration::from_millis(self.seed.below(15) as u64)).await;
        }
    }

    async fn send(&mut self, person: usize, channel: i64) {
        self.sent += 1;
        let (author, key) = (format!("person-{person}"), format!("message {}", self.sent));
        let rest = self.rest(person);
        let oracle = self.channels.get_mut(&channel).expect("a known channel");
        oracle.sent(&author, &key);
        let answer = rest.send_surely(channel, &key, &key, PATIENCE).await.expect("the server answers");
        if answer.status == 200 {
            oracle.acked(&author, &key, id(&answer.body, "id"));
        }
        self.trace.push(format!("{author} says {key} in {channel}: {}", answer.status));
    }

    async fn read_up(&mut self, person: usize, channel: i64) {
        let page = self
            .ask(person, "GET", &format!("/channels/{channel}/messages?limit=5"), None)
            .await;
        if let Some(message) = page.as_array().and_then(|page| page.first()) {
            let path = format!("/channels/{channel}/messages/{}/ack", id(message, "id"));
            self.ask(person, "POST", &path, Some(json!({}))).await;
        }
    }

    async fn hide_or_show(&mut self, channel: i64) {
        let some: Vec<_> = self.people.iter().filter(|_| self.seed.once_in(2)).cloned().collect();
        let overwrites = if self.seed.once_in(2) { vec![] } else { only_for(self.guild, &[]) };
        let mut overwrites = serde_json::to_value(overwrites).expect("they serialise");
        for person in some.iter().filter(|_| self.seed.once_in(2)) {
            let one = json!({"id": person.caller.user, "type": 1, "allow": "1024", "deny": "0"});
            overwrites.as_array_mut().expect("a list").push(one);
        }
        let body = json!({ "permission_overwrites": overwrites });
        self.ask(self.owner, "PATCH", &format!("/channels/{channel}"), Some(body)).await;
    }

    async fn restart(&mut self) {
        let server = self.server.take().expect("it runs");
        self.server = Some(server.restart().await);
        self.trace.push("restarted".into());
    }

    async fn end(mut self) {
        for reader in &self.readers {
            reader.proxy.stall(false);
            reader.proxy.cut_next(Cut::Never);
        }
        self.done.send_replace(true);
        let owner = self.rest(self.owner);
        let mut sessions = vec![];
        for Reader { person, task, proxy } in std::mem::take(&mut self.readers) {
            let mut session = task.await.expect("the reader does not panic");
            session.address = self.server().address;
            drop(proxy);
            sessions.push((person, session));
        }
        for (person, session) in &mut sessions {
            self.settle(*person, session).await;
        }
        for (channel, mut oracle) in std::mem::take(&mut self.channels) {
            oracle.history(owner.history(channel).await.iter().map(row).collect());
            oracle.assert_holds();
        }
        self.server.take().expect("it runs").stop().await.app.db.close().await;
    }

    fn known(&self, session: &Session) -> Value {
        let mut known = session.state.snapshot();
        if !self.reads {
            for guild in known["guilds"].as_object_mut().expect("guilds go by id").values_mut() {
                guild["reads"] = Value::Null;
            }
        }
        known
    }

    /// Waits until a session knows what a fresh one does.
    async fn settle(&self, person: usize, session: &mut Session) {
        let fresh = self.known(&self.server().session(&self.people[person]).await);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let different = differences(&self.known(session), &fresh);
            if different.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "person-{person} on the left, a fresh session on the right:\n{}\n\nits last frames:\n{}\n\nwhat happened:\n{}",
                different.join("\n"),
                session
                    .frames
                    .iter()
                    .rev()
                    .take(12)
                    .map(Value::to_string)
                    .collect::<Vec<_>>()
                    .join("\n"),
                self.trace.join("\n"),
            );
            if let Heard::Closed(_) = session.hear(Duration::from_millis(100)).await {
                session.recover().await;
            }
        }
    }
}

/// Reads and recovers until the end; checks on the way that `s` never goes back within a session.
async fn read(mut session: Session, done: watch::Receiver<bool>) -> Session {
    session.recover().await;
    let mut newest = 0;
    while !*done.borrow() {
        match session.hear(Duration::from_millis(20)).await {
            Heard::Closed(_) => {
                if session.try_begin().await.is_err() {
                    sleep(Duration::from_millis(5)).await;
                }
                newest = 0;
            }
            Heard::Dispatch(frame) => {
                let s = frame["s"].as_i64().expect("a number");
                assert!(s >= newest, "`s` went back from {newest}: {frame}");
                newest = s;
            }
            _ => {}
        }
    }
    if !session.is_connected() {
        session.recover().await;
    }
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_everybody_ends_up_knowing_the_same() {
    let mut seed = Seed::of_run("simulation");
    for _ in 0..rounds(6) {
        let mut simulation = Simulation::begin(seed.fork()).await;
        for _ in 0..STEPS {
            simulation.step().await;
        }
        simulation.end().await;
    }
}

/// How long everything happens at once.
const STORM: Duration = Duration::from_millis(1_200);

/// Those who change everything at once, and where.
#[derive(Clone)]
struct Rioters {
    rest: Vec<Rest>,
    guild: GuildId,
    code: String,
    people: Vec<Person>,
}

/// Changes what it can, as fast as it can.
async fn rage(crowd: Rioters, mut seed: Seed, done: watch::Receiver<bool>) {
    let Rioters { rest, guild, code, people } = crowd;
    let owner = &rest[0];
    let listed = owner.must("GET", &format!("/guilds/{guild}/channels"), None).await;
    let channels: Vec<i64> = listed.as_array().expect("a list").iter().map(|channel| id(channel, "id")).collect();
    for number in 0.. {
        if *done.borrow() {
            return;
        }
        let (person, channel) = (1 + seed.below(PEOPLE - 1), *seed.pick(&channels));
        let user = people[person].caller.user;
        let some = &rest[person];
        let (who, method, path, body) = match seed.below(12) {
            0..4 => (
                some,
                "POST",
                format!("/channels/{channel}/messages"),
                Some(json!({"content": format!("{number}")})),
            ),
            4 => (
                owner,
                "PATCH",
                format!("/guilds/{guild}"),
                Some(json!({"name": format!("square-{number}")})),
            ),
            5 => (
                owner,
                "PATCH",
                format!("/channels/{channel}"),
                Some(json!({"topic": format!("about {number}")})),
            ),
            6 => {
                let overwrites = only_for(guild, &[&people[person]]);
                (
                    owner,
                    "PATCH",
                    format!("/channels/{channel}"),
                    Some(json!({ "permission_overwrites": overwrites })),
                )
            }
            7 => (
                owner,
                "PATCH",
                format!("/channels/{channel}"),
                Some(json!({"permission_overwrites": []})),
            ),
            8 => (owner, "DELETE", format!("/guilds/{guild}/members/{user}"), None),
            _ => (some, "POST", format!("/invites/{code}"), Some(json!({}))),
        };
        let answer = who.request(method, &path, body.as_ref()).await.expect("the server answers");
        assert!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_left_behind_by_what_happens_while_they_connect() {
    let mut seed = Seed::of_run("storm");
    for _ in 0..rounds(2) {
        let simulation = Simulation::begin(seed.fork()).await;
        let rest: Vec<_> = (0..PEOPLE).map(|person| simulation.rest(person)).collect();
        for name in ["one", "two"] {
            rest[0]
                .must(
                    "POST",
                    &format!("/guilds/{}/channels", simulation.guild),
                    Some(&json!({"name": name})),
                )
                .await;
        }
        let (people, code) = (simulation.people.clone(), simulation.code.clone());
        let guild = simulation.guild;
        let crowd = Rioters { rest, guild, code, people };
        let mut raging = JoinSet::new();
        for _ in 0..3 {
            raging.spawn(rage(crowd.clone(), seed.fork(), simulation.done.subscribe()));
        }
        let end = Instant::now() + STORM;
        while Instant::now() < end {
            let proxy = &simulation.readers[seed.below(PEOPLE)].proxy;
            let cut = if seed.once_in(2) {
                Cut::Frames(1 + seed.below(9))
            } else {
                Cut::Never
            };
            proxy.cut_next(cut);
            proxy.cut();
            sleep(Duration::from_millis(seed.below(12) as u64)).await;
        }
        simulation.done.send_replace(true);
        raging.join_all().await;
        let mut quiet = simulation;
        // Nobody sent what the oracles know of; that they agree is the other test's affair.
        quiet.channels.clear();
        // While the clock stands still, what was read before one joined again can't be told from what was not.
        quiet.reads = false;
        quiet.end().await;
    }
}
