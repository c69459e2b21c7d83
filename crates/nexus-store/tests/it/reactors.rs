//! The laws of `sql::reactors`.

use nexus_store::sql::reactors::{self, Attempt, Counts, LeasedJob, NewJob, Settled, StoredJob, Turn};
use nexus_store::{Db, StoreError, Tx};
use nexus_types::hub::{AttemptOutcome, JobState};
use nexus_types::ids::JobId;
use nexus_types::limits::ATTEMPTS_KEPT_MAX;

use crate::hub::{add_event, attempt, id_at};

/// Events at the positions 1 to 9.
async fn scene(db: &Db) {
    db.write(async |tx: &mut Tx<'_>| {
        for position in 1..=9 {
            add_event(tx, position, "A:B", "till").await?;
        }
        Ok::<_, StoreError>(())
    })
    .await
    .expect("the scene is set");
}

fn new<'a>(reactor: &'a str, position: i64, key: &'a str, due_ms: i64) -> NewJob<'a> {
    NewJob {
        reactor,
        position,
        key,
        order_key: None,
        due_ms,
        now_ms: 7,
    }
}

/// Adds a job of the reactor "mint" for the event at a position, with the position as its key, due at once.
async fn add(db: &Db, position: i64, order_key: Option<&'static str>) -> JobId {
    let key = position.to_string();
    let added = job!(db, tx => reactors::add(tx, &NewJob { order_key, ..new("mint", position, &key, 0) }));
    added.expect("the key is new")
}

async fn lease(db: &Db, now_ms: i64, until_ms: i64, limit: i64) -> Vec<LeasedJob> {
    job!(db, tx => reactors::lease(tx, "mint", now_ms, until_ms, limit))
}

/// The positions of the jobs that a worker gets.
async fn positions(db: &Db, now_ms: i64) -> Vec<i64> {
    lease(db, now_ms, now_ms + 100, 99)
        .await
        .iter()
        .map(|leased| leased.event.event.position)
        .collect()
}

async fn settle(db: &Db, job: JobId, number: i64, settled: Settled<'static>, now_ms: i64) -> bool {
    job!(db, tx => reactors::settle(tx, job, &attempt(number), settled, now_ms))
}

async fn load(db: &Db, id: JobId) -> StoredJob {
    job!(db, tx => reactors::job(tx, id)).expect("the job is there")
}

const DEAD: Settled<'static> = Settled::Dead { reason: "It is refused." };

const fn retry(due_ms: i64) -> Settled<'static> {
    Settled::Retry { due_ms, reason: "busy" }
}

async fn a_reactor_has_one_job_of_a_key(db: Db) {
    scene(&db).await;
    let (first, again, other, dead) = job!(db, tx =>
        reactors::add(tx, &new("mint", 3, "k", 20)); reactors::add(tx, &new("mint", 4, "k", 0));
        reactors::add(tx, &new("post", 4, "k", 0)); reactors::add_dead(tx, &new("mint", 5, "k", 0), "full"));
    assert_eq!((first, again, dead), (Some(JobId(1)), None, None));
    assert!(other.is_some_and(|other| other > JobId(1)), "each reactor has its own keys");
    assert_eq!(
        load(&db, JobId(1)).await,
        StoredJob {
            id: JobId(1),
            reactor: "mint".into(),
            position: 3,
            event_id: id_at(3),
            key: "k".into(),
            state: JobState::Waiting,
            turn: Turn::Free,
            attempts: 0,
            due_ms: 20,
            created_ms: 7,
            ended_ms: None,
            took_us: None,
            reason: None,
        }
    );
    lease(&db, 30, 40, 1).await;
    assert!(settle(&db, JobId(1), 1, Settled::Done, 35).await);
    assert_eq!(
        job!(db, tx => reactors::add(tx, &new("mint", 6, "k", 0))),
        None,
        "also when it is done"
    );
}

