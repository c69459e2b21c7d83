//! The laws of `sql::hub`.

use nexus_store::sql::hub::Rotation;
use nexus_store::sql::hub::events::{self, Filter, Known, NewHubEvent};
use nexus_store::sql::hub::sources::{self, Rights};
use nexus_store::sql::hub::stats::{self, Reaction};
use nexus_store::sql::hub::webhooks::{self, Endpoint, NewWebhook};
use nexus_store::sql::reactors::{self, Attempt, NewJob, Settled};
use nexus_store::sql::{self};
use nexus_store::{Db, StoreError, Tx, log};
use nexus_types::hub::{AttemptOutcome, EventType, Pattern, WebhookState};
use nexus_types::ids::{HubEventId, JobId, WebhookId};

use crate::support::{append, entry};

/// The id of the event at a position in these laws.
pub(crate) const fn id_at(position: i64) -> HubEventId {
    HubEventId(1_000 + position)
}

fn kind(text: &str) -> EventType {
    EventType::parse(text).expect("a type")
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect()
}

/// Inserts an event that happens at ten times its position.
pub(crate) async fn add_event(tx: &mut Tx<'_>, position: i64, kind: &str, source: &str) -> Result<(), StoreError> {
    let kind = EventType::parse(kind).expect("a type");
    events::insert(tx, &new(position, &kind, source)).await
}

fn new<'a>(position: i64, kind: &'a EventType, source: &'a str) -> NewHubEvent<'a> {
    NewHubEvent {
        position,
        id: id_at(position),
        kind,
        source,
        payload: "{\"amount\":15.00}",
        at_ms: position * 10,
        external_id: None,
        body_hash: None,
        cause: 0,
        hops: 0,
    }
}

/// Events of four types and two sources at the positions 1 to 8.
async fn scene(db: &Db) {
    db.write(async |tx: &mut Tx<'_>| {
        for (position, kind, source) in [
            (1, "GAUGE:READING", "pump"),
            (2, "FLOWPAY:PAID", "till"),
            (3, "GAUGE:ALARM", "pump"),
            (4, "GAUGE:READING", "till"),
            (5, "GAUGES:READING", "pump"),
            (6, "GAUGE:READING", "pump"),
            (7, "FLOWPAY:PAID", "pump"),
            (8, "GAUGE:ALARM", "till"),
        ] {
            add_event(tx, position, kind, source).await?;
        }
        Ok::<_, StoreError>(())
    })
    .await
    .expect("the scene is set");
}

async fn an_event_is_what_was_inserted(db: Db) {
    let (one, other, none) = job!(db, tx => async {
        let kind = kind("FLOWPAY:PAID");
        let whole = NewHubEvent { external_id: Some("tx-1"), body_hash: Some(&[7; 32]), cause: 3, hops: 2, ..new(9, &kind, "till") };
        events::insert(tx, &whole).await?;
        Ok::<_, StoreError>((events::at(tx, 9).await?, events::load(tx, id_at(9)).await?, events::at(tx, 10).await?.is_none()))
    });
    assert!(none);
    for found in [one.expect("it is at its position"), other.expect("it has its id")] {
        assert_eq!((found.event.id, found.event.position), (id_at(9), 9));
        assert_eq!((found.event.kind.as_str(), found.event.source.as_str()), ("FLOWPAY:PAID", "till"));
        assert_eq!((found.event.payload.get(), found.event.timestamp), ("{\"amount\":15.00}", 90));
        assert_eq!((found.cause, found.hops, found.external_id.as_deref()), (3, 2, Some("tx-1")));
    }
}

async fn a_position_is_recorded_once(db: Db) {
    let (first, again, oldest) = job!(db, tx => async {
        assert_eq!(events::oldest(tx).await?, None);
        let (one, two) = (kind("A:B"), kind("C:D"));
        let first = events::record(tx, &new(9, &one, "till")).await?;
        let again = events::record(tx, &new(9, &two, "till")).await?;
        assert_eq!(events::at(tx, 9).await?.expect("it is there").event.kind, one);
        add_event(tx, 7, "A:B", "till").await?;
        Ok::<_, StoreError>((first, again, events::oldest(tx).await?))
    });
    assert_eq!((first, again, oldest), (true, false, Some(7)));
}

