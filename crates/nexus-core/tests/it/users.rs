//! The caller's own account.

use nexus_types::ErrorCode;
use nexus_types::logins::{ChangePassword, SignIn};

use crate::support::{FIREFOX, PASSWORD, World, refresh_token, refused};

const NEW_PASSWORD: &str = "battery staple";

fn change(password: &str, new_password: &str) -> ChangePassword {
    ChangePassword {
        password: password.into(),
        new_password: new_password.into(),
    }
}

#[tokio::test]
async fn the_caller_sees_their_account() {
    let world = World::open();
    let granted = world.register("Alice").await;
    assert_eq!(
        world.users().me(world.caller(&granted).await).await.expect("an account"),
        granted.user
    );
}

#[tokio::test]
async fn a_new_password_ends_every_other_login() {
    let world = World::open();
    let first = world.register("alice").await;
    let second = world.sign_in("alice").await;
    let bystander = world.register("bob").await;
    let caller = world.caller(&first).await;
    world.caller(&second).await;
    let user = world
        .users()
        .change_password(caller, change(PASSWORD, NEW_PASSWORD))
        .await
        .expect("it changes");
    assert_eq!(user, first.user);

    refused(world.logins().authenticate(&second.access_token).await, ErrorCode::Unauthorized);
    refused(world.logins().refresh(refresh_token(&second)).await, ErrorCode::InvalidRefreshToken);
    assert_eq!(world.caller(&first).await, caller, "the caller stays");
    world.logins().refresh(refresh_token(&first)).await.expect("and goes on");
    world.caller(&bystander).await;
    assert_eq!(world.log().len(), 1);

    let sign_in = |password: &str| SignIn {
        username: "alice".into(),
        password: password.into(),
    };
    refused(world.logins().sign_in(sign_in(PASSWORD), FIREFOX).await, ErrorCode::BadCredentials);
    world
        .logins()
        .sign_in(sign_in(NEW_PASSWORD), FIREFOX)
        .await
        .expect("the new one is right");
}

#[tokio::test]
async fn a_password_changes_only_for_who_knows_it() {
    let world = World::open();
    let first = world.register("alice").await;
    let second = world.sign_in("alice").await;
    let (caller, other) = (world.caller(&first).await, world.caller(&second).await);
    for wrong in ["wrong horse", "", "short", &"x".repeat(1 << 20)] {
        refused(
            world.users().change_password(caller, change(wrong, NEW_PASSWORD)).await,
            ErrorCode::BadCredentials,
        );
    }
    for bad in ["", "short", &"x".repeat(129)] {
        refused(
            world.users().change_password(caller, change(PASSWORD, bad)).await,
            ErrorCode::InvalidBody,
        );
    }
    world
        .logins()
        .end(caller, other.login.expect("a person has one"))
        .await
        .expect("it ends");
    refused(
        world.users().change_password(other, change(PASSWORD, NEW_PASSWORD)).await,
        ErrorCode::Unauthorized,
    );
    world.sign_in("alice").await;
}

#[tokio::test]
async fn of_two_changes_at_once_one_stands() {
    let world = World::open();
    let caller = world.caller(&world.register("alice").await).await;
    let (one, other) = tokio::join!(
        async { world.users().change_password(caller, change(PASSWORD, "first new password")).await },
        async { world.users().change_password(caller, change(PASSWORD, "other new password")).await }
    );
    let lost = if one.is_ok() { other } else { one };
    refused(lost, ErrorCode::BadCredentials);
}