async fn the_longest_due_are_leased_first_and_once(db: Db) {
    scene(&db).await;
    job!(db, tx => async {
        for (position, due_ms) in [(1, 30), (2, 10), (3, 20), (4, 10), (5, 50)] {
            reactors::add(tx, &new("mint", position, &position.to_string(), due_ms)).await?;
        }
        reactors::add(tx, &new("post", 6, "6", 0)).await
    });
    let due = async || job!(db, tx => reactors::next_due(tx, "mint"));
    assert_eq!(due().await, Some(10));
    assert!(lease(&db, 9, 100, 9).await.is_empty(), "nothing is due");
    let first = lease(&db, 30, 100, 3).await;
    let told: Vec<_> = first
        .iter()
        .map(|job| (job.event.event.position, job.key.as_str(), job.first_ms))
        .collect();
    assert_eq!(told, [(2, "2", 30), (4, "4", 30), (3, "3", 30)]);
    assert_eq!((first[0].attempts, first[0].event.event.id), (0, id_at(2)));
    assert_eq!(load(&db, first[0].id).await.turn, Turn::LeasedUntil(100));
    assert_eq!(due().await, Some(30));
    assert_eq!(positions(&db, 49).await, [1], "the rest that is due");
    assert_eq!(due().await, Some(50));
    assert_eq!(positions(&db, 60).await, [5]);
    assert_eq!(due().await, Some(100), "the first lease ends");
    assert_eq!(job!(db, tx => reactors::next_due(tx, "none")), None);
}

async fn a_lease_that_ended_is_due_again(db: Db) {
    scene(&db).await;
    let job = add(&db, 1, None).await;
    assert_eq!(lease(&db, 10, 20, 9).await.len(), 1);
    assert!(lease(&db, 19, 100, 9).await.is_empty());
    let again = lease(&db, 20, 50, 9).await;
    assert_eq!((again.len(), again[0].first_ms), (1, 10), "the first time counts");
    assert!(settle(&db, job, 1, retry(70), 45).await, "whoever is first settles");
    assert!(!settle(&db, job, 1, Settled::Done, 46).await, "the other is not heard");
    let found = load(&db, job).await;
    assert_eq!(
        (found.state, found.attempts, found.due_ms, found.turn),
        (JobState::Waiting, 1, 70, Turn::Free)
    );
    assert_eq!(job!(db, tx => reactors::attempts_of(tx, job)).len(), 1);
}

async fn every_lease_of_a_process_that_died_is_ended(db: Db) {
    scene(&db).await;
    for (position, order_key) in [(1, None), (2, Some("x")), (3, Some("x")), (4, None)] {
        add(&db, position, order_key).await;
    }
    job!(db, tx => reactors::add(tx, &new("post", 5, "5", 0)); reactors::lease(tx, "post", 10, 20, 9));
    assert_eq!(positions(&db, 10).await, [1, 2, 4]);
    assert_eq!(job!(db, tx => reactors::release_all(tx); reactors::release_all(tx)), (4, 0));
    assert_eq!(positions(&db, 11).await, [1, 2, 4], "whoever is behind another stays there");
    assert_eq!(job!(db, tx => reactors::lease(tx, "post", 11, 20, 9)).len(), 1);
}

async fn jobs_of_an_order_key_run_one_after_the_other(db: Db) {
    scene(&db).await;
    for (position, order_key) in [(1, Some("x")), (2, Some("x")), (3, Some("y")), (4, Some("x")), (5, None)] {
        add(&db, position, order_key).await;
    }
    let other = NewJob {
        order_key: Some("x"),
        ..new("post", 6, "6", 0)
    };
    job!(db, tx => reactors::add(tx, &other));
    assert_eq!(
        job!(db, tx => reactors::lease(tx, "post", 1, 9, 9)).len(),
        1,
        "each reactor has its own order"
    );
    assert_eq!(load(&db, JobId(2)).await.turn, Turn::Behind);
    assert_eq!(positions(&db, 10).await, [1, 3, 5]);
    assert_eq!(
        job!(db, tx => reactors::next_due(tx, "mint")),
        Some(110),
        "those behind are never due"
    );
    assert!(settle(&db, JobId(1), 1, retry(50), 20).await);
    assert_eq!(positions(&db, 40).await, [0; 0], "the first is not over yet");
    assert_eq!(positions(&db, 50).await, [1]);
    assert!(settle(&db, JobId(1), 2, DEAD, 60).await);
    assert_eq!(positions(&db, 60).await, [2], "a dead one holds nobody back");
    assert!(settle(&db, JobId(2), 1, Settled::Done, 70).await);
    assert_eq!(positions(&db, 70).await, [4]);
    assert!(settle(&db, JobId(4), 1, Settled::Done, 80).await);
    add(&db, 7, Some("x")).await;
    assert_eq!(positions(&db, 90).await, [7], "nobody is left before it");
}

