//! What the platform tells the hub.

use nexus_core::sweeps::sweep_log;
use nexus_types::hub::Pattern;

use super::desk::Desk;
use crate::harbour::Harbour;

#[tokio::test]
async fn nothing_of_a_messages_text_is_anywhere_in_the_hub() {
    let harbour = Harbour::build().await;
    let desk = Desk::over(harbour.world.db.clone(), harbour.world.clock.clone(), &[]).await;
    let secret = harbour.secret().await;
    harbour.say(harbour.owner, "the canary sings").await;
    let head = desk.hub.db().bus().head();
    desk.until(async || (*desk.hub.recorded().borrow() >= head).then_some(())).await;
    let told = desk.events("nexus:message_create").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["payload"]["channel_id"], harbour.channel.to_string());
    assert_eq!(told[0]["payload"]["author_id"], harbour.owner.user.to_string());
    let created = desk.events("nexus:channel_create").await;
    assert_eq!(created[0]["payload"]["channel_id"], secret.id.to_string());
    for entry in harbour.world.log() {
        if let Some(pushed) = desk.hub.stream_event(&entry) {
            assert!(
                !pushed.json.contains("canary") && !pushed.json.contains(&secret.name),
                "{}",
                pushed.json
            );
        }
    }
    for past in desk.hub.past(0, vec![Pattern::All], 100).await.expect("the past") {
        assert!(!past.json.contains("canary") && !past.json.contains(&secret.name), "{}", past.json);
    }
}

#[tokio::test]
async fn a_stream_pushes_the_same_live_and_for_the_past() {
    let harbour = Harbour::build().await;
    let desk = Desk::over(harbour.world.db.clone(), harbour.world.clock.clone(), &[]).await;
    let begin = desk.hub.db().bus().head();
    harbour.say(harbour.owner, "hello").await;
    desk.post(super::desk::PAYMENT).await.expect("it is taken");
    let head = desk.hub.db().bus().head();
    desk.until(async || (*desk.hub.recorded().borrow() >= head).then_some(())).await;
    let live: Vec<_> = harbour
        .world
        .log()
        .iter()
        .filter(|entry| entry.position > begin)
        .filter_map(|entry| desk.hub.stream_event(entry))
        .collect();
    let past = desk.hub.past(begin, vec![Pattern::All], 100).await.expect("the past");
    assert_eq!(live.len(), 2);
    assert_eq!(live, past);
}

#[tokio::test]
async fn a_hub_that_was_away_goes_on_where_it_was() {
    let harbour = Harbour::build().await;
    let desk = Desk::over(harbour.world.db.clone(), harbour.world.clock.clone(), &[]).await;
    desk.hub.stop().await;
    for _ in 0..3 {
        harbour.say(harbour.owner, "while it was away").await;
    }
    // Long enough for the log to be trimmed, if the hub were not waited for.
    harbour.world.pass(60 * 60 * 1_000);
    nexus_core::sweeps::sweep(&harbour.world.app).await.expect("a sweep");
    let desk = desk.restart().await;
    let head = desk.hub.db().bus().head();
    desk.until(async || (*desk.hub.recorded().borrow() >= head).then_some(())).await;
    assert_eq!(desk.events("nexus:message_create").await.len(), 3);
}

#[tokio::test]
async fn the_log_of_a_process_without_communities_is_trimmed_and_its_events_stay() {
    let desk = Desk::new(&[]).await;
    desk.post(super::desk::PAYMENT).await.expect("it is taken");
    let head = desk.hub.db().bus().head();
    desk.until(async || (*desk.hub.recorded().borrow() >= head).then_some(())).await;
    let kept = async || {
        let read = async |tx: &mut nexus_store::Tx<'_>| nexus_store::log::page(tx, 0, 100).await;
        desk.hub
            .db()
            .read::<_, nexus_store::StoreError, _>(read)
            .await
            .expect("the log")
            .len()
    };
    let before = kept().await;
    assert!(before >= 2, "the start and the payment: {before}");
    sweep_log(desk.hub.db(), desk.clock.now_ms()).await.expect("it sweeps");
    assert_eq!(kept().await, before, "nothing is old enough");
    // As far as the hub has noted that it is.
    desk.until(async || {
        sweep_log(desk.hub.db(), desk.clock.now_ms() + 1).await.expect("it sweeps");
        (kept().await == 0).then_some(())
    })
    .await;
    assert_eq!(desk.events("FLOWPAY:PAYMENT_RECEIVED").await.len(), 1);
}
