//! Metrics: what the process counts, as Prometheus text.
//!
//! Code that counts calls the functions here or the macros of `metrics`; this is the only file that knows how the numbers are kept.
//! It deliberately has no label that a person or a guesser can choose: routes are templates, cosigners have three names. Reactors are
//! named as the operator named their files, and webhooks by their numbers.
//!
//! # Source
//! The names without `nexus_` are the transparency contract's; the others follow
//! <https://prometheus.io/docs/practices/naming/>.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use http::Method;
use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// How often what was measured is folded together, so that a process which nobody scrapes does not grow.
const UPKEEP: Duration = Duration::from_secs(15);
/// Upper bounds of durations, in seconds.
const SECONDS: &[f64] = &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
/// Upper bounds of batches, in leaves.
const LEAVES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Answered requests by route, method and status.
const REQUESTS: &str = "nexus_http_requests_total";
/// How long an answer took, by route.
const REQUEST_SECONDS: &str = "nexus_http_request_duration_seconds";
/// Registrations by outcome: `new`, `existing`, `refused`, `limited`, `unavailable`, `failed`.
const REGISTRATIONS: &str = "nexus_log_registrations_total";
/// How long it took until a new registration was published.
const REGISTRATION_SECONDS: &str = "nexus_log_registration_duration_seconds";
/// How long a cosigner took, by cosigner.
const COSIGN_SECONDS: &str = "nexus_log_cosign_duration_seconds";
/// What a cosigner did not do, by cosigner and reason.
const COSIGN_FAILURES: &str = "nexus_log_cosign_failures_total";
/// Leaves that share a proposal, by the cosigner that signed it.
const BATCH_LEAVES: &str = "nexus_log_batch_leaves";

/// Frames that came to the relay by outcome: `delivered`, `undeliverable`, `mismatch` (under another's name).
const RELAY_FRAMES: &str = "nexus_relay_frames_total";
/// Relay sessions that were closed because they did not read.
const RELAY_SLOW: &str = "nexus_relay_slow_readers_total";

/// Posted events by outcome: `dispatched`, `duplicate`, `conflict`, `unsigned`, `refused`, `limited`, `failed`.
const HUB_EVENTS: &str = "nexus_hub_events_total";
/// How long it took until a new event was durable.
const HUB_PUBLISH_SECONDS: &str = "nexus_hub_publish_duration_seconds";

/// Events that were put into streams.
const STREAM_EVENTS: &str = "nexus_hub_stream_events_total";
/// Streams that ended, by who ended them: `client`, or the word of a reason of ours.
const STREAMS_CLOSED: &str = "nexus_hub_stream_closed_total";

/// Calls to other servers by outcome: `answered`, `invalid`, `blocked`, `no_host`, `busy`, `no_connection`, `timeout`, `too_large`, `redirect`,
/// `broken`.
const OUTBOUND_CALLS: &str = "nexus_outbound_calls_total";

/// The text of all metrics; the gauges are set by whoever asks.
pub(crate) fn render() -> String {
    handle().render()
}

/// Keeps the numbers small until the process ends. To be spawned once.
pub(crate) async fn upkeep() {
    let handle = handle();
    loop {
        tokio::time::sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}

/// The recorder of this process, installed at the first use.
fn handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_leaves".to_owned()), LEAVES))
            .expect("the bounds are not empty");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Another recorder is there only if a test brought its own; then this one shows nothing.
        metrics::set_global_recorder(recorder).ok();
        describe();
        handle
    })
}

/// Starts counting.
pub(crate) fn start() {
    handle();
}

