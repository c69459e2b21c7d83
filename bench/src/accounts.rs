//! People to measure with: one community, its owner, and as many members as a bench needs, each with a login of their own.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;

use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::json;

use crate::Outcome;
use crate::http::{Client, Request};

/// Registrations at the same time; more would be told to come back.
const AT_ONCE: usize = 16;
const PASSWORD: &str = "correct horse battery";

/// A community and its members' access tokens.
pub(crate) struct Community {
    pub(crate) guild: String,
    /// The first channel.
    pub(crate) channel: String,
    /// The owner's id.
    pub(crate) owner: String,
    /// The owner's first.
    pub(crate) tokens: Vec<String>,
}

#[derive(Deserialize)]
struct Object {
    id: String,
}

#[derive(Deserialize)]
struct Granted {
    user: Object,
    access_token: String,
}

#[derive(Deserialize)]
struct Guild {
    id: String,
    channels: Vec<Object>,
}

#[derive(Deserialize)]
struct Invite {
    code: String,
}

/// Makes a community with this many members besides the owner.
pub(crate) async fn found(address: SocketAddr, members: usize) -> Outcome<Community> {
    let mut client = Client::connect(address).await?;
    let owner: Granted = register(&mut client, "owner", None).await?;
    let token = owner.access_token;
    let guild: Guild = post(&mut client, "/api/v1/guilds", &token, &json!({ "name": "Bench" }).to_string()).await?;
    let channel = guild.channels.into_iter().next().ok_or("a new guild has a channel")?.id;
    let invites = format!("/api/v1/channels/{channel}/invites");
    let invite: Invite = post(&mut client, &invites, &token, r#"{"max_age":0,"max_uses":0}"#).await?;

    let next = Cell::new(0);
    let tokens = RefCell::new(vec![token]);
    let join = async || -> Outcome<()> {
        let mut client = Client::connect(address).await?;
        while next.get() < members {
            let number = next.replace(next.get() + 1);
            let granted = register(&mut client, &format!("member{number}"), Some(&invite.code)).await?;
            tokens.borrow_mut().push(granted.access_token);
        }
        Ok(())
    };
    try_join_all((0..AT_ONCE.min(members)).map(|_| join())).await?;
    Ok(Community {
        guild: guild.id,
        channel,
        owner: owner.user.id,
        tokens: tokens.into_inner(),
    })
}

impl Community {
    /// Opens one more channel.
    pub(crate) async fn open_channel(&self, client: &mut Client, name: &str) -> Outcome<String> {
        let path = format!("/api/v1/guilds/{}/channels", self.guild);
        let channel: Object = post(client, &path, &self.tokens[0], &json!({ "name": name, "type": 0 }).to_string()).await?;
        Ok(channel.id)
    }
}

async fn register(client: &mut Client, username: &str, invite: Option<&str>) -> Outcome<Granted> {
    let body = json!({ "username": username, "password": PASSWORD, "invite": invite }).to_string();
    client
        .json(&Request {
            method: "POST",
            path: "/api/v1/auth/register",
            token: None,
            body: Some(&body),
        })
        .await
}

async fn post<T: serde::de::DeserializeOwned>(client: &mut Client, path: &str, token: &str, body: &str) -> Outcome<T> {
    client
        .json(&Request {
            method: "POST",
            path,
            token: Some(token),
            body: Some(body),
        })
        .await
}
