//! Outgoing webhooks: delivery, tries, rotation, and being switched off.

use nexus_core::hub::{WebhookChange, WebhookDraft, WebhookInfo};
use nexus_core::outbound::{Call, CallError};
use nexus_types::ErrorCode;
use nexus_types::hub::WebhookState;
use nexus_types::limits::{DAY_MS, RETRY_MS_MAX};
use serde_json::Value;

use super::desk::{Desk, PAYMENT, answer, listed};
use crate::support::refused;

async fn webhook(desk: &Desk) -> WebhookInfo {
    let draft = WebhookDraft {
        url: "https://receiver.example/hook".into(),
        events: vec!["PAYMENT_RECEIVED".into()],
        description: "Books".into(),
    };
    desk.hub.webhooks().create(draft).await.expect("it is made")
}

fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    let found = call.headers.iter().find(|(known, _)| known == name);
    &found.expect("the header is there").1
}

async fn deliveries(desk: &Desk, webhook: &WebhookInfo) -> Vec<Value> {
    listed(&desk.hub.webhooks().deliveries(webhook.id, None, 10).await.expect("a page"))
}

#[tokio::test]
async fn an_event_is_delivered_with_its_id_and_signatures_of_both_secrets_while_they_are_good() {
    let desk = Desk::new(&[]).await;
    let made = webhook(&desk).await;
    assert!(made.secret.as_deref().is_some_and(|secret| secret.starts_with("whsec_")));
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, |life| life["jobs"][0]["state"] == "done").await;
    desk.hub.webhooks().rotate(made.id).await.expect("it is rotated");
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, |life| life["jobs"][0]["state"] == "done").await;
    let calls = desk.stub.calls();
    assert_eq!(calls.len(), 2);
    let body: Value = serde_json::from_slice(&calls[0].body).expect("JSON");
    assert_eq!(
        (&body["type"], &body["data"]["payload"]["orderId"]),
        (&"FLOWPAY:PAYMENT_RECEIVED".into(), &"7730".into())
    );
    assert!(String::from_utf8_lossy(&calls[0].body).contains("15.00"));
    assert_eq!(header(&calls[1], "webhook-id"), format!("evt_{}", published.id));
    assert_eq!(header(&calls[0], "webhook-signature").split(' ').count(), 1);
    assert_eq!(header(&calls[1], "webhook-signature").split(' ').count(), 2);
    desk.clock.set(desk.clock.now_ms() + DAY_MS);
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, |life| life["jobs"][0]["state"] == "done").await;
    let last = header(&desk.stub.calls()[2], "webhook-signature").to_owned();
    assert_eq!(last.split(' ').count(), 1, "the old secret is over");
    let delivery = &deliveries(&desk, &made).await[0];
    assert_eq!(delivery["attempts"][0]["status"], 200);
    assert_eq!(delivery["attempts"][0]["request"]["method"], "POST");
}

