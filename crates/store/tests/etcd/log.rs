//! Batches in the log: each of them is as durable as if its rows were in their places.

use std::time::{Duration, Instant};

use leasehold_core::Batch;
use leasehold_store::Store;

use crate::gateway::{log_entries, must_post};
use crate::server::Etcd;
use crate::support::{batch, block_on, hold, numbers, open_for_long, recovered, set};

const ROWS: u64 = 10;

/// Takes the next holds, and gives back those of the batch before last.
fn nth(nth: u64) -> Batch {
    let mut batch = batch(nth * ROWS..(nth + 1) * ROWS);
    if let Some(gone) = nth.checked_sub(2) {
        for number in gone * ROWS..(gone + 1) * ROWS {
            batch.delete(hold(number).key());
        }
    }
    batch
}

#[test]
fn i2_a_log_of_any_length_is_what_the_next_leader_finds() {
    let etcd = Etcd::start();
    block_on(async {
        let mut longest = 0;
        for batches in [1, 2, 60, 130, 300_u64] {
            let mut leader = open_for_long(&etcd.url());
            let epoch = leader.claim().await.unwrap();
            numbers(&mut leader, epoch).await;
            for number in 0..batches {
                leader.commit(epoch, &nth(number)).await.unwrap();
            }
            longest = longest.max(log_entries(etcd.client_port));
            let held = set(batches.saturating_sub(2) * ROWS..batches * ROWS);
            leader.resign(epoch).await.unwrap();
            let mut next = open_for_long(&etcd.url());
            assert_eq!(recovered(&mut next).await, held, "after {batches} batches");
            assert_eq!(log_entries(etcd.client_port), 0, "a load empties the log");
            let epoch = next.claim().await.unwrap();
            let mut all_gone = Batch::default();
            held.iter().for_each(|number| all_gone.delete(hold(*number).key()));
            next.commit(epoch, &all_gone).await.unwrap();
            next.resign(epoch).await.unwrap();
        }
        assert!((50..=128).contains(&longest), "{longest} entries at most");
    });
}

/// A commit is dropped after longer and longer times: before it is sent, on its way, and when it is
/// written; into the log, and with all that is in the log.
#[test]
fn i2_a_commit_that_breaks_off_is_all_or_nothing_and_costs_the_log_nothing() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        let mut epoch = store.claim().await.unwrap();
        let began = Instant::now();
        store.commit(epoch, &nth(0)).await.unwrap();
        let whole = began.elapsed();
        let mut held = set(0..ROWS);
        let mut next = ROWS;
        for step in 0..40_u32 {
            // Every other time it breaks off with a log that is due to be emptied.
            for _ in 0..if step % 2 == 0 { 3 } else { 128 } {
                store.commit(epoch, &batch(next..next + 1)).await.unwrap();
                held.insert(next);
                next += 1;
            }
            let limit = whole.mul_f64(f64::from(step) / 20.0);
            let in_doubt = batch(next..next + ROWS);
            let ended = tokio::time::timeout(limit, store.commit(epoch, &in_doubt)).await;
            // What was sent last may still be at work.
            tokio::time::sleep(Duration::from_millis(20)).await;
            epoch = store.claim().await.unwrap();
            let found = numbers(&mut store, epoch).await;
            let with_batch = &held | &set(next..next + ROWS);
            assert!(found == with_batch || (ended.is_err() && found == held), "step {step}");
            held = found;
            next += ROWS;
        }
    });
}

#[test]
fn keys_of_format_1_are_read_and_become_those_of_format_2() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch(0..ROWS)).await.unwrap();
        // A load leaves no log, so what it leaves is what the version before would have left.
        assert_eq!(numbers(&mut store, epoch).await, set(0..ROWS));
        let format = r#""key":"bGVhc2Vob2xkL2Zvcm1hdA==""#;
        must_post(etcd.client_port, "/v3/kv/put", &format!(r#"{{{format},"value":"MQ=="}}"#));
        assert_eq!(recovered(&mut store).await, set(0..ROWS));
        let answer = must_post(etcd.client_port, "/v3/kv/range", &format!("{{{format}}}"));
        assert!(answer.contains(r#""value":"Mg==""#), "{answer}");
    });
}
