//! Logins.

use std::collections::HashSet;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, decode_header, encode};
use nexus_core::{Caller, Error, events, sweeps};
use nexus_store::{StoreError, Tx, sql};
use nexus_types::ErrorCode;
use nexus_types::events::Event;
use nexus_types::guilds::CreateGuild;
use nexus_types::ids::LoginId;
use nexus_types::invites::CreateInvite;
use nexus_types::limits::{
    ACCESS_TOKEN_MS, HASHES_AT_ONCE_MAX, HASHES_WAITING_MAX, LOGINS_PER_USER_MAX, REFRESH_GRACE_MS, REFRESH_TOKEN_MS, REQUEST_MS_MAX,
};
use nexus_types::logins::{Register, SignIn};
use nexus_types::names::Password;
use serde_json::json;

use crate::support::{FIREFOX, PASSWORD, START_MS, World, refresh_token, refused};

fn register(username: &str, password: &str) -> Register {
    Register {
        username: username.into(),
        password: password.into(),
        invite: None,
    }
}

fn sign_in(username: &str, password: &str) -> SignIn {
    SignIn {
        username: username.into(),
        password: password.into(),
    }
}

/// The login of a person.
fn login(caller: Caller) -> LoginId {
    caller.login.expect("a person has one")
}

/// The logins whose end stands in the log.
fn ended(world: &World) -> Vec<LoginId> {
    let events = world
        .log()
        .into_iter()
        .map(|entry| events::read(&entry).expect("the log can be read"));
    events
        .filter_map(|event| {
            if let Event::LoginEnd { login_id, .. } = event {
                Some(login_id)
            } else {
                None
            }
        })
        .collect()
}

#[tokio::test]
async fn registering_signs_in() {
    let world = World::open();
    let granted = world.register("Alice").await;
    assert_eq!(
        (granted.user.user.username.as_str(), granted.user.admin, granted.expires_in),
        ("Alice", false, 900)
    );
    let caller = world.caller(&granted).await;
    assert_eq!(caller.user, granted.user.user.id);
    let logins = world.logins().list(caller).await.expect("a list");
    assert_eq!(logins.len(), 1);
    assert_eq!(
        (logins[0].id, logins[0].client.as_str(), logins[0].current),
        (login(caller), "Firefox on Linux", true)
    );
    assert_eq!((logins[0].created_at.0, logins[0].last_used_at.0), (START_MS, START_MS));
}

#[tokio::test]
async fn names_that_look_alike_collide() {
    let world = World::open();
    world.register("paul0").await;
    for name in ["paul0", "PAUL0", "pau10", "paulO"] {
        refused(
            world.logins().register(register(name, PASSWORD), FIREFOX).await,
            ErrorCode::UsernameTaken,
        );
    }
    world.register("paula").await;
    assert_eq!(
        world.sign_in("PAUL0").await.user.user.username,
        "paul0",
        "it is shown as it was typed first"
    );
}

#[tokio::test]
async fn of_two_who_want_a_name_one_gets_it() {
    let world = World::open();
    let (one, other) = tokio::join!(
        async { world.logins().register(register("alice", PASSWORD), FIREFOX).await },
        async { world.logins().register(register("Alice", PASSWORD), FIREFOX).await }
    );
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    won.expect("one of them");
    refused(lost, ErrorCode::UsernameTaken);
}

#[tokio::test]
async fn what_can_not_be_an_account_is_refused_with_its_fields() {
    let world = World::open();
    for (username, password, fields) in [
        ("a", PASSWORD, vec!["username"]),
        ("näme", PASSWORD, vec!["username"]),
        ("alice", "short", vec!["password"]),
        ("alice", &*"x".repeat(129), vec!["password"]),
        ("", "", vec!["username", "password"]),
    ] {
        let Err(Error::Refused(refusal)) = world.logins().register(register(username, password), FIREFOX).await else {
            panic!("{username}")
        };
        assert_eq!(refusal.code, ErrorCode::InvalidBody);
        assert_eq!(
            refusal.fields.0.keys().collect::<HashSet<_>>(),
            fields
                .iter()
                .map(|field| (*field).to_owned())
                .collect::<HashSet<_>>()
                .iter()
                .collect()
        );
    }
}