/// What a random walk over jobs remembers.
#[derive(Default)]
struct Walk {
    /// A number that goes on.
    seed: u64,
    now_ms: i64,
    running: Vec<LeasedJob>,
}

impl Walk {
    /// The next number below `end`.
    fn draw(&mut self, end: u64) -> u64 {
        // Knuth's generator; its high bits are the good ones.
        self.seed = self
            .seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % end
    }

    /// Leases end only when a process dies: whoever has a job settles it or gives it back.
    async fn lease(&mut self, tx: &mut Tx<'_>, limit: i64) -> Result<(), StoreError> {
        let leased = reactors::lease(tx, "mint", self.now_ms, i64::MAX - 1, limit).await?;
        self.running.extend(leased);
        // The first letter of a key is its order key.
        let mut orders: Vec<_> = self.running.iter().map(|job| &job.key[..1]).filter(|order| *order != "-").collect();
        orders.sort_unstable();
        let before = orders.len();
        orders.dedup();
        assert_eq!(orders.len(), before, "two of one order run at once");
        Ok(())
    }

    async fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let count = self.running.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let picked = self.draw(count) as usize;
        let job = self.running.swap_remove(picked);
        let settled = match self.draw(4) {
            0 => {
                reactors::postpone(tx, job.id, self.now_ms + 2).await?;
                return Ok(());
            }
            1 => retry(self.now_ms + 3),
            2 => DEAD,
            _ => Settled::Done,
        };
        reactors::settle(tx, job.id, &attempt(job.attempts + 1), settled, self.now_ms)
            .await
            .map(drop)
    }

    async fn step(&mut self, tx: &mut Tx<'_>, number: i64) -> Result<(), StoreError> {
        self.now_ms += 1;
        match self.draw(12) {
            0..4 => {
                let order = ["x", "y", "-"][self.draw(3) as usize];
                let (key, now_ms) = (format!("{order}{number}"), self.now_ms);
                let order_key = (order != "-").then_some(order);
                let job = NewJob {
                    order_key,
                    now_ms,
                    ..new("mint", 1, &key, now_ms)
                };
                reactors::add(tx, &job).await.map(drop)
            }
            4..6 => self.lease(tx, 2).await,
            6..10 => self.settle(tx).await,
            10 => {
                for letter in reactors::dead_letters(tx, None, 2).await? {
                    reactors::replay(tx, letter.id, self.now_ms).await?;
                }
                Ok(())
            }
            _ if self.draw(5) == 0 => {
                let dropped = self.draw(3) as i64 + 1;
                reactors::give_up(tx, "mint", "It was removed.", dropped, self.now_ms).await?;
                // The worker of a dropped job is stopped.
                let mut left = Vec::new();
                for job in self.running.drain(..) {
                    let found = reactors::job(tx, job.id).await?;
                    left.extend(found.filter(|found| found.state == JobState::Waiting).map(|_| job));
                }
                self.running = left;
                Ok(())
            }
            _ if self.draw(8) == 0 => {
                self.running.clear();
                reactors::release_all(tx).await.map(drop)
            }
            _ => Ok(()),
        }
    }
}

async fn whatever_happens_one_of_an_order_runs_at_once_and_all_run_in_the_end(db: Db) {
    scene(&db).await;
    for seed in 1..=20 {
        job!(db, tx => async {
            let mut walk = Walk { seed, ..Walk::default() };
            for number in 0..200 {
                walk.step(tx, seed as i64 * 1_000 + number).await?;
            }
            walk.running.clear();
            reactors::release_all(tx).await?;
            walk.now_ms += 100;
            for _ in 0..400 {
                walk.lease(tx, 9).await?;
                for job in std::mem::take(&mut walk.running) {
                    assert!(reactors::settle(tx, job.id, &attempt(job.attempts + 1), Settled::Done, walk.now_ms).await?);
                }
            }
            assert_eq!(reactors::waiting_count(tx, "mint").await?, 0, "seed {seed}");
            Ok::<_, StoreError>(())
        });
    }
}

