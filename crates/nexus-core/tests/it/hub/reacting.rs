//! Reactors at work: tries, order, loops, isolation, and what follows.

use nexus_core::hub::Published;
use nexus_core::outbound::CallError;
use nexus_types::ErrorCode;
use nexus_types::limits::{BREAKER_FAILURES, BREAKER_REST_MS, HOPS_MAX};
use serde_json::{Value, json};

use super::desk::{Desk, PAYMENT, answer, listed};
use crate::harbour::Harbour;
use crate::support::refused;

/// Asks the factory, and makes an event of its answer.
const MINT: &str = r#"
on = ["FLOWPAY:PAYMENT_RECEIVED"]
key = "{{ payload.transactionId or payload.orderId }}"

[http]
method = "POST"
url = "{{ env.FACTORY_API_URL }}/api/mint"
[http.headers]
Authorization = "Bearer {{ env.FACTORY_API_KEY }}"
[http.json]
address = "{{ payload.payerId }}"
amount = "{{ payload.amount }}"
reason = "purchase"

[[emit]]
event = "FACTORY:MINT_CONFIRMED"
[emit.payload]
address = "{{ payload.payerId }}"
amount = "{{ payload.amount }}"
reason = "purchase"
"#;

fn is_done(life: &Value) -> bool {
    life["jobs"][0]["state"] == "done"
}

fn state<'a>(reactors: &'a [Value], name: &str) -> &'a Value {
    reactors
        .iter()
        .find(|reactor| reactor["name"] == name)
        .expect("the reactor is listed")
}

#[tokio::test]
async fn a_payment_is_minted_once_and_the_confirmation_is_an_event() {
    let desk = Desk::new(&[("mint", MINT)]).await;
    let published = desk.post(PAYMENT).await.expect("it is taken");
    let life = desk.life(&published, is_done).await;
    let again = desk.post(PAYMENT).await.expect("the same order in another event");
    let head = again.position;
    desk.until(async || (*desk.hub.recorded().borrow() >= head).then_some(())).await;
    let calls = desk.stub.calls();
    assert_eq!(calls.len(), 1, "once per transaction");
    assert_eq!(calls[0].url, "https://factory.example/api/mint");
    assert_eq!(
        String::from_utf8_lossy(&calls[0].body),
        r#"{"address":"@hana","amount":15.00,"reason":"purchase"}"#
    );
    let key = calls[0]
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"));
    assert!(key.is_some_and(|(_, key)| !key.is_empty()), "the call carries a key");
    let confirmed = desk.events("MINT_CONFIRMED").await;
    assert_eq!(confirmed.len(), 1);
    assert_eq!(confirmed[0]["source"], "reactor/mint");
    let confirmed = desk
        .hub
        .life(confirmed[0]["id"].as_str().expect("an id").parse().expect("an id"))
        .await
        .expect("it is there");
    let confirmed = json!(confirmed);
    assert_eq!((&confirmed["cause"]["id"], &confirmed["hops"]), (&json!(published.id), &json!(1)));
    let kept = life["jobs"][0]["attempts"][0].to_string();
    assert!(kept.contains("api/mint") && !kept.contains("the key of the factory"), "{kept}");
}

#[tokio::test]
async fn a_call_is_tried_again_with_the_same_key_until_it_succeeds() {
    let desk = Desk::new(&[("mint", MINT)]).await;
    desk.stub.behave(|_, number| match number {
        0 => Ok(answer(500, "oh")),
        1 => Err(CallError::Timeout { timeout_ms: 10_000 }),
        _ => Ok(answer(200, "{}")),
    });
    let published = desk.post(PAYMENT).await.expect("it is taken");
    for tries in 1..=2 {
        desk.life(&published, |life| {
            life["jobs"][0]["tries"] == tries && life["jobs"][0]["state"] == "waiting"
        })
        .await;
        assert!(desk.events("MINT_CONFIRMED").await.is_empty(), "nothing follows from a failure");
        desk.pass(1_000).await;
    }
    let life = desk.life(&published, is_done).await;
    let outcomes: Vec<_> = life["jobs"][0]["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|one| one["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["failed", "failed", "delivered"]);
    let keys: Vec<_> = desk.stub.calls().iter().map(|call| call.headers.clone()).collect();
    assert!(keys.iter().all(|headers| *headers == keys[0]));
    assert_eq!(desk.events("MINT_CONFIRMED").await.len(), 1);
}

