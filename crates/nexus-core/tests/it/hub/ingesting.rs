//! Events come in: who signed them, in which spelling, how often.

use nexus_core::hub::{Claim, NewSource, SourceAccess};
use nexus_types::ErrorCode;
use nexus_types::limits::{DAY_MS, EVENT_BYTES_MAX, SIGNATURE_SKEW_MS};
use serde_json::json;

use super::desk::{Desk, PAYMENT, SECRET, claim, sign};
use crate::support::refused;

fn verified(desk: &Desk, claim: Claim<'_>) -> Result<SourceAccess, nexus_core::Error> {
    desk.hub.sources().verify(claim)
}

#[tokio::test]
async fn an_event_is_there_when_it_is_answered_and_its_payload_is_kept_as_it_came() {
    let desk = Desk::new(&[]).await;
    let published = desk.post(PAYMENT).await.expect("it is taken");
    assert_eq!((published.event.as_str(), published.duplicate), ("PAYMENT_RECEIVED", false));
    let life = serde_json::to_string(&desk.hub.life(published.id).await.expect("it is there")).expect("JSON");
    assert!(life.contains("\"event\":\"FLOWPAY:PAYMENT_RECEIVED\""), "{life}");
    assert!(life.contains("\"amount\":15.00"), "{life}");
    assert!(life.contains("\"source\":\"default\""), "{life}");
    assert_eq!(desk.events("NEXUS:START").await.len(), 1, "a start is an event too");
}

#[tokio::test]
async fn only_the_bytes_that_were_signed_pass() {
    let desk = Desk::new(&[]).await;
    let good = sign(SECRET, None, PAYMENT);
    assert!(verified(&desk, claim(PAYMENT, &good)).is_ok());
    assert!(
        verified(&desk, claim(PAYMENT, &good.to_uppercase())).is_ok(),
        "digits of either case"
    );
    let again = serde_json::from_str::<serde_json::Value>(PAYMENT).expect("JSON").to_string();
    let (wrong, short) = (sign("another secret of at least 32 bytes....", None, PAYMENT), &good[..62]);
    let cases = [
        (again.as_str(), Some(good.as_str())),
        (&PAYMENT[..PAYMENT.len() - 1], Some(&good)),
        (PAYMENT, Some(&wrong)),
        (PAYMENT, Some(short)),
        (PAYMENT, Some("")),
        (PAYMENT, Some("z")),
        (PAYMENT, None),
    ];
    for (body, signature) in cases {
        let claim = Claim {
            signature,
            ..claim(body, "")
        };
        refused(verified(&desk, claim), ErrorCode::InvalidSignature);
    }
    let not_hex = format!("{}zz", &good[..62]);
    refused(verified(&desk, claim(PAYMENT, &not_hex)), ErrorCode::InvalidSignature);
    let nobody = Claim {
        source: Some("nobody"),
        ..claim(PAYMENT, &good)
    };
    refused(verified(&desk, nobody), ErrorCode::InvalidSignature);
}

#[tokio::test]
async fn a_signed_time_must_be_near_and_is_part_of_what_is_signed() {
    let desk = Desk::new(&[]).await;
    let now_s = desk.clock.now_ms() / 1_000;
    let skew_s = SIGNATURE_SKEW_MS / 1_000;
    let at = |timestamp: &str, must_be_timely: bool| {
        let signature = sign(SECRET, Some(timestamp), PAYMENT);
        let claim = Claim {
            timestamp: Some(timestamp),
            must_be_timely,
            ..claim(PAYMENT, &signature)
        };
        verified(&desk, claim)
    };
    assert!(at(&now_s.to_string(), true).is_ok());
    assert!(at(&(now_s - skew_s + 1).to_string(), false).is_ok());
    for stale in [
        (now_s - skew_s - 1).to_string(),
        (now_s + skew_s + 2).to_string(),
        "soon".into(),
        String::new(),
        "-5".into(),
        "99999999999999999999".into(),
    ] {
        refused(at(&stale, false), ErrorCode::StaleTimestamp);
    }
    let plain = sign(SECRET, None, PAYMENT);
    let unsigned = now_s.to_string();
    let added = Claim {
        timestamp: Some(&unsigned),
        ..claim(PAYMENT, &plain)
    };
    refused(verified(&desk, added), ErrorCode::InvalidSignature);
    let must = Claim {
        must_be_timely: true,
        ..claim(PAYMENT, &plain)
    };
    refused(verified(&desk, must), ErrorCode::StaleTimestamp);
}