fn describe() {
    metrics::describe_gauge!("process_up", "1 while the process serves.");
    metrics::describe_gauge!("users_count", "Different ids in the key log.");
    metrics::describe_gauge!("sth_count", "Published tree heads.");
    metrics::describe_gauge!("ws_sessions", "Sessions that are connected to the relay.");
    metrics::describe_gauge!(
        "last_sth_timestamp",
        "The time of the latest tree head, in seconds since 1970; 0 without one."
    );
    metrics::describe_gauge!("nexus_uptime_seconds", "How long the process has served.");
    metrics::describe_gauge!("nexus_process_resident_memory_bytes", "Memory that the process holds.");
    metrics::describe_gauge!("nexus_process_cpu_seconds_total", "Processor time that the process has used.");
    metrics::describe_gauge!(
        "nexus_log_pending_leaves",
        "Leaves that were proposed and wait for their second signature."
    );
    metrics::describe_gauge!("nexus_log_cosigner_up", "1 if the cosigner signed when it was last asked.");
    metrics::describe_counter!(REQUESTS, "Answered requests.");
    metrics::describe_histogram!(REQUEST_SECONDS, metrics::Unit::Seconds, "How long an answer took.");
    metrics::describe_counter!(REGISTRATIONS, "Registrations by outcome.");
    metrics::describe_histogram!(
        REGISTRATION_SECONDS,
        metrics::Unit::Seconds,
        "How long it took until a new registration was published."
    );
    metrics::describe_histogram!(COSIGN_SECONDS, metrics::Unit::Seconds, "How long a cosigner took to answer.");
    metrics::describe_counter!(COSIGN_FAILURES, "Answers of a cosigner that were no signature.");
    metrics::describe_counter!(RELAY_FRAMES, "Frames that came to the relay, by outcome.");
    metrics::describe_counter!(RELAY_SLOW, "Relay sessions that were closed because they did not read.");
    metrics::counter!(RELAY_SLOW).absolute(0);
    metrics::describe_counter!(HUB_EVENTS, "Posted events, by outcome.");
    metrics::describe_histogram!(HUB_PUBLISH_SECONDS, "How long it took until a new event was durable.");
    metrics::describe_gauge!(
        "nexus_hub_dispatch_lag_entries",
        "Entries of the event log that reactors have not been told of."
    );
    metrics::describe_gauge!(
        "nexus_hub_dead_letters",
        "Jobs that nobody tries any more, and nobody has looked after."
    );
    metrics::describe_gauge!("nexus_hub_streams", "Open streams of events.");
    metrics::describe_gauge!(
        "nexus_hub_today",
        "What happened since midnight UTC: events, and jobs by how they ended."
    );
    metrics::describe_gauge!("nexus_reactor_waiting", "Jobs of a reactor that wait or are tried again.");
    metrics::describe_gauge!("nexus_reactor_dead", "Dead letters of a reactor.");
    metrics::describe_gauge!(
        "nexus_reactor_resting",
        "1 while a reactor leaves the other side alone because it did not answer."
    );
    metrics::describe_counter!(STREAM_EVENTS, "Events that were put into streams.");
    metrics::describe_counter!(STREAMS_CLOSED, "Streams that ended, by reason.");
    metrics::describe_counter!(OUTBOUND_CALLS, "Calls to other servers, by outcome.");
    metrics::describe_histogram!(BATCH_LEAVES, "Leaves that share a proposal.");
}