async fn an_external_id_names_one_event_of_its_source(db: Db) {
    let kind = kind("FLOWPAY:PAID");
    let insert = async |position: i64, source: &'static str, external_id: &'static str| {
        let kind = kind.clone();
        let insert = async move |tx: &mut Tx<'_>| {
            let event = NewHubEvent {
                external_id: Some(external_id),
                body_hash: Some(&[7; 32]),
                ..new(position, &kind, source)
            };
            events::insert(tx, &event).await
        };
        db.write::<_, StoreError, _>(insert).await
    };
    assert_eq!(insert(1, "till", "tx-1").await, Ok(()));
    assert_eq!(insert(2, "pump", "tx-1").await, Ok(()), "each source has its own");
    assert_eq!(insert(3, "till", "TX-1").await, Ok(()), "letters are told apart");
    assert!(insert(4, "till", "tx-1").await.expect_err("it is taken").is_unique_violation());
    let (known, other, none, nobody) = job!(db, tx =>
        events::by_external(tx, "till", "tx-1"); events::by_external(tx, "pump", "tx-1");
        events::by_external(tx, "till", "tx-2"); events::by_external(tx, "", "tx-1"));
    let known = known.expect("it is known");
    assert_eq!(
        known,
        Known {
            position: 1,
            id: id_at(1),
            body_hash: Some([7; 32]),
            kind
        }
    );
    assert_eq!(other.map(|known| known.id), Some(id_at(2)));
    assert_eq!((none, nobody), (None, None));
}

async fn a_page_has_the_newest_that_were_asked_for(db: Db) {
    scene(&db).await;
    let page = async |kinds: &'static [&'static str], source: Option<&str>, before: Option<i64>, limit: i64| -> Vec<i64> {
        let filter = Filter {
            kinds: patterns(kinds),
            source: source.map(str::to_owned),
            before,
            limit,
        };
        let page = job!(db, tx => events::page(tx, &filter));
        page.iter().map(|found| found.event.position).collect()
    };
    assert_eq!(page(&[], None, None, 3).await, [8, 7, 6]);
    assert_eq!(page(&["GAUGE:READING", "*"], None, Some(3), 9).await, [2, 1]);
    assert_eq!(page(&["GAUGE:READING"], None, None, 9).await, [6, 4, 1]);
    assert_eq!(page(&["GAUGE:READING", "FLOWPAY:PAID"], None, None, 3).await, [7, 6, 4]);
    assert_eq!(page(&["GAUGE:READING", "FLOWPAY:PAID"], None, None, 2).await, [7, 6]);
    assert_eq!(page(&["GAUGE:*"], None, None, 9).await, [8, 6, 4, 3, 1], "GAUGES is another");
    assert_eq!(page(&["GAUGE:*", "GAUGE:ALARM"], None, Some(6), 2).await, [4, 3]);
    assert_eq!(page(&["MIO:*", "A:B"], None, None, 9).await, [0; 0]);
    assert_eq!(page(&[], Some("pump"), None, 9).await, [7, 6, 5, 3, 1]);
    assert_eq!(page(&[], Some("pump"), Some(6), 2).await, [5, 3]);
    assert_eq!(page(&["GAUGE:*"], Some("till"), None, 9).await, [8, 4]);
    assert_eq!(page(&["FLOWPAY:PAID", "GAUGES:*"], Some("pump"), None, 9).await, [7, 5]);
    assert_eq!(page(&["FLOWPAY:PAID"], Some("nobody"), None, 9).await, [0; 0]);
    assert_eq!(page(&["GAUGE:*"], None, None, 0).await, [0; 0]);
    assert_eq!(page(&[], None, None, 0).await, [0; 0]);
}

