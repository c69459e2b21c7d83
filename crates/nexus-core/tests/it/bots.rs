//! Bots: their tokens, what they may not do, and where they are put.

use nexus_core::bots::{self, NewToken};
use nexus_core::{Caller, Error, events, sweeps};
use nexus_store::{StoreError, Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::events::Event;
use nexus_types::guilds::{CreateGuild, UpdateGuild};
use nexus_types::ids::{GuildId, LoginId, UserId};
use nexus_types::invites::CreateInvite;
use nexus_types::limits::{ACCESS_TOKEN_MS, BOTS_MAX, LOG_WINDOW_MS};
use nexus_types::logins::{ChangePassword, Register, SignIn};
use nexus_types::messages::Anchor;

use crate::harbour::{Harbour, text};
use crate::support::{FIREFOX, PASSWORD, World, refused};

async fn make(world: &World, name: &str, guild: Option<GuildId>) -> Result<NewToken, Error> {
    bots::create(&world.db, &world.clock, name, guild).await
}

/// A bot with a token, as use cases know it.
async fn bot(world: &World, name: &str, guild: Option<GuildId>) -> Caller {
    let made = make(world, name, guild).await.expect("the bot is made");
    world.bots().authenticate(&made.token).await.expect("its token is good")
}

/// Does something with a bot in a job of its own.
macro_rules! job {
    ($world:expr, $tx:ident, $clock:ident => $work:expr) => {{
        let $clock = $world.clock.clone();
        $world.db.write(async move |$tx: &mut Tx<'_>| $work.await).await
    }};
}

async fn join_once(world: &World, bot: UserId, guild: GuildId) -> Result<(), Error> {
    job!(world, tx, clock => bots::join_once(tx, &clock, bot, guild))
}

async fn ensure(world: &World, name: &str) -> Result<UserId, Error> {
    let name = name.to_owned();
    job!(world, tx, clock => bots::ensure(tx, &clock, &name))
}

#[tokio::test]
async fn a_bot_speaks_in_the_guild_it_was_put_into_and_everybody_sees_what_it_is() {
    let harbour = Harbour::build().await;
    let bot = bot(&harbour.world, "Payments", Some(harbour.guild)).await;
    let entries = harbour.world.log();
    let joined = events::read(entries.last().expect("an entry")).expect("it can be read");
    let Event::GuildMemberAdd { member, snapshot } = joined else {
        panic!("{joined:?}")
    };
    let user = member.user.expect("a member is a user");
    assert_eq!((user.id, user.username.as_str(), user.bot), (bot.user, "Payments", true));
    assert_eq!((snapshot.member_count, snapshot.members.len()), (3, 3));

    let sent = harbour.say(bot, "Order 7 was paid.").await;
    assert!(sent.author.bot);
    harbour.say(harbour.member, "Thank you.").await;
    let page = harbour
        .messages()
        .history(harbour.member, harbour.channel, Anchor::Latest, 10)
        .await;
    let are_bots: Vec<_> = page.expect("a page").iter().map(|message| message.author.bot).collect();
    assert_eq!(are_bots, [false, true]);
    let shown = harbour
        .members()
        .show(harbour.member, harbour.guild, bot.user)
        .await
        .expect("a member");
    assert!(shown.user.expect("a member is a user").bot);
    let list = harbour.members().list(harbour.member, harbour.guild, 10, UserId(0)).await;
    let are_bots: Vec<_> = list
        .expect("a list")
        .into_iter()
        .map(|member| member.user.expect("a user").bot)
        .collect();
    assert_eq!(are_bots, [false, false, true]);
    assert!(harbour.users().me(bot).await.expect("an account").user.bot);
    let invite = harbour.invites().create(bot, harbour.channel, CreateInvite::default()).await;
    assert!(invite.expect("it is made").inviter.bot);
}

#[tokio::test]
async fn a_bots_token_is_good_for_that_bot_and_for_nothing_else() {
    let world = World::open();
    let granted = world.register("alice").await;
    let (one, other) = (
        make(&world, "one", None).await.expect("made"),
        make(&world, "other", None).await.expect("made"),
    );
    let caller = Caller {
        user: one.bot,
        login: None,
    };
    let [id, time, secret] = one.token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let (others_id, _) = other.token.split_once('.').expect("three parts");
    let all = [
        String::new(),
        "x".repeat(1_000),
        id.to_owned(),
        format!("{id}.{time}."),
        format!("{id}.{time}.{secret}x"),
        format!("{id}.{time}.{}", secret.to_lowercase()),
        format!("{others_id}.{time}.{secret}"),
        format!("MTIzNDU2.{time}.{secret}"),
        granted.access_token.clone(),
    ];
    for round in ["never seen", "remembered"] {
        for bad in &all {
            refused(world.bots().authenticate(bad).await, ErrorCode::Unauthorized);
        }
        refused(world.logins().authenticate(&one.token).await, ErrorCode::Unauthorized);
        assert_eq!(world.bots().authenticate(&one.token).await.expect(round), caller);
        world.caller(&granted).await;
    }
    ensure(&world, "silent").await.expect("a bot without a token");
    assert!(job!(world, tx, _clock => bots::is_bot(tx, one.bot)).expect("it is read"));
    assert!(!job!(world, tx, _clock => bots::is_bot(tx, granted.user.user.id)).expect("it is read"));
}

#[tokio::test]
async fn another_token_ends_the_one_before_it_within_a_quarter_of_an_hour() {
    let world = World::open();
    let first = make(&world, "relay", None).await.expect("made");
    assert!(!first.replaced);
    world.bots().authenticate(&first.token).await.expect("it is good, and remembered");
    let second = make(&world, "Relay", None).await.expect("made");
    assert_eq!((second.bot, second.replaced), (first.bot, true));
    world.bots().authenticate(&second.token).await.expect("it is good");
    world.pass(ACCESS_TOKEN_MS);
    refused(world.bots().authenticate(&first.token).await, ErrorCode::Unauthorized);
    let world = world.restart().await;
    refused(world.bots().authenticate(&first.token).await, ErrorCode::Unauthorized);
    world.bots().authenticate(&second.token).await.expect("it survives restarts");
}

#[tokio::test]
async fn a_bot_has_no_password_and_nobody_registers_under_its_name() {
    let world = World::open();
    make(&world, "relay", None).await.expect("made");
    for password in ["!", "!!!!!!!!", "", PASSWORD] {
        let sign_in = SignIn {
            username: "relay".into(),
            password: password.into(),
        };
        refused(world.logins().sign_in(sign_in, FIREFOX).await, ErrorCode::BadCredentials);
    }
    for name in ["relay", "RELAY", "re1ay"] {
        let register = Register {
            username: name.into(),
            password: PASSWORD.into(),
            invite: None,
        };
        refused(world.logins().register(register, FIREFOX).await, ErrorCode::UsernameTaken);
    }
}

/// 112 of the bad inputs.
#[tokio::test]
async fn what_is_for_people_is_refused_to_bots() {
    let harbour = Harbour::build().await;
    let bot = bot(&harbour.world, "relay", Some(harbour.guild)).await;
    let message = harbour.say(harbour.owner, "Hello").await.id;
    let entries = harbour.entries();
    let only_people = ErrorCode::BotsNotAllowed;
    refused(harbour.logins().list(bot).await, only_people);
    refused(harbour.logins().sign_out(bot).await, only_people);
    refused(harbour.logins().end(bot, LoginId(1)).await, only_people);
    let change = ChangePassword {
        password: "!!!!!!!!".into(),
        new_password: PASSWORD.into(),
    };
    refused(harbour.users().change_password(bot, change).await, only_people);
    refused(harbour.guilds().create(bot, CreateGuild { name: "Bots".into() }).await, only_people);
    refused(harbour.invites().join(bot, &harbour.code).await, only_people);
    refused(harbour.read_states().ack(bot, harbour.channel, message).await, only_people);
    refused(harbour.sessions().open(bot, None, None).await, only_people);
    refused(harbour.sessions().guild(bot, harbour.guild).await, only_people);
    assert_eq!(harbour.entries(), entries);

    let hand_over = UpdateGuild {
        owner_id: Some(bot.user),
        ..UpdateGuild::default()
    };
    refused(
        harbour.guilds().update(harbour.owner, harbour.guild, hand_over).await,
        ErrorCode::InvalidBody,
    );
}

#[tokio::test]
async fn who_removed_a_bot_is_respected() {
    let harbour = Harbour::build().await;
    let (world, guild) = (&harbour.world, harbour.guild);
    let id = ensure(world, "relay").await.expect("made");
    join_once(world, id, guild).await.expect("the first time");
    let entries = harbour.entries();
    join_once(world, id, guild).await.expect("it is a member");
    assert_eq!(harbour.entries(), entries);

    harbour.members().remove(harbour.owner, guild, id).await.expect("it is removed");
    let entries = harbour.entries();
    refused(join_once(world, id, guild).await, ErrorCode::BotRemoved);
    let caller = Caller { user: id, login: None };
    refused(
        harbour.messages().send(caller, harbour.channel, text("hi")).await,
        ErrorCode::UnknownChannel,
    );
    assert_eq!(harbour.entries(), entries);

    bot(world, "relay", Some(guild)).await;
    harbour.say(caller, "The operator put me back.").await;
    harbour.members().leave(caller, guild).await.expect("it leaves");
    refused(join_once(world, id, guild).await, ErrorCode::BotRemoved);
    refused(join_once(world, id, GuildId(1)).await, ErrorCode::UnknownGuild);
}

#[tokio::test]
async fn a_bots_name_is_nobody_elses() {
    let world = World::open();
    world.register("alice").await;
    for taken in ["alice", "ALICE", "a1ice"] {
        refused(make(&world, taken, None).await, ErrorCode::NotABot);
        refused(ensure(&world, taken).await, ErrorCode::NotABot);
    }
    for bad in ["", "x", "two words", &"x".repeat(33)] {
        refused(make(&world, bad, None).await, ErrorCode::InvalidBody);
    }
    let id = ensure(&world, "relay").await.expect("made");
    assert_eq!(ensure(&world, "RELAY").await.expect("found"), id);
    assert_eq!(make(&world, "relay", None).await.expect("it gets a token").bot, id);
    // What can't be put into its guild is not made either.
    refused(make(&world, "lost", Some(GuildId(1))).await, ErrorCode::UnknownGuild);
    let lost: Result<_, StoreError> = job!(world, tx, _clock => sql::users::named(tx, "lost"));
    assert_eq!(lost.expect("it is read"), None);
}

#[tokio::test]
async fn bots_are_bounded_and_a_refusal_has_changed_nothing() {
    let world = World::open();
    let left = job!(world, tx, clock => async {
        for number in 0..BOTS_MAX {
            bots::ensure(tx, &clock, &format!("bot-{number}")).await?;
        }
        // The job goes on after the refusal, as the hub's does.
        let refusal = bots::ensure(tx, &clock, "surplus").await;
        refused(refusal, ErrorCode::TooManyBots);
        bots::ensure(tx, &clock, "bot-0").await?;
        Ok::<_, Error>(sql::users::named(tx, &nexus_types::names::fold("surplus")).await?)
    });
    assert_eq!(left.expect("the job is kept"), None);
    refused(make(&world, "surplus", None).await, ErrorCode::TooManyBots);
}

#[tokio::test]
async fn a_guild_that_is_gone_takes_along_where_bots_were() {
    let harbour = Harbour::build().await;
    let id = ensure(&harbour.world, "relay").await.expect("made");
    join_once(&harbour.world, id, harbour.guild).await.expect("the first time");
    harbour.guilds().delete(harbour.owner, harbour.guild).await.expect("it is deleted");
    refused(join_once(&harbour.world, id, harbour.guild).await, ErrorCode::UnknownGuild);
    harbour.world.pass(LOG_WINDOW_MS + 1);
    sweeps::sweep(&harbour.world.app).await.expect("it sweeps");
    let guild = harbour.guild;
    let known = job!(harbour.world, tx, _clock => sql::bots::has_joined(tx, guild, id));
    assert!(!known.expect("it is read"));
}
