//! Batches in the log: each of them is as durable as if its rows were in their places.

use std::time::{Duration, Instant};

use leasehold_core::Batch;
use leasehold_store::{Store, StoreError};

use crate::gateway::{count, delete, get_text, put_text};
use crate::proxy::Proxy;
use crate::server::Etcd;
use crate::support::{batch, block_on, hold, numbers, open_for_long, recovered, set};

/// Places in the log.
const SLOTS: u64 = 1_024;
const ROWS: u64 = 10;

/// So small that a batch of some hundred rows takes several entries.
const SMALL: &str = "?max_request_bytes=8192";
const SEVERAL_ENTRIES: u64 = 1_000;

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
        for batches in [1, 2, 60, SLOTS - 1, SLOTS, SLOTS + 1] {
            let mut leader = open_for_long(&etcd.url());
            let epoch = leader.claim().await.unwrap();
            numbers(&mut leader, epoch).await;
            for number in 0..batches {
                leader.commit(epoch, &nth(number)).await.unwrap();
            }
            let held = set(batches.saturating_sub(2) * ROWS..batches * ROWS);
            assert_eq!(numbers(&mut leader, epoch).await, held, "of its own, {batches} batches");
            leader.resign(epoch).await.unwrap();
            let mut next = open_for_long(&etcd.url());
            assert_eq!(recovered(&mut next).await, held, "after {batches} batches");
            let epoch = next.claim().await.unwrap();
            let mut all_gone = Batch::default();
            held.iter().for_each(|number| all_gone.delete(hold(*number).key()));
            next.commit(epoch, &all_gone).await.unwrap();
            next.resign(epoch).await.unwrap();
        }
        assert_eq!(count(etcd.client_port, "log/"), SLOTS);
    });
}

#[test]
fn only_what_the_log_has_no_room_for_is_written_row_by_row() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        let epoch = store.claim().await.unwrap();
        for number in 0..SLOTS + 3 {
            store.commit(epoch, &batch([number])).await.unwrap();
        }
        assert_eq!(count(etcd.client_port, "rows/"), 3);
        // Whatever is given back in time never is.
        for number in 0..SLOTS {
            let mut again = batch([5_000 + number]);
            again.delete(hold(number + 4).key());
            if let Some(before) = number.checked_sub(1) {
                again.delete(hold(5_000 + before).key());
            }
            store.commit(epoch, &again).await.unwrap();
        }
        assert_eq!(count(etcd.client_port, "rows/"), 4);
        assert_eq!(recovered(&mut store).await, set([0, 1, 2, 3, 5_000 + SLOTS - 1]));
    });
}

/// A commit is dropped after longer and longer times: before it is sent, on its way, and when it is
/// written; into a log with room, and into one that is full.
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
            for _ in 0..if step == 20 { SLOTS } else { 3 } {
                store.commit(epoch, &batch(next..next + 1)).await.unwrap();
                held.insert(next);
                next += 1;
            }
            let limit = whole.mul_f64(f64::from(step % 20) / 10.0);
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
fn a_batch_larger_than_any_transaction_is_written_and_undone_whole() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch(0..200_000)).await.unwrap();
        assert_eq!(numbers(&mut store, epoch).await, set(0..200_000));
        let mut undone = Batch::default();
        for number in 0..200_000 {
            undone.delete(hold(number).key());
        }
        store.commit(epoch, &undone).await.unwrap();
        assert_eq!(recovered(&mut store).await, set([]));
    });
}

/// The commit is dropped after longer and longer times, so that it breaks off everywhere: before, between
/// and after its entries, and while rows are put into their places to make room for it. Then this
/// replica goes on, or another.
#[test]
fn i2_a_batch_in_several_entries_is_all_or_nothing_wherever_it_breaks_off() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&(etcd.url() + SMALL));
        let mut epoch = store.claim().await.unwrap();
        for number in 0..SLOTS - 100 {
            store.commit(epoch, &batch([number])).await.unwrap();
        }
        let began = Instant::now();
        store.commit(epoch, &batch(0..SEVERAL_ENTRIES)).await.unwrap();
        let whole = began.elapsed();
        let mut held = set(0..SEVERAL_ENTRIES);
        let (mut written, mut unwritten) = (0, 0);
        for step in 1..=60_u64 {
            // Half of the rows are there already; half are new.
            let rows = step * SEVERAL_ENTRIES / 2..(step + 2) * SEVERAL_ENTRIES / 2;
            let limit = whole.mul_f64(step as f64 / 40.0);
            let commit = batch(rows.clone());
            let ended = tokio::time::timeout(limit, store.commit(epoch, &commit)).await;
            // What was sent last may still be at work.
            tokio::time::sleep(Duration::from_millis(20)).await;
            if step % 2 == 0 {
                must_end(&etcd);
                store = open_for_long(&(etcd.url() + SMALL));
            }
            epoch = store.claim().await.unwrap();
            let found = numbers(&mut store, epoch).await;
            let with_batch = &held | &set(rows);
            if found == with_batch {
                written += 1;
            } else {
                unwritten += 1;
                assert!(ended.is_err() && found == held, "step {step}");
            }
            held = found;
        }
        assert!(written > 0 && unwritten > 0, "{written} written, {unwritten} not");
    });
}

/// Ends the term of a leader that is no more, as if it had resigned.
fn must_end(etcd: &Etcd) {
    let leader = get_text(etcd.client_port, "leader");
    put_text(etcd.client_port, "lease", &leader.replace('}', r#","has_resigned":true}"#));
    delete(etcd.client_port, "leader");
}

/// The entries of one batch are held up in the network while the store takes another way; they arrive when
/// later batches stand in their places.
#[test]
fn i2_entries_that_arrive_late_write_over_nothing() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.client_port);
    block_on(async {
        let members = format!("127.0.0.1:{},127.0.0.1:{}", proxy.port, etcd.client_port);
        let mut store = open_for_long(&format!("etcd://{members}/leasehold{SMALL}"));
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([0])).await.unwrap();
        let large = batch(0..10 * SEVERAL_ENTRIES);
        let mut committing = Box::pin(store.commit(epoch, &large));
        assert!(
            tokio::time::timeout(Duration::from_millis(30), &mut committing).await.is_err(),
            "it was done before it could be held up"
        );
        proxy.keep_requests();
        assert_eq!(committing.await, Ok(()));
        for number in 0..5 {
            store.commit(epoch, &batch([100_000 + number])).await.unwrap();
        }
        assert!(proxy.deliver(Duration::from_secs(1)) > 100, "an entry had been sent");
        tokio::time::sleep(Duration::from_millis(500)).await;
        let held = &set(0..10 * SEVERAL_ENTRIES) | &set(100_000..100_005);
        assert_eq!(numbers(&mut store, epoch).await, held);
        assert_eq!(recovered(&mut store).await, held);
    });
}

#[test]
fn a_lost_entry_is_named_and_not_passed_over() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        let epoch = store.claim().await.unwrap();
        for number in 0..5 {
            store.commit(epoch, &batch([number])).await.unwrap();
        }
        delete(etcd.client_port, "log/0003");
        let epoch = store.claim().await.unwrap();
        let error = store.load(epoch, &mut |_| {}).await.unwrap_err();
        let StoreError::Corrupt(what) = &error else { panic!("{error:?}") };
        assert!(what.contains("4 of the 5 entries"), "{what}");
    });
}