#[tokio::test]
async fn a_delivery_is_tried_again_with_the_same_id_and_is_a_dead_letter_after_twelve_hours() {
    let desk = Desk::new(&[]).await;
    let made = webhook(&desk).await;
    desk.stub.behave(|_, _| Ok(answer(502, "bad gateway")));
    let published = desk.post(PAYMENT).await.expect("it is taken");
    let tries = |tries: i64| move |life: &Value| life["jobs"][0]["tries"] == tries && life["jobs"][0]["state"] != "running";
    desk.life(&published, tries(1)).await;
    desk.pass(100).await;
    let life = desk.life(&published, tries(2)).await;
    assert_eq!(
        (&life["jobs"][0]["state"], &life["jobs"][0]["attempts"][0]["status"]),
        (&"waiting".into(), &502.into())
    );
    desk.pass(RETRY_MS_MAX).await;
    let life = desk.life(&published, |life| life["jobs"][0]["state"] == "dead").await;
    assert_eq!(life["jobs"][0]["tries"], 3);
    let calls = desk.stub.calls();
    assert!(
        calls
            .iter()
            .all(|call| header(call, "webhook-id") == header(&calls[0], "webhook-id"))
    );
    assert_ne!(header(&calls[0], "webhook-timestamp"), header(&calls[2], "webhook-timestamp"));

    let letters = listed(&desk.hub.dead_letters(None, 10).await.expect("a page"));
    assert_eq!(letters.len(), 1);
    assert!(letters[0]["advice"].as_str().is_some_and(|advice| advice.contains("replay")));
    desk.stub.behave(|_, _| Ok(answer(204, "")));
    let id = letters[0]["id"].as_str().expect("an id").parse().expect("an id");
    desk.hub.replay(id).await.expect("it is replayed");
    desk.life(&published, |life| life["jobs"][0]["state"] == "done").await;
    refused(desk.hub.replay(id).await.map(|_| ()), ErrorCode::WrongState);
    assert!(
        deliveries(&desk, &made).await[0]["attempts"]
            .as_array()
            .is_some_and(|attempts| attempts.len() == 4)
    );
}

#[tokio::test]
async fn an_endpoint_that_fails_for_days_is_switched_off_and_says_why() {
    let desk = Desk::new(&[]).await;
    let made = webhook(&desk).await;
    desk.stub.behave(|_, _| Err(CallError::Connect("receiver.example".into())));
    let first = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&first, |life| life["jobs"][0]["tries"] == 1).await;
    desk.pass(5 * DAY_MS).await;
    let shown = desk
        .until(async || {
            let shown = desk.hub.webhooks().show(made.id).await.expect("it is there");
            (shown.state == WebhookState::Disabled).then_some(shown)
        })
        .await;
    let reason = shown.reason.expect("it says why");
    assert!(reason.contains("5 days") && reason.contains("Could not connect"), "{reason}");
    desk.until(async || desk.hub.reactors().is_empty().then_some(())).await;
    let unseen = desk.post(PAYMENT).await.expect("it is taken");
    desk.until(async || (*desk.hub.recorded().borrow() >= unseen.position).then_some(()))
        .await;
    assert_eq!(
        desk.life(&unseen, |_| true).await["jobs"].as_array().map(Vec::len),
        Some(0),
        "it gets nothing any more"
    );

    desk.stub.behave(|_, _| Ok(answer(200, "")));
    let on = WebhookChange {
        state: Some(WebhookState::On),
        ..WebhookChange::default()
    };
    let shown = desk.hub.webhooks().update(made.id, on).await.expect("it is switched on");
    assert_eq!((shown.state, shown.reason, shown.failing_since), (WebhookState::On, None, None));
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, |life| life["jobs"][0]["state"] == "done").await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_switched_off_at_once() {
    let desk = Desk::new(&[]).await;
    let made = webhook(&desk).await;
    desk.stub.behave(|_, _| Ok(answer(410, "")));
    desk.hub.webhooks().test(made.id).await.expect("a test is sent");
    desk.until(async || {
        let shown = desk.hub.webhooks().show(made.id).await.expect("it is there");
        (shown.state == WebhookState::Disabled).then_some(())
    })
    .await;
    refused(desk.hub.webhooks().test(made.id).await.map(|_| ()), ErrorCode::WrongState);
    assert_eq!(desk.stub.calls().len(), 1);
}