/// What is counted of a route. Looking a metric up by its labels takes longer than all else that is done here, so it is done once.
struct Route {
    seconds: Histogram,
    /// By method and status.
    answers: HashMap<(&'static str, u16), Counter>,
}

/// A request was answered.
pub(crate) fn answered(method: &Method, route: &str, status: u16, took: Duration) {
    static ROUTES: LazyLock<RwLock<HashMap<String, Route>>> = LazyLock::new(RwLock::default);
    let method = known(method);
    let routes = ROUTES.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = routes.get(route)
        && let Some(answers) = known.answers.get(&(method, status))
    {
        known.seconds.record(took);
        answers.increment(1);
        return;
    }
    drop(routes);
    let mut routes = ROUTES.write().unwrap_or_else(PoisonError::into_inner);
    // Routes, methods and statuses are ours, so this stays small.
    let known = routes.entry(route.to_owned()).or_insert_with(|| Route {
        seconds: metrics::histogram!(REQUEST_SECONDS, "route" => route.to_owned()),
        answers: HashMap::new(),
    });
    known.seconds.record(took);
    known
        .answers
        .entry((method, status))
        .or_insert_with(|| metrics::counter!(REQUESTS, "route" => route.to_owned(), "method" => method, "status" => status.to_string()))
        .increment(1);
}

/// The method, or `other` for one that somebody made up.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// Somebody tried to register.
pub(crate) fn registered(outcome: &'static str, took: Duration) {
    if outcome == "new" {
        metrics::histogram!(REGISTRATION_SECONDS).record(took);
    }
    metrics::counter!(REGISTRATIONS, "outcome" => outcome).increment(1);
}

/// A cosigner was asked to sign so many leaves, and did or gave a reason.
pub(crate) fn cosigned(cosigner: &'static str, leaves: usize, took: Duration, failure: Option<&'static str>) {
    match failure {
        Some(reason) => metrics::counter!(COSIGN_FAILURES, "cosigner" => cosigner, "reason" => reason).increment(1),
        None => metrics::histogram!(BATCH_LEAVES, "cosigner" => cosigner).record(leaves as f64),
    }
    metrics::histogram!(COSIGN_SECONDS, "cosigner" => cosigner).record(took);
}

/// A frame came to the relay.
pub(crate) fn relayed(outcome: &'static str) {
    metrics::counter!(RELAY_FRAMES, "outcome" => outcome).increment(1);
}

/// A relay session was closed because it did not read.
pub(crate) fn slow_reader() {
    metrics::counter!(RELAY_SLOW).increment(1);
}

/// Somebody posted an event.
pub(crate) fn published(outcome: &'static str, took: Duration) {
    if outcome == "dispatched" {
        metrics::histogram!(HUB_PUBLISH_SECONDS).record(took);
    }
    metrics::counter!(HUB_EVENTS, "outcome" => outcome).increment(1);
}

/// So many events were put into streams.
pub(crate) fn streamed(count: u64) {
    if count > 0 {
        metrics::counter!(STREAM_EVENTS).increment(count);
    }
}

/// A stream ended.
pub(crate) fn stream_closed(reason: &'static str) {
    metrics::counter!(STREAMS_CLOSED, "reason" => reason).increment(1);
}

/// Another server was called.
pub(crate) fn called(outcome: &'static str) {
    metrics::counter!(OUTBOUND_CALLS, "outcome" => outcome).increment(1);
}

/// How the event hub stands.
pub(crate) struct HubFigures {
    pub(crate) streams: usize,
    pub(crate) lag_entries: i64,
    pub(crate) dead_letters: i64,
    /// What happened since midnight UTC, and how often.
    pub(crate) today: [(&'static str, i64); 4],
}

/// Shows how the event hub stands.
pub(crate) fn hub(figures: &HubFigures) {
    metrics::gauge!("nexus_hub_streams").set(figures.streams as f64);
    metrics::gauge!("nexus_hub_dispatch_lag_entries").set(figures.lag_entries as f64);
    metrics::gauge!("nexus_hub_dead_letters").set(figures.dead_letters as f64);
    for (what, count) in figures.today {
        metrics::gauge!("nexus_hub_today", "what" => what).set(count as f64);
    }
}

/// How a reactor stands.
pub(crate) struct ReactorFigures {
    pub(crate) name: String,
    pub(crate) waiting: i64,
    pub(crate) dead: i64,
    pub(crate) resting: bool,
}

/// Shows how the reactors stand. One that is gone shows 0 from then on.
pub(crate) fn reactors(all: impl Iterator<Item = ReactorFigures>) {
    static SHOWN: LazyLock<RwLock<HashSet<String>>> = LazyLock::new(RwLock::default);
    let show = |name: &str, waiting: i64, dead: i64, resting: bool| {
        metrics::gauge!("nexus_reactor_waiting", "reactor" => name.to_owned()).set(waiting as f64);
        metrics::gauge!("nexus_reactor_dead", "reactor" => name.to_owned()).set(dead as f64);
        metrics::gauge!("nexus_reactor_resting", "reactor" => name.to_owned()).set(f64::from(resting));
    };
    let mut shown = SHOWN.write().unwrap_or_else(PoisonError::into_inner);
    let mut gone = std::mem::take(&mut *shown);
    for one in all {
        show(&one.name, one.waiting, one.dead, one.resting);
        gone.remove(&one.name);
        shown.insert(one.name);
    }
    for name in gone {
        show(&name, 0, 0, false);
    }
}

/// What the operating system says of this process, where it says it in `/proc`.
///
/// # Source
/// proc(5), `/proc/pid/stat` and `/proc/pid/status`; its clock has 100 ticks a second on every Linux that we run on.
pub(crate) fn process() {
    const TICKS_PER_S: f64 = 100.0;
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        metrics::gauge!("nexus_process_resident_memory_bytes").set(kib.unwrap_or(0.0) * 1_024.0);
    }
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return;
    };
    // The name in brackets may hold spaces. After it come the state, which is the third field, and then numbers.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let number = |field: usize| fields.split_whitespace().nth(field - 3)?.parse::<f64>().ok();
    let ticks = number(14).zip(number(15)).map_or(0.0, |(user, system)| user + system);
    metrics::gauge!("nexus_process_cpu_seconds_total").set(ticks / TICKS_PER_S);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown_without_anything_that_somebody_chose() {
        start();
        answered(&Method::GET, "/did/{id}", 200, Duration::from_millis(3));
        answered(&Method::from_bytes(b"BREW").expect("a method"), "none", 405, Duration::ZERO);
        registered("new", Duration::from_millis(4));
        cosigned("cosigner_1", 7, Duration::from_millis(1), Some("unreachable"));
        cosigned("cosigner_1", 7, Duration::from_millis(1), None);
        called("blocked");
        published("dispatched", Duration::from_millis(2));
        published("unsigned", Duration::ZERO);
        process();
        let text = render();
        for line in [
            "nexus_http_requests_total{route=\"/did/{id}\",method=\"GET\",status=\"200\"} 1",
            "nexus_http_requests_total{route=\"none\",method=\"other\",status=\"405\"} 1",
            "nexus_http_request_duration_seconds_bucket{route=\"/did/{id}\",le=\"0.005\"} 1",
            "nexus_log_registrations_total{outcome=\"new\"} 1",
            "nexus_log_cosign_failures_total{cosigner=\"cosigner_1\",reason=\"unreachable\"} 1",
            "nexus_log_batch_leaves_bucket{cosigner=\"cosigner_1\",le=\"8\"} 1",
            "nexus_outbound_calls_total{outcome=\"blocked\"} 1",
            "nexus_hub_events_total{outcome=\"unsigned\"} 1",
            "nexus_hub_publish_duration_seconds_bucket{le=\"0.0025\"} 1",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
        assert!(!text.contains("BREW"));
        assert!(text.contains("nexus_process_resident_memory_bytes"), "{text}");
    }
}
