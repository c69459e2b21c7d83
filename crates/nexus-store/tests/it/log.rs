//! What the functions of the log answer.

use nexus_store::{Db, NewEntry, StoreError, Tx, log};

use crate::support::{append, entry};

on_each!(
    topics_and_the_reader_are_merged_in_order,
    scrubbed_entries_are_skipped_but_never_shorten_a_page,
    kinds_are_found_after_a_position_only,
    entries_of_a_subject_are_found_even_when_scrubbed,
    trimming_deletes_the_oldest_and_marks_who_lost,
    trimming_keeps_to_its_chunk,
    a_refused_job_uses_up_no_position,
    the_epoch_is_drawn_once,
    a_renewed_epoch_is_another_and_stays,
);

async fn after(db: &Db, position: i64, topics: &'static [i64], reader: i64, limit: usize) -> Vec<i64> {
    let read = async move |tx: &mut Tx<'_>| log::after(tx, position, topics, reader, limit).await;
    let entries = db.read::<_, StoreError, _>(read).await.expect("the log is read");
    entries.iter().map(|entry| entry.position).collect()
}

async fn topics_and_the_reader_are_merged_in_order(db: Db) {
    // Positions:        1       2       3       4        5       6        7       8
    for (topic, subject) in [(1, 0), (2, 0), (3, 0), (0, 50), (1, 0), (2, 50), (3, 50), (1, 60)] {
        append(&db, entry(1, topic, subject, "{}")).await;
    }
    assert_eq!(
        after(&db, 0, &[1, 2], 50, 100).await,
        [1, 2, 4, 5, 6, 7, 8],
        "an entry of both is there once"
    );
    assert_eq!(after(&db, 0, &[2, 1], 0, 100).await, [1, 2, 5, 6, 8], "reader 0 is nobody");
    assert_eq!(after(&db, 2, &[2, 1], 50, 3).await, [4, 5, 6], "the first three of the merge");
    assert_eq!(after(&db, 6, &[1, 2], 50, 3).await, [7, 8]);
    assert_eq!(after(&db, 8, &[1, 2, 3], 50, 3).await, Vec::<i64>::new());
    assert_eq!(after(&db, 0, &[], 60, 3).await, [8]);
    assert_eq!(after(&db, 0, &[1], 0, 0).await, Vec::<i64>::new());
}

async fn scrubbed_entries_are_skipped_but_never_shorten_a_page(db: Db) {
    for number in 0..20 {
        append(
            &db,
            NewEntry {
                object: if number % 4 == 3 { 8 } else { 9 },
                ..entry(1, 1, 0, "secret")
            },
        )
        .await;
    }
    let scrub = async |tx: &mut Tx<'_>| Ok::<_, StoreError>((log::scrub(tx, 9).await?, log::scrub(tx, 9).await?, log::scrub(tx, 0).await?));
    assert_eq!(db.write(scrub).await, Ok((15, 0, 0)));
    assert_eq!(after(&db, 0, &[1], 0, 3).await, [4, 8, 12]);
    assert_eq!(after(&db, 12, &[1], 0, 3).await, [16, 20]);
}

async fn kinds_are_found_after_a_position_only(db: Db) {
    for (topic, kind) in [(1, 5), (2, 6), (1, 7)] {
        append(
            &db,
            NewEntry {
                kind,
                ..entry(1, topic, 0, "{}")
            },
        )
        .await;
    }
    let found = async |tx: &mut Tx<'_>| {
        Ok::<_, StoreError>([
            log::kinds_after(tx, 0, &[1], &[5]).await?,
            log::kinds_after(tx, 1, &[1], &[5]).await?,
            log::kinds_after(tx, 1, &[1, 2], &[5, 6]).await?,
            log::kinds_after(tx, 0, &[1], &[6]).await?,
            log::kinds_after(tx, 0, &[], &[5, 6, 7]).await?,
        ])
    };
    assert_eq!(db.read(found).await, Ok([true, false, true, false, false]));
}

async fn entries_of_a_subject_are_found_even_when_scrubbed(db: Db) {
    append(&db, entry(1, 1, 50, "one")).await;
    append(
        &db,
        NewEntry {
            object: 9,
            ..entry(1, 1, 50, "two")
        },
    )
    .await;
    append(&db, entry(1, 1, 60, "three")).await;
    let scrub = async |tx: &mut Tx<'_>| log::scrub(tx, 9).await;
    assert_eq!(db.write::<_, StoreError, _>(scrub).await, Ok(1));
    let read = async |tx: &mut Tx<'_>| log::subject_after(tx, 1, 50, &[2, 1]).await;
    let found = db.read::<_, StoreError, _>(read).await.expect("the log is read");
    assert_eq!(
        found,
        [log::Occurrence {
            kind: 1,
            topic: 1,
            position: 2
        }]
    );
}

