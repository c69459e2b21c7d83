//! From a payment to a message: the shipped rules, a factory that fails three calls in ten, and a process that is killed at each step.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nexus_testkit::{Seed, rounds};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::factories::{Factory, Moment};
use super::kills::post_as;
use super::streams::stage::{Heard, Listener, Way, subscribe};
use super::{Hub, Place, administrator};
use crate::server::Person;

/// Calls in a hundred that fail.
const FAILING: u8 = 30;
/// Payments of one life of the process.
const PAYMENTS: usize = 3;
/// How often the process is killed at each step.
const ROUNDS: usize = 3;
/// Who pays.
const PAYERS: usize = 7;
const PATIENCE: Duration = Duration::from_secs(20);
/// A password costs nothing here.
pub(super) const CHEAP: [(&str, &str); 2] = [("NEXUS__PASSWORDS__MEMORY_KIB", "8"), ("NEXUS__PASSWORDS__PASSES", "1")];

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The payment was answered.
    Accepted,
    /// The factory has the call and has not answered.
    Asked,
    /// The factory has just answered.
    Answered,
    /// `MINT_CONFIRMED` came over a stream.
    Confirmed,
    /// The message can be read.
    Written,
}

const STEPS: [Step; 5] = [Step::Accepted, Step::Asked, Step::Answered, Step::Confirmed, Step::Written];

/// A directory with people, a channel, and a factory beside it.
struct Chain {
    place: Place,
    factory: Factory,
    member: Person,
    channel: String,
}

impl Chain {
    fn new(factory: Factory) -> Self {
        let place = Place::new();
        let hub = place.serve_in(&["--no-rate-limits"], &CHEAP);
        let admin = administrator(&hub.server);
        let (_, channel) = admin.guild("mint");
        let member = hub.server.register("member");
        let invite = admin.post(&format!("/api/v1/channels/{channel}/invites"), &json!({})).expect(200);
        let code = invite["code"].as_str().expect("a code");
        let joined = member.post(&format!("/api/v1/invites/{code}"), &json!({}));
        assert_eq!(joined.status() / 100, 2, "{joined:?}");
        hub.kill();
        Self {
            place,
            factory,
            member,
            channel,
        }
    }

