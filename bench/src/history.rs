//! Reading back: pages at random places of a long channel.

use std::path::Path;
use std::time::Instant;

use nexus_store::{Db, Options, StoreError, Tx, sql};
use nexus_types::ids::{ChannelId, GuildId, MessageId, UserId};
use nexus_types::messages::{Message, Place as Within};
use nexus_types::timestamps::Timestamp;
use nexus_types::users::User;
use serde::Deserialize;

use crate::cores::Place;
use crate::http::{Client, Request};
use crate::loads::TEXT;
use crate::report::{histogram, quantile_ms};
use crate::servers::Server;
use crate::{Bench, Outcome, accounts, generate};

/// Messages in a page.
const PAGE: i64 = 50;
/// Messages stored by one job: each changes two rows.
const ROWS_PER_JOB: i64 = 200;

/// A long channel.
struct Channel {
    id: String,
    token: String,
    /// The oldest message; the ids that follow have no gap.
    first: i64,
    messages: i64,
}

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let messages = if bench.options.quick { 100_000 } else { 1_000_000 };
    let folder = bench.temporary()?;
    let data = folder.path().join("data");

    let server = Server::start(bench, &data, Place::Server)?;
    let community = generate(accounts::found(server.address, 0))?;
    server.stop()?;
    let id: i64 = community.channel.parse()?;
    let place = Within {
        guild_id: GuildId(community.guild.parse()?),
        channel_id: ChannelId(id),
    };
    let author = User::new(UserId(community.owner.parse()?), "owner".into());
    let first = id + 1;
    fill(&data.join("nexus.db"), place, &author, first..first + messages)?;

    let server = Server::start(bench, &data, Place::Server)?;
    let token = community.tokens.into_iter().next().ok_or("the owner has a token")?;
    let channel = Channel {
        id: community.channel,
        token,
        first,
        messages,
    };
    generate(pages(bench, &server, &channel))?;
    server.stop()
}

/// Stores messages with these ids past the server, which is stopped.
fn fill(database: &Path, place: Within, author: &User, ids: std::ops::Range<i64>) -> Outcome<()> {
    generate(async {
        let db = Db::open(database, Options::default())?;
        let mut next = ids.start;
        while next < ids.end {
            let end = ids.end.min(next + ROWS_PER_JOB);
            let author = author.clone();
            let job = async move |tx: &mut Tx<'_>| {
                for id in next..end {
                    let message = Message::new(
                        MessageId(id),
                        place,
                        author.clone(),
                        TEXT.into(),
                        Timestamp(1_780_000_000_000 + id - ids.start),
                    );
                    sql::messages::insert(tx, &message).await?;
                }
                Ok::<_, StoreError>(())
            };
            db.write(job).await?;
            next = end;
        }
        db.close().await;
        Ok(())
    })
}

#[derive(Deserialize)]
struct Stored {
    id: String,
}

async fn pages(bench: &mut Bench, server: &Server, channel: &Channel) -> Outcome<()> {
    let Channel {
        id,
        token,
        first,
        messages,
    } = channel;
    let count = bench.seconds(2_000, 10_000);
    let mut client = Client::connect(server.address).await?;
    let mut times = histogram();
    let mut place: i64 = 12_345;
    let mut before = server.usage()?;
    for number in 0..count + count / 10 {
        if number == count / 10 {
            // Warm from here on.
            times.reset();
            before = server.usage()?;
        }
        // A linear congruential generator (Numerical Recipes, ranqd1) is random enough to miss the last page's neighbourhood.
        place = (place * 1_664_525 + 1_013_904_223) % (1 << 32);
        let newest = first + PAGE - 1 + place % (messages - PAGE);
        let path = format!("/api/v1/channels/{id}/messages?limit={PAGE}&before={}", newest + 1);
        let started = Instant::now();
        let answer = client
            .call(&Request {
                method: "GET",
                path: &path,
                token: Some(token),
                body: None,
            })
            .await?;
        times.saturating_record(started.elapsed().as_micros() as u64);
        let page: Vec<Stored> = serde_json::from_slice(&answer.body)?;
        let is_right = page
            .iter()
            .enumerate()
            .all(|(index, message)| message.id == (newest - index as i64).to_string());
        if page.len() as i64 != PAGE || !is_right {
            return Err(format!("a page of history is wrong, at {newest}").into());
        }
    }
    bench.report.add("history.p50", quantile_ms(&times, 0.5));
    bench.report.note("history.p50", format!("{count} pages of {messages} messages"));
    bench.report.add("history.p99", quantile_ms(&times, 0.99));
    bench.report.add("history.cpu", server.usage()?.since_us(&before) / count as f64);
    Ok(())
}