async fn what_came_after_is_read_in_order(db: Db) {
    scene(&db).await;
    let after = async |position: i64, kinds: &'static [&'static str], limit: i64| -> Vec<i64> {
        let kinds = patterns(kinds);
        let found = job!(db, tx => events::after(tx, position, &kinds, limit));
        found.iter().map(|found| found.event.position).collect()
    };
    assert_eq!(after(0, &["*"], 3).await, [1, 2, 3]);
    assert_eq!(after(6, &["*"], 3).await, [7, 8]);
    assert_eq!(after(1, &["GAUGE:READING", "FLOWPAY:PAID"], 3).await, [2, 4, 6]);
    assert_eq!(after(1, &["GAUGE:READING", "FLOWPAY:PAID"], 2).await, [2, 4]);
    assert_eq!(after(6, &["GAUGE:READING", "FLOWPAY:PAID"], 3).await, [7]);
    assert_eq!(after(1, &["GAUGE:*"], 3).await, [3, 4, 6]);
    assert_eq!(after(4, &["GAUGES:*", "GAUGE:ALARM"], 9).await, [5, 8]);
    assert_eq!(after(8, &["*"], 3).await, [0; 0]);
    assert_eq!(after(0, &["GAUGE:*"], 0).await, [0; 0]);
}

async fn a_namespace_is_not_those_that_begin_like_it(db: Db) {
    let found = job!(db, tx => async {
        for (position, kind) in [(1, "G2:A"), (2, "G:A"), (3, "GG:A"), (4, "G_:A"), (5, "G:Z_9"), (6, "F:A"), (7, "g:A")] {
            add_event(tx, position, kind, "till").await?;
        }
        events::after(tx, 0, &patterns(&["G:*"]), 99).await
    });
    assert_eq!(found.iter().map(|found| found.event.position).collect::<Vec<_>>(), [2, 5]);
}

async fn a_sweep_keeps_events_that_have_jobs(db: Db) {
    scene(&db).await;
    job!(db, tx => async {
        for position in [1, 3, 4, 8] {
            reactors::add(tx, &NewJob { reactor: "a", position, key: &position.to_string(), order_key: None, due_ms: 0, now_ms: 0 }).await?;
        }
        reactors::add_dead(tx, &NewJob { reactor: "b", position: 5, key: "5", order_key: None, due_ms: 0, now_ms: 160 }, "full").await?;
        Ok::<_, StoreError>(())
    });
    let sweep = async |after: i64| job!(db, tx => events::sweep(tx, after, 70, 4));
    let left = async || -> Vec<i64> {
        let left = job!(db, tx => events::after(tx, 0, &[], 99));
        left.iter().map(|found| found.event.position).collect()
    };
    let floor = async || job!(db, tx => events::floor(tx));
    assert_eq!(floor().await, 0, "nothing is missing");
    assert_eq!(sweep(0).await, Some(4), "it looked at four");
    assert_eq!(left().await, [1, 3, 4, 5, 6, 7, 8]);
    assert_eq!(floor().await, 2);
    assert_eq!(sweep(4).await, None, "7 and 8 are too young");
    assert_eq!(left().await, [1, 3, 4, 5, 7, 8]);
    assert_eq!(floor().await, 6);
    // The job of 1 is done and swept; that of 3 is done, but stays a while: its event stays with it.
    job!(db, tx => async {
        for leased in reactors::lease(tx, "a", 100, 200, 2).await? {
            let now_ms = leased.event.event.position * 100;
            assert!(reactors::settle(tx, leased.id, &attempt(1), Settled::Done, now_ms).await?);
        }
        assert_eq!(reactors::sweep(tx, JobId(0), 150, 9).await?, None);
        Ok::<_, StoreError>(())
    });
    assert_eq!(sweep(0).await, Some(5));
    assert_eq!(left().await, [3, 4, 5, 7, 8]);
    assert_eq!(floor().await, 6, "it never falls");
    let jobs = job!(db, tx => reactors::jobs(tx, "a", None, 9));
    assert_eq!(
        jobs.iter().map(|job| job.event_id).collect::<Vec<_>>(),
        [id_at(8), id_at(4), id_at(3)]
    );
}

async fn a_sweep_keeps_events_that_a_reader_has_yet_to_read(db: Db) {
    scene(&db).await;
    let sweep = async || {
        let (next, oldest) = job!(db, tx => events::sweep(tx, 0, 1_000, 99); events::oldest(tx));
        assert_eq!(next, None);
        oldest
    };
    job!(db, tx => reactors::set_cursor(tx, "hub", 3));
    assert_eq!(sweep().await, Some(4));
    job!(db, tx => reactors::remove_cursor(tx, "hub"));
    assert_eq!(sweep().await, None);
}

/// An attempt that was delivered.
pub(crate) fn attempt(number: i64) -> Attempt {
    Attempt {
        number,
        began_ms: 1_000 + number,
        took_us: 10 * number,
        outcome: AttemptOutcome::Delivered,
        status: None,
        request: None,
        answer: None,
        error: None,
    }
}

