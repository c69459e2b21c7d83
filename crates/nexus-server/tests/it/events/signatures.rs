//! Signatures: made by three other programs over the bytes that are sent, and everything that is none.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use super::{ALONE, Hub, Place, SECRET, now_s, payment, refused, sign};
use crate::server::Server;

/// Bodies that a program which read and wrote them again would change.
const BODIES: &[&str] = &[
    r#"{"event":"FLOWPAY:PAYMENT_RECEIVED","payload":{"orderId":"1","amount":15.00,"payerId":"@hana"}}"#,
    "{ \"event\" : \"PAYMENT_RECEIVED\",\n\t\"payload\" : { \"orderId\" : \"2\", \"amount\" : 1e2 , \"payerId\" : \"Hana  Müller 🦆\" } }\n",
    r#"{"payload":{"payerId":"\u0048ana\/\u00fc\"","amount":0.10,"orderId":"3","metadata":{"b":1,"a":[1,2.50]}},"event":"FLOWPAY:PAYMENT_RECEIVED"}"#,
];

/// Signs the bytes on stdin with another program.
fn signed_by(program: &str, arguments: &[&str], body: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .env("SECRET", SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|cause| panic!("{program}: {cause}"));
    child.stdin.take().expect("piped").write_all(body.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{program}");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    said.split_whitespace().last().expect("a signature").to_owned()
}

#[test]
fn signatures_of_python_node_and_openssl_are_good_over_the_bytes_that_are_sent() {
    let python =
        "import hashlib,hmac,os,sys; print(hmac.new(os.environ['SECRET'].encode(), sys.stdin.buffer.read(), hashlib.sha256).hexdigest())";
    let node = "const c=require('node:crypto');const b=require('node:fs').readFileSync(0);console.log(c.createHmac('sha256',process.env.SECRET).update(b).digest('hex'))";
    let place = Place::new();
    let hub = place.alone();
    for body in BODIES {
        let by_python = signed_by("python3", &["-c", python], body);
        let by_node = signed_by("node", &["-e", node], body);
        let by_openssl = signed_by("openssl", &["dgst", "-sha256", "-hmac", SECRET, "-hex"], body);
        for signature in [&by_python, &by_node, &by_openssl, &by_python.to_uppercase()] {
            // The content type does not matter.
            for kind in ["", "application/json", "text/plain"] {
                let ask = hub.ask("POST", "/events").body(kind, *body).header("x-nexus-signature", signature);
                let answer = ask.send().expect(200);
                assert_eq!(answer["status"], "dispatched", "{answer}");
            }
        }
    }
    let stored = hub.posted();
    assert_eq!(stored.len(), 3 * 4 * 3);
    // Numbers as they were written, also where a reader of JSON would drop a zero.
    let page = hub.admin("GET", "/events?limit=100").send().body;
    for kept in ["\"amount\":15.00", "\"amount\" : 1e2 ", "\"amount\":0.10", "[1,2.50]"] {
        assert!(page.contains(kept), "{kept} in {page}");
    }
}

/// Everything that is wrong with a signature is the same 401, byte for byte, and nothing is stored.
#[test]
fn whatever_is_wrong_is_the_same_401() {
    let place = Place::new();
    let hub = place.alone();
    let body = payment("1");
    let good = sign(SECRET, body.as_bytes());
    let mut answers = BTreeSet::new();
    let mut tried = |hub: &Hub<'_>, body: &str, headers: &[(&str, &str)]| {
        let ask = headers
            .iter()
            .fold(hub.ask("POST", "/events").body("application/json", body), |ask, (name, value)| {
                ask.header(name, value)
            });
        let answer = ask.send();
        refused(&answer, 401, "invalid_signature");
        answers.insert(answer.body);
    };
    let signature = "x-nexus-signature";
    let reserialised = body.replace(':', ": ");
    tried(&hub, &reserialised, &[(signature, &good)]);
    tried(&hub, &body[..body.len() - 1], &[(signature, &good)]);
    tried(&hub, &format!("{body}\n"), &[(signature, &good)]);
    tried(&hub, "", &[(signature, &good)]);
    for bad in [
        "",
        " ",
        &good[..63],
        &good[..2],
        &format!("{good}0"),
        &format!("sha256={good}"),
        &format!("0x{}", &good[2..]),
        &"zz".repeat(32),
        &"00".repeat(32),
        &sign("another secret of at least 32 bytes", body.as_bytes()),
        &sign("", body.as_bytes()),
        &sign(SECRET, b""),
        "ü",
    ] {
        tried(&hub, &body, &[(signature, bad)]);
    }
    tried(&hub, &body, &[]);
    tried(&hub, &body, &[("authorization", &format!("Bearer {}", place.admin))]);
    for source in ["nobody", "", "nexus", "default2", "Default", "../default"] {
        tried(&hub, &body, &[(signature, &good), ("x-nexus-source", source)]);
    }
    // A time that is not signed.
    tried(&hub, &body, &[(signature, &good), ("x-nexus-timestamp", &now_s().to_string())]);
    // What is no JSON at all is judged by its signature first.
    tried(&hub, "{", &[(signature, &good)]);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(hub.posted(), Vec::<serde_json::Value>::new());
}

