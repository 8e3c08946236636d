//! Batches that no one transaction holds: all of them, or nothing, wherever it breaks off.

use std::time::{Duration, Instant};

use leasehold_core::Batch;
use leasehold_store::Store;

use crate::gateway::pieces;
use crate::server::Etcd;
use crate::support::{batch, block_on, hold, numbers, open_for_long, recovered, set};

/// Two rows a piece, so that a small batch has many.
const SMALL: &str = "?max_txn_ops=4";
const ROWS: u64 = 20;
const PIECES: u64 = ROWS / 2;

#[test]
fn a_batch_larger_than_any_transaction_is_written_and_undone_whole() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch(0..20_000)).await.unwrap();
        assert_eq!(pieces(etcd.client_port), 0, "nothing is left behind");
        assert_eq!(numbers(&mut store, epoch).await, set(0..20_000));
        let mut undone = Batch::default();
        for number in 0..20_000 {
            undone.delete(hold(number).key());
        }
        store.commit(epoch, &undone).await.unwrap();
        assert_eq!(recovered(&mut store).await, set([]));
    });
}

/// The commit is dropped after longer and longer times, so that it breaks off everywhere: between
/// pieces, before and after the one that decides, and while rows are put into their places.
#[test]
fn i2_a_batch_in_pieces_is_all_or_nothing_wherever_it_breaks_off() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&(etcd.url() + SMALL));
        let mut epoch = store.claim().await.unwrap();
        let began = Instant::now();
        store.commit(epoch, &batch(0..ROWS)).await.unwrap();
        let whole = began.elapsed();
        let mut expected = set(0..ROWS);
        let (mut before, mut after) = (0, 0);
        for step in 1..=60_u64 {
            // Half of the rows are there already, and become others; half are new.
            let from = step * ROWS / 2;
            let commit = batch(from..from + ROWS);
            let limit = whole.mul_f64(step as f64 / 50.0);
            let finished = tokio::time::timeout(limit, store.commit(epoch, &commit)).await.is_ok();
            // What was sent last may still be at work.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let left = pieces(etcd.client_port);
            epoch = store.claim().await.unwrap();
            let found = numbers(&mut store, epoch).await;
            let with_batch = &expected | &set(from..from + ROWS);
            match (finished, left) {
                (true, _) => assert_eq!(found, with_batch, "step {step}"),
                (false, 1..PIECES) => {
                    before += 1;
                    assert_eq!(found, expected, "step {step}, {left} pieces");
                }
                (false, PIECES) => {
                    after += 1;
                    assert_eq!(found, with_batch, "step {step}, decided");
                }
                (false, _) => assert!(found == expected || found == with_batch, "step {step}"),
            }
            assert_eq!(pieces(etcd.client_port), 0, "step {step}");
            expected = found;
        }
        eprintln!("broken off {before} times before and {after} times after it was decided");
        assert!(before > 0 && after > 0, "{before} before, {after} after");
        assert_eq!(recovered(&mut store).await, expected);
    });
}

/// The same across a crash of the leader: another replica finishes what was decided.
#[test]
fn i2_another_replica_finishes_a_batch_that_was_decided() {
    let etcd = Etcd::start();
    block_on(async {
        for attempt in 0..20 {
            let from = attempt * 1000;
            let mut leader = crate::server::open(&(etcd.url() + SMALL));
            let epoch = leader.claim().await.unwrap();
            let commit = batch(from..from + 200);
            let mut committing = Box::pin(leader.commit(epoch, &commit));
            // Until all pieces are there, which is when it is decided.
            while pieces(etcd.client_port) < 100 {
                let slice = tokio::time::timeout(Duration::from_millis(2), &mut committing).await;
                assert!(slice.is_err() || pieces(etcd.client_port) == 0);
                if slice.is_ok() {
                    break;
                }
            }
            drop(committing);
            drop(leader);
            let left = pieces(etcd.client_port);
            let mut other = crate::server::open(&(etcd.url() + SMALL));
            while other.leader().await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let found = recovered(&mut other).await;
            assert!(found.is_superset(&set(from..from + 200)), "{found:?}");
            assert_eq!(pieces(etcd.client_port), 0);
            let epoch = other.claim().await.unwrap();
            other.resign(epoch).await.unwrap();
            if left > 0 {
                return;
            }
        }
        panic!("it was never seen between the decision and the end");
    });
}