#[tokio::test]
async fn a_job_that_was_cut_off_is_done_by_the_next_process_and_what_follows_follows_once() {
    let desk = Desk::new(&[("mint", MINT)]).await;
    desk.hub.pause("mint").await.expect("it is paused");
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, |life| life["jobs"][0]["state"] == "waiting").await;
    let desk = desk.restart().await;
    assert_eq!(
        state(&listed(&desk.hub.reactors()), "mint")["state"],
        "paused",
        "also after a restart"
    );
    assert!(desk.stub.calls().is_empty());
    desk.hub.resume("mint").await.expect("it goes on");
    desk.life(&published, is_done).await;
    let desk = desk.restart().await;
    assert_eq!((desk.stub.calls().len(), desk.events("MINT_CONFIRMED").await.len()), (1, 1));
}

#[tokio::test]
async fn rules_that_answer_themselves_or_each_other_come_to_an_end_at_once() {
    let emit = |on: &str, events: &[&str]| {
        let emits: Vec<_> = events
            .iter()
            .map(|event| format!("[[emit]]\nevent = \"{event}\"\n[emit.payload]\nheight = 1\n"))
            .collect();
        let emits = emits.concat();
        format!("on = [\"{on}\"]\n{emits}")
    };
    let (itself, ping, pong) = (
        emit("GAUGE:READING", &["GAUGE:READING"; 4]),
        emit("MIO:IDENTITY_VERIFIED", &["FACTORY:CONTRACT_DEPLOYED"]),
        emit("FACTORY:CONTRACT_DEPLOYED", &["MIO:IDENTITY_VERIFIED"]),
    );
    let desk = Desk::new(&[("echo", &itself), ("ping", &ping), ("pong", &pong), ("mint", MINT)]).await;
    desk.post(r#"{"event":"READING","payload":{"height":1}}"#)
        .await
        .expect("it is taken");
    desk.post(r#"{"event":"IDENTITY_VERIFIED","payload":{}}"#)
        .await
        .expect("it is taken");
    let letters = desk
        .until(async || {
            let letters = listed(&desk.hub.dead_letters(None, 10).await.expect("a page"));
            (letters.len() == 5).then_some(letters)
        })
        .await;
    for letter in letters {
        assert!(
            letter["reason"].as_str().is_some_and(|reason| reason.contains("of itself")),
            "{letter}"
        );
        assert!(
            letter["advice"].as_str().is_some_and(|advice| advice.contains("discard")),
            "{letter}"
        );
    }
    let count = async |kind: &str| desk.events(kind).await.len();
    assert_eq!(count("GAUGE:READING").await, 5, "the one that came and four of the rule");
    assert_eq!((count("IDENTITY_VERIFIED").await, count("CONTRACT_DEPLOYED").await), (2, 1));
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, is_done).await;
}

#[tokio::test]
async fn a_chain_of_many_rules_comes_to_an_end() {
    let rule = |from: i64| {
        format!(
            "on = [\"GAUGE:READING\"]\nwhen = \"payload.n == {from}\"\n[[emit]]\nevent = \"GAUGE:READING\"\n[emit.payload]\nn = {}\n",
            from + 1
        )
    };
    let texts: Vec<_> = (0..=HOPS_MAX + 1).map(|n| (format!("step-{n}"), rule(n))).collect();
    let rules: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let desk = Desk::new(&rules).await;
    desk.post(r#"{"event":"READING","payload":{"n":0}}"#).await.expect("it is taken");
    let letter = desk
        .until(async || listed(&desk.hub.dead_letters(None, 10).await.expect("a page")).pop())
        .await;
    assert!(
        letter["reason"].as_str().is_some_and(|reason| reason.contains("in a row")),
        "{letter}"
    );
    assert_eq!(desk.events("GAUGE:READING").await.len() as i64, HOPS_MAX + 2);
}

#[tokio::test]
async fn a_letter_that_died_before_its_rule_was_mended_is_judged_anew() {
    let rule = |when: &str| {
        format!("on = [\"GAUGE:READING\"]\nwhen = \"{when}\"\nkey = \"{{{{ payload.gauge }}}}\"\n[http]\nurl = \"https://log.example/\"\n")
    };
    let desk = Desk::new(&[("log", &rule("payload.height + 1 > 5"))]).await;
    let reading = |gauge: &str, height: &str| format!(r#"{{"event":"READING","payload":{{"gauge":"{gauge}","height":{height}}}}}"#);
    let (low, high) = (reading("a", "\"three\""), reading("b", "\"seven\""));
    let (low, high) = (
        desk.post(&low).await.expect("it is taken"),
        desk.post(&high).await.expect("it is taken"),
    );
    for published in [&low, &high] {
        desk.life(published, |life| life["jobs"][0]["state"] == "dead").await;
    }
    desk.write_rule("log", &rule("payload.height == 'seven' or payload.height == 7"));
    let job = async |published: &Published| {
        let life = json!(desk.hub.life(published.id).await.expect("it is there"));
        life["jobs"][0]["id"].as_str().expect("an id").parse().expect("an id")
    };
    desk.until(async || {
        let dry = nexus_core::hub::dry_runs::DryRun {
            name: Some("log".into()),
            rule: None,
            limit: 10,
        };
        let report = json!(desk.hub.dry_run(dry).await.expect("a report"));
        (report["events"][0]["error"].is_null()).then_some(())
    })
    .await;
    let unwanted = json!(desk.hub.replay(job(&low).await).await.expect("it is judged"));
    assert_eq!(unwanted["state"], "discarded", "the rule does not want it");
    desk.hub.replay(job(&high).await).await.expect("it is judged");
    desk.life(&high, is_done).await;
    let again = desk.post(&reading("b", "7")).await.expect("it is taken");
    desk.until(async || (*desk.hub.recorded().borrow() >= again.position).then_some(()))
        .await;
    assert_eq!(desk.stub.calls().len(), 1, "the letter has the key of its gauge now");
}

#[tokio::test]
async fn a_rule_that_is_switched_off_or_gone_does_nothing_more() {
    let desk = Desk::new(&[("mint", MINT), ("other", &MINT.replace("/api/mint", "/other"))]).await;
    desk.stub.behave(|_, _| Ok(answer(500, "")));
    let published = desk.post(PAYMENT).await.expect("it is taken");
    let tried = |life: &Value| {
        life["jobs"]
            .as_array()
            .is_some_and(|jobs| jobs.len() == 2 && jobs.iter().all(|job| job["tries"] == 1))
    };
    desk.life(&published, tried).await;
    desk.write_rule("mint", &format!("enabled = false\n{MINT}"));
    desk.remove_rule("other");
    let dead = |life: &Value| {
        life["jobs"]
            .as_array()
            .is_some_and(|jobs| jobs.iter().all(|job| job["state"] == "dead"))
    };
    desk.life(&published, dead).await;
    let calls = desk.stub.calls().len();
    let letters = listed(&desk.hub.dead_letters(None, 10).await.expect("a page"));
    assert_eq!(letters.len(), 2);
    let id = letters[0]["id"].as_str().expect("an id").parse().expect("an id");
    refused(desk.hub.replay(id).await.map(|_| ()), ErrorCode::WrongState);
    refused(desk.hub.run_again(published.id, "mint").await.map(|_| ()), ErrorCode::UnknownEvent);
    desk.pass(60_000).await;
    assert_eq!(desk.stub.calls().len(), calls, "nobody is asked");
    let reactors = listed(&desk.hub.reactors());
    assert_eq!((reactors.len(), &state(&reactors, "mint")["state"]), (1, &json!("off")));
}

#[tokio::test]
async fn what_waited_for_a_rule_that_went_away_meanwhile_is_a_dead_letter_after_the_start() {
    let desk = Desk::new(&[("mint", MINT)]).await;
    desk.hub.pause("mint").await.expect("it is paused");
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, |life| life["jobs"][0]["state"] == "waiting").await;
    desk.remove_rule("mint");
    let desk = desk.restart().await;
    let life = desk.life(&published, |life| life["jobs"][0]["state"] == "dead").await;
    assert!(
        life["jobs"][0]["reason"].as_str().is_some_and(|reason| reason.contains("removed")),
        "{life}"
    );
}

#[tokio::test]
async fn an_event_is_run_again_only_by_who_wants_it() {
    let desk = Desk::new(&[("mint", MINT)]).await;
    let reading = desk.post(r#"{"event":"READING","payload":{}}"#).await.expect("it is taken");
    refused(desk.hub.run_again(reading.id, "mint").await.map(|_| ()), ErrorCode::WrongState);
}

#[tokio::test]
async fn the_figures_hold_the_minute_that_is() {
    let desk = Desk::new(&[("mint", MINT)]).await;
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, is_done).await;
    // The start, the payment, the confirmation, which nobody wants: it is counted with what comes next, or after a second.
    desk.until(async || {
        let stats = json!(desk.hub.stats(5).await.expect("figures"));
        let newest = stats["minutes"]
            .as_array()
            .and_then(|minutes| minutes.last().cloned())
            .expect("minutes");
        (newest["events"] == 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nobody_waits_for_a_reactor_that_hangs_panics_or_can_not_say_what_it_wants() {
    let slow = MINT.replace("/api/mint", "/slow");
    let broken = MINT.replace("/api/mint", "/panic");
    let unmade = "on = [\"FLOWPAY:PAYMENT_RECEIVED\"]\n[[emit]]\nevent = \"GAUGE:READING\"\n[emit.payload]\nheight = \"{{ payload.nothing.here }}\"\n";
    let desk = Desk::new(&[("slow", &slow), ("broken", &broken), ("unmade", unmade), ("mint", MINT)]).await;
    desk.stub.behave(|call, _| {
        assert!(!call.url.ends_with("/panic"), "the stub panics");
        if call.url.ends_with("/slow") {
            std::thread::sleep(std::time::Duration::from_millis(50));
            return Err(CallError::Timeout { timeout_ms: 10_000 });
        }
        Ok(answer(200, "{}"))
    });
    let published = desk.post(PAYMENT).await.expect("it is taken");
    let job = |life: &Value, name: &str| {
        let jobs = life["jobs"].as_array().cloned().unwrap_or_default();
        jobs.into_iter().find(|job| job["reactor"] == name).unwrap_or_default()
    };
    let life = desk
        .life(&published, |life| {
            job(life, "mint")["state"] == "done"
                && job(life, "unmade")["state"] == "dead"
                && job(life, "broken")["tries"] == 1
                && job(life, "slow")["tries"] == 1
        })
        .await;
    assert!(
        job(&life, "broken")["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("panicked")),
        "{life}"
    );
    assert!(
        job(&life, "unmade")["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("payload.nothing.here")),
        "{life}"
    );
}

#[tokio::test]
async fn a_reactor_whose_other_side_is_away_rests_and_comes_back() {
    let desk = Desk::new(&[("mint", MINT)]).await;
    desk.stub.behave(|_, _| Err(CallError::Connect("factory.example".into())));
    let post = async |order: u32| desk.post(&PAYMENT.replace("7730", &order.to_string())).await.expect("it is taken");
    for order in 0..BREAKER_FAILURES {
        post(order).await;
    }
    let resting = async || {
        let reactors = listed(&desk.hub.reactors());
        Some(state(&reactors, "mint").clone()).filter(|mint| mint["state"] == "resting")
    };
    let mint = desk.until(resting).await;
    assert_eq!(mint["rest_until"], desk.clock.now_ms() + BREAKER_REST_MS);
    let calls = desk.stub.calls().len();
    let late = post(100).await;
    desk.life(&late, |life| life["jobs"][0]["state"] == "waiting").await;
    assert_eq!(desk.stub.calls().len(), calls, "nobody is asked while it rests");
    desk.stub.behave(|_, _| Ok(answer(200, "{}")));
    desk.pass(BREAKER_REST_MS).await;
    desk.life(&late, is_done).await;
    assert_eq!(state(&listed(&desk.hub.reactors()), "mint")["state"], "active");
}

#[tokio::test]
async fn events_of_one_order_run_one_after_the_other() {
    let rule = "on = [\"GAUGE:READING\"]\norder = \"{{ payload.gauge }}\"\n[http]\nmethod = \"POST\"\nurl = \"https://log.example/\"\n[http.json]\nn = \"{{ payload.n }}\"\n";
    let desk = Desk::new(&[("ordered", rule)]).await;
    // The first of gauge 1 fails once: those behind it wait, and gauge 2 does not.
    desk.stub.behave(|call, number| {
        let is_first = String::from_utf8_lossy(&call.body) == "{\"n\":10}";
        Ok(answer(if is_first && number < 4 { 500 } else { 200 }, "{}"))
    });
    let mut posted = vec![];
    for (gauge, n) in [(1, 10), (1, 11), (2, 20), (1, 12), (2, 21)] {
        let body = json!({"event": "READING", "payload": {"gauge": gauge.to_string(), "n": n}}).to_string();
        posted.push(desk.post(&body).await.expect("it is taken"));
    }
    desk.life(&posted[4], is_done).await;
    for _ in 0..4 {
        desk.pass(1_000).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    desk.life(&posted[3], is_done).await;
    let bodies: Vec<_> = desk
        .stub
        .calls()
        .iter()
        .map(|call| String::from_utf8_lossy(&call.body).into_owned())
        .collect();
    let of = |gauge: &str| {
        let mut bodies: Vec<_> = bodies.iter().filter(|body| body.contains(&format!(":{gauge}"))).cloned().collect();
        bodies.dedup();
        bodies
    };
    assert_eq!(of("1"), ["{\"n\":10}", "{\"n\":11}", "{\"n\":12}"]);
    assert_eq!(of("2"), ["{\"n\":20}", "{\"n\":21}"]);
}

#[tokio::test]
async fn a_rule_that_changes_is_in_force_at_once_and_one_that_breaks_stays_as_it_was() {
    let desk = Desk::new(&[]).await;
    desk.write_rule("mint", MINT);
    let has = async |wanted: &str| {
        let reactors = listed(&desk.hub.reactors());
        reactors
            .iter()
            .any(|reactor| reactor["name"] == "mint" && reactor["state"] == wanted)
            .then_some(())
    };
    desk.until(async || has("active").await).await;
    desk.write_rule("mint", &MINT.replace("[http]", "[htpt]"));
    desk.until(async || has("refused").await).await;
    let reactors = listed(&desk.hub.reactors());
    let mint = state(&reactors, "mint");
    assert_eq!(
        (mint["file"].as_str(), mint["line"].is_number()),
        (Some("mint.toml"), true),
        "{mint}"
    );
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, is_done).await;
    desk.write_rule("mint", &MINT.replace("/api/mint", "/api/v2/mint"));
    desk.until(async || has("active").await).await;
    let published = desk.post(&PAYMENT.replace("7730", "7731")).await.expect("it is taken");
    desk.life(&published, is_done).await;
    assert!(desk.stub.calls()[1].url.ends_with("/api/v2/mint"));
    desk.write_rule("mint", &MINT.replace("FACTORY_API_URL", "NOBODY_SET_THIS"));
    desk.until(async || has("idle").await).await;
    refused(desk.hub.pause("nobody").await, ErrorCode::UnknownEvent);
}

#[tokio::test]
async fn an_event_can_be_run_again_and_is_a_new_request_then() {
    let desk = Desk::new(&[("mint", MINT)]).await;
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, is_done).await;
    desk.hub.run_again(published.id, "mint").await.expect("it runs again");
    desk.life(&published, |life| life["jobs"][1]["state"] == "done").await;
    let keys: Vec<_> = desk
        .stub
        .calls()
        .iter()
        .filter_map(|call| {
            call.headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("idempotency-key"))
                .cloned()
        })
        .collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
    refused(
        desk.hub.run_again(published.id, "nobody").await.map(|_| ()),
        ErrorCode::UnknownEvent,
    );
}

#[tokio::test]
async fn a_message_is_written_once_by_the_hubs_bot_and_starts_no_rule() {
    let harbour = Harbour::build().await;
    let rule = format!(
        "on = [\"FLOWPAY:PAYMENT_RECEIVED\", \"nexus:message_create\"]\n[message]\nchannel = \"{}\"\ntext = \"Something was paid.\"\n",
        harbour.channel
    );
    let desk = Desk::over(harbour.world.db.clone(), harbour.world.clock.clone(), &[("tell", &rule)]).await;
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, is_done).await;
    let head = desk.hub.db().bus().head();
    desk.until(async || (*desk.hub.recorded().borrow() >= head).then_some(())).await;
    let told = desk.events("nexus:message_create").await;
    assert_eq!(told.len(), 1, "its own message is told, and answered by nobody");
    assert_eq!(told[0]["jobs"], json!([]));
    harbour.say(harbour.owner, "hello").await;
    desk.until(async || (desk.events("nexus:message_create").await.len() == 3).then_some(()))
        .await;
}

#[tokio::test]
async fn a_message_to_a_channel_that_is_not_there_waits_and_says_why() {
    let rule = "on = [\"FLOWPAY:PAYMENT_RECEIVED\"]\n[message]\nchannel = \"42\"\ntext = \"Paid.\"\n";
    let fine = "on = [\"FLOWPAY:PAYMENT_RECEIVED\"]\n[[emit]]\nevent = \"GAUGE:READING\"\n[emit.payload]\nheight = 1\n";
    let desk = Desk::new(&[("tell", rule), ("fine", fine)]).await;
    let published = desk.post(PAYMENT).await.expect("it is taken");
    let life = desk
        .life(&published, |life| {
            let jobs = life["jobs"].as_array().cloned().unwrap_or_default();
            jobs.len() == 2 && jobs.iter().all(|job| job["tries"] == 1)
        })
        .await;
    let jobs = life["jobs"].as_array().expect("jobs");
    let tell = jobs.iter().find(|job| job["reactor"] == "tell").expect("it is there");
    assert_eq!(tell["state"], "waiting");
    assert!(
        tell["reason"].as_str().is_some_and(|reason| reason.contains("no such channel")),
        "{tell}"
    );
    assert_eq!(desk.events("GAUGE:READING").await.len(), 1);
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let desk = Desk::new(&[("mint", MINT)]).await;
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, is_done).await;
    let dry = |name: Option<&str>, rule: Option<&str>| nexus_core::hub::dry_runs::DryRun {
        name: name.map(str::to_owned),
        rule: rule.map(str::to_owned),
        limit: 50,
    };
    let report = json!(desk.hub.dry_run(dry(Some("mint"), None)).await.expect("a report"));
    assert_eq!(report["events"][0]["matches"], true, "{report}");
    assert_eq!(report["events"][0]["call"]["url"], "https://factory.example/api/mint");
    assert!(!report.to_string().contains("the key of the factory"));
    let report = json!(desk.hub.dry_run(dry(None, Some("on = [\"NOPE:*\"]"))).await.expect("a report"));
    assert_eq!(report["errors"][0]["line"], 1, "{report}");
    // A text that is tried sees of the environment what rules of the folder name, and nothing else.
    let told = |name: &str| {
        format!("on = [\"FLOWPAY:*\"]\n[[emit]]\nevent = \"GAUGE:READING\"\npayload = {{ told = \"{{{{ env.{name} }}}}\" }}\n")
    };
    let report = json!(desk.hub.dry_run(dry(None, Some(&told("FACTORY_API_URL")))).await.expect("a report"));
    assert_eq!(
        report["events"][0]["effects"][0]["payload"]["told"], "https://factory.example",
        "{report}"
    );
    for name in ["CLOUD_ROOT", "NOT_THERE"] {
        let report = json!(desk.hub.dry_run(dry(Some("mint"), Some(&told(name)))).await.expect("a report"));
        assert_eq!(report["idle"], format!("{name} is not set."), "{report}");
        assert!(!report.to_string().contains("https://the.cloud"), "{report}");
    }
    refused(
        desk.hub.dry_run(dry(Some("nobody"), None)).await.map(|_| ()),
        ErrorCode::UnknownEvent,
    );
    refused(desk.hub.dry_run(dry(None, None)).await.map(|_| ()), ErrorCode::InvalidRule);
    assert_eq!(desk.stub.calls().len(), 1, "only the real one");
}

#[tokio::test]
async fn a_rule_that_only_makes_events_waits_while_it_is_paused() {
    let rule = "on = [\"FLOWPAY:PAYMENT_RECEIVED\"]\n[[emit]]\nevent = \"GAUGE:READING\"\n[emit.payload]\nheight = 1\n";
    let desk = Desk::new(&[("gauge", rule)]).await;
    let published = desk.post(PAYMENT).await.expect("it is taken");
    let life = desk.life(&published, is_done).await;
    assert_eq!(life["jobs"][0]["attempts"][0]["outcome"], "delivered");
    desk.hub.pause("gauge").await.expect("it is paused");
    let published = desk.post(&PAYMENT.replace("7730", "7731")).await.expect("it is taken");
    desk.life(&published, |life| life["jobs"][0]["state"] == "waiting").await;
    assert_eq!(desk.events("GAUGE:READING").await.len(), 1);
    desk.hub.resume("gauge").await.expect("it goes on");
    desk.life(&published, is_done).await;
    assert_eq!(desk.events("GAUGE:READING").await.len(), 2);
}
