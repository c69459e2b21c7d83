//! Members: pages, leaving, being removed.

use nexus_types::ErrorCode;
use nexus_types::ids::UserId;
use nexus_types::limits::MEMBERS_PAGE_MAX;

use crate::harbour::Harbour;
use crate::support::refused;

#[tokio::test]
async fn members_come_in_pages_by_id() {
    let harbour = Harbour::build().await;
    let page = async |limit, after| {
        let list = harbour
            .members()
            .list(harbour.member, harbour.guild, limit, UserId(after))
            .await
            .expect("a page");
        list.into_iter()
            .map(|member| member.user.expect("a member is a user").id)
            .collect::<Vec<_>>()
    };
    let (owner, member) = (harbour.owner.user, harbour.member.user);
    assert_eq!(page(10, 0).await, [owner, member]);
    assert_eq!(page(1, 0).await, [owner]);
    assert_eq!(page(1, owner.0).await, [member]);
    assert!(page(1, member.0).await.is_empty());
    for limit in [0, -1, MEMBERS_PAGE_MAX + 1] {
        refused(
            harbour.members().list(harbour.member, harbour.guild, limit, UserId(0)).await,
            ErrorCode::InvalidLimit,
        );
    }
    refused(
        harbour.members().list(harbour.outsider, harbour.guild, 1, UserId(0)).await,
        ErrorCode::UnknownGuild,
    );
    refused(
        harbour.members().show(harbour.member, harbour.guild, harbour.outsider.user).await,
        ErrorCode::UnknownMember,
    );
    refused(
        harbour.members().show(harbour.outsider, harbour.guild, owner).await,
        ErrorCode::UnknownGuild,
    );
}

#[tokio::test]
async fn only_who_stands_above_removes_a_member() {
    let harbour = Harbour::build().await;
    let (owner, member, outsider) = (harbour.owner, harbour.member, harbour.outsider);
    let entries = harbour.entries();
    for (who, whom, code) in [
        (member, owner, ErrorCode::MissingPermission),
        (outsider, member, ErrorCode::UnknownGuild),
        (owner, owner, ErrorCode::RoleHierarchy),
        (owner, outsider, ErrorCode::UnknownMember),
    ] {
        refused(harbour.members().remove(who, harbour.guild, whom.user).await, code);
    }
    refused(harbour.members().leave(owner, harbour.guild).await, ErrorCode::OwnerRequired);
    refused(harbour.members().leave(outsider, harbour.guild).await, ErrorCode::UnknownGuild);
    assert_eq!(harbour.entries(), entries);

    harbour
        .members()
        .remove(owner, harbour.guild, member.user)
        .await
        .expect("they are removed");
    refused(
        harbour.members().remove(owner, harbour.guild, member.user).await,
        ErrorCode::UnknownMember,
    );
    refused(harbour.guilds().show(member, harbour.guild).await, ErrorCode::UnknownGuild);
    refused(
        harbour.messages().send(member, harbour.channel, crate::harbour::text("hi")).await,
        ErrorCode::UnknownChannel,
    );
    harbour.invites().join(member, &harbour.code).await.expect("they may come back");
}

#[tokio::test]
async fn a_member_who_leaves_twice_at_once_leaves_once() {
    let harbour = Harbour::build().await;
    let leave = async || harbour.members().leave(harbour.member, harbour.guild).await;
    let (one, other) = tokio::join!(leave(), leave());
    assert!(one.is_ok() != other.is_ok());
    let seen = harbour.invites().show(&harbour.code).await.expect("it is good");
    assert_eq!(seen.approximate_member_count, Some(1));
}