#[tokio::test]
async fn registration_opens_and_closes_as_the_operator_chose() {
    let closed = World::with(|settings| settings.registration_open = false);
    refused(
        closed.logins().register(register("alice", PASSWORD), FIREFOX).await,
        ErrorCode::RegistrationClosed,
    );
    let both = World::with(|settings| (settings.registration_open, settings.registration_needs_admin) = (false, true));
    refused(
        both.logins().register(register("alice", PASSWORD), FIREFOX).await,
        ErrorCode::RegistrationClosed,
    );

    let waiting = World::with(|settings| settings.registration_needs_admin = true);
    refused(
        waiting.logins().register(register("alice", PASSWORD), FIREFOX).await,
        ErrorCode::RegistrationClosed,
    );
    let token = waiting
        .setup()
        .new_link()
        .await
        .expect("a link")
        .expect("there is no administrator");
    let setup = nexus_types::logins::Setup {
        token,
        username: "root".into(),
        password: PASSWORD.into(),
    };
    waiting.setup().complete(setup, FIREFOX).await.expect("the administrator is made");
    waiting.register("alice").await;
}

#[tokio::test]
async fn a_bad_invite_refuses_before_anything_is_made() {
    let world = World::open();
    let with_invite = Register {
        invite: Some("nonesuch".into()),
        ..register("alice", PASSWORD)
    };
    refused(world.logins().register(with_invite, FIREFOX).await, ErrorCode::UnknownInvite);
    world.register("alice").await;
}

#[tokio::test]
async fn a_good_invite_is_joined_at_once() {
    let world = World::open();
    let alice = world.caller(&world.register("alice").await).await;
    let created = world
        .guilds()
        .create(alice, CreateGuild { name: "Salt marsh".into() })
        .await
        .expect("a guild");
    let once = CreateInvite {
        max_uses: Some(1),
        ..CreateInvite::default()
    };
    let invite = world
        .invites()
        .create(alice, created.channels[0].id, once)
        .await
        .expect("an invite");

    let with_invite = |username| Register {
        invite: Some(invite.code.clone()),
        ..register(username, PASSWORD)
    };
    let granted = world
        .logins()
        .register(with_invite("bob"), FIREFOX)
        .await
        .expect("the account is made");
    let guilds = world.guilds().list(world.caller(&granted).await).await.expect("a list");
    assert_eq!(guilds.iter().map(|guild| guild.id).collect::<Vec<_>>(), [created.guild.id]);

    refused(
        world.logins().register(with_invite("carol"), FIREFOX).await,
        ErrorCode::InviteInvalid,
    );
    world.register("carol").await;
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_are_told_apart_by_nothing() {
    let world = World::open();
    world.register("alice").await;
    for (username, password) in [
        ("alice", "wrong horse"),
        ("nobody", PASSWORD),
        ("alice", "short"),
        ("no name", PASSWORD),
        ("", ""),
    ] {
        refused(
            world.logins().sign_in(sign_in(username, password), FIREFOX).await,
            ErrorCode::BadCredentials,
        );
    }
    refused(
        world.logins().sign_in(sign_in("alice", &"x".repeat(1 << 20)), FIREFOX).await,
        ErrorCode::InvalidBody,
    );
    assert!(world.logins().sign_in(sign_in("ALICE", PASSWORD), FIREFOX).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_sign_ins_are_bounded() {
    let world = World::with_real_hashes();
    world.register("alice").await;
    // A name that nobody has costs as much, so that the time does not tell.
    for name in ["alice", "nobody"] {
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let app = world.app.clone();
                tokio::spawn(async move { app.logins().sign_in(sign_in(name, PASSWORD), FIREFOX).await })
            })
            .collect();
        let mut checked = 0;
        for task in tasks {
            match task.await.expect("no panic") {
                Err(Error::Refused(refusal)) if refusal.code == ErrorCode::Busy => assert_eq!(refusal.retry_after_ms, Some(1_000)),
                Ok(_) if name == "alice" => checked += 1,
                other => {
                    refused(other, ErrorCode::BadCredentials);
                    assert_eq!(name, "nobody");
                    checked += 1;
                }
            }
        }
        assert!(
            (HASHES_AT_ONCE_MAX + HASHES_WAITING_MAX..200).contains(&checked),
            "{checked} passwords of {name} were checked"
        );
    }
    world.sign_in("alice").await;
}

#[tokio::test]
async fn a_password_that_changes_while_it_is_checked_is_looked_at_again() {
    for (new, is_good) in [("battery staple", false), (PASSWORD, true)] {
        let world = World::with_real_hashes();
        let alice = world.caller(&world.register("alice").await).await.user;
        let checked = world
            .db
            .read(async move |tx| sql::users::password_hash(tx, alice).await)
            .await
            .expect("a hash")
            .expect("a user");
        let new = world
            .hasher
            .hash(Password::parse("password", new).expect("a good one"))
            .await
            .expect("it hashes");
        // The sign-in has read the old hash and waits behind others, long enough for the new one to be written.
        let spawn = |name: &'static str| {
            let app = world.app.clone();
            tokio::spawn(async move { app.logins().sign_in(sign_in(name, PASSWORD), FIREFOX).await })
        };
        let others: Vec<_> = (0..HASHES_WAITING_MAX / 2).map(|_| spawn("nobody")).collect();
        tokio::time::sleep(Duration::from_millis(10)).await;
        let late = spawn("alice");
        tokio::time::sleep(Duration::from_millis(30)).await;
        let job = async move |tx: &mut Tx<'_>| sql::users::set_password_hash(tx, alice, &checked, &new).await;
        assert!(world.db.write::<_, StoreError, _>(job).await.expect("it is written"));
        let answer = late.await.expect("no panic");
        if is_good {
            answer.expect("the new hash is of the same password");
        } else {
            refused(answer, ErrorCode::BadCredentials);
        }
        for other in others {
            refused(other.await.expect("no panic"), ErrorCode::BadCredentials);
        }
    }
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_for_the_next() {
    let world = World::open();
    let first = world.register("alice").await;
    let caller = world.caller(&first).await;
    world.pass(60_000);
    let second = world.logins().refresh(refresh_token(&first)).await.expect("it is good");
    assert_ne!(second.refresh_token, first.refresh_token);
    assert_eq!(second.user, first.user);
    assert_eq!(world.caller(&second).await, caller, "it is the same login");
    let logins = world.logins().list(caller).await.expect("a list");
    assert_eq!((logins.len(), logins[0].last_used_at.0), (1, START_MS + 60_000));
    world.pass(60_000);
    world.logins().refresh(refresh_token(&second)).await.expect("and so on");
    assert_eq!(ended(&world), []);
}

#[tokio::test]
async fn within_the_grace_the_same_successor_is_answered() {
    let world = World::open();
    let first = world.register("alice").await;
    let second = world.logins().refresh(refresh_token(&first)).await.expect("it is good");
    world.pass(REFRESH_GRACE_MS - 1);
    let again = world.logins().refresh(refresh_token(&first)).await.expect("within the grace");
    assert_eq!(again.refresh_token, second.refresh_token);
    world.caller(&again).await;
    world
        .logins()
        .refresh(refresh_token(&second))
        .await
        .expect("the successor is still the present one");
}

#[tokio::test]
async fn many_tabs_at_once_get_one_successor() {
    let world = World::open();
    let first = world.register("alice").await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (app, token) = (world.app.clone(), refresh_token(&first).to_owned());
            tokio::spawn(async move { app.logins().refresh(&token).await })
        })
        .collect();
    let mut successors = HashSet::new();
    for task in tasks {
        successors.insert(task.await.expect("no panic").expect("within the grace").refresh_token);
    }
    assert_eq!(successors.len(), 1);
    assert_eq!(ended(&world), []);
}

