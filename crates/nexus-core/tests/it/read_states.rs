//! How far one has read: forward only, one's own, and only what one sees.

use nexus_types::ErrorCode;
use nexus_types::ids::MessageId;

use crate::harbour::{Harbour, named};
use crate::support::refused;

async fn read_up_to(harbour: &Harbour, who: nexus_core::Caller) -> Vec<MessageId> {
    let opening = harbour.sessions().open(who, None, None).await.expect("READY");
    opening.ready.read_state.into_iter().map(|state| state.last_message_id).collect()
}

#[tokio::test]
async fn reading_goes_forward_only() {
    let harbour = Harbour::build().await;
    let first = harbour.say(harbour.owner, "one").await.id;
    let second = harbour.say(harbour.owner, "two").await.id;
    assert!(read_up_to(&harbour, harbour.member).await.is_empty());
    let ack = async |message| harbour.read_states().ack(harbour.member, harbour.channel, message).await;
    let entries = harbour.entries();
    ack(first).await.expect("it is read");
    ack(second).await.expect("it is read");
    ack(first).await.expect("going back changes nothing");
    ack(second).await.expect("nor does staying");
    assert_eq!(read_up_to(&harbour, harbour.member).await, [second]);
    assert_eq!(harbour.entries(), entries + 2);
    let third = harbour.say(harbour.member, "three").await.id;
    assert_eq!(read_up_to(&harbour, harbour.member).await, [third], "one has read what one wrote");
    assert_eq!(read_up_to(&harbour, harbour.owner).await, [second], "and nobody else has");
}

#[tokio::test]
async fn what_is_not_seen_cannot_be_read() {
    let harbour = Harbour::build().await;
    let secret = harbour.secret().await.id;
    let hidden = harbour
        .messages()
        .send(harbour.owner, secret, crate::harbour::text("hidden"))
        .await
        .expect("it is sent")
        .id;
    let pier = harbour
        .channels()
        .create(harbour.owner, harbour.guild, named("pier"))
        .await
        .expect("it is made")
        .id;
    let open = harbour.say(harbour.owner, "open").await.id;
    let acks = harbour.read_states();
    refused(acks.ack(harbour.member, secret, hidden).await, ErrorCode::UnknownChannel);
    refused(acks.ack(harbour.outsider, harbour.channel, open).await, ErrorCode::UnknownChannel);
    for message in [hidden, MessageId(i64::MAX), MessageId(1)] {
        refused(acks.ack(harbour.member, harbour.channel, message).await, ErrorCode::UnknownMessage);
    }
    refused(acks.ack(harbour.member, pier, open).await, ErrorCode::UnknownMessage);
    assert!(read_up_to(&harbour, harbour.member).await.is_empty());
}
