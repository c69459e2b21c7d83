//! A session that was cut off: RESUME completes it, or says op 9; never silently less.
//!
//! After every recovery the session's state must be that of a session which identified afresh, and how it got there must be the
//! way that the rules of the event log name.

use std::time::Duration;

use nexus_core::sweeps;
use nexus_testkit::sessions::PATIENCE;
use nexus_testkit::stages::only_for;
use nexus_testkit::states::differences;
use nexus_testkit::{Cut, Heard, Person, Proxy, Server, Session, Stage, World};
use nexus_types::channels::UpdateChannel;
use nexus_types::guilds::{CreateGuild, UpdateGuild};
use nexus_types::ids::UserId;
use nexus_types::invites::CreateInvite;
use nexus_types::messages::Anchor;

/// How a session came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// RESUMED.
    Resumed,
    /// Op 9, then a new READY.
    Anew,
}
use Way::{Anew, Resumed};

/// Brings a session back and says how. Its state must then be that of a fresh one.
async fn come_back(server: &Server, session: &mut Session, person: &Person, what: &str) -> Way {
    let (identified, resumed) = (session.identified, session.resumed);
    session.recover().await;
    assert_as_fresh(server, session, person, what).await;
    match (session.identified - identified, session.resumed - resumed) {
        (0, 1) => Resumed,
        (1, 0) => Anew,
        other => panic!("{what}: identified and resumed {other:?} times"),
    }
}

async fn assert_as_fresh(server: &Server, session: &Session, person: &Person, what: &str) {
    let fresh = server.session(person).await;
    let different = differences(&session.state.snapshot(), &fresh.state.snapshot());
    assert!(
        different.is_empty(),
        "{what}: the session on the left, a fresh one on the right\n{}",
        different.join("\n")
    );
    assert!(
        session.state.s <= fresh.state.s,
        "{what}: {} is not beyond {}",
        session.state.s,
        fresh.state.s
    );
}

/// Begins a session whose connection ends after so many frames.
async fn cut_after(proxy: &Proxy, person: &Person, frames: usize) -> Session {
    proxy.cut_next(Cut::Frames(frames));
    let mut session = Session::new(proxy.address, &person.token);
    let begun = session.try_begin().await;
    if begun.is_ok() {
        // Everything fitted; what comes after it meets the cut.
        assert_eq!(session.hear(PATIENCE).await, Heard::Closed(None));
    }
    proxy.cut_next(Cut::Never);
    session
}

#[tokio::test]
async fn a_burst_that_was_cut_at_any_frame_is_not_taken_for_whole() {
    let stage = Stage::build(World::new()).await;
    let member = &stage.people["member"];
    for name in ["Second", "Third"] {
        stage
            .world
            .app
            .guilds()
            .create(member.caller, CreateGuild { name: name.into() })
            .await
            .expect("it is made");
    }
    let server = Server::over(stage.world.clone());
    let proxy = Proxy::start(server.address).await;
    // HELLO, READY, and three guilds.
    for frames in 1..=5 {
        let what = format!("cut after {frames} frames");
        let mut session = cut_after(&proxy, member, frames).await;
        assert_eq!(session.frames.len(), frames - 1, "{what}");
        stage.say("owner", stage.open, &what).await;
        let ready_was_seen = session.state.session_id.is_some();
        let way = come_back(&server, &mut session, member, &what).await;
        let expected = if frames == 5 { Resumed } else { Anew };
        assert_eq!((way, ready_was_seen), (expected, frames > 1), "{what}");
    }
}

#[tokio::test]
async fn a_burst_without_guilds_is_whole_with_ready() {
    let stage = Stage::build(World::new()).await;
    let server = Server::over(stage.world.clone());
    let proxy = Proxy::start(server.address).await;
    let joiner = &stage.people["joiner"];
    let mut session = cut_after(&proxy, joiner, 2).await;
    assert_eq!(come_back(&server, &mut session, joiner, "cut after READY").await, Resumed);
}

#[tokio::test]
async fn a_join_that_was_cut_between_its_dispatches_is_replayed_whole() {
    for frames in 2..=4 {
        let stage = Stage::build(World::new()).await;
        let server = Server::over(stage.world.clone());
        let proxy = Proxy::start(server.address).await;
        let joiner = &stage.people["joiner"];
        // HELLO, READY; live: GUILD_CREATE, GUILD_MEMBER_ADD.
        proxy.cut_next(Cut::Frames(frames.max(3)));
        let mut session = Session::begin(proxy.address, &joiner.token).await;
        if frames == 2 {
            proxy.cut();
        }
        let before = session.state.s;
        stage.world.app.invites().join(joiner.caller, &stage.code).await.expect("they join");
        while !matches!(session.hear(PATIENCE).await, Heard::Closed(_)) {}
        let what = format!("cut after {frames} frames");
        assert_eq!(session.frames.len(), frames - 1, "{what}");
        assert_eq!(
            session.state.s > before,
            frames == 4,
            "{what}: only the last dispatch of the entry moves `s`"
        );
        proxy.cut_next(Cut::Never);
        assert_eq!(come_back(&server, &mut session, joiner, &what).await, Resumed);
        let joins = session.frames[frames - 1..]
            .iter()
            .filter(|frame| frame["t"] == "GUILD_CREATE")
            .count();
        assert_eq!(
            joins,
            usize::from(frames < 4),
            "{what}: what was not complete comes again, what was does not"
        );
    }
}