async fn a_replayed_job_comes_after_the_one_that_runs(db: Db) {
    scene(&db).await;
    for position in 1..=4 {
        add(&db, position, Some("x")).await;
    }
    lease(&db, 10, 100, 9).await;
    assert!(settle(&db, JobId(1), 1, DEAD, 20).await);
    assert_eq!(positions(&db, 20).await, [2]);
    assert!(job!(db, tx => reactors::replay(tx, JobId(1), 30)));
    assert_eq!(positions(&db, 30).await, [0; 0], "no two run at once");
    assert!(settle(&db, JobId(2), 1, Settled::Done, 40).await);
    assert_eq!(positions(&db, 40).await, [1], "it was there before 3");
    assert!(settle(&db, JobId(1), 2, Settled::Done, 50).await);
    assert_eq!(positions(&db, 50).await, [3]);
}

async fn an_attempt_is_recorded_with_what_came_of_it(db: Db) {
    scene(&db).await;
    let id = add(&db, 1, None).await;
    lease(&db, 10, 100, 9).await;
    let first = Attempt {
        outcome: AttemptOutcome::Failed,
        status: Some(503),
        request: Some("{\"method\":\"POST\"}".into()),
        answer: Some("{\"status\":503}".into()),
        error: Some("It is busy.".into()),
        ..attempt(1)
    };
    let recorded = first.clone();
    assert!(job!(db, tx => reactors::settle(tx, id, &recorded, retry(40), 20)));
    let found = load(&db, id).await;
    assert_eq!((found.state, found.attempts, found.due_ms), (JobState::Waiting, 1, 40));
    assert_eq!(
        (found.ended_ms, found.took_us, found.reason.as_deref()),
        (None, Some(10), Some("busy"))
    );
    let again = lease(&db, 40, 100, 9).await;
    assert_eq!((again[0].attempts, again[0].first_ms), (1, 10));
    assert!(settle(&db, id, 2, Settled::Done, 50).await);
    let found = load(&db, id).await;
    assert_eq!((found.state, found.attempts, found.turn), (JobState::Done, 2, Turn::Free));
    assert_eq!((found.ended_ms, found.took_us, found.reason), (Some(50), Some(20), None));
    assert_eq!(job!(db, tx => reactors::attempts_of(tx, id)), [first, attempt(2)]);
    assert!(!settle(&db, id, 3, Settled::Done, 60).await, "it is over");
    assert!(!settle(&db, JobId(99), 1, Settled::Done, 60).await);
    assert_eq!(job!(db, tx => reactors::attempts_of(tx, id)).len(), 2);
}

async fn a_job_that_is_given_back_was_not_tried(db: Db) {
    scene(&db).await;
    let id = add(&db, 1, Some("x")).await;
    let behind = add(&db, 2, Some("x")).await;
    lease(&db, 10, 100, 9).await;
    let (given, none, other) = job!(db, tx =>
        reactors::postpone(tx, id, 50); reactors::postpone(tx, behind, 50); reactors::postpone(tx, JobId(99), 50));
    assert_eq!((given, none, other), (true, false, false));
    assert_eq!(positions(&db, 49).await, [0; 0]);
    assert_eq!(positions(&db, 50).await, [1]);
    let found = load(&db, id).await;
    assert_eq!((found.attempts, found.took_us, found.reason), (0, None, None));
}

async fn only_the_newest_attempts_are_kept(db: Db) {
    scene(&db).await;
    let id = add(&db, 1, None).await;
    job!(db, tx => async {
        for number in 1..=ATTEMPTS_KEPT_MAX + 3 {
            assert!(reactors::settle(tx, id, &attempt(number), retry(0), 20).await?);
        }
        Ok::<_, StoreError>(())
    });
    let kept = job!(db, tx => reactors::attempts_of(tx, id));
    let numbers: Vec<_> = kept.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (4..=ATTEMPTS_KEPT_MAX + 3).collect::<Vec<_>>());
}

