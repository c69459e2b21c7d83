//! The first administrator.

use nexus_types::ErrorCode;
use nexus_types::limits::SETUP_LINK_MS;
use nexus_types::logins::Setup;

use crate::support::{FIREFOX, PASSWORD, World, refused};

fn setup(token: &str, username: &str) -> Setup {
    Setup {
        token: token.into(),
        username: username.into(),
        password: PASSWORD.into(),
    }
}

#[tokio::test]
async fn a_setup_link_makes_one_administrator() {
    let world = World::open();
    assert!(world.setup().required().await.expect("an answer"));
    let token = world.setup().new_link().await.expect("an answer").expect("a link");
    let granted = world
        .setup()
        .complete(setup(&token, "root"), FIREFOX)
        .await
        .expect("the administrator is made");
    assert!(granted.user.admin);
    let caller = world.caller(&granted).await;
    assert!(world.users().me(caller).await.expect("an account").admin);
    assert!(!world.setup().required().await.expect("an answer"));
    assert_eq!(world.setup().new_link().await.expect("an answer"), None);
    for token in [token.as_str(), "wrong"] {
        refused(
            world.setup().complete(setup(token, "other"), FIREFOX).await,
            ErrorCode::AlreadySetUp,
        );
    }
    assert!(world.sign_in("root").await.user.admin);
    assert!(!world.register("alice").await.user.admin);
}

#[tokio::test]
async fn of_two_at_once_one_becomes_administrator() {
    let world = World::open();
    let token = world.setup().new_link().await.expect("an answer").expect("a link");
    let (one, other) = tokio::join!(async { world.setup().complete(setup(&token, "one"), FIREFOX).await }, async {
        world.setup().complete(setup(&token, "other"), FIREFOX).await
    });
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    let winner = won.expect("one of them").user.user.username;
    refused(lost, ErrorCode::AlreadySetUp);
    world.register(if winner == "one" { "other" } else { "one" }).await;
}

#[tokio::test]
async fn a_setup_link_works_for_a_day_and_until_the_next_one() {
    let world = World::open();
    let first = world.setup().new_link().await.expect("an answer").expect("a link");
    let second = world.setup().new_link().await.expect("an answer").expect("a link");
    for bad in ["", "x", &first] {
        refused(
            world.setup().complete(setup(bad, "root"), FIREFOX).await,
            ErrorCode::InvalidSetupToken,
        );
    }
    world.pass(SETUP_LINK_MS);
    refused(
        world.setup().complete(setup(&second, "root"), FIREFOX).await,
        ErrorCode::InvalidSetupToken,
    );
    let world = world.restart().await;
    let third = world.setup().new_link().await.expect("an answer").expect("a link");
    world.pass(SETUP_LINK_MS - 1);
    world.setup().complete(setup(&third, "root"), FIREFOX).await.expect("in time");
}

#[tokio::test]
async fn a_refused_setup_leaves_the_link_good() {
    let world = World::open();
    world.register("alice").await;
    let token = world.setup().new_link().await.expect("an answer").expect("a link");
    refused(
        world.setup().complete(setup(&token, "ALICE"), FIREFOX).await,
        ErrorCode::UsernameTaken,
    );
    refused(world.setup().complete(setup(&token, "a"), FIREFOX).await, ErrorCode::InvalidBody);
    world
        .setup()
        .complete(setup(&token, "root"), FIREFOX)
        .await
        .expect("it is still good");
}

#[tokio::test]
async fn a_page_learns_what_it_must_know() {
    let world = World::with(|settings| settings.registration_needs_admin = true);
    let instance = world.setup().instance().await.expect("an answer");
    assert_eq!(
        (instance.name.as_str(), instance.registration.as_str(), instance.setup_required),
        ("Test", "closed", true)
    );
    let token = world.setup().new_link().await.expect("an answer").expect("a link");
    world
        .setup()
        .complete(setup(&token, "root"), FIREFOX)
        .await
        .expect("the administrator is made");
    let instance = world.setup().instance().await.expect("an answer");
    assert_eq!((instance.registration.as_str(), instance.setup_required), ("open", false));
    assert!(!instance.version.is_empty());
}
