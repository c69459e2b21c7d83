//! Rules as a whole: what the shipped ones do, and in the files beside this one what is refused, what is sent, and that nothing panics.

mod panics;
mod refusals;
mod requests;

use nexus_types::hub::HubEvent;
use serde_json::{Value, json};

use super::paths::tests::event;
use super::*;

fn environment(name: &str) -> Option<String> {
    Some(match name {
        "FACTORY_API_URL" => "http://factory.internal:9000".to_owned(),
        "FACTORY_API_KEY" => "sk-live-0123456789".to_owned(),
        "NOTIFY_CHANNEL_ID" => "7012345678901234567".to_owned(),
        "EMPTY" => String::new(),
        "SLASH_URL" => "https://a/".to_owned(),
        "BAD_URL" => "factory.internal".to_owned(),
        _ => return None,
    })
}

fn types() -> TypeRegistry {
    TypeRegistry::new(vec![]).expect("the built-in types")
}

fn read(source: &str) -> Result<Rule, Vec<RuleError>> {
    Rule::read("test", source, &types(), &environment)
}

fn rule(source: &str) -> Rule {
    read(source).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn payment(payload: &str) -> HubEvent {
    event("FLOWPAY:PAYMENT_RECEIVED", payload)
}

/// A rule with this `[http]`.
fn http(section: &str) -> Rule {
    rule(&format!("on = [\"FLOWPAY:*\"]\n[http]\n{section}"))
}

fn call(rule: &Rule, payload: &str) -> Result<Call, String> {
    let event = payment(payload);
    let call = rule.call(&Facts::new(&event), "key");
    call.map(|call| call.expect("it has http")).map_err(|error| error.to_string())
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        headers: vec![],
        body: body.as_bytes().to_vec(),
    }
}

fn effects(rule: &Rule, event: &HubEvent, answer: Option<&Answer>) -> Result<Vec<Effect>, String> {
    rule.effects(&Facts::new(event), answer).map_err(|error| error.to_string())
}

fn shipped(name: &str, environment: Environment<'_>) -> Rule {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("reactors");
    assert!(write_shipped(&path).expect("written"));
    let loaded = load(&path, &types(), environment);
    assert!(loaded.refused.is_empty(), "{:?}", loaded.refused);
    let mut all = loaded.rules.into_iter().chain(loaded.idle);
    let rule = all.find(|rule| rule.name() == name).expect("it is shipped");
    std::sync::Arc::into_inner(rule).expect("ours alone")
}

