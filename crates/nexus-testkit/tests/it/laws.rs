//! The law of every use case that changes something: `apply(READY before, events) == READY after`, for everybody who looks on.
//!
//! Each scenario runs on the same stage. What each of the cast gets of it is held against the law and against its transcript in
//! `fixtures/gateway/`; a live session of each must get the same frames, `s` and all, as one that reads the log later. The table at
//! the end fails when a kind of event has no scenario.

use std::collections::BTreeSet;
use std::time::Duration;

use nexus_store::sql::users::NewUser;
use nexus_store::{StoreError, Tx, Window, sql};
use nexus_testkit::sessions::PATIENCE;
use nexus_testkit::stages::{CAST, Stage, only_for};
use nexus_testkit::transcripts::{opening, replay};
use nexus_testkit::worlds::PASSWORD;
use nexus_testkit::{Heard, Server, Session, Transcript, World};
use nexus_types::channels::{CreateChannel, UpdateChannel};
use nexus_types::events::Kind;
use nexus_types::guilds::{CreateGuild, UpdateGuild};
use nexus_types::ids::{Position, UserId};
use nexus_types::invites::CreateInvite;
use nexus_types::limits::MEMBERS_IN_SNAPSHOT_MAX;
use nexus_types::logins::{Register, SignIn};
use nexus_types::messages::CreateMessage;
use nexus_types::permissions::{Overwrite, OverwriteKind, Permissions};
use serde_json::Value;

/// What happened on the stage while the cast looked on: the kinds of all entries.
async fn play(name: &str, scenario: impl AsyncFnOnce(&Stage)) -> BTreeSet<&'static str> {
    play_on(Stage::build(World::new()).await, name, true, scenario).await
}

async fn play_on(stage: Stage, name: &str, recorded: bool, scenario: impl AsyncFnOnce(&Stage)) -> BTreeSet<&'static str> {
    let app = &stage.world.app;
    let begin = app.db.bus().head();
    let server = Server::over(stage.world.clone());
    let mut before = Vec::new();
    for who in CAST {
        let live = server.session(&stage.people[who]).await;
        before.push((live, opening(app, stage.caller(who)).await));
    }
    // Live from now on; in the short while before, a session reads the log itself.
    tokio::time::sleep(Duration::from_millis(30)).await;
    scenario(&stage).await;
    for (who, (live, (before, base))) in CAST.iter().zip(before) {
        let caller = stage.caller(who);
        let events = replay(app, caller, base).await;
        let (after, _) = opening(app, caller).await;
        let name = format!("{name}.{who}");
        let replayed = Transcript {
            name: format!("{name}, replayed"),
            before,
            events,
            after,
        };
        replayed.assert_lawful();
        let told = live_frames(live, &replayed).await;
        let transcript = Transcript {
            name,
            events: told,
            ..replayed.clone()
        };
        transcript.assert_lawful();
        if !HIDDEN_FOR_A_WHILE.contains(&transcript.name.split('.').next().unwrap_or_default()) {
            assert_eq!(
                transcript.events, replayed.events,
                "{}: live on the left, replayed on the right",
                transcript.name
            );
        }
        // Those who get nothing tell nothing that the others do not.
        if recorded && !transcript.events.is_empty() {
            transcript.assert_as_recorded();
        }
    }
    let kinds = match app.db.bus().after(begin, usize::MAX) {
        Window::Entries(entries) => entries
            .iter()
            .map(|entry| Kind::of(entry.kind).expect("one of ours").stem())
            .collect(),
        Window::Gone => panic!("the ring holds a scenario"),
    };
    server.stop().await.app.db.close().await;
    kinds
}

/// Scenarios in which somebody sees a channel before and after, but not in between. Who reads the log later may get what was said in
/// between, which history shows as well by then; who was there may not have heard it. A session that was away meanwhile can't resume.
const HIDDEN_FOR_A_WHILE: [&str; 2] = ["channel_hide_and_reveal", "everything_in_a_row"];

