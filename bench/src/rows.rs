//! The rows of the table: what each is called, its floor and its goal. The goals are the project's, measured against others in
//! November 2026 on two cores.

/// What a figure should reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// As little as this, or less.
    Most(f64),
    /// As much as this, or more.
    Least(f64),
}

/// One row.
pub(crate) struct Row {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) unit: &'static str,
    /// The key of the row that it is compared with.
    pub(crate) floor: Option<&'static str>,
    pub(crate) goal: Option<Goal>,
}

const fn row(key: &'static str, label: &'static str, unit: &'static str) -> Row {
    Row {
        key,
        label,
        unit,
        floor: None,
        goal: None,
    }
}

impl Row {
    const fn floor(mut self, key: &'static str) -> Self {
        self.floor = Some(key);
        self
    }

    const fn most(mut self, goal: f64) -> Self {
        self.goal = Some(Goal::Most(goal));
        self
    }

    const fn least(mut self, goal: f64) -> Self {
        self.goal = Some(Goal::Least(goal));
        self
    }
}

/// All rows, in the order of the table.
pub(crate) const ROWS: &[Row] = &[
    row("floor.fdatasync", "floor: write 4 KiB and fdatasync, p50", "ms"),
    row("floor.sqlite_1", "floor: raw SQLite, FULL, batches of 1", "rows/s"),
    row("floor.sqlite_cpu", "  CPU per batch of 1", "µs"),
    row("floor.sqlite_10", "floor: raw SQLite, FULL, batches of 10", "rows/s"),
    row("floor.sqlite_100", "floor: raw SQLite, FULL, batches of 100", "rows/s"),
    row("floor.sqlite_1000", "floor: raw SQLite, FULL, batches of 1,000", "rows/s"),
    row("engine.1.rate", "sends without HTTP, in process, 1 task", "msg/s").floor("floor.sqlite_1"),
    row("engine.1.cpu", "  CPU per message", "µs").floor("floor.sqlite_cpu"),
    row("engine.64.rate", "sends without HTTP, in process, 64 tasks", "msg/s").floor("floor.sqlite_100"),
    row("engine.64.cpu", "  CPU per message", "µs"),
    row("engine.256.rate", "sends without HTTP, in process, 256 tasks", "msg/s").floor("floor.sqlite_100"),
    row("engine.256.cpu", "  CPU per message", "µs"),
    row("store.1.rate", "durable sends, 1 client, server on one core", "msg/s").floor("floor.sqlite_1"),
    row("store.1.p50", "  acknowledged, p50", "ms").floor("floor.fdatasync"),
    row("store.1.p99", "  acknowledged, p99", "ms"),
    row("store.1.cpu", "  server CPU per message", "µs")
        .floor("floor.sqlite_cpu")
        .most(60.0),
    row("store.64.rate", "durable sends, 64 clients, server on one core", "msg/s").floor("floor.sqlite_100"),
    row("store.64.p50", "  acknowledged, p50", "ms"),
    row("store.64.p99", "  acknowledged, p99", "ms"),
    row("store.64.cpu", "  server CPU per message", "µs").most(60.0),
    row("store.256.rate", "durable sends, 256 clients, server on one core", "msg/s").floor("floor.sqlite_100"),
    row("store.256.p50", "  acknowledged, p50", "ms"),
    row("store.256.p99", "  acknowledged, p99", "ms"),
    row("store.256.cpu", "  server CPU per message", "µs").most(60.0),
    row("store.16ch.rate", "durable sends, 256 clients, 16 channels, one core", "msg/s").floor("floor.sqlite_100"),
    row("store.16ch.cpu", "  server CPU per message", "µs").most(60.0),
    row("store.both_64.rate", "durable sends, 64 clients, all on both cores", "msg/s").floor("floor.sqlite_100"),
    row("store.both_64.p50", "  acknowledged, p50", "ms"),
    row("store.both_256.rate", "durable sends, 256 clients, all on both cores", "msg/s")
        .floor("floor.sqlite_100")
        .least(20_000.0),
    row("store.both_256.p50", "  acknowledged, p50", "ms").most(13.0),
    row("store.both_256.p99", "  acknowledged, p99", "ms"),
    row("store.both_256.cpu", "  server CPU per message", "µs"),
    row("store.rss", "  server memory after all of it", "MiB"),
    row("start.ms", "cold start in an empty directory, to the first 200", "ms").most(300.0),
    row("start.rss", "  memory then", "MiB").most(40.0),
    row("floor.send", "floor: send() of 300 B to 1,000 sockets, 20 rounds/s", "µs CPU"),
    row("floor.send_fast", "floor: the same without a pause", "µs CPU"),
    row("floor.sends_per_cpu", "floor: the same, per CPU-second", "1/s"),
    row("accept.cpu", "CPU per accepted message, 20/s, no receivers", "µs").most(60.0),
    row("fanout.1.p50", "send to receive, 1 receiver, 20/s, p50", "ms"),
    row("fanout.1.p99", "  p99", "ms"),
    row("fanout.1.cpu", "  server CPU per delivery (without that of accepting)", "µs"),
    row("fanout.50.p50", "send to receive, 50 receivers, 2/s, p50", "ms").most(3.0),
    row("fanout.50.p99", "  p99", "ms").most(10.0),
    row("fanout.100.p50", "send to receive, 100 receivers, 20/s, p50", "ms"),
    row("fanout.100.p99", "  p99", "ms"),
    row("fanout.100.cpu", "  server CPU per delivery (without that of accepting)", "µs").floor("floor.send"),
    row("fanout.1000.p50", "send to receive, 1,000 receivers, 20/s, p50", "ms").most(9.0),
    row("fanout.1000.p99", "  p99", "ms").most(25.0),
    row("fanout.1000.cpu", "  server CPU per delivery (without that of accepting)", "µs")
        .floor("floor.send")
        .most(9.0),
    row("fanout.1000.cpu_all", "  server CPU per delivery (all that the server does)", "µs")
        .floor("floor.send")
        .most(9.0),
    row("fanout.1000.generator", "  the generator's own core", "%"),
    row(
        "saturated.rate",
        "deliveries per server-CPU-second, 1,000 receivers, 8 in flight",
        "1/s",
    )
    .floor("floor.sends_per_cpu")
    .least(350_000.0),
    row("saturated.wall", "  deliveries per second", "1/s"),
    row("saturated.generator", "  the generator's own core", "%"),
    row("crowd.kib", "memory per idle identified session, slope", "KiB").most(8.0),
    row("crowd.rss_low", "  server memory at the lower end", "MiB"),
    row("crowd.rss_high", "  server memory at the upper end", "MiB"),
    row("resume.cpu", "everybody resumes at once: server CPU per client", "ms").most(0.25),
    row("resume.time", "  until all are back, nothing lost", "s").most(5.0),
    row("resume.generator", "  the generator's own core", "%"),
    row("identify.cpu", "everybody identifies at once: server CPU per client", "ms").most(1.0),
    row("identify.time", "  until all are back, nothing lost", "s").most(5.0),
    row("identify.generator", "  the generator's own core", "%"),
    row("history.p50", "history page, 50 at a random place, p50", "ms").most(0.5),
    row("history.p99", "  p99", "ms").most(3.0),
    row("history.cpu", "  server CPU per page", "µs"),
    row("floor.node", "floor: SHA-256 of a node of the tree, on one core", "ns"),
    row("floor.leaf", "floor: SHA-256 of a leaf", "ns"),
    row("floor.sign", "floor: Ed25519, sign", "µs"),
    row("floor.verify", "floor: Ed25519, verify strictly", "µs"),
    row("floor.sign_2", "floor: two signatures", "µs"),
    row("floor.sign_2_rate", "floor: as many a second on one core", "1/s"),
    row("floor.tree", "floor: SHA-256 of 10⁶ leaves and 10⁶ nodes", "s"),
    row("floor.heads", "floor: the same with the roots and hashes of 10⁶ heads", "s"),
    row("inside.1.rate", "registrations without HTTP, in process, 1 task", "1/s").floor("floor.sign_2_rate"),
    row("inside.1.cpu", "  CPU per registration", "µs").floor("floor.sign_2"),
    row("inside.64.rate", "registrations without HTTP, in process, 64 tasks", "1/s").floor("floor.sign_2_rate"),
    row("inside.64.cpu", "  CPU per registration", "µs").floor("floor.sign_2"),
    row("inside.256.rate", "registrations without HTTP, in process, 256 tasks", "1/s").floor("floor.sign_2_rate"),
    row("inside.256.cpu", "  CPU per registration", "µs").floor("floor.sign_2"),
    row("register.1.rate", "registrations, 1 client, server on one core", "1/s").floor("floor.sign_2_rate"),
    row("register.1.p50", "  published, p50", "ms").floor("floor.fdatasync"),
    row("register.1.p99", "  published, p99", "ms"),
    row("register.1.cpu", "  server CPU per registration", "µs").floor("floor.sign_2"),
    row("register.64.rate", "registrations, 64 clients, server on one core", "1/s").floor("floor.sign_2_rate"),
    row("register.64.p50", "  published, p50", "ms"),
    row("register.64.p99", "  published, p99", "ms"),
    row("register.64.cpu", "  server CPU per registration", "µs").floor("floor.sign_2"),
    row("register.both_64.rate", "registrations, 64 clients, all on both cores", "1/s")
        .floor("floor.sign_2_rate")
        .least(8_000.0),
    row("register.both_64.p50", "  published, p50", "ms"),
    row("register.both_64.p99", "  published, p99", "ms"),
    row("register.both_64.cpu", "  server CPU per registration", "µs").floor("floor.sign_2"),
    row("register.both_256.rate", "registrations, 256 clients, all on both cores", "1/s").floor("floor.sign_2_rate"),
    row("register.both_256.p50", "  published, p50", "ms"),
    row("register.both_256.p99", "  published, p99", "ms"),
    row("register.both_256.cpu", "  server CPU per registration", "µs").floor("floor.sign_2"),
    row("register.rss", "  server memory after the rows on one core", "MiB"),
    row("jsonl.1.rate", "registrations into files, 1 client, server on one core", "1/s").floor("floor.sign_2_rate"),
    row("jsonl.1.p50", "  published, p50", "ms").floor("floor.fdatasync"),
    row("jsonl.1.p99", "  published, p99", "ms"),
    row("jsonl.1.cpu", "  server CPU per registration", "µs").floor("floor.sign_2"),
    row("jsonl.64.rate", "registrations into files, 64 clients, server on one core", "1/s").floor("floor.sign_2_rate"),
    row("jsonl.64.p50", "  published, p50", "ms"),
    row("jsonl.64.p99", "  published, p99", "ms"),
    row("jsonl.64.cpu", "  server CPU per registration", "µs").floor("floor.sign_2"),
    row(
        "jsonl.both_64.rate",
        "registrations into files, 64 clients, all on both cores",
        "1/s",
    )
    .floor("floor.sign_2_rate")
    .least(8_000.0),
    row("jsonl.both_64.p50", "  published, p50", "ms"),
    row("jsonl.both_64.p99", "  published, p99", "ms"),
    row("jsonl.both_64.cpu", "  server CPU per registration", "µs").floor("floor.sign_2"),
    row(
        "jsonl.both_256.rate",
        "registrations into files, 256 clients, all on both cores",
        "1/s",
    )
    .floor("floor.sign_2_rate"),
    row("jsonl.both_256.p50", "  published, p50", "ms"),
    row("jsonl.both_256.p99", "  published, p99", "ms"),
    row("jsonl.both_256.cpu", "  server CPU per registration", "µs").floor("floor.sign_2"),
    row("jsonl.rss", "  server memory after the rows on one core", "MiB"),
    row(
        "proof.append",
        "append 10⁶ leaves and heads, signatures not real, CPU per leaf",
        "µs",
    ),
    row("proof.inclusion.bytes", "inclusion proof of 10⁶ leaves, longest JSON", "bytes").most(1_200.0),
    row("proof.inclusion.tree", "  made from memory, CPU", "µs").most(20.0),
    row("proof.inclusion.cold", "  the first, by the use case over SQLite, CPU", "µs"),
    row("proof.inclusion.cpu", "  made by the use case over SQLite, CPU", "µs").most(20.0),
    row("proof.inclusion.verify", "  verified, CPU", "µs").most(200.0),
    row("proof.consistency.bytes", "consistency proof of 10⁶ leaves, longest JSON", "bytes").most(1_200.0),
    row("proof.consistency.tree", "  made from memory, CPU", "µs").most(20.0),
    row("proof.consistency.cpu", "  made by the use case over SQLite, CPU", "µs").most(20.0),
    row("proof.consistency.verify", "  verified, CPU", "µs").most(200.0),
    row("audit.leaves", "full audit of 10⁶ leaves from memory, final root, CPU", "s")
        .floor("floor.tree")
        .most(1.0),
    row("audit.heads", "  with the link and the root of 10⁶ heads, CPU", "s")
        .floor("floor.heads")
        .most(1.0),
    row("audit.files", "nexus log verify over files with all heads, CPU, 10⁶ leaves", "s")
        .floor("floor.heads")
        .most(1.0),
    row(
        "wasm.leaves",
        "full audit in WebAssembly from JSON, final root, CPU, 10⁶ leaves",
        "s",
    )
    .floor("floor.tree")
    .most(4.0),
    row("wasm.heads", "  with the link and the root of every head, CPU, 10⁶ leaves", "s")
        .floor("floor.heads")
        .most(4.0),
    row("wasm.memory", "  memory with every head, 10⁶ leaves", "MiB"),
    row("wasm.signatures", "  signatures of one head, two of three, CPU", "ms"),
    row("floor.hmac", "floor: HMAC-SHA256 of a payment, in digits", "µs"),
    row("floor.json", "floor: its JSON, parsed", "µs"),
    row("floor.rows_1", "floor: raw SQLite, its entry and its row, batches of 1", "1/s"),
    row("floor.rows_1_cpu", "  CPU per event", "µs"),
    row("floor.rows_64", "floor: raw SQLite, the same, batches of 64", "1/s"),
    row("floor.rows_64_cpu", "  CPU per event", "µs"),
    row("floor.echo", "floor: HTTP by hand, the same request echoed, 64 clients", "1/s"),
    row("floor.echo_cpu", "  CPU per exchange", "µs"),
    row("events.1.rate", "durable events, 1 sender, no reactor, server on one core", "1/s").floor("floor.rows_1"),
    row("events.1.p50", "  acknowledged, p50", "ms").floor("floor.fdatasync"),
    row("events.1.p99", "  acknowledged, p99", "ms"),
    row("events.1.cpu", "  server CPU per event", "µs").floor("floor.rows_1_cpu"),
    row(
        "events.64.rate",
        "durable events, 64 senders, no reactor, server on one core",
        "1/s",
    )
    .floor("floor.rows_64"),
    row("events.64.p50", "  acknowledged, p50", "ms"),
    row("events.64.p99", "  acknowledged, p99", "ms"),
    row("events.64.cpu", "  server CPU per event", "µs").floor("floor.rows_64_cpu"),
    row("events.64_ids.rate", "the same, each with an event id of its own", "1/s").floor("floor.rows_64"),
    row("events.64_ids.cpu", "  server CPU per event", "µs").floor("floor.rows_64_cpu"),
    row("events.both_64.rate", "durable events, 64 senders, all on both cores", "1/s").floor("floor.rows_64"),
    row("events.both_64.p50", "  acknowledged, p50", "ms"),
    row("events.both_256.rate", "durable events, 256 senders, all on both cores", "1/s")
        .floor("floor.rows_64")
        .least(10_000.0),
    row("events.both_256.p50", "  acknowledged, p50", "ms"),
    row("events.both_256.p99", "  acknowledged, p99", "ms"),
    row("events.both_256.cpu", "  server CPU per event", "µs").floor("floor.rows_64_cpu"),
    row("events.rss", "server memory after the rows on one core", "MiB"),
    row(
        "catchup.rate",
        "catching up with `since` after a restart, one stream, one core",
        "1/s",
    ),
    row("catchup.cpu", "  server CPU per event", "µs"),
    row(
        "react.1.p50",
        "POST to stream over a reactor, 1 under way, server on one core, p50",
        "ms",
    ),
    row("react.1.p99", "  p99", "ms").most(15.0),
    row("react.1.cpu", "  server CPU per payment and its event", "µs"),
    row("react.64.rate", "the same, 64 under way", "1/s").floor("floor.rows_64"),
    row("react.64.p50", "  p50", "ms"),
    row("react.64.p99", "  p99", "ms").most(15.0),
    row("react.64.cpu", "  server CPU per payment and its event", "µs").floor("floor.rows_64_cpu"),
    row("react.64.generator", "  the generator's own core", "%"),
    row("react.open.p50", "the same, 2,000 payments a second, p50", "ms"),
    row("react.open.p99", "  p99", "ms").most(15.0),
    row("react.open.cpu", "  server CPU per payment and its event", "µs"),
    row("react.both_64.rate", "the same, 64 under way, all on both cores", "1/s")
        .floor("floor.rows_64")
        .least(10_000.0),
    row("react.both_64.p50", "  p50", "ms"),
    row("react.both_64.p99", "  p99", "ms").most(15.0),
    row("react.both_64.cpu", "  server CPU per payment and its event", "µs"),
    row("react.both_256.rate", "the same, 256 under way, all on both cores", "1/s")
        .floor("floor.rows_64")
        .least(10_000.0),
    row("react.both_256.p50", "  p50", "ms"),
    row("react.both_256.p99", "  p99", "ms"),
    row("react.both_256.cpu", "  server CPU per payment and its event", "µs"),
    row(
        "react.both_open.p50",
        "the same, 2,000 payments a second, all on both cores, p50",
        "ms",
    ),
    row("react.both_open.p99", "  p99", "ms").most(15.0),
    row("streams.accept", "CPU per accepted event, 20/s, no streams", "µs"),
    row("streams.1.p50", "POST to stream, 1 stream, 20/s, p50", "ms"),
    row("streams.1.p99", "  p99", "ms").most(15.0),
    row("streams.1000.p50", "POST to stream, 1,000 streams, 20/s, p50", "ms").most(9.0),
    row("streams.1000.p99", "  p99", "ms").most(25.0),
    row("streams.1000.cpu", "  server CPU per delivery (without that of accepting)", "µs")
        .floor("floor.send")
        .most(9.0),
    row("streams.1000.cpu_all", "  server CPU per delivery (all that the server does)", "µs")
        .floor("floor.send")
        .most(9.0),
    row("streams.kib", "memory per idle stream, slope", "KiB").most(8.0),
    row("streams.rss", "  server memory at the upper end", "MiB"),
    row(
        "kill.rate",
        "100,000 payments, 3 reactors, kill -9 in the middle: to the last effect",
        "1/s",
    ),
    row("kill.back", "  from the kill to the next acknowledgement", "ms"),
    row("kill.lost", "  effects lost", "").most(0.0),
    row("kill.doubled", "  effects doubled, by idempotency key", "").most(0.0),
    row("kill.repeated", "  requests repeated under the same key", ""),
    row(
        "chain.p50",
        "payment to mint to message, 50/s, a factory that fails 30 %, p50",
        "ms",
    ),
    row("chain.p99", "  p99", "ms"),
];
