//! Sessions without sockets: who may resume, and from where. The ways back from every absence are proved over real sockets.

use nexus_core::sessions::Resumption;
use nexus_core::sweeps;
use nexus_store::{StoreError, log};
use nexus_types::ErrorCode;
use nexus_types::guilds::CreateGuild;
use nexus_types::ids::Position;
use nexus_types::limits::LOG_WINDOW_MS;

use crate::harbour::Harbour;
use crate::support::{World, refused};

#[tokio::test]
async fn a_session_goes_on_between_its_base_and_the_head() {
    let harbour = Harbour::build().await;
    harbour.say(harbour.owner, "before").await;
    let opening = harbour.sessions().open(harbour.member, None, None).await.expect("READY");
    let (base, id) = (opening.base.0, opening.ready.session_id);
    harbour.say(harbour.owner, "after").await;
    let resume = async |who, id: &str, seq| harbour.sessions().resume(who, id, seq).await.expect("an answer");
    for (seq, expected) in [
        (base, Resumption::Go(Position(base))),
        (base + 1, Resumption::Go(Position(base + 1))),
        (base + 2, Resumption::InvalidSeq),
        (i64::MAX, Resumption::InvalidSeq),
        (base - 1, Resumption::Stale),
        (0, Resumption::Stale),
        (i64::MIN, Resumption::Stale),
    ] {
        assert_eq!(resume(harbour.member, &id, seq).await, expected, "{seq}");
    }
    assert_eq!(resume(harbour.owner, &id, base).await, Resumption::Stale, "it is not theirs");
    let (head, tail) = id.split_at(id.len() / 2);
    for forged in [
        String::new(),
        "x".into(),
        head.into(),
        format!("{head}A{tail}"),
        format!("{id}{id}"),
    ] {
        assert_eq!(resume(harbour.member, &forged, base).await, Resumption::Stale, "{forged}");
    }
}

#[tokio::test]
async fn a_session_survives_a_restart_and_not_the_end_of_its_login() {
    let mut harbour = Harbour::build().await;
    let opening = harbour.sessions().open(harbour.member, None, None).await.expect("READY");
    harbour.world = harbour.world.restart().await;
    let answer = harbour
        .sessions()
        .resume(harbour.member, &opening.ready.session_id, opening.base.0)
        .await
        .expect("an answer");
    assert_eq!(answer, Resumption::Go(opening.base));
    harbour.logins().sign_out(harbour.member).await.expect("it ends");
    let answer = harbour
        .sessions()
        .resume(harbour.member, &opening.ready.session_id, opening.base.0)
        .await;
    refused(answer, ErrorCode::Unauthorized);
    refused(harbour.sessions().open(harbour.member, None, None).await, ErrorCode::Unauthorized);
}

#[tokio::test]
async fn the_window_is_what_was_promised() {
    let harbour = Harbour::build().await;
    let opening = harbour.sessions().open(harbour.member, None, None).await.expect("READY");
    harbour.say(harbour.owner, "missed").await;
    let resume = async || {
        sweeps::sweep(&harbour.world.app).await.expect("the sweep");
        harbour
            .sessions()
            .resume(harbour.member, &opening.ready.session_id, opening.base.0)
            .await
            .expect("an answer")
    };
    harbour.world.pass(LOG_WINDOW_MS);
    assert_eq!(
        resume().await,
        Resumption::Go(opening.base),
        "six minutes, of which five are promised"
    );
    harbour.world.pass(1);
    assert_eq!(resume().await, Resumption::Stale);
}

#[tokio::test]
async fn an_operator_may_keep_events_for_longer() {
    for (kept_ms, is_kept) in [(LOG_WINDOW_MS, false), (2 * LOG_WINDOW_MS, true)] {
        let world = World::with(|settings| settings.events_ms = kept_ms);
        let owner = world.caller(&world.register("owner").await).await;
        let draft = CreateGuild { name: "Harbour".into() };
        let made = world.app.guilds().create(owner, draft).await.expect("it is made");
        world.pass(LOG_WINDOW_MS + 1);
        sweeps::sweep(&world.app).await.expect("the sweep");
        let topics = [made.guild.id.0];
        let left = world.db.read(async move |tx| log::after(tx, 0, &topics, 0, 10).await).await;
        assert_eq!(left.map(|entries| !entries.is_empty()), Ok::<_, StoreError>(is_kept), "{kept_ms}");
    }
}

#[tokio::test]
async fn a_reader_that_the_log_has_left_behind_is_told() {
    let harbour = Harbour::build().await;
    let opening = harbour.sessions().open(harbour.member, None, None).await.expect("READY");
    let page = async || harbour.sessions().page(harbour.member.user, opening.base).await.expect("a page");
    harbour.say(harbour.owner, "missed").await;
    assert!(!page().await.is_gap);
    harbour.world.pass(LOG_WINDOW_MS + 1);
    sweeps::sweep(&harbour.world.app).await.expect("the sweep");
    let after = page().await;
    assert!(after.is_gap && after.entries.is_empty(), "never silently less");
    let elsewhere = harbour.sessions().page(harbour.outsider.user, opening.base).await.expect("a page");
    assert!(!elsewhere.is_gap, "who has lost nothing goes on");
}

/// One sweep must catch up, whatever a job of it could take: what grows faster than it is swept grows without end.
#[tokio::test]
async fn one_sweep_trims_all_that_is_due() {
    let harbour = Harbour::build().await;
    for number in 0..1_200 {
        harbour.say(harbour.owner, &number.to_string()).await;
    }
    harbour.world.pass(LOG_WINDOW_MS + 1);
    sweeps::sweep(&harbour.world.app).await.expect("the sweep");
    let topics = [harbour.guild.0];
    let left = harbour.world.db.read(async move |tx| log::after(tx, 0, &topics, 0, 10).await).await;
    assert_eq!(left.map(|entries| entries.len()), Ok::<_, StoreError>(0));
}

/// What is read after the end of a login is nobody's any more, also in the middle of an opening burst.
#[tokio::test]
async fn a_burst_ends_with_its_login() {
    let harbour = Harbour::build().await;
    let guild = harbour.sessions().open(harbour.member, None, None).await.expect("READY").guilds[0];
    assert!(
        harbour
            .sessions()
            .guild(harbour.member, guild)
            .await
            .expect("GUILD_CREATE")
            .is_some()
    );
    harbour.logins().sign_out(harbour.member).await.expect("it ends");
    refused(harbour.sessions().guild(harbour.member, guild).await, ErrorCode::Unauthorized);
}