    /// The next life of the process.
    fn life(&self) -> Hub<'_> {
        let factory = self.factory.url();
        let own = [
            ("FACTORY_API_URL", factory.as_str()),
            ("FACTORY_API_KEY", "a key of the factory"),
            ("NOTIFY_CHANNEL_ID", self.channel.as_str()),
        ];
        self.place.serve_in(&["--no-rate-limits"], &[&CHEAP[..], &own].concat())
    }

    /// What a member of the channel reads in it.
    fn messages(&self, port: u16) -> Vec<String> {
        history(&reader(&self.member, port), &self.channel)
    }

    /// Waits until so many messages can be read.
    async fn messages_come(&self, hub: &Hub<'_>, count: usize) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let messages = self.messages(hub.server.port);
            if messages.len() >= count {
                return messages;
            }
            if Instant::now() > deadline {
                let waiting = ["/events?limit=100&lives=true", "/events/reactors"].map(|path| hub.get(path).to_string());
                panic!("{count} messages come, not {}: {waiting:?}", messages.len());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The same person at another port.
fn reader(member: &Person, port: u16) -> Person {
    let (id, token, refresh) = (member.id.clone(), member.token.clone(), member.refresh.clone());
    Person { port, id, token, refresh }
}

/// All messages of a channel, the newest first.
fn history(member: &Person, channel: &str) -> Vec<String> {
    let (mut all, mut before) = (vec![], String::new());
    loop {
        let path = format!("/api/v1/channels/{channel}/messages?limit=100{before}");
        let page = member.ask("GET", &path).send().expect(200);
        let page = page.as_array().expect("a list");
        let Some(last) = page.last() else { return all };
        before = format!("&before={}", last["id"].as_str().expect("an id"));
        all.extend(page.iter().map(|message| message["content"].as_str().expect("a text").to_owned()));
    }
}

/// A payment's body. The payers of one life are different people.
fn payment(order: usize) -> String {
    let payload = json!({ "orderId": format!("order-{order}"), "amount": order, "payerId": format!("@payer{}", order % PAYERS) });
    json!({ "event": "FLOWPAY:PAYMENT_RECEIVED", "payload": payload }).to_string()
}

/// Somebody who hears what is confirmed.
async fn listener(hub: &Hub<'_>, since: Option<i64>) -> Listener {
    let address = SocketAddr::from(([127, 0, 0, 1], hub.server.port));
    let bearer = format!("Bearer {}", hub.place.admin);
    let way = Way {
        who: Some(&bearer),
        ..Way::default()
    };
    let mut listener = Listener::open(address, way).await.expect("it is let in");
    assert!(listener.say(&subscribe(&["FACTORY:MINT_CONFIRMED"], since)).await);
    listener
}

/// Waits until the stream says that everything came, and answers with what did.
async fn caught_up(listener: &mut Listener) -> Vec<Value> {
    let mut all = vec![];
    loop {
        match listener.hear().await {
            Heard::Said(said) if said["status"] == "caught_up" => return all,
            Heard::Said(said) if said["event"].is_string() => all.push(said),
            Heard::Said(_) | Heard::Ping => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Lets the process live, pays, and kills it at a step. Answers with the payments that nobody answered: they are sent again.
async fn die_at(chain: &Chain, step: Step, orders: &[usize], pause: Duration) -> Vec<usize> {
    let mut hub = chain.life();
    let (pid, port) = (hub.server.pid(), hub.server.port);
    let (told, hears) = channel();
    let kill = move || {
        std::thread::sleep(pause);
        kill_process(pid, Signal::KILL).expect("it runs");
        told.send(()).expect("somebody waits for it");
    };
    let watching = match step {
        Step::Accepted => None,
        Step::Asked => {
            chain.factory.at(Moment::Received, kill.clone());
            None
        }
        Step::Answered => {
            chain.factory.at(Moment::Answered, kill.clone());
            None
        }
        Step::Confirmed => {
            let mut listener = listener(&hub, None).await;
            let kill = kill.clone();
            Some(tokio::spawn(async move {
                while !matches!(listener.hear().await, Heard::Said(said) if said["event"].is_string()) {}
                kill();
            }))
        }
        Step::Written => {
            let (kill, before) = (kill.clone(), chain.messages(port).len());
            let (member, channel) = (reader(&chain.member, port), chain.channel.clone());
            Some(spawn_blocking(move || {
                while history(&member, &channel).len() <= before {}
                kill();
            }))
        }
    };
    let mut unanswered = vec![];
    for order in orders {
        if post_as(port, &format!("payment-{order}"), &payment(*order)).is_none() {
            unanswered.push(*order);
        }
    }
    if step == Step::Accepted {
        kill();
    }
    if let Some(watching) = watching {
        timeout(PATIENCE, watching).await.expect("the step comes").expect("it ends well");
    }
    let killed = spawn_blocking(move || hears.recv_timeout(PATIENCE)).await.expect("it ends well");
    killed.unwrap_or_else(|_| panic!("{step:?} comes"));
    hub.server.wait();
    unanswered
}

/// The texts of a member of all these, and that none is there twice.
fn once<'a>(all: &'a [Value], member: &str) -> BTreeMap<&'a str, &'a Value> {
    let named = |event: &'a Value| (event["payload"][member].as_str().expect("a text"), event);
    let once: BTreeMap<_, _> = all.iter().map(named).collect();
    assert_eq!(once.len(), all.len(), "{member} is there twice in {all:?}");
    once
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_payment_is_minted_and_told_once_wherever_the_process_dies() {
    let mut seed = Seed::of_run("chain");
    let chain = Chain::new(Factory::start(seed.draw(), FAILING));
    let (mut next, mut unanswered) = (0, vec![]);
    let lives = rounds(ROUNDS) * STEPS.len();
    for round in 0..lives {
        let mut orders = unanswered;
        orders.extend(next..next + PAYMENTS);
        next += PAYMENTS;
        let pause = Duration::from_millis(seed.below(8) as u64);
        unanswered = die_at(&chain, STEPS[round % STEPS.len()], &orders, pause).await;
    }
    let hub = chain.life();
    let port = hub.server.port;
    for order in unanswered {
        post_as(port, &format!("payment-{order}"), &payment(order)).expect("an answer");
    }
    let messages = chain.messages_come(&hub, next).await;
    quiet(&hub).await;
    assert_eq!(chain.messages(port), messages, "no more come");

    let names: Vec<_> = (0..next).map(|order| format!("order-{order}")).collect();
    let texts = (0..next).map(|order| format!("Minted {order} for @payer{} (order order-{order}).", order % PAYERS));
    assert_eq!(messages.into_iter().collect::<BTreeSet<_>>(), texts.collect::<BTreeSet<_>>());
    assert_eq!(hub.get("/events/dead-letters"), json!([]));

    let payments = hub.all("&event=FLOWPAY:*");
    let confirmed = hub.all("&event=FACTORY:*");
    assert_eq!(once(&payments, "orderId").len(), next);
    let of_orders = once(&confirmed, "refTransactionId");
    assert!(
        names
            .iter()
            .all(|name| of_orders[name.as_str()]["event"] == "FACTORY:MINT_CONFIRMED")
    );
    assert_eq!(of_orders.len(), next);

    // A stream that was never there hears the same.
    let mut listener = listener(&hub, Some(0)).await;
    assert_eq!(caught_up(&mut listener).await, confirmed);

    let books = chain.factory.books();
    assert_eq!(books.mints.len(), next, "one key for each payment");
    let asked: u64 = books.calls.values().sum();
    println!("{next} payments, {lives} kills, {asked} calls of which {} failed", books.failed);
    assert!(books.failed > 0);
    // One payer's payments were minted in the order in which they came.
    for payer in 0..PAYERS {
        let address = json!(format!("@payer{payer}"));
        let came = payments.iter().filter(|event| event["payload"]["payerId"] == address);
        let minted = books.mints.iter().map(|(_, body)| body).filter(|body| body["address"] == address);
        let came: Vec<_> = came.map(|event| &event["payload"]["amount"]).collect();
        assert_eq!(minted.map(|body| &body["amount"]).collect::<Vec<_>>(), came, "{address}");
    }
}

/// Waits until no reactor has anything to do.
pub(super) async fn quiet(hub: &Hub<'_>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reactors = hub.get("/events/reactors");
        let mut all = reactors.as_array().expect("a list").iter();
        if all.all(|reactor| reactor["waiting"] == 0) {
            return;
        }
        assert!(Instant::now() < deadline, "{reactors}");
        sleep(Duration::from_millis(10)).await;
    }
}