#[tokio::test]
async fn an_event_id_makes_at_most_one_event() {
    let desk = Desk::new(&[]).await;
    let access = verified(&desk, claim(PAYMENT, &sign(SECRET, None, PAYMENT))).expect("a good signature");
    let post = async |body: &str, id: &str| desk.hub.ingest(&access, body.as_bytes(), Some(id)).await;
    let first = post(PAYMENT, "evt-1").await.expect("it is taken");
    let second = post(PAYMENT, "evt-1").await.expect("it is known");
    assert!(!first.duplicate && second.duplicate);
    assert_eq!((first.id, first.position), (second.id, second.position));
    let other = PAYMENT.replace("15.00", "16.00");
    refused(post(&other, "evt-1").await, ErrorCode::EventConflict);
    assert!(!post(&other, "evt-2").await.expect("another id").duplicate);
    for bad in ["", "with space", "ünicode", &"x".repeat(129)] {
        refused(post(PAYMENT, bad).await, ErrorCode::InvalidEventId);
    }
    assert_eq!(desk.events("PAYMENT_RECEIVED").await.len(), 2);
}

#[tokio::test]
async fn bad_bodies_are_refused_and_leave_nothing() {
    let desk = Desk::new(&[]).await;
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let cases = [
        ("{".to_owned(), ErrorCode::InvalidJson),
        ("[]".to_owned(), ErrorCode::InvalidJson),
        ("{}".to_owned(), ErrorCode::InvalidEventType),
        (json!({"event": "NOPE", "payload": {}}).to_string(), ErrorCode::InvalidEventType),
        (json!({"event": "NOPE"}).to_string(), ErrorCode::InvalidEventType),
        (
            json!({"event": "nexus:message_create", "payload": {}}).to_string(),
            ErrorCode::InvalidEventType,
        ),
        (json!({"event": "PAYMENT_RECEIVED"}).to_string(), ErrorCode::InvalidPayload),
        (
            json!({"event": "PAYMENT_RECEIVED", "payload": {"amount": "x"}}).to_string(),
            ErrorCode::InvalidPayload,
        ),
        (
            r#"{"event":"START","event":"START","payload":{}}"#.to_owned(),
            ErrorCode::InvalidJson,
        ),
        (
            format!(r#"{{"event":"START","payload":{{"deep":{deep}}}}}"#),
            ErrorCode::InvalidJson,
        ),
        (
            format!(r#"{{"event":"START","payload":{{"x":"{}"}}}}"#, "x".repeat(EVENT_BYTES_MAX)),
            ErrorCode::PayloadTooLarge,
        ),
    ];
    let before = desk.hub.db().bus().head();
    for (body, code) in cases {
        refused(desk.post(&body).await, code);
    }
    assert_eq!(desk.hub.db().bus().head(), before, "nothing was written");
}

#[tokio::test]
async fn a_source_has_a_secret_and_rights_of_its_own() {
    let desk = Desk::new(&[]).await;
    let new = |name: &str, events: &[&str]| NewSource {
        name: name.into(),
        events: events.iter().map(|name| (*name).to_owned()).collect(),
        reads: false,
        demands_timestamp: false,
    };
    let made = desk.hub.sources().add(new("gauge", &["GAUGE:*"])).await.expect("it is added");
    let reading = r#"{"event":"READING","payload":{"height":1.81}}"#;
    let as_gauge = |body: &str, secret: &str| {
        let signature = sign(secret, None, body);
        let claim = Claim {
            source: Some("gauge"),
            ..claim(body, &signature)
        };
        verified(&desk, claim)
    };
    let access = as_gauge(reading, &made.secret).expect("its own secret");
    assert!(!access.reads);
    desk.hub.ingest(&access, reading.as_bytes(), None).await.expect("what it may send");
    refused(desk.hub.ingest(&access, PAYMENT.as_bytes(), None).await, ErrorCode::TypeNotAllowed);
    refused(as_gauge(reading, SECRET), ErrorCode::InvalidSignature);

    let rotated = desk.hub.sources().rotate("gauge").await.expect("it is rotated");
    assert!(
        as_gauge(reading, &made.secret).is_ok() && as_gauge(reading, &rotated.secret).is_ok(),
        "both for a day"
    );
    let holds = |access: &SourceAccess| desk.hub.sources().holds(access);
    let (late, fresh) = (as_gauge(reading, &made.secret), as_gauge(reading, &rotated.secret));
    let (late, fresh) = (late.expect("the old one"), fresh.expect("the new one"));
    assert!(holds(&access) && holds(&late) && holds(&fresh));
    desk.clock.set(desk.clock.now_ms() + DAY_MS);
    assert!(
        !holds(&access) && !holds(&late) && holds(&fresh),
        "what the old one opened ends with it"
    );
    refused(as_gauge(reading, &made.secret), ErrorCode::InvalidSignature);
    assert!(as_gauge(reading, &rotated.secret).is_ok());

    refused(
        desk.hub.sources().add(new("gauge", &["*"])).await.map(|_| ()),
        ErrorCode::SourceTaken,
    );
    for bad in ["", "nexus", "Gauge", "a b", &"x".repeat(33)] {
        refused(
            desk.hub.sources().add(new(bad, &["*"])).await.map(|_| ()),
            ErrorCode::InvalidSourceName,
        );
    }
    refused(
        desk.hub.sources().add(new("other", &["NOBODY:*"])).await.map(|_| ()),
        ErrorCode::InvalidPatterns,
    );
    desk.hub.sources().rotate("gauge").await.expect("it is rotated");
    assert!(holds(&fresh), "for a day");
    let rotated = desk.hub.sources().rotate("gauge").await.expect("it is rotated");
    assert!(!holds(&fresh), "the second rotation ends it at once");
    refused(desk.hub.sources().rotate("default").await.map(|_| ()), ErrorCode::SourceFixed);
    desk.hub.sources().remove("gauge").await.expect("it is removed");
    refused(as_gauge(reading, &rotated.secret), ErrorCode::InvalidSignature);
}

#[tokio::test]
async fn another_secret_in_the_environment_is_a_rotation() {
    let mut desk = Desk::new(&[]).await;
    let new_secret = "the next secret of the tests, of 32 bytes";
    desk.change_secret(new_secret);
    let desk = desk.restart().await;
    let by = |secret: &str| verified(&desk, claim(PAYMENT, &sign(secret, None, PAYMENT)));
    assert!(by(new_secret).is_ok() && by(SECRET).is_ok());
    let until = desk.hub.sources().list()[0].previous_until.expect("there is a previous one");
    desk.clock.set(until);
    assert!(by(new_secret).is_ok());
    refused(by(SECRET), ErrorCode::InvalidSignature);
    let desk = desk.restart().await;
    refused(
        verified(&desk, claim(PAYMENT, &sign(SECRET, None, PAYMENT))),
        ErrorCode::InvalidSignature,
    );
}

#[tokio::test]
async fn a_previous_secret_that_is_named_later_is_good_from_then_on() {
    let mut desk = Desk::new(&[]).await;
    let old = "the secret that senders still have, of 32 bytes";
    let by = |desk: &Desk| verified(desk, claim(PAYMENT, &sign(old, None, PAYMENT))).map(drop);
    refused(by(&desk), ErrorCode::InvalidSignature);
    desk.name_previous(old);
    let desk = desk.restart().await;
    assert!(by(&desk).is_ok());
    desk.clock.set(desk.clock.now_ms() + DAY_MS);
    refused(by(&desk), ErrorCode::InvalidSignature);
    let desk = desk.restart().await;
    refused(by(&desk), ErrorCode::InvalidSignature);
}