/// What a live session was told, typing aside.
async fn live_frames(mut live: Session, replayed: &Transcript) -> Vec<Value> {
    let name = &replayed.name;
    assert_eq!(live.frames[0]["s"], replayed.before[0]["s"], "{name}: READY");
    assert_eq!(live.frames[1..], replayed.before[1..], "{name}: the burst");
    let mut heard = Vec::new();
    let exactly = !HIDDEN_FOR_A_WHILE.contains(&name.split('.').next().unwrap_or_default());
    loop {
        let wait = match (exactly, heard.len() < replayed.events.len()) {
            (true, true) => PATIENCE,
            (true, false) => Duration::from_millis(40),
            (false, _) => Duration::from_millis(400),
        };
        match live.hear(wait).await {
            Heard::Dispatch(frame) if frame["t"] == "TYPING_START" => {}
            Heard::Dispatch(frame) => heard.push(frame),
            Heard::Silence => return heard,
            other => panic!("{name}: {other:?} after {} frames", heard.len()),
        }
    }
}

fn rename(name: &str) -> UpdateChannel {
    UpdateChannel {
        name: Some(name.into()),
        ..UpdateChannel::default()
    }
}

fn hand_over(stage: &Stage, to: &str) -> UpdateGuild {
    UpdateGuild {
        name: None,
        owner_id: Some(stage.caller(to).user),
    }
}

/// Makes a test of each scenario, and the list of all for the table.
macro_rules! scenarios {
    ($($name:ident [$($kind:literal),*] = $scenario:expr;)*) => {
        $(#[tokio::test]
        async fn $name() {
            let kinds = play(stringify!($name), $scenario).await;
            assert_eq!(kinds, BTreeSet::from([$($kind),*]), "the scenario makes the entries that its line names");
        })*

        const SCENARIOS: &[(&str, &[&str])] = &[$((stringify!($name), &[$($kind),*])),*];
    };
}

