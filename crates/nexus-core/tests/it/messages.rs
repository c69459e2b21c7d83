//! Messages: order, nonces, history, and who may do what.

use nexus_types::ErrorCode;
use nexus_types::channels::UpdateChannel;
use nexus_types::ids::{ChannelId, MessageId};
use nexus_types::limits::{HISTORY_PAGE_MAX, MESSAGE_CHARS_MAX, NONCE_MS};
use nexus_types::messages::{Anchor, CreateMessage};
use nexus_types::permissions::Permissions;

use crate::harbour::{Harbour, everyone, noted, text};
use crate::support::refused;

async fn contents(harbour: &Harbour, anchor: Anchor, limit: i64) -> Vec<String> {
    let page = harbour
        .messages()
        .history(harbour.member, harbour.channel, anchor, limit)
        .await
        .expect("a page");
    page.into_iter().map(|message| message.content).collect()
}

#[tokio::test]
async fn a_nonce_makes_one_message_for_a_day() {
    let harbour = Harbour::build().await;
    let messages = harbour.messages();
    let first = messages
        .send(harbour.member, harbour.channel, noted("hello", "n"))
        .await
        .expect("it is sent");
    let entries = harbour.entries();
    let again = messages
        .send(harbour.member, harbour.channel, noted("hello", "n"))
        .await
        .expect("the first message");
    assert_eq!(again, first);
    // As typed does not matter, only what is stored.
    let again = messages
        .send(harbour.member, harbour.channel, noted("  hello\n", "n"))
        .await
        .expect("the first message");
    assert_eq!(again.id, first.id);
    refused(
        messages.send(harbour.member, harbour.channel, noted("other", "n")).await,
        ErrorCode::NonceConflict,
    );
    assert_eq!(harbour.entries(), entries, "none of them told anybody anything");
    // It is this author's, in this channel.
    let others = messages
        .send(harbour.owner, harbour.channel, noted("other", "n"))
        .await
        .expect("another author");
    assert_ne!(others.id, first.id);
    let elsewhere = harbour
        .channels()
        .create(harbour.owner, harbour.guild, crate::harbour::named("pier"))
        .await
        .expect("it is made");
    messages
        .send(harbour.member, elsewhere.id, noted("other", "n"))
        .await
        .expect("another channel");
    assert_eq!(contents(&harbour, Anchor::Latest, 10).await, ["other", "hello"]);

    harbour.world.pass(NONCE_MS - 10_000);
    nexus_core::sweeps::sweep(&harbour.world.app).await.expect("the sweep");
    let again = messages
        .send(harbour.member, harbour.channel, noted("hello", "n"))
        .await
        .expect("still the first");
    assert_eq!(again.id, first.id);
    harbour.world.pass(20_000);
    nexus_core::sweeps::sweep(&harbour.world.app).await.expect("the sweep");
    let anew = messages
        .send(harbour.member, harbour.channel, noted("other", "n"))
        .await
        .expect("a new message");
    assert_ne!(anew.id, first.id);
}

#[tokio::test]
async fn a_nonce_survives_a_restart() {
    let mut harbour = Harbour::build().await;
    let first = harbour
        .messages()
        .send(harbour.member, harbour.channel, noted("hello", "n"))
        .await
        .expect("it is sent");
    harbour.world = harbour.world.restart().await;
    let again = harbour
        .messages()
        .send(harbour.member, harbour.channel, noted("hello", "n"))
        .await
        .expect("the first message");
    assert_eq!(again.id, first.id);
}

#[tokio::test]
async fn the_same_nonce_a_hundred_times_at_once_makes_one_row() {
    let harbour = Harbour::build().await;
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..100 {
        let (app, who, channel) = (harbour.world.app.clone(), harbour.member, harbour.channel);
        let content = if number % 10 == 9 { "another" } else { "same" };
        sending.spawn(async move { (content, app.messages().send(who, channel, noted(content, "n")).await) });
    }
    let mut ids = std::collections::HashSet::new();
    let mut conflicts = 0;
    for (_, answer) in sending.join_all().await {
        match answer {
            Ok(message) => drop(ids.insert(message.id)),
            Err(error) => {
                assert_eq!(error.code(), Some(ErrorCode::NonceConflict));
                conflicts += 1;
            }
        }
    }
    assert_eq!(ids.len(), 1);
    assert!(conflicts == 10 || conflicts == 90, "{conflicts}");
    assert_eq!(contents(&harbour, Anchor::Latest, 100).await.len(), 1);
}