#[tokio::test]
async fn a_token_used_twice_ends_the_whole_login() {
    // (exchanges before the old token is shown again, which of the tokens that is, when)
    for (exchanges, shown, after_ms) in [
        (1, 0, REFRESH_GRACE_MS),
        (1, 0, REFRESH_TOKEN_MS - 1),
        (2, 0, 0),
        (5, 0, 1_000),
        (5, 4, REFRESH_GRACE_MS),
    ] {
        let world = World::open();
        let bystander = world.caller(&world.register("bob").await).await;
        let mut tokens = vec![world.register("alice").await];
        let caller = world.caller(&tokens[0]).await;
        for _ in 0..exchanges {
            let next = world
                .logins()
                .refresh(refresh_token(tokens.last().expect("one")))
                .await
                .expect("it is the present one");
            tokens.push(next);
        }
        world.pass(after_ms);
        refused(world.logins().refresh(refresh_token(&tokens[shown])).await, ErrorCode::TokenReused);
        assert_eq!(ended(&world), [login(caller)]);
        for token in &tokens {
            refused(world.logins().refresh(refresh_token(token)).await, ErrorCode::InvalidRefreshToken);
            refused(world.logins().authenticate(&token.access_token).await, ErrorCode::Unauthorized);
        }
        assert_eq!(ended(&world).len(), 1, "it ends once");
        assert_eq!(
            world.logins().list(bystander).await.expect("a list").len(),
            1,
            "nobody else is concerned"
        );
        world.sign_in("alice").await;
    }
}