#[test]
fn a_payment_is_minted_once_for_each_transaction() {
    let rule = shipped("payment-to-mint", &environment);
    assert_eq!(rule.idle(), None);
    for (payload, key, address) in [
        (r#"{"orderId":"7730","amount":15.00,"payerId":"0xabc"}"#, "7730", "0xabc"),
        (r#"{"orderId":1,"transactionId":"t-9","amount":15.00,"payerId":42}"#, "t-9", "42"),
        (
            r#"{"orderId":"","transactionId":"t","amount":15.00,"payerId":"p","address":"0x1"}"#,
            "t",
            "0x1",
        ),
    ] {
        let event = payment(payload);
        let facts = Facts::new(&event);
        let wanted = rule.wants(&facts).expect("an answer").expect("wanted");
        assert_eq!(wanted.key, key);
        let call = rule.call(&facts, &wanted.key).expect("a call").expect("it has http");
        assert_eq!(
            (call.method.as_str(), &*call.url),
            ("POST", "http://factory.internal:9000/api/mint")
        );
        assert!(call.headers.contains(&("Authorization".into(), "Bearer sk-live-0123456789".into())));
        let body = String::from_utf8(call.body).expect("UTF-8");
        assert_eq!(
            body,
            format!("{{\"address\":\"{address}\",\"amount\":15.00,\"reason\":\"purchase\"}}")
        );
        for (answered, kind, token) in [
            (r#"{"status":"confirmed","tokenId":12}"#, "FACTORY:MINT_CONFIRMED", Some("12")),
            (r#"{"status":"minted","tokenId":null}"#, "FACTORY:MINT_CONFIRMED", None),
            (r#"{"status":"pending"}"#, "FACTORY:MINT_REQUESTED", None),
            ("", "FACTORY:MINT_REQUESTED", None),
        ] {
            let said = effects(&rule, &event, Some(&answer(201, answered))).expect("effects");
            let [Effect::Emit { kind: made, payload }] = &said[..] else {
                panic!("{said:?}")
            };
            assert_eq!(made.as_str(), kind);
            let token = token.map_or(String::new(), |token| format!(",\"tokenId\":{token}"));
            let reference = rule.wants(&facts).expect("an answer").expect("wanted").key;
            let reference = if payload.contains(&format!("\"{reference}\"")) {
                format!("\"{reference}\"")
            } else {
                reference
            };
            assert_eq!(
                *payload,
                format!(
                    "{{\"targetAddress\":\"{address}\",\"amount\":15.00,\"reason\":\"purchase\"{token},\"refTransactionId\":{reference}}}"
                )
            );
        }
    }
}

#[test]
fn a_mint_is_told_in_the_channel() {
    let rule = shipped("notify-channel", &environment);
    for (payload, text, key) in [
        (
            r#"{"targetAddress":"0xabc","amount":15.00,"reason":"purchase","refTransactionId":"7730"}"#,
            "Minted 15.00 for 0xabc (order 7730).",
            "7730",
        ),
        (
            r#"{"address":"0xabc","amount":1e2,"reason":"reward"}"#,
            "Minted 1e2 for 0xabc.",
            "7000000000000000001",
        ),
    ] {
        let event = event("FACTORY:MINT_CONFIRMED", payload);
        let channel = ChannelId(7_012_345_678_901_234_567);
        assert_eq!(
            effects(&rule, &event, None),
            Ok(vec![Effect::Message {
                channel,
                text: text.into()
            }])
        );
        assert_eq!(rule.wants(&Facts::new(&event)).expect("an answer").expect("wanted").key, key);
    }
}

#[test]
fn the_shipped_rules_wait_for_their_variables() {
    let nothing = |_: &str| None;
    assert_eq!(
        shipped("payment-to-mint", &nothing).idle(),
        Some("FACTORY_API_KEY and FACTORY_API_URL are not set.")
    );
    assert_eq!(shipped("notify-channel", &nothing).idle(), Some("NOTIFY_CHANNEL_ID is not set."));
}

#[test]
fn a_dry_run_says_what_would_happen_without_secrets() {
    let events = [
        payment(r#"{"orderId":"7730","amount":15.00,"payerId":"sk-live-0123456789"}"#),
        payment(r#"{"amount":15.00,"payerId":"p"}"#),
        event("NEXUS:START", "{}"),
    ];
    let lines = dry_run(&shipped("payment-to-mint", &environment), &events);
    let text = serde_json::to_string(&lines).expect("JSON");
    assert!(!text[text.find("\"matches\"").expect("a line")..].contains("sk-live"), "{text}");
    let lines = serde_json::to_value(&lines).expect("JSON");
    let without_event = |line: &Value| {
        let mut line = line.clone();
        line.as_object_mut().expect("a line").remove("event");
        line
    };
    let emit = |event: &str, when: &str| json!({"effect": "emit", "event": event, "after_answer": true, "when": when, "note": "Its payload depends on the answer."});
    assert_eq!(
        without_event(&lines[0]),
        json!({
            "matches": true,
            "key": "7730",
            "call": {
                "method": "POST",
                "url": "http://factory.internal:9000/api/mint",
                "headers": {
                    "Authorization": "•••",
                    "Content-Type": "application/json",
                    "Idempotency-Key": idempotency_key("payment-to-mint", "7730"),
                },
                "body": "{\"address\":\"•••\",\"amount\":15.00,\"reason\":\"purchase\"}",
            },
            "effects": [
                emit("FACTORY:MINT_CONFIRMED", "answer.json.status in ['confirmed', 'minted']"),
                emit("FACTORY:MINT_REQUESTED", "answer.json.status not in ['confirmed', 'minted']"),
            ],
            "error": null,
        })
    );
    let error = "key (line 14): `payload.transactionId or payload.orderId` is missing.";
    assert_eq!(
        without_event(&lines[1]),
        json!({"matches": true, "key": null, "call": null, "effects": [], "error": error})
    );
    assert_eq!(
        without_event(&lines[2]),
        json!({"matches": false, "key": null, "call": null, "effects": [], "error": null})
    );
    let mint = event("FACTORY:MINT_CONFIRMED", r#"{"address":"0x","amount":1,"reason":"reward"}"#);
    let lines = serde_json::to_value(dry_run(&shipped("notify-channel", &environment), &[mint])).expect("JSON");
    assert_eq!(
        lines[0]["effects"],
        json!([{"effect": "message", "channel": "7012345678901234567", "text": "Minted 1 for 0x.", "after_answer": false}])
    );
}