#[tokio::test]
async fn a_replay_that_was_cut_at_any_dispatch_goes_on_from_there() {
    // HELLO; GUILD_CREATE and GUILD_MEMBER_ADD of the join, a message, RESUMED.
    for frames in 1..=5 {
        let stage = Stage::build(World::new()).await;
        let server = Server::over(stage.world.clone());
        let proxy = Proxy::start(server.address).await;
        let joiner = &stage.people["joiner"];
        let mut session = Session::begin(proxy.address, &joiner.token).await;
        session.hang_up();
        stage.world.app.invites().join(joiner.caller, &stage.code).await.expect("they join");
        stage.say("owner", stage.open, "Welcome").await;
        proxy.cut_next(Cut::Frames(frames));
        let resumed = session.try_begin().await.is_ok();
        assert_eq!(resumed, frames == 5, "cut after {frames} frames");
        session.hang_up();
        proxy.cut_next(Cut::Never);
        stage.say("member", stage.open, "Hi").await;
        assert_eq!(
            come_back(&server, &mut session, joiner, &format!("replay cut after {frames} frames")).await,
            Resumed
        );
        let heard: Vec<_> = session
            .frames
            .iter()
            .filter(|frame| frame["t"] == "MESSAGE_CREATE")
            .map(|frame| &frame["d"]["content"])
            .collect();
        assert_eq!(heard, ["Welcome", "Hi"], "cut after {frames} frames: none missing, none twice");
        let told = session.frames.iter().filter(|frame| frame["t"] == "GUILD_MEMBER_ADD").count();
        assert_eq!(told, 1, "cut after {frames} frames: the second dispatch of the join comes too");
    }
}