#[tokio::test]
async fn a_login_lives_as_long_as_it_is_used() {
    let world = World::open();
    let mut granted = world.register("alice").await;
    for _ in 0..3 {
        world.pass(REFRESH_TOKEN_MS - 1);
        granted = world.logins().refresh(refresh_token(&granted)).await.expect("used in time");
    }
    let other = world.sign_in("alice").await;
    world.pass(REFRESH_TOKEN_MS);
    for token in [&granted, &other] {
        refused(world.logins().refresh(refresh_token(token)).await, ErrorCode::InvalidRefreshToken);
    }
    let caller = world.caller(&world.sign_in("alice").await).await;
    assert_eq!(
        world.logins().list(caller).await.expect("a list").len(),
        1,
        "expired ones are not shown"
    );
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let world = World::open();
    let token = refresh_token(&world.register("alice").await).to_owned();
    for bad in ["", "x", &"A".repeat(64), &token[..63], &format!("{token}="), &token.to_lowercase()] {
        refused(world.logins().refresh(bad).await, ErrorCode::InvalidRefreshToken);
    }
    assert_eq!(ended(&world), []);
}

#[tokio::test]
async fn an_access_token_expires_by_our_clock() {
    let world = World::open();
    let granted = world.register("alice").await;
    let life_ms = ACCESS_TOKEN_MS - START_MS % 1_000;
    for cached in [false, true] {
        world.clock.set(START_MS + life_ms - 1);
        assert!(world.logins().authenticate(&granted.access_token).await.is_ok(), "cached: {cached}");
    }
    world.pass(1);
    refused(world.logins().authenticate(&granted.access_token).await, ErrorCode::Unauthorized);
    let fresh = world.logins().refresh(refresh_token(&granted)).await.expect("the login goes on");
    world.caller(&fresh).await;
}

#[tokio::test]
async fn forged_access_tokens_are_refused() {
    let world = World::open();
    let granted = world.register("alice").await;
    let caller = world.caller(&granted).await;
    let kid = decode_header(&granted.access_token)
        .expect("a header")
        .kid
        .expect("every token has one");
    let signed = |kid: &str, aud: &str| {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(kid.to_owned());
        let claims = json!({"sub": caller.user, "jti": login(caller), "iat": START_MS / 1_000, "exp": START_MS / 1_000 + 600, "aud": aud});
        encode(&header, &claims, &EncodingKey::from_ed_der(&world.jwt_pkcs8)).expect("it signs")
    };
    assert_eq!(
        world
            .logins()
            .authenticate(&signed(&kid, "nexus"))
            .await
            .expect("the forger's tools work"),
        caller
    );
    let (head, tail) = granted.access_token.split_once('.').expect("three parts");
    let cases = [
        signed(&kid, "other"),
        signed("../", "nexus"),
        signed("../../instance.key", "nexus"),
        // {"alg":"none","typ":"JWT"}
        format!(
            "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.",
            tail.split_once('.').expect("three parts").0
        ),
        format!("{head}.{head}.{}", tail.split_once('.').expect("three parts").1),
        format!("Bearer {}", granted.access_token),
        String::new(),
    ];
    for forged in cases {
        refused(world.logins().authenticate(&forged).await, ErrorCode::Unauthorized);
    }
}

#[tokio::test]
async fn an_ended_login_is_refused_at_once_though_its_token_has_not_expired() {
    let world = World::open();
    let first = world.register("alice").await;
    let second = world.sign_in("alice").await;
    let (one, other) = (world.caller(&first).await, world.caller(&second).await);
    assert_ne!(login(one), login(other));

    world.logins().end(one, login(other)).await.expect("it is one's own");
    refused(world.logins().authenticate(&second.access_token).await, ErrorCode::Unauthorized);
    refused(world.logins().refresh(refresh_token(&second)).await, ErrorCode::InvalidRefreshToken);
    refused(world.logins().end(one, login(other)).await, ErrorCode::UnknownLogin);
    assert_eq!(world.logins().list(one).await.expect("a list").len(), 1);

    world.logins().sign_out(one).await.expect("it ends");
    world.logins().sign_out(one).await.expect("once more does no harm");
    refused(world.logins().authenticate(&first.access_token).await, ErrorCode::Unauthorized);
    assert_eq!(ended(&world), [login(other), login(one)]);
    refused(world.logins().end(one, login(other)).await, ErrorCode::Unauthorized);
}