async fn nothing_is_trimmed_that_a_reader_has_yet_to_read(db: Db) {
    for at_ms in 1..=6 {
        append(&db, entry(at_ms, 1, 0, "{}")).await;
    }
    let trim = async || job!(db, tx => log::trim(tx, 5, 99); log::after(tx, 0, &[1], 0, 1)).1[0].position;
    job!(db, tx => reactors::set_cursor(tx, "hub", 1); reactors::set_cursor(tx, "push", 3));
    assert_eq!(job!(db, tx => reactors::lowest_cursor(tx)), Some(1));
    assert_eq!(trim().await, 2, "the hub read the first");
    job!(db, tx => reactors::set_cursor(tx, "hub", 4));
    assert_eq!(trim().await, 4, "now the other is behind");
    assert_eq!(
        job!(db, tx => reactors::cursor(tx, "hub"); reactors::cursor(tx, "search")),
        (Some(4), None)
    );
    job!(db, tx => reactors::remove_cursor(tx, "push"); reactors::set_cursor(tx, "hub", 99));
    assert_eq!(trim().await, 5, "the resume window counts too");
    job!(db, tx => reactors::remove_cursor(tx, "hub"));
    assert_eq!(job!(db, tx => reactors::lowest_cursor(tx)), None);
    assert_eq!(job!(db, tx => log::trim(tx, 6, 99)), 1, "without readers there is no bound");
}

async fn ids_of_events_and_webhooks_are_not_drawn_again(db: Db) {
    scene(&db).await;
    assert_eq!(job!(db, tx => sql::highest_id(tx)), id_at(8).0);
    let endpoint = endpoint("https://example.org/in", &["*"]);
    assert!(job!(db, tx => webhooks::insert(tx, webhook(9_000, &endpoint), 9)));
    assert_eq!(job!(db, tx => sql::highest_id(tx)), 9_000);
}

async fn a_source_is_what_was_added_and_changed(db: Db) {
    let rights = Rights {
        patterns: patterns(&["GAUGE:*", "FLOWPAY:PAID"]),
        reads: false,
        demands_timestamp: true,
    };
    let more = Rights {
        patterns: patterns(&["*"]),
        reads: true,
        demands_timestamp: false,
    };
    let (first, second) = (rights.clone(), more.clone());
    let (added, again, other, count) = job!(db, tx =>
        sources::insert(tx, "till", b"one", &first, 5); sources::insert(tx, "till", b"two", &second, 6);
        sources::insert(tx, "pump", b"three", &second, 7); sources::count(tx));
    assert_eq!((added, again, other, count), (true, false, true, 2));
    let all = job!(db, tx => sources::all(tx));
    assert_eq!(all.iter().map(|source| source.name.as_str()).collect::<Vec<_>>(), ["pump", "till"]);
    let till = &all[1];
    assert_eq!(
        (till.secret.as_slice(), &till.rights, till.created_ms, till.rotated_ms),
        (&b"one"[..], &rights, 5, 5)
    );
    assert_eq!((&till.previous, till.previous_until_ms), (&None, None));

    let rotation = Rotation {
        secret: b"four",
        previous: Some(b"one"),
        previous_until_ms: Some(100),
        rotated_ms: 8,
    };
    let changes = more.clone();
    let changed = job!(db, tx =>
        sources::rotate(tx, "till", rotation); sources::update_rights(tx, "till", &changes);
        sources::rotate(tx, "none", rotation); sources::update_rights(tx, "none", &changes); sources::remove(tx, "none"));
    assert_eq!(changed, (true, true, false, false, false));
    let all = job!(db, tx => sources::all(tx));
    let till = &all[1];
    assert_eq!(
        (till.secret.as_slice(), till.previous.as_deref()),
        (&b"four"[..], Some(&b"one"[..]))
    );
    assert_eq!((till.previous_until_ms, till.created_ms, till.rotated_ms), (Some(100), 5, 8));
    assert_eq!(till.rights, more);
    assert_eq!(all[0].secret, b"three", "the others stay as they are");
    assert_eq!(job!(db, tx => sources::remove(tx, "till"); sources::count(tx)), (true, 1));
}