async fn a_dead_letter_is_replayed_or_discarded(db: Db) {
    scene(&db).await;
    let (waiting, one) = (add(&db, 1, None).await, add(&db, 2, None).await);
    lease(&db, 10, 100, 9).await;
    assert!(settle(&db, one, 1, DEAD, 20).await);
    let two = job!(db, tx => reactors::add_dead(tx, &new("mint", 3, "3", 0), "There are too many.")).expect("the key is new");
    let found = load(&db, two).await;
    assert_eq!(
        (found.state, found.ended_ms, found.reason.as_deref()),
        (JobState::Dead, Some(7), Some("There are too many."))
    );
    let letters = async |before: Option<JobId>, limit| -> Vec<JobId> {
        job!(db, tx => reactors::dead_letters(tx, before, limit))
            .iter()
            .map(|job| job.id)
            .collect()
    };
    assert_eq!(letters(None, 9).await, [two, one]);
    assert_eq!((letters(None, 1).await, letters(Some(two), 9).await), (vec![two], vec![one]));
    let counts = async || job!(db, tx => reactors::counts(tx, "mint"); reactors::dead_count(tx); reactors::waiting_count(tx, "mint"));
    assert_eq!(counts().await, (Counts { waiting: 1, dead: 2 }, 2, 1));

    let (alive, replayed, again) = job!(db, tx =>
        reactors::replay(tx, waiting, 30); reactors::replay(tx, one, 30); reactors::replay(tx, one, 31));
    assert_eq!((alive, replayed, again), (false, true, false));
    let found = load(&db, one).await;
    assert_eq!(
        (found.state, found.due_ms, found.ended_ms, found.reason),
        (JobState::Waiting, 30, None, None)
    );
    let leased = lease(&db, 35, 100, 9).await;
    assert_eq!((leased.len(), leased[0].id), (1, one));
    assert_eq!(
        (leased[0].attempts, leased[0].first_ms),
        (1, 35),
        "it starts over, but attempts are counted on"
    );
    assert!(settle(&db, one, 2, DEAD, 40).await);

    let (alive, discarded, again) = job!(db, tx =>
        reactors::discard(tx, waiting, 50); reactors::discard(tx, one, 50); reactors::discard(tx, one, 51));
    assert_eq!((alive, discarded, again), (false, true, false));
    let found = load(&db, one).await;
    assert_eq!((found.state, found.ended_ms), (JobState::Discarded, Some(50)));
    assert_eq!(found.reason.as_deref(), Some("It is refused."), "why it was dead stays known");
    assert_eq!(letters(None, 9).await, [two]);
    assert_eq!(counts().await, (Counts { waiting: 1, dead: 1 }, 1, 1));
}

async fn waiting_jobs_are_given_up_in_pieces_and_the_rest_still_runs(db: Db) {
    scene(&db).await;
    for (position, order_key) in [(1, Some("x")), (2, Some("x")), (3, Some("x")), (4, None), (5, Some("y")), (6, None)] {
        add(&db, position, order_key).await;
    }
    lease(&db, 10, 100, 1).await;
    assert!(settle(&db, JobId(1), 1, DEAD, 11).await);
    assert_eq!(lease(&db, 20, 100, 1).await[0].id, JobId(2), "2 runs, 3 is behind it");
    assert!(job!(db, tx => reactors::replay(tx, JobId(1), 21)));
    job!(db, tx => reactors::add(tx, &new("post", 7, "7", 0)));
    let drop = async |rows| job!(db, tx => reactors::give_up(tx, "mint", "It was removed.", rows, 30));
    assert_eq!(drop(1).await, 1);
    assert!(settle(&db, JobId(2), 1, Settled::Done, 31).await);
    assert_eq!(
        positions(&db, 31).await,
        [4, 5, 6, 1],
        "one of those behind is left, and its turn came"
    );
    assert_eq!((drop(3).await, drop(3).await, drop(3).await), (3, 1, 0));
    let found = load(&db, JobId(4)).await;
    assert_eq!((found.state, found.ended_ms, found.turn), (JobState::Dead, Some(30), Turn::Free));
    assert_eq!(found.reason.as_deref(), Some("It was removed."));
    assert!(
        !settle(&db, JobId(4), 1, Settled::Done, 32).await,
        "what its worker says comes too late"
    );
    assert_eq!(
        job!(db, tx => reactors::waiting_count(tx, "mint"); reactors::waiting_count(tx, "post")),
        (0, 1)
    );
}