#[tokio::test]
async fn a_login_ends_by_any_token_it_ever_had() {
    let world = World::open();
    let first = world.register("alice").await;
    let caller = world.caller(&first).await;
    let second = world.logins().refresh(refresh_token(&first)).await.expect("it is good");
    for nothing in ["", "x", &"A".repeat(64)] {
        world.logins().sign_out_with(nothing).await.expect("there is nothing to end");
    }
    assert_eq!(ended(&world), []);
    world.logins().sign_out_with(refresh_token(&second)).await.expect("it ends");
    assert_eq!(ended(&world), [login(caller)]);
    refused(world.logins().authenticate(&first.access_token).await, ErrorCode::Unauthorized);
}

#[tokio::test]
async fn nobody_ends_anothers_login() {
    let world = World::open();
    let alice = world.caller(&world.register("alice").await).await;
    let mallory = world.caller(&world.register("mallory").await).await;
    for login in [login(alice), LoginId(1), LoginId(i64::MAX)] {
        refused(world.logins().end(mallory, login).await, ErrorCode::UnknownLogin);
    }
    world
        .logins()
        .sign_out(Caller {
            user: mallory.user,
            login: alice.login,
        })
        .await
        .expect("nothing of mallory's ends");
    assert_eq!(ended(&world), []);
}

#[tokio::test]
async fn ended_logins_are_known_after_a_restart_as_long_as_needed() {
    let world = World::open();
    let first = world.register("alice").await;
    let second = world.sign_in("alice").await;
    world.logins().sign_out(world.caller(&first).await).await.expect("it ends");
    world.pass(60_000);
    let world = world.restart().await;
    refused(world.logins().authenticate(&first.access_token).await, ErrorCode::Unauthorized);
    world.caller(&second).await;
    world.pass(ACCESS_TOKEN_MS + REQUEST_MS_MAX);
    let world = world.restart().await;
    refused(world.logins().authenticate(&first.access_token).await, ErrorCode::Unauthorized);
    world
        .logins()
        .refresh(refresh_token(&second))
        .await
        .expect("logins survive restarts");
    refused(world.logins().refresh(refresh_token(&first)).await, ErrorCode::InvalidRefreshToken);
}

#[tokio::test]
async fn one_login_too_many_ends_the_one_unused_for_longest() {
    let world = World::open();
    let first = world.register("alice").await;
    world.pass(1_000);
    let unused = world.sign_in("alice").await;
    for _ in 2..LOGINS_PER_USER_MAX {
        world.pass(1_000);
        world.sign_in("alice").await;
    }
    world.pass(1_000);
    world.logins().refresh(refresh_token(&first)).await.expect("it is used again");
    let unused_caller = world.caller(&unused).await;
    let newest = world.sign_in("alice").await;
    assert_eq!(ended(&world), [login(unused_caller)]);
    refused(world.logins().authenticate(&unused.access_token).await, ErrorCode::Unauthorized);
    let caller = world.caller(&newest).await;
    assert_eq!(world.logins().list(caller).await.expect("a list").len() as i64, LOGINS_PER_USER_MAX);
}

#[tokio::test]
async fn another_nodes_news_of_an_end_is_enough() {
    let world = World::open();
    let granted = world.register("alice").await;
    let caller = world.caller(&granted).await;
    world.tokens.ended(login(caller), world.clock.now_ms());
    refused(world.logins().authenticate(&granted.access_token).await, ErrorCode::Unauthorized);
}

/// Nobody uses it any more, but a socket may still be open under it: its end is an event like any other's.
#[tokio::test]
async fn an_unused_login_ends_by_itself_and_is_told() {
    let world = World::open();
    let unused = world.caller(&world.register("alice").await).await;
    world.pass(REFRESH_TOKEN_MS - 1);
    let used = world.caller(&world.sign_in("alice").await).await;
    sweeps::sweep(&world.app).await.expect("the sweep");
    assert_eq!(ended(&world), []);
    world.pass(1);
    sweeps::sweep(&world.app).await.expect("the sweep");
    assert_eq!(ended(&world), [login(unused)]);
    let live = world.logins().list(used).await.expect("a list");
    assert_eq!(live.iter().map(|login| login.id).collect::<Vec<_>>(), [login(used)]);
}