async fn trimmed_after(db: &Db, position: i64, keys: &'static [i64]) -> bool {
    let read = async move |tx: &mut Tx<'_>| log::trimmed_after(tx, position, keys).await;
    db.read::<_, StoreError, _>(read).await.expect("the marks are read")
}

async fn trim(db: &Db, before_ms: i64, rows_max: usize) -> usize {
    let job = async move |tx: &mut Tx<'_>| log::trim(tx, before_ms, rows_max).await;
    db.write_background::<_, StoreError, _>(job).await.expect("the log is trimmed")
}

async fn trimming_deletes_the_oldest_and_marks_who_lost(db: Db) {
    for (at_ms, topic, subject) in [(10, 1, 0), (20, 2, 50), (30, 1, 0), (40, 3, 0), (50, 1, 60)] {
        append(&db, entry(at_ms, topic, subject, "{}")).await;
    }
    assert!(!trimmed_after(&db, 0, &[1, 2, 3, 50, 60]).await);
    assert_eq!(trim(&db, 10, 100).await, 0, "nothing is old enough");
    assert_eq!(trim(&db, 40, 2).await, 2);
    assert_eq!(trim(&db, 40, 100).await, 1);
    assert_eq!(after(&db, 0, &[1, 2, 3], 0, 100).await, [4, 5]);
    assert!(trimmed_after(&db, 0, &[1]).await);
    assert!(trimmed_after(&db, 2, &[1]).await, "position 3 was the last of topic 1");
    assert!(!trimmed_after(&db, 3, &[1]).await);
    assert!(trimmed_after(&db, 1, &[50]).await, "a subject is marked too");
    assert!(!trimmed_after(&db, 2, &[50, 2]).await);
    assert!(
        !trimmed_after(&db, 0, &[3, 60, 0]).await,
        "who lost nothing is not marked, nor is nobody"
    );
    assert_eq!(append(&db, entry(60, 1, 0, "{}")).await, 6, "no position is used twice");
}

async fn trimming_keeps_to_its_chunk(db: Db) {
    let many = async |tx: &mut Tx<'_>| {
        for number in 0..450 {
            tx.append(entry(1, number + 1, 1_000 + number, "{}")).await?;
        }
        Ok::<_, StoreError>(())
    };
    for _ in 0..2 {
        db.write(many).await.expect("the entries are appended");
    }
    let mut left = 900;
    while left > 0 {
        let trimmed = trim(&db, 2, usize::MAX).await;
        assert!(
            (1..=500 / 3 + 1).contains(&trimmed),
            "{trimmed} rows and twice as many marks fit into one job"
        );
        left -= trimmed;
    }
    assert_eq!(trim(&db, 2, usize::MAX).await, 0);
}

async fn a_refused_job_uses_up_no_position(db: Db) {
    assert_eq!(append(&db, entry(1, 1, 0, "{}")).await, 1);
    let refused = async |tx: &mut Tx<'_>| {
        assert_eq!(tx.append(entry(1, 1, 0, "{}")).await, Ok(2));
        assert_eq!(log::head(tx).await, Ok(2));
        Err::<(), _>(StoreError::internal("try", "a planted refusal"))
    };
    db.write(refused).await.expect_err("it refuses");
    assert_eq!(db.read::<_, StoreError, _>(log::head).await, Ok(1));
    assert_eq!(append(&db, entry(1, 1, 0, "{}")).await, 2);
    assert_eq!(db.bus().head(), 2);
}

async fn the_epoch_is_drawn_once(db: Db) {
    let first = db.read::<_, StoreError, _>(log::epoch).await.expect("there is an epoch");
    assert!(first > 0);
    assert_eq!(db.read::<_, StoreError, _>(log::epoch).await, Ok(first));
}

async fn a_renewed_epoch_is_another_and_stays(db: Db) {
    let epoch = async || db.read::<_, StoreError, _>(log::epoch).await.expect("there is an epoch");
    let (first, head) = (epoch().await, append(&db, entry(1, 1, 0, "{}")).await);
    db.write::<_, StoreError, _>(log::renew_epoch).await.expect("it is drawn");
    let second = epoch().await;
    assert!(second >= 0 && second != first);
    assert_eq!(epoch().await, second);
    let next = append(&db, entry(1, 1, 0, "{}")).await;
    assert!(next > head + 1_000_000_000, "no position of the lost part is used again: {next}");
}