fn endpoint(url: &str, texts: &[&str]) -> Endpoint {
    Endpoint {
        url: url.into(),
        description: "In words.".into(),
        patterns: patterns(texts),
    }
}

fn webhook(id: i64, endpoint: &Endpoint) -> NewWebhook<'_> {
    NewWebhook {
        id: WebhookId(id),
        endpoint,
        secret: b"one",
        created_ms: 5,
    }
}

async fn a_webhook_is_what_was_added_and_changed(db: Db) {
    let (one, two) = (
        endpoint("https://one.example", &["GAUGE:*"]),
        endpoint("https://two.example", &["*"]),
    );
    let (first, second) = (one.clone(), two.clone());
    let (added, other, beyond) = job!(db, tx =>
        webhooks::insert(tx, webhook(7, &first), 2); webhooks::insert(tx, webhook(6, &second), 2); webhooks::insert(tx, webhook(8, &first), 2));
    assert_eq!((added, other, beyond), (true, true, false), "there is a limit");
    let (all, found, none) = job!(db, tx => webhooks::all(tx); webhooks::load(tx, WebhookId(7)); webhooks::load(tx, WebhookId(8)));
    assert_eq!(all.iter().map(|webhook| webhook.id.0).collect::<Vec<_>>(), [6, 7]);
    assert_eq!((found.as_ref(), none), (Some(&all[1]), None));
    let found = found.expect("it is there");
    assert_eq!((&found.endpoint, found.state, found.created_ms), (&one, WebhookState::On, 5));
    assert_eq!(
        (found.secret.as_slice(), found.previous, found.reason, found.failing_since_ms),
        (&b"one"[..], None, None, None)
    );

    let rotation = Rotation {
        secret: b"two",
        previous: Some(b"one"),
        previous_until_ms: Some(100),
        rotated_ms: 8,
    };
    let changes = two.clone();
    let changed = job!(db, tx =>
        webhooks::update(tx, WebhookId(7), &changes); webhooks::rotate(tx, WebhookId(7), rotation);
        webhooks::update(tx, WebhookId(8), &changes); webhooks::rotate(tx, WebhookId(8), rotation);
        webhooks::set_state(tx, WebhookId(8), WebhookState::Off, None));
    assert_eq!(changed, (true, true, false, false, false));
    let found = job!(db, tx => webhooks::load(tx, WebhookId(7))).expect("it is there");
    assert_eq!(
        (found.endpoint, found.secret, found.previous),
        (two, b"two".to_vec(), Some(b"one".to_vec()))
    );
    assert_eq!(found.previous_until_ms, Some(100));
}

async fn a_webhook_fails_since_its_first_failure_until_it_works_or_is_switched(db: Db) {
    let endpoint = endpoint("https://one.example", &["*"]);
    job!(db, tx => webhooks::insert(tx, webhook(7, &endpoint), 9));
    let found = async || {
        let found = job!(db, tx => webhooks::load(tx, WebhookId(7))).expect("it is there");
        (found.state, found.reason, found.failing_since_ms)
    };
    let failing = async |since_ms| job!(db, tx => webhooks::failing(tx, WebhookId(7), since_ms));
    assert!(!failing(None).await);
    assert!(failing(Some(10)).await && !failing(Some(20)).await);
    assert_eq!(found().await, (WebhookState::On, None, Some(10)));
    assert!(failing(None).await && failing(Some(30)).await);
    assert!(job!(db, tx => webhooks::set_state(tx, WebhookId(7), WebhookState::Disabled, Some("It is gone."))));
    assert_eq!(found().await, (WebhookState::Disabled, Some("It is gone.".into()), None));
    assert!(job!(db, tx => webhooks::set_state(tx, WebhookId(7), WebhookState::On, None)));
    assert_eq!(found().await, (WebhookState::On, None, None));
}