scenarios! {
    guild_create ["guild_create"] = async |stage: &Stage| {
        let app = &stage.world.app;
        app.guilds().create(stage.caller("joiner"), CreateGuild { name: "New shore".into() }).await.expect("it is made");
    };
    guild_rename ["guild_update"] = async |stage: &Stage| {
        let draft = UpdateGuild { name: Some("Quay".into()), owner_id: None };
        stage.world.app.guilds().update(stage.caller("owner"), stage.guild, draft).await.expect("it is renamed");
    };
    guild_owner_transfer ["guild_owner_update"] = async |stage: &Stage| {
        // The new owner gains the secret channel, the old one loses it.
        stage.world.app.guilds().update(stage.caller("owner"), stage.guild, hand_over(stage, "member")).await.expect("it changes hands");
    };
    guild_owner_transfer_and_back ["guild_owner_update"] = async |stage: &Stage| {
        let guilds = stage.world.app.guilds();
        guilds.update(stage.caller("owner"), stage.guild, hand_over(stage, "member")).await.expect("it changes hands");
        stage.pass();
        guilds.update(stage.caller("member"), stage.guild, hand_over(stage, "owner")).await.expect("it changes hands");
    };
    guild_rename_and_owner_transfer ["guild_owner_update"] = async |stage: &Stage| {
        let draft = UpdateGuild { name: Some("Quay".into()), ..hand_over(stage, "confidant") };
        stage.world.app.guilds().update(stage.caller("owner"), stage.guild, draft).await.expect("it changes hands");
    };
    guild_delete ["guild_delete"] = async |stage: &Stage| {
        stage.world.app.guilds().delete(stage.caller("owner"), stage.guild).await.expect("it is deleted");
    };
    channel_create ["channel_create"] = async |stage: &Stage| {
        let draft = CreateChannel { name: "harbour-master".into(), kind: None, topic: Some("Ships".into()), permission_overwrites: None };
        stage.world.app.channels().create(stage.caller("owner"), stage.guild, draft).await.expect("it is made");
    };
    channel_create_hidden ["channel_create"] = async |stage: &Stage| {
        let hidden = only_for(stage.guild, &[&stage.people["confidant"]]);
        let draft = CreateChannel { name: "deeper".into(), kind: None, topic: None, permission_overwrites: Some(hidden) };
        stage.world.app.channels().create(stage.caller("owner"), stage.guild, draft).await.expect("it is made");
    };
    channel_rename_and_topic ["channel_update"] = async |stage: &Stage| {
        stage.change(stage.open, UpdateChannel { topic: Some(Some("Everything".into())), ..rename("plaza") }).await;
        stage.change(stage.open, UpdateChannel { topic: Some(None), ..UpdateChannel::default() }).await;
    };
    channel_move ["channel_update"] = async |stage: &Stage| {
        stage.change(stage.open, UpdateChannel { position: Some(7), ..UpdateChannel::default() }).await;
    };
    channel_rename_hidden ["channel_update"] = async |stage: &Stage| {
        stage.change(stage.secret, rename("very-secret")).await;
    };
    channel_overwrite_without_hiding ["channel_overwrite_update"] = async |stage: &Stage| {
        let silent = Overwrite {
            id: stage.guild.everyone(), kind: OverwriteKind::Role, allow: Permissions::NONE, deny: Permissions::SEND_MESSAGES,
        };
        stage.overwrite(stage.open, vec![silent]).await;
    };
    channel_hide ["channel_overwrite_update"] = async |stage: &Stage| {
        stage.overwrite(stage.open, only_for(stage.guild, &[&stage.people["confidant"]])).await;
    };
    channel_reveal ["channel_overwrite_update"] = async |stage: &Stage| {
        stage.overwrite(stage.secret, vec![]).await;
    };
    channel_hide_and_reveal ["channel_overwrite_update", "message_create"] = async |stage: &Stage| {
        stage.overwrite(stage.open, only_for(stage.guild, &[])).await;
        stage.say("owner", stage.open, "Nobody hears me").await;
        stage.overwrite(stage.open, vec![]).await;
    };
    channel_hide_and_rename ["channel_overwrite_update"] = async |stage: &Stage| {
        let hidden = only_for(stage.guild, &[&stage.people["member"]]);
        stage.change(stage.secret, UpdateChannel { permission_overwrites: Some(hidden), ..rename("turned") }).await;
    };
    channel_delete ["channel_delete"] = async |stage: &Stage| {
        stage.world.app.channels().delete(stage.caller("owner"), stage.open).await.expect("it is deleted");
    };
    channel_delete_hidden ["channel_delete"] = async |stage: &Stage| {
        stage.world.app.channels().delete(stage.caller("owner"), stage.secret).await.expect("it is deleted");
    };
    invite_create_and_delete [] = async |stage: &Stage| {
        let invites = stage.world.app.invites();
        let invite = invites.create(stage.caller("owner"), stage.open, CreateInvite::default()).await.expect("it is made");
        invites.delete(stage.caller("owner"), &invite.code).await.expect("it is taken back");
    };
    member_join ["guild_member_add"] = async |stage: &Stage| {
        stage.world.app.invites().join(stage.caller("joiner"), &stage.code).await.expect("they join");
        stage.world.app.invites().join(stage.caller("joiner"), &stage.code).await.expect("a second time changes nothing");
    };
    member_join_and_say ["guild_member_add", "message_create", "message_ack"] = async |stage: &Stage| {
        stage.world.app.invites().join(stage.caller("joiner"), &stage.code).await.expect("they join");
        stage.say("joiner", stage.open, "I am new here").await;
        let answer = stage.say("owner", stage.open, "Welcome aboard").await;
        stage.world.app.read_states().ack(stage.caller("joiner"), stage.open, answer).await.expect("it is read");
    };
    member_register_with_invite ["guild_member_add"] = async |stage: &Stage| {
        let register = Register { username: "newcomer".into(), password: PASSWORD.into(), invite: Some(stage.code.clone()) };
        stage.world.app.logins().register(register, "testkit").await.expect("the account is made");
    };
    member_leave ["guild_member_remove"] = async |stage: &Stage| {
        stage.world.app.members().leave(stage.caller("member"), stage.guild).await.expect("they leave");
    };
    member_kick ["guild_member_remove"] = async |stage: &Stage| {
        let kicked = stage.caller("member").user;
        stage.world.app.members().remove(stage.caller("owner"), stage.guild, kicked).await.expect("they are removed");
    };
    member_kick_and_rejoin ["guild_member_add", "guild_member_remove", "message_create"] = async |stage: &Stage| {
        let kicked = stage.caller("member");
        stage.world.app.members().remove(stage.caller("owner"), stage.guild, kicked.user).await.expect("they are removed");
        stage.say("owner", stage.open, "He is gone").await;
        stage.pass();
        stage.world.app.invites().join(kicked, &stage.code).await.expect("they join again");
        stage.say("owner", stage.open, "He is back").await;
    };
    message_create ["message_create"] = async |stage: &Stage| {
        stage.say("member", stage.open, "Rain today").await;
        stage.say("owner", stage.open, "And tomorrow").await;
    };
    message_create_hidden ["message_create"] = async |stage: &Stage| {
        stage.say("confidant", stage.secret, "Psst").await;
    };
    message_nonce_repeated ["message_create"] = async |stage: &Stage| {
        let draft = || CreateMessage {
            content: Some("Once".into()), nonce: Some(nexus_types::messages::Nonce::parse("n-1").expect("a good nonce")),
        };
        for _ in 0..2 {
            stage.world.app.messages().send(stage.caller("member"), stage.open, draft()).await.expect("it is sent once");
        }
    };
    message_ack ["message_ack"] = async |stage: &Stage| {
        let read_states = stage.world.app.read_states();
        for message in stage.messages {
            read_states.ack(stage.caller("owner"), stage.open, message).await.expect("it is read");
        }
        read_states.ack(stage.caller("owner"), stage.open, stage.messages[0]).await.expect("going back changes nothing");
    };
    typing_start [] = async |stage: &Stage| {
        stage.world.app.typing().start(stage.caller("member"), stage.open).await.expect("they write");
    };
    login_end ["login_end"] = async |stage: &Stage| {
        let sign_in = SignIn { username: "member".into(), password: PASSWORD.into() };
        let granted = stage.world.app.logins().sign_in(sign_in, "testkit").await.expect("a second login");
        let caller = stage.world.app.logins().authenticate(&granted.access_token).await.expect("the token is good");
        stage.world.app.logins().sign_out(caller).await.expect("it ends");
    };
    everything_in_a_row [
        "guild_member_add", "message_create", "channel_create", "channel_overwrite_update", "guild_update", "guild_owner_update",
        "message_ack", "channel_delete", "guild_member_remove"
    ] = async |stage: &Stage| {
        let app = &stage.world.app;
        app.invites().join(stage.caller("joiner"), &stage.code).await.expect("they join");
        stage.overwrite(stage.secret, only_for(stage.guild, &[&stage.people["joiner"]])).await;
        let first = stage.say("joiner", stage.secret, "What is this place?").await;
        let draft = CreateChannel { name: "pier".into(), kind: None, topic: None, permission_overwrites: None };
        let pier = app.channels().create(stage.caller("owner"), stage.guild, draft).await.expect("it is made").id;
        stage.say("member", pier, "Here").await;
        app.read_states().ack(stage.caller("owner"), stage.secret, first).await.expect("it is read");
        let draft = UpdateGuild { name: Some("Bay".into()), owner_id: None };
        app.guilds().update(stage.caller("owner"), stage.guild, draft).await.expect("it is renamed");
        app.guilds().update(stage.caller("owner"), stage.guild, hand_over(stage, "joiner")).await.expect("it changes hands");
        app.channels().delete(stage.caller("joiner"), stage.open).await.expect("it is deleted");
        app.members().remove(stage.caller("joiner"), stage.guild, stage.caller("owner").user).await.expect("they are removed");
        stage.say("member", pier, "Quiet now").await;
    };
}

