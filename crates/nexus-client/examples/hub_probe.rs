//! The Rust one of three programs that `sdk/tests` drives against a real server.
//!
//! `hub_probe listen SINCE TYPE…` prints a line for each event, gap and fault until its input ends; `hub_probe publish COUNT NAME` publishes
//! events numbered from 1. The address is `NEXUS_URL`, the secret `NEXUS_SECRET`.

use std::error::Error;
use std::io::{Read, Write};
use std::time::Duration;

use nexus_client::{HubError, NexusClient, SubscribeOptions, Verdict};
use serde_json::json;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let client = NexusClient::builder(std::env::var("NEXUS_URL")?)
        .secret(std::env::var("NEXUS_SECRET")?)
        .publish_for(Duration::from_mins(2));
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = client.build()?;
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["listen", since, types @ ..] => listen(&client, since, types).await,
            ["publish", count, name] => publish(&client, count.parse()?, name).await,
            _ => Err("listen SINCE TYPE… or publish COUNT NAME".into()),
        }
    })
}

async fn listen(client: &NexusClient, since: &str, types: &[&str]) -> Outcome {
    let mut options = SubscribeOptions::default().on_gap(|gap| say(&json!({ "gap": gap.since })));
    if let Ok(since) = since.parse() {
        options = options.since(since);
    }
    let options = options.on_error(|problem| {
        say(&json!({ "problem": word(problem), "message": problem.to_string() }));
        Verdict::Retry
    });
    let subscription = client.subscribe(types, options, async |event| {
        say(&json!({ "position": event.position, "id": event.id, "payload": event.payload }));
        Ok::<_, HubError>(())
    })?;
    subscription.ready().await;
    say(&json!({ "ready": subscription.position() }));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    client.close().await;
    say(&json!({ "closed": subscription.position() }));
    Ok(())
}

async fn publish(client: &NexusClient, count: u32, name: &str) -> Outcome {
    for number in 1..=count {
        let id = format!("{name}-{number}");
        let payload = json!({ "proposalId": id, "voterId": name, "decision": "for" });
        let published = client.publish_as(&id, "FLUXX:VOTE_CAST", &payload).await?;
        say(&json!({ "published": published.position, "duplicate": published.duplicate }));
    }
    Ok(())
}

fn word(problem: &HubError) -> &str {
    match problem {
        HubError::Refused { code, .. } => code,
        HubError::Unreachable { .. } => "unreachable",
        _ => "other",
    }
}

/// One line, at once.
fn say(line: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .expect("somebody reads our output");
}