#[tokio::test]
async fn a_test_reaches_its_webhook_alone() {
    let desk = Desk::new(&[]).await;
    let (one, other) = (webhook(&desk).await, webhook(&desk).await);
    desk.hub.webhooks().test(one.id).await.expect("a test is sent");
    desk.until(async || {
        deliveries(&desk, &one)
            .await
            .first()
            .filter(|job| job["state"] == "done")
            .map(|_| ())
    })
    .await;
    assert!(deliveries(&desk, &other).await.is_empty());
    let id = deliveries(&desk, &one).await[0]["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    desk.hub.webhooks().replay(one.id, id).await.expect("once more");
    desk.until(async || (desk.stub.calls().len() == 2).then_some(())).await;
    refused(desk.hub.webhooks().replay(other.id, id).await.map(|_| ()), ErrorCode::UnknownEvent);
    desk.hub.webhooks().remove(one.id).await.expect("it is removed");
    refused(desk.hub.webhooks().show(one.id).await.map(|_| ()), ErrorCode::UnknownEvent);
}

#[tokio::test]
async fn addresses_that_are_not_asked_are_refused_when_a_webhook_is_made() {
    let desk = Desk::new(&[]).await;
    let draft = |url: &str, events: &[&str]| WebhookDraft {
        url: url.into(),
        events: events.iter().map(|name| (*name).to_owned()).collect(),
        description: String::new(),
    };
    let webhooks = desk.hub.webhooks();
    refused(
        webhooks.create(draft("http://169.254.169.254/", &["*"])).await.map(|_| ()),
        ErrorCode::BlockedAddress,
    );
    refused(
        webhooks.create(draft("file:///etc/passwd", &["*"])).await.map(|_| ()),
        ErrorCode::InvalidUrl,
    );
    refused(
        webhooks.create(draft("https://a.example", &[])).await.map(|_| ()),
        ErrorCode::InvalidPatterns,
    );
    refused(
        webhooks.create(draft("https://a.example", &["NOPE"])).await.map(|_| ()),
        ErrorCode::InvalidPatterns,
    );
    assert!(webhooks.list().await.expect("a list").is_empty());
}

#[tokio::test]
async fn of_changes_at_the_same_time_the_last_one_counts_everywhere() {
    let desk = Desk::new(&[]).await;
    let mut made = vec![];
    for _ in 0..12 {
        made.push(webhook(&desk).await);
    }
    for round in 0..10 {
        let changes = made.iter().enumerate().map(|(index, webhook)| {
            let state = if (index + round) % 2 == 0 {
                WebhookState::On
            } else {
                WebhookState::Off
            };
            let (hub, id) = (desk.hub.clone(), webhook.id);
            tokio::spawn(async move {
                let change = WebhookChange {
                    state: Some(state),
                    ..WebhookChange::default()
                };
                hub.webhooks().update(id, change).await.map(drop)
            })
        });
        for change in changes.collect::<Vec<_>>() {
            change.await.expect("it did not panic").expect("it is changed");
        }
        let served = desk.hub.reactors().len();
        let on = desk
            .hub
            .webhooks()
            .list()
            .await
            .expect("a list")
            .iter()
            .filter(|webhook| webhook.state == WebhookState::On)
            .count();
        assert_eq!(served, on, "round {round}");
    }
}

#[tokio::test]
async fn what_waits_for_a_webhook_that_is_switched_off_can_be_replayed_once_it_is_on() {
    let desk = Desk::new(&[]).await;
    let made = webhook(&desk).await;
    desk.stub.behave(|_, _| Ok(answer(500, "")));
    let published = desk.post(PAYMENT).await.expect("it is taken");
    desk.life(&published, |life| life["jobs"][0]["tries"] == 1).await;
    let switch = async |state| {
        let change = WebhookChange {
            state: Some(state),
            ..WebhookChange::default()
        };
        desk.hub.webhooks().update(made.id, change).await.expect("it is changed")
    };
    switch(WebhookState::Off).await;
    let life = desk.life(&published, |life| life["jobs"][0]["state"] == "dead").await;
    let job = life["jobs"][0]["id"].as_str().expect("an id").parse().expect("an id");
    refused(desk.hub.replay(job).await.map(|_| ()), ErrorCode::WrongState);
    switch(WebhookState::On).await;
    desk.stub.behave(|_, _| Ok(answer(200, "")));
    desk.hub.replay(job).await.expect("it is replayed");
    desk.life(&published, |life| life["jobs"][0]["state"] == "done").await;
}