#[tokio::test]
async fn ids_grow_in_the_order_of_commit_whatever_the_clock_does() {
    let mut harbour = Harbour::build().await;
    let mut ids = vec![];
    for jump in [0, 1, -1, -60_000, 5, 0, -86_400_000, 86_400_000, -1, 0] {
        harbour.world.pass(jump);
        ids.push(harbour.say(harbour.member, &format!("after {jump}")).await.id);
    }
    // Nor does a restart with a clock that is behind.
    harbour.world.pass(-3_600_000);
    harbour.world = harbour.world.restart().await;
    ids.push(harbour.say(harbour.member, "after the restart").await.id);
    assert!(ids.is_sorted_by(|one, other| one < other), "{ids:?}");
    let page = harbour
        .messages()
        .history(harbour.member, harbour.channel, Anchor::Latest, 100)
        .await
        .expect("a page");
    assert_eq!(page.iter().rev().map(|message| message.id).collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn messages_sent_at_once_are_ordered_alike_in_history_and_log() {
    let harbour = Harbour::build().await;
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..200 {
        let (app, channel) = (harbour.world.app.clone(), harbour.channel);
        let who = if number % 2 == 0 { harbour.owner } else { harbour.member };
        sending.spawn(async move {
            app.messages()
                .send(who, channel, text(&number.to_string()))
                .await
                .expect("it is sent")
                .id
        });
    }
    let mut answered = sending.join_all().await;
    let mut history = harbour
        .messages()
        .history(harbour.member, harbour.channel, Anchor::Latest, 100)
        .await
        .expect("a page");
    let oldest = history.last().expect("there are some").id;
    history.extend(
        harbour
            .messages()
            .history(harbour.member, harbour.channel, Anchor::Before(oldest), 100)
            .await
            .expect("a page"),
    );
    let history: Vec<_> = history.iter().rev().map(|message| message.id).collect();
    let logged: Vec<_> = harbour
        .world
        .log()
        .iter()
        .filter(|entry| entry.channel == harbour.channel.0)
        .map(|entry| MessageId(entry.object))
        .collect();
    assert_eq!(history, logged);
    answered.sort_unstable();
    assert_eq!(history, answered);
}

#[tokio::test]
async fn a_page_of_history_is_the_one_that_was_asked_for() {
    let harbour = Harbour::build().await;
    let mut ids = vec![];
    for number in 0..7 {
        harbour.world.pass(1);
        ids.push(harbour.say(harbour.member, &number.to_string()).await.id);
    }
    let gone = MessageId(ids[3].0 + 1);
    for (anchor, limit, expected) in [
        (Anchor::Latest, 3, "6 5 4"),
        (Anchor::Latest, 100, "6 5 4 3 2 1 0"),
        (Anchor::Before(ids[3]), 2, "2 1"),
        (Anchor::Before(ids[0]), 2, ""),
        (Anchor::Before(gone), 1, "3"),
        (Anchor::After(ids[3]), 2, "5 4"),
        (Anchor::After(ids[6]), 2, ""),
        (Anchor::After(MessageId(1)), 2, "1 0"),
        (Anchor::Around(ids[3]), 3, "4 3 2"),
        (Anchor::Around(ids[3]), 1, "3"),
        (Anchor::Around(gone), 2, "4 3"),
        (Anchor::Around(ids[0]), 4, "2 1 0"),
        (Anchor::Around(ids[6]), 4, "6 5"),
        (Anchor::Around(MessageId(i64::MAX)), 2, "6"),
    ] {
        assert_eq!(contents(&harbour, anchor, limit).await.join(" "), expected, "{anchor:?} {limit}");
    }
    for limit in [0, -1, HISTORY_PAGE_MAX + 1, 1_000_000_000] {
        refused(
            harbour
                .messages()
                .history(harbour.member, harbour.channel, Anchor::Latest, limit)
                .await,
            ErrorCode::InvalidLimit,
        );
    }
}

#[tokio::test]
async fn what_may_not_be_sent_leaves_no_trace() {
    let harbour = Harbour::build().await;
    let secret = harbour.secret().await.id;
    let entries = harbour.entries();
    let long = "x".repeat(MESSAGE_CHARS_MAX + 1);
    for content in ["", "  \n", "a\0b", &long] {
        refused(
            harbour.messages().send(harbour.member, harbour.channel, text(content)).await,
            ErrorCode::InvalidBody,
        );
    }
    let nothing = CreateMessage {
        content: None,
        nonce: None,
    };
    refused(
        harbour.messages().send(harbour.member, harbour.channel, nothing).await,
        ErrorCode::InvalidBody,
    );
    for (who, channel) in [
        (harbour.outsider, harbour.channel),
        (harbour.member, secret),
        (harbour.member, ChannelId(5)),
    ] {
        refused(
            harbour.messages().send(who, channel, noted("hi", "n")).await,
            ErrorCode::UnknownChannel,
        );
    }
    assert_eq!(harbour.entries(), entries);
    assert!(contents(&harbour, Anchor::Latest, 100).await.is_empty());
    // The nonce of a refused one is free.
    let overwrites = Some(vec![]);
    harbour
        .channels()
        .update(
            harbour.owner,
            secret,
            UpdateChannel {
                permission_overwrites: overwrites,
                ..UpdateChannel::default()
            },
        )
        .await
        .expect("it is shown");
    harbour
        .messages()
        .send(harbour.member, secret, noted("other", "n"))
        .await
        .expect("it is sent");
}

#[tokio::test]
async fn a_channel_can_be_read_only_or_without_a_past() {
    let harbour = Harbour::build().await;
    let message = harbour.say(harbour.owner, "Read this").await;
    let set = async |deny| {
        let overwrites = Some(vec![everyone(harbour.guild, Permissions::NONE, deny)]);
        let draft = UpdateChannel {
            permission_overwrites: overwrites,
            ..UpdateChannel::default()
        };
        harbour
            .channels()
            .update(harbour.owner, harbour.channel, draft)
            .await
            .expect("it is changed");
    };
    set(Permissions::SEND_MESSAGES).await;
    refused(
        harbour.messages().send(harbour.member, harbour.channel, text("hi")).await,
        ErrorCode::MissingPermission,
    );
    refused(
        harbour.typing().start(harbour.member, harbour.channel).await,
        ErrorCode::MissingPermission,
    );
    assert_eq!(contents(&harbour, Anchor::Latest, 10).await, ["Read this"]);
    harbour.say(harbour.owner, "The owner may").await;

    set(Permissions::READ_MESSAGE_HISTORY).await;
    assert!(contents(&harbour, Anchor::Latest, 10).await.is_empty());
    refused(
        harbour.messages().show(harbour.member, harbour.channel, message.id).await,
        ErrorCode::MissingPermission,
    );
    harbour.say(harbour.member, "but I may speak").await;
}

#[tokio::test]
async fn a_message_is_found_under_its_own_channel_only() {
    let harbour = Harbour::build().await;
    let message = harbour.say(harbour.member, "here").await;
    let other = harbour
        .channels()
        .create(harbour.owner, harbour.guild, crate::harbour::named("pier"))
        .await
        .expect("it is made")
        .id;
    let found = harbour
        .messages()
        .show(harbour.member, harbour.channel, message.id)
        .await
        .expect("it is there");
    assert_eq!((found.content.as_str(), found.nonce), ("here", None));
    refused(
        harbour.messages().show(harbour.member, other, message.id).await,
        ErrorCode::UnknownMessage,
    );
    refused(
        harbour.messages().show(harbour.outsider, harbour.channel, message.id).await,
        ErrorCode::UnknownChannel,
    );
}