async fn a_webhook_goes_in_pieces_after_its_deliveries(db: Db) {
    let endpoint = endpoint("https://one.example", &["*"]);
    job!(db, tx => async {
        webhooks::insert(tx, webhook(7, &endpoint), 9).await?;
        webhooks::insert(tx, webhook(77, &endpoint), 9).await?;
        for position in 1..=5 {
            add_event(tx, position, "A:B", "till").await?;
            for reactor in ["webhook/7", "webhook/77"] {
                reactors::add(tx, &NewJob { reactor, position, key: &position.to_string(), order_key: None, due_ms: 0, now_ms: 0 }).await?;
            }
        }
        let leased = reactors::lease(tx, "webhook/7", 1, 9, 1).await?;
        let retry = Settled::Retry { due_ms: 5, reason: "busy" };
        assert!(reactors::settle(tx, leased[0].id, &attempt(1), retry, 2).await?);
        Ok::<_, StoreError>(())
    });
    let remove = async || job!(db, tx => webhooks::remove(tx, WebhookId(7), 3); webhooks::load(tx, WebhookId(7)));
    let mut removed = Vec::new();
    loop {
        let (rows, left) = remove().await;
        removed.push((rows, left.is_some()));
        if rows == 0 {
            break;
        }
    }
    // A job and its attempt are two rows.
    assert_eq!(removed, [(2, true), (3, true), (1, false), (0, false)]);
    let (gone, kept, other) = job!(db, tx =>
        reactors::jobs(tx, "webhook/7", None, 9); reactors::jobs(tx, "webhook/77", None, 9); reactors::attempts_of(tx, JobId(1)));
    assert_eq!((gone.len(), kept.len(), other), (0, 5, vec![]));
}

async fn rates_are_added_up_by_the_minute(db: Db) {
    let reaction = |samples, typical_us, slow_us| Reaction {
        samples,
        typical_us,
        slow_us,
        delivered: 1,
        retried: 2,
        dead: 3,
    };
    job!(db, tx => async {
        for (minute, namespace, events) in [(5, "A", 2), (5, "B", 1), (5, "A", 3), (6, "B", 9), (8, "A", 1)] {
            stats::count(tx, minute, namespace, events).await?;
        }
        stats::reaction(tx, 5, &reaction(3, 100, 900)).await?;
        stats::reaction(tx, 5, &reaction(1, 300, 400)).await?;
        stats::reaction(tx, 5, &Reaction::default()).await?;
        stats::reaction(tx, 6, &Reaction::default()).await?;
        stats::reaction(tx, 6, &Reaction::default()).await
    });
    let (minutes, later, reactions, namespaces) = job!(db, tx =>
        stats::minutes(tx, 5, 8); stats::minutes(tx, 6, 99); stats::reactions(tx, 5, 6); stats::namespaces(tx, 5));
    assert_eq!(minutes, [(5, 6), (6, 9)]);
    assert_eq!(later, [(6, 9), (8, 1)]);
    let both = Reaction {
        samples: 4,
        typical_us: 150,
        slow_us: 900,
        delivered: 2,
        retried: 4,
        dead: 6,
    };
    assert_eq!(reactions, [(5, both)]);
    assert_eq!(namespaces, [("B".to_owned(), 10), ("A".to_owned(), 6)]);
    assert_eq!(job!(db, tx => stats::namespaces(tx, 6)), [("B".to_owned(), 9), ("A".to_owned(), 1)]);
    assert_eq!(
        job!(db, tx => stats::sweep(tx, 6, 1); stats::sweep(tx, 6, 9)),
        (3, 0),
        "a minute goes wholly"
    );
    assert_eq!(
        job!(db, tx => stats::minutes(tx, 0, 99); stats::reactions(tx, 0, 99)).0,
        [(6, 9), (8, 1)]
    );
    assert_eq!(job!(db, tx => stats::reactions(tx, 0, 99)).len(), 1);
}

on_each!(
    an_event_is_what_was_inserted,
    a_position_is_recorded_once,
    an_external_id_names_one_event_of_its_source,
    a_page_has_the_newest_that_were_asked_for,
    what_came_after_is_read_in_order,
    a_namespace_is_not_those_that_begin_like_it,
    a_sweep_keeps_events_that_have_jobs,
    a_sweep_keeps_events_that_a_reader_has_yet_to_read,
    nothing_is_trimmed_that_a_reader_has_yet_to_read,
    ids_of_events_and_webhooks_are_not_drawn_again,
    a_source_is_what_was_added_and_changed,
    a_webhook_is_what_was_added_and_changed,
    a_webhook_fails_since_its_first_failure_until_it_works_or_is_switched,
    a_webhook_goes_in_pieces_after_its_deliveries,
    rates_are_added_up_by_the_minute,
);