#[tokio::test]
async fn typing_does_not_move_the_point_to_resume_from() {
    let stage = Stage::build(World::new()).await;
    let server = Server::over(stage.world.clone());
    let proxy = Proxy::start(server.address).await;
    let (owner, member) = (&stage.people["owner"], &stage.people["member"]);
    for before in [None, Some("A message before")] {
        // HELLO, READY, GUILD_CREATE, maybe a message, TYPING_START.
        proxy.cut_next(Cut::Frames(4 + usize::from(before.is_some())));
        let mut session = Session::begin(proxy.address, &owner.token).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Some(content) = before {
            let sent = stage.say("member", stage.open, content).await;
            session.until_message(stage.open.0, sent.0).await;
        }
        let s = session.state.s;
        server.app().typing().start(member.caller, stage.open).await.expect("they write");
        let mut typing = 0;
        loop {
            match session.hear(PATIENCE).await {
                Heard::Dispatch(frame) if frame["t"] == "TYPING_START" => {
                    assert_eq!(frame["s"], s, "typing repeats the previous `s`");
                    typing += 1;
                }
                Heard::Closed(_) => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(typing, 1);
        stage.say("member", stage.open, "While you were away").await;
        proxy.cut_next(Cut::Never);
        assert_eq!(come_back(&server, &mut session, owner, "cut after typing").await, Resumed);
    }
}

/// What happens while the member is away.
type Absence = (&'static str, Way, Way);

/// Name, how the member comes back soon, and how after ten minutes and a sweep of the log.
const ABSENCES: &[Absence] = &[
    ("nothing", Resumed, Resumed),
    ("a message", Resumed, Anew),
    ("a message in a channel they do not see", Resumed, Anew),
    ("a message in a guild that is not theirs", Resumed, Resumed),
    ("a channel is renamed", Resumed, Anew),
    ("a channel is made", Resumed, Anew),
    ("the guild is renamed", Resumed, Anew),
    ("somebody joins", Resumed, Anew),
    ("somebody else is removed", Resumed, Anew),
    ("they read on another device", Resumed, Anew),
    ("they join a guild on another device", Resumed, Anew),
    ("they make a guild on another device", Resumed, Anew),
    ("they are removed", Anew, Anew),
    ("they are removed and join again", Anew, Anew),
    ("they leave on another device", Anew, Anew),
    ("a channel is hidden from them", Anew, Anew),
    ("a channel is shown to them", Anew, Anew),
    ("the guild changes hands", Anew, Anew),
    ("a channel is deleted", Anew, Anew),
    ("the guild is deleted", Anew, Anew),
];

async fn happen(stage: &Stage, what: &str) {
    let app = &stage.world.app;
    let (owner, member, stranger) = (stage.caller("owner"), stage.caller("member"), stage.caller("stranger"));
    let elsewhere = async || app.guilds().list(stranger).await.expect("they are listed")[0].id;
    let kick = async |user: UserId| app.members().remove(owner, stage.guild, user).await.expect("they are removed");
    match what {
        "nothing" => {}
        "a message" => drop(stage.say("owner", stage.open, "Are you there?").await),
        "a message in a channel they do not see" => drop(stage.say("owner", stage.secret, "He is away").await),
        "a message in a guild that is not theirs" => {
            let channel = app.channels().list(stranger, elsewhere().await).await.expect("they are listed")[0].id;
            stage.say("stranger", channel, "Alone").await;
        }
        "a channel is renamed" => {
            stage
                .change(
                    stage.open,
                    UpdateChannel {
                        name: Some("plaza".into()),
                        ..UpdateChannel::default()
                    },
                )
                .await;
        }
        "a channel is made" => {
            let draft = nexus_types::channels::CreateChannel {
                name: "pier".into(),
                kind: None,
                topic: None,
                permission_overwrites: None,
            };
            app.channels().create(owner, stage.guild, draft).await.expect("it is made");
        }
        "the guild is renamed" => {
            app.guilds()
                .update(
                    owner,
                    stage.guild,
                    UpdateGuild {
                        name: Some("Bay".into()),
                        owner_id: None,
                    },
                )
                .await
                .expect("it is renamed");
        }
        "somebody joins" => drop(app.invites().join(stage.caller("joiner"), &stage.code).await.expect("they join")),
        "somebody else is removed" => kick(stage.caller("confidant").user).await,
        "they read on another device" => {
            let newest = app
                .messages()
                .history(member, stage.open, Anchor::Latest, 1)
                .await
                .expect("it is read")[0]
                .id;
            app.read_states().ack(member, stage.open, newest).await.expect("it is read");
        }
        "they join a guild on another device" => {
            let channel = app.channels().list(stranger, elsewhere().await).await.expect("they are listed")[0].id;
            let code = app
                .invites()
                .create(stranger, channel, CreateInvite::default())
                .await
                .expect("it is made")
                .code;
            app.invites().join(member, &code).await.expect("they join");
        }
        "they make a guild on another device" => {
            app.guilds()
                .create(member, CreateGuild { name: "Mine".into() })
                .await
                .expect("it is made");
        }
        "they are removed" => kick(member.user).await,
        "they are removed and join again" => {
            kick(member.user).await;
            stage.pass();
            app.invites().join(member, &stage.code).await.expect("they join again");
        }
        "they leave on another device" => app.members().leave(member, stage.guild).await.expect("they leave"),
        "a channel is hidden from them" => drop(stage.overwrite(stage.open, only_for(stage.guild, &[])).await),
        "a channel is shown to them" => drop(stage.overwrite(stage.secret, vec![]).await),
        "the guild changes hands" => {
            let draft = UpdateGuild {
                name: None,
                owner_id: Some(stage.caller("confidant").user),
            };
            app.guilds().update(owner, stage.guild, draft).await.expect("it changes hands");
        }
        "a channel is deleted" => drop(app.channels().delete(owner, stage.open).await.expect("it is deleted")),
        "the guild is deleted" => app.guilds().delete(owner, stage.guild).await.expect("it is deleted"),
        other => panic!("nobody knows how `{other}` happens"),
    }
}

/// What happens to the server meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    /// Ten minutes pass, and the log and what was deleted are swept.
    Swept,
    Restarted,
    SweptAndRestarted,
}

async fn absences(meanwhile: Meanwhile) {
    for (what, soon, late) in ABSENCES {
        let mut stage = Stage::build(World::new()).await;
        let mut server = Server::over(stage.world.clone());
        let member = stage.people["member"].clone();
        let mut session = server.session(&member).await;
        // A session that has been live for a while, not one that stands at its base.
        let sent = stage.say("owner", stage.open, "Good evening").await;
        session.until_message(stage.open.0, sent.0).await;
        session.hang_up();
        happen(&stage, what).await;
        if matches!(meanwhile, Meanwhile::Swept | Meanwhile::SweptAndRestarted) {
            stage.world.pass(10 * 60 * 1_000);
            sweeps::sweep(&stage.world.app).await.expect("the sweep does its work");
        }
        if matches!(meanwhile, Meanwhile::Restarted | Meanwhile::SweptAndRestarted) {
            server = server.restart().await;
            stage.world = server.world.clone();
        }
        let way = come_back(&server, &mut session, &member, &format!("{what} ({meanwhile:?})")).await;
        let swept = matches!(meanwhile, Meanwhile::Swept | Meanwhile::SweptAndRestarted);
        assert_eq!(way, if swept { *late } else { *soon }, "{what} ({meanwhile:?})");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_session_comes_back_whole_from_every_absence() {
    absences(Meanwhile::Nothing).await;
}

#[tokio::test]
async fn a_session_comes_back_whole_after_the_log_was_swept() {
    absences(Meanwhile::Swept).await;
}

#[tokio::test]
async fn a_session_comes_back_whole_across_a_restart() {
    absences(Meanwhile::Restarted).await;
}

#[tokio::test]
async fn a_session_comes_back_whole_across_a_sweep_and_a_restart() {
    absences(Meanwhile::SweptAndRestarted).await;
}

#[tokio::test]
async fn what_was_swept_before_the_session_left_does_not_matter() {
    let stage = Stage::build(World::new()).await;
    let server = Server::over(stage.world.clone());
    let member = &stage.people["member"];
    let mut session = server.session(member).await;
    let sent = stage.say("owner", stage.open, "Seen").await;
    session.until_message(stage.open.0, sent.0).await;
    stage.world.pass(10 * 60 * 1_000);
    sweeps::sweep(&stage.world.app).await.expect("the sweep does its work");
    session.hang_up();
    assert_eq!(come_back(&server, &mut session, member, "swept before").await, Resumed);
    // The log is empty now; its positions go on all the same.
    stage.say("owner", stage.open, "After the sweep").await;
    session.hang_up();
    assert_eq!(come_back(&server, &mut session, member, "a message after the sweep").await, Resumed);
}

#[tokio::test]
async fn open_sessions_are_told_to_come_back_when_the_server_restarts() {
    let stage = Stage::build(World::new()).await;
    let mut server = Server::over(stage.world.clone());
    let member = stage.people["member"].clone();
    let mut session = server.session(&member).await;
    let sent = stage.say("owner", stage.open, "Before").await;
    server = server.restart().await;
    while !matches!(session.hear(PATIENCE).await, Heard::Closed(_)) {}
    assert_eq!(session.closes, [1012]);
    session.recover().await;
    assert_eq!((session.identified, session.resumed), (1, 1));
    session.until_message(stage.open.0, sent.0).await;
    assert_as_fresh(&server, &session, &member, "after the restart").await;
}

#[tokio::test]
async fn what_is_hidden_is_hidden_on_every_way() {
    let stage = Stage::build(World::new()).await;
    let server = Server::over(stage.world.clone());
    let member = &stage.people["member"];
    let mut session = server.session(member).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Live.
    let hidden = stage.say("owner", stage.secret, "Nobody else hears this").await;
    server
        .app()
        .typing()
        .start(stage.caller("owner"), stage.secret)
        .await
        .expect("they write");
    stage
        .change(
            stage.secret,
            UpdateChannel {
                topic: Some(Some("Hidden words".into())),
                ..UpdateChannel::default()
            },
        )
        .await;
    let end = stage.say("owner", stage.open, "Heard").await;
    session.until_message(stage.open.0, end.0).await;
    // Replay.
    session.hang_up();
    stage.say("owner", stage.secret, "Nor this").await;
    let end = stage.say("owner", stage.open, "Heard again").await;
    session.recover().await;
    session.until_message(stage.open.0, end.0).await;
    assert_eq!(session.resumed, 1);
    // READY.
    let fresh = server.session(member).await;
    let secret = stage.secret.to_string();
    for frame in session.frames.iter().chain(&fresh.frames) {
        assert!(!frame.to_string().contains(&secret), "{frame}");
    }
    // Requests.
    let rest = server.rest(member);
    for (method, path) in [
        ("GET", format!("/channels/{secret}")),
        ("GET", format!("/channels/{secret}/messages")),
        ("GET", format!("/channels/{secret}/messages/{hidden}")),
        ("POST", format!("/channels/{secret}/typing")),
        ("POST", format!("/channels/{secret}/invites")),
        ("DELETE", format!("/channels/{secret}")),
    ] {
        let answer = rest
            .request(method, &path, (method == "POST").then_some(&serde_json::json!({})))
            .await
            .expect("an answer");
        assert_eq!(
            (answer.status, &answer.body["error"]),
            (404, &"not_found".into()),
            "{method} {path}: {}",
            answer.body
        );
    }
    let sent = rest.send(stage.secret.0, "Let me in", "n").await.expect("an answer");
    assert_eq!(sent.status, 404);
    let listed = rest.must("GET", &format!("/guilds/{}/channels", stage.guild), None).await;
    assert!(!listed.to_string().contains(&secret));
}
