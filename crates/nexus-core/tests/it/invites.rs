//! Invites: their ends, their uses, and who may make and take them back (104 to 108 of the bad inputs).

use nexus_types::ErrorCode;
use nexus_types::invites::CreateInvite;
use nexus_types::limits::{INVITE_AGE_S_MAX, INVITE_USES_MAX};

use crate::harbour::Harbour;
use crate::support::refused;

fn terms(max_age: i64, max_uses: i64) -> CreateInvite {
    CreateInvite {
        max_age: Some(max_age),
        max_uses: Some(max_uses),
    }
}

#[tokio::test]
async fn an_invite_ends_with_its_time() {
    let harbour = Harbour::build().await;
    let code = harbour
        .invites()
        .create(harbour.member, harbour.channel, terms(60, 0))
        .await
        .expect("it is made")
        .code;
    harbour.world.pass(59_999);
    assert_eq!(
        harbour.invites().show(&code).await.expect("it is good").approximate_member_count,
        Some(2)
    );
    harbour.world.pass(1);
    refused(harbour.invites().show(&code).await, ErrorCode::InviteInvalid);
    refused(harbour.invites().join(harbour.outsider, &code).await, ErrorCode::InviteInvalid);
    let forever = harbour
        .invites()
        .create(harbour.member, harbour.channel, terms(0, 0))
        .await
        .expect("it is made");
    assert_eq!(forever.expires_at, None);
    harbour.world.pass(365 * 86_400_000);
    harbour.invites().show(&forever.code).await.expect("it is good for ever");
    for code in ["", "nobody-made", "' OR 1=1"] {
        refused(harbour.invites().show(code).await, ErrorCode::UnknownInvite);
    }
}

#[tokio::test]
async fn a_hundred_at_once_share_one_use() {
    let harbour = Harbour::build().await;
    let code = harbour
        .invites()
        .create(harbour.owner, harbour.channel, terms(0, 1))
        .await
        .expect("it is made")
        .code;
    let mut callers = vec![];
    for number in 0..100 {
        callers.push(
            harbour
                .world
                .caller(&harbour.world.register(&format!("guest-{number}")).await)
                .await,
        );
    }
    let mut joining = tokio::task::JoinSet::new();
    for caller in callers {
        let (app, code) = (harbour.world.app.clone(), code.clone());
        joining.spawn(async move { app.invites().join(caller, &code).await });
    }
    let answers = joining.join_all().await;
    let joined = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(joined, 1);
    for refusal in answers.into_iter().filter_map(Result::err) {
        assert_eq!(refusal.code(), Some(ErrorCode::InviteInvalid));
    }
    let counted = harbour.invites().show(&harbour.code).await.expect("it is good");
    assert_eq!(counted.approximate_member_count, Some(3));
}

#[tokio::test]
async fn a_member_uses_nothing_up() {
    let harbour = Harbour::build().await;
    let code = harbour
        .invites()
        .create(harbour.owner, harbour.channel, terms(0, 1))
        .await
        .expect("it is made")
        .code;
    let entries = harbour.entries();
    harbour.invites().join(harbour.member, &code).await.expect("they are in it already");
    assert_eq!(harbour.entries(), entries);
    let invite = harbour
        .invites()
        .join(harbour.outsider, &code)
        .await
        .expect("the use is still there");
    assert_eq!((invite.uses, invite.guild.id), (1, harbour.guild));
    harbour
        .invites()
        .join(harbour.outsider, &code)
        .await
        .expect("used up, but they are in it");
}

#[tokio::test]
async fn only_who_may_makes_lists_and_takes_back_invites() {
    let harbour = Harbour::build().await;
    let secret = harbour.secret().await.id;
    let invites = harbour.invites();
    refused(
        invites.create(harbour.outsider, harbour.channel, terms(0, 0)).await,
        ErrorCode::UnknownChannel,
    );
    refused(invites.create(harbour.member, secret, terms(0, 0)).await, ErrorCode::UnknownChannel);
    for bad in [
        terms(-1, 0),
        terms(INVITE_AGE_S_MAX + 1, 0),
        terms(0, -1),
        terms(0, INVITE_USES_MAX + 1),
        terms(i64::MAX, i64::MAX),
    ] {
        refused(invites.create(harbour.owner, harbour.channel, bad).await, ErrorCode::InvalidBody);
    }
    refused(invites.list(harbour.member, harbour.guild).await, ErrorCode::MissingPermission);
    refused(invites.list(harbour.outsider, harbour.guild).await, ErrorCode::UnknownGuild);
    refused(invites.delete(harbour.member, &harbour.code).await, ErrorCode::MissingPermission);
    refused(invites.delete(harbour.outsider, &harbour.code).await, ErrorCode::UnknownInvite);
    let own = invites
        .create(harbour.member, harbour.channel, terms(0, 0))
        .await
        .expect("it is made")
        .code;
    assert_eq!(invites.list(harbour.owner, harbour.guild).await.expect("a list").len(), 2);
    invites.delete(harbour.member, &own).await.expect("their own");
    invites.delete(harbour.owner, &harbour.code).await.expect("the owner may");
    assert!(invites.list(harbour.owner, harbour.guild).await.expect("a list").is_empty());
    refused(invites.join(harbour.outsider, &harbour.code).await, ErrorCode::InviteInvalid);
}