#[test]
fn every_kind_of_event_has_a_scenario() {
    let told: BTreeSet<_> = SCENARIOS.iter().flat_map(|(_, kinds)| kinds.iter().copied()).collect();
    // No session of the gateway is told of the hub's events.
    let all: BTreeSet<_> = Kind::ALL
        .iter()
        .filter(|kind| **kind != Kind::HubEvent)
        .map(|kind| kind.stem())
        .collect();
    assert_eq!(told, all);
}

/// A transcript that no scenario tells any more would mislead whoever replays it.
#[test]
fn every_transcript_has_a_scenario() {
    let Ok(files) = std::fs::read_dir(nexus_testkit::transcripts::fixtures()) else {
        return;
    };
    for file in files {
        let name = file.expect("the folder is read").file_name().into_string().expect("a plain name");
        let scenario = name.split('.').next().unwrap_or_default();
        assert!(
            name.starts_with("README") || SCENARIOS.iter().any(|(known, _)| *known == scenario),
            "{name} has no scenario"
        );
    }
}

/// A guild so large that nobody is sent all of its members.
async fn large_stage() -> Stage {
    crowded(2 * MEMBERS_IN_SNAPSHOT_MAX).await
}

/// A guild with so many members.
async fn crowded(members: i64) -> Stage {
    let stage = Stage::build(World::new()).await;
    let (guild, joined_at) = (stage.guild, stage.world.clock.now());
    // The owner, the member and the confidant are there already.
    for number in 0..members - 3 {
        let join = async move |tx: &mut Tx<'_>| {
            let name = format!("crowd-{number}");
            let id = UserId(number + 1);
            let user = NewUser {
                id,
                username: &name,
                folded: &name,
                password_hash: "-",
                admin: false,
                created_at: joined_at,
            };
            sql::users::insert(tx, user).await?;
            sql::members::insert(tx, guild, id, joined_at).await
        };
        stage
            .world
            .app
            .db
            .write(join)
            .await
            .map_err(|error: StoreError| error)
            .expect("they join");
    }
    stage
}