async fn jobs_are_listed_by_event_and_by_reactor(db: Db) {
    scene(&db).await;
    job!(db, tx => async {
        for (reactor, position, key) in [("mint", 1, "1"), ("post", 1, "1"), ("mint", 2, "2"), ("mint", 1, "again"), ("mint", 3, "3")] {
            reactors::add(tx, &new(reactor, position, key, 0)).await?;
        }
        Ok::<_, StoreError>(())
    });
    let ids = |jobs: Vec<StoredJob>| jobs.iter().map(|job| job.id.0).collect::<Vec<_>>();
    let (of_event, all, page, none) = job!(db, tx =>
        reactors::jobs_of(tx, 1); reactors::jobs(tx, "mint", None, 9); reactors::jobs(tx, "mint", Some(JobId(5)), 2); reactors::job(tx, JobId(9)));
    assert_eq!(ids(of_event), [1, 2, 4]);
    assert_eq!(ids(all), [5, 4, 3, 1]);
    assert_eq!(ids(page), [4, 3]);
    assert_eq!(none, None);
}

async fn jobs_that_ended_long_ago_are_swept_in_pieces(db: Db) {
    scene(&db).await;
    for position in 1..=6 {
        add(&db, position, None).await;
    }
    job!(db, tx => async {
        reactors::lease(tx, "mint", 10, 100, 5).await?;
        assert!(reactors::settle(tx, JobId(1), &attempt(1), Settled::Done, 20).await?);
        assert!(reactors::settle(tx, JobId(2), &attempt(1), DEAD, 20).await?);
        assert!(reactors::settle(tx, JobId(3), &attempt(1), Settled::Done, 50).await?);
        assert!(reactors::settle(tx, JobId(4), &attempt(1), retry(20), 20).await?);
        assert!(reactors::settle(tx, JobId(5), &attempt(1), DEAD, 10).await?);
        assert!(reactors::discard(tx, JobId(5), 20).await?);
        reactors::add(tx, &NewJob { now_ms: 60, ..new("mint", 7, "7", 0) }).await
    });
    let left = async || -> Vec<i64> {
        let left = job!(db, tx => reactors::jobs(tx, "mint", None, 99));
        left.iter().rev().map(|job| job.id.0).collect()
    };
    assert_eq!(left().await, [1, 2, 3, 4, 5, 6, 7]);
    let sweep = async |after, before_ms, rows| job!(db, tx => reactors::sweep(tx, JobId(after), before_ms, rows));
    assert_eq!(sweep(0, 20, 99).await, None);
    assert_eq!(left().await.len(), 7, "nothing is old enough");
    assert_eq!(sweep(0, 21, 3).await, Some(JobId(3)), "it looks at three");
    assert_eq!(left().await, [2, 3, 4, 5, 6, 7], "a dead letter stays");
    assert_eq!(sweep(3, 21, 1).await, Some(JobId(4)), "it looks at one");
    assert_eq!(sweep(4, 21, 99).await, None, "what was added later can't be over");
    assert_eq!(left().await, [2, 3, 4, 6, 7], "3 is too young, the others wait");
    assert_eq!(sweep(0, 51, 99).await, None);
    assert_eq!(left().await, [2, 4, 6, 7]);
    let (gone, kept) = job!(db, tx => reactors::attempts_of(tx, JobId(1)); reactors::attempts_of(tx, JobId(4)));
    assert_eq!((gone.len(), kept.len()), (0, 1), "attempts go with their job");
}

async fn of_too_many_dead_letters_the_oldest_go(db: Db) {
    scene(&db).await;
    for position in 1..=6 {
        job!(db, tx => reactors::add_dead(tx, &new("mint", position, &position.to_string(), 0), "It is refused."));
    }
    let sweep = async |most, rows| job!(db, tx => reactors::sweep_dead(tx, most, rows));
    assert_eq!(sweep(6, 99).await, 0);
    assert_eq!((sweep(3, 2).await, sweep(3, 2).await, sweep(3, 2).await), (2, 1, 0));
    let left = job!(db, tx => reactors::dead_letters(tx, None, 9));
    assert_eq!(left.iter().map(|job| job.id.0).collect::<Vec<_>>(), [6, 5, 4]);
}