#[test]
fn a_signed_time_is_within_five_minutes_of_now() {
    let place = Place::new();
    let hub = place.alone();
    let body = payment("1");
    let ask = |timestamp: &str| {
        let signature = sign(SECRET, format!("{timestamp}.{body}").as_bytes());
        let ask = hub.ask("POST", "/events").body("application/json", body.as_str());
        ask.header("x-nexus-timestamp", timestamp)
            .header("x-nexus-signature", &signature)
            .send()
    };
    let now = now_s();
    for good in [now, now - 290, now + 290] {
        ask(&good.to_string()).expect(200);
    }
    for bad in [
        (now - 310).to_string(),
        (now + 310).to_string(),
        "0".into(),
        format!("+{now}"),
        format!("{now}.5"),
        format!("{}", now * 1_000),
        "99999999999999999999".into(),
        "soon".into(),
    ] {
        refused(&ask(&bad), 401, "stale_timestamp");
    }
    assert_eq!(hub.posted().len(), 3);
}

/// The limit stands before any HMAC: from an address that was wrong too often, a good signature is not looked at either.
#[test]
fn who_is_wrong_too_often_is_not_listened_to() {
    let place = Place::new();
    let hub = place.serve(&["--roles", "events"]);
    let body = payment("1");
    for _ in 0..10 {
        assert_eq!(hub.post(SECRET, &body).status(), 200, "what is good does not count");
    }
    let wrong = || hub.ask("POST", "/events").body("application/json", "{}").send();
    let mut refusals = 0;
    while wrong().status() == 401 {
        refusals += 1;
        assert!(refusals <= 200, "no limit");
    }
    assert!((119..=125).contains(&refusals), "{refusals}");
    let answer = hub.post(SECRET, &body);
    refused(&answer, 429, "rate_limited");
    assert!(answer.header("retry-after").is_some());
    assert!(hub.get("/events").is_array(), "an administrator still looks");
}

#[test]
fn the_secret_before_is_good_while_it_is_named() {
    let place = Place::new();
    let (old, body) = ("the old secret of the senders: 8231 5507", payment("1"));
    let both = [("NEXUS_SECRET", SECRET), ("NEXUS_SECRET_PREVIOUS", old)];
    let server = Server::start_in(&place.data(), &ALONE, &both);
    let hub = Hub { server, place: &place };
    hub.post(SECRET, &body).expect(200);
    hub.post(old, &body).expect(200);
    refused(
        &hub.post("neither of them, but as long as they are", &body),
        401,
        "invalid_signature",
    );
}

/// What is logged, at every level, tells nothing of secrets, signatures or payloads.
#[test]
fn no_secret_and_no_payload_is_in_the_log() {
    let place = Place::configured("[log]\nlevel = \"trace\"\n");
    let mut hub = place.serve(&ALONE);
    let body = json!({ "event": "START", "payload": { "told": "sw0rdfish" } }).to_string();
    hub.post(SECRET, &body).expect(200);
    hub.post("a secret that is somebody else's: hunter2", &body);
    let added = hub
        .admin("POST", "/events/sources")
        .json(&json!({ "name": "acme" }))
        .send()
        .expect(201);
    let ticket = hub.admin("POST", "/events/tickets").send().expect(200);
    hub.ask(
        "GET",
        &format!("/events/stream?token={}", ticket["ticket"].as_str().expect("a ticket")),
    )
    .send();
    let log = hub.server.stop();
    assert!(log.contains("/events"), "requests are logged: {log}");
    let secret = added["secret"].as_str().expect("a secret");
    for hidden in [
        SECRET,
        "sw0rdfish",
        "hunter2",
        secret,
        ticket["ticket"].as_str().expect("a ticket"),
        &place.admin,
    ] {
        assert!(!log.contains(hidden), "{hidden} is in the log");
    }
    assert!(!log.contains(&sign(SECRET, body.as_bytes())));
}