#[tokio::test]
async fn the_law_holds_in_a_large_guild() {
    play_on(large_stage().await, "large_join", false, async |stage: &Stage| {
        stage
            .world
            .app
            .invites()
            .join(stage.caller("joiner"), &stage.code)
            .await
            .expect("they join");
        stage.say("joiner", stage.open, "So many people").await;
    })
    .await;
    play_on(
        crowded(MEMBERS_IN_SNAPSHOT_MAX).await,
        "large_from_now_on",
        false,
        async |stage: &Stage| {
            let invites = stage.world.app.invites();
            invites.join(stage.caller("joiner"), &stage.code).await.expect("they join");
            stage.say("joiner", stage.open, "One too many").await;
        },
    )
    .await;
    play_on(large_stage().await, "large_leave", false, async |stage: &Stage| {
        stage
            .world
            .app
            .members()
            .leave(stage.caller("member"), stage.guild)
            .await
            .expect("they leave");
    })
    .await;
    play_on(large_stage().await, "large_owner_transfer", false, async |stage: &Stage| {
        stage
            .world
            .app
            .guilds()
            .update(stage.caller("owner"), stage.guild, hand_over(stage, "member"))
            .await
            .expect("it changes hands");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_ended_hears_nothing_more() {
    let stage = Stage::build(World::new()).await;
    let app = &stage.world.app;
    let caller = stage.caller("member");
    let (_, base) = opening(app, caller).await;
    stage.say("owner", stage.open, "Heard").await;
    app.logins().sign_out(caller).await.expect("it ends");
    stage.say("owner", stage.open, "Not heard").await;
    let frames = replay(app, caller, base).await;
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert!(Position(frames[0]["s"].as_i64().expect("a number")) > base);
}