async fn a_dead_letter_gets_another_key_unless_that_is_taken(db: Db) {
    scene(&db).await;
    let one = job!(db, tx => reactors::add_dead(tx, &new("mint", 1, "1", 0), "It can't say its key.")).expect("it is added");
    job!(db, tx => reactors::add(tx, &new("mint", 2, "order-2", 0)));
    let rekey = async |job, key: &'static str| job!(db, tx => reactors::rekey(tx, job, key, Some("hana")));
    assert!(!rekey(one, "order-2").await, "it was done, or will be");
    assert!(rekey(one, "order-1").await);
    assert!(!rekey(JobId(2), "order-9").await, "only what is dead");
    assert!(job!(db, tx => reactors::replay(tx, one, 5)));
    assert_eq!(
        job!(db, tx => reactors::add(tx, &new("mint", 3, "order-1", 0))),
        None,
        "its key is taken now"
    );
}

async fn a_job_can_be_added_with_what_was_done(db: Db) {
    scene(&db).await;
    let done =
        async |key: &'static str| job!(db, tx => reactors::add_done(tx, &NewJob { now_ms: 30, ..new("mint", 1, key, 30) }, &attempt(1)));
    let id = done("1").await.expect("it is added");
    assert_eq!(done("1").await, None, "once for a key");
    let found = load(&db, id).await;
    assert_eq!((found.state, found.attempts, found.ended_ms), (JobState::Done, 1, Some(30)));
    assert_eq!(job!(db, tx => reactors::attempts_of(tx, id)), [attempt(1)]);
    assert!(lease(&db, 99, 100, 9).await.is_empty());
}

async fn reactors_with_waiting_jobs_are_known_by_name(db: Db) {
    scene(&db).await;
    job!(db, tx => reactors::add(tx, &new("mint", 1, "1", 0)));
    job!(db, tx => reactors::add(tx, &new("post", 1, "1", 0)));
    job!(db, tx => reactors::add_dead(tx, &new("dead", 1, "1", 0), "It is refused."));
    job!(db, tx => reactors::lease(tx, "post", 10, 100, 1));
    assert_eq!(job!(db, tx => reactors::with_waiting(tx)), ["mint", "post"]);
}

async fn a_reactor_stays_paused_until_it_is_resumed(db: Db) {
    job!(db, tx => reactors::set_paused(tx, "mint", true); reactors::set_paused(tx, "act", true); reactors::set_paused(tx, "post", false));
    assert_eq!(job!(db, tx => reactors::paused(tx)), ["act", "mint"]);
    job!(db, tx => reactors::set_paused(tx, "act", false));
    assert_eq!(job!(db, tx => reactors::paused(tx)), ["mint"]);
}

on_each!(
    a_reactor_has_one_job_of_a_key,
    the_longest_due_are_leased_first_and_once,
    a_lease_that_ended_is_due_again,
    every_lease_of_a_process_that_died_is_ended,
    jobs_of_an_order_key_run_one_after_the_other,
    whatever_happens_one_of_an_order_runs_at_once_and_all_run_in_the_end,
    a_replayed_job_comes_after_the_one_that_runs,
    an_attempt_is_recorded_with_what_came_of_it,
    a_job_that_is_given_back_was_not_tried,
    only_the_newest_attempts_are_kept,
    a_dead_letter_is_replayed_or_discarded,
    waiting_jobs_are_given_up_in_pieces_and_the_rest_still_runs,
    jobs_are_listed_by_event_and_by_reactor,
    jobs_that_ended_long_ago_are_swept_in_pieces,
    of_too_many_dead_letters_the_oldest_go,
    a_dead_letter_gets_another_key_unless_that_is_taken,
    a_job_can_be_added_with_what_was_done,
    reactors_with_waiting_jobs_are_known_by_name,
    a_reactor_stays_paused_until_it_is_resumed,
);
