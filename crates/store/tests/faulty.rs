//! The faults of `FaultyStore`: each does what it says, once, and a crash forgets what was not synced.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::future::Future;
use std::task::{Context, Poll, Waker};

use leasehold_core::{Batch, FencingToken, Row};
use leasehold_store::{Epoch, Fault, FaultyStore, Store, StoreError};

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn batch(token: u64) -> Batch {
    let mut batch = Batch::default();
    batch.put(Row::Sequence(FencingToken::new(token).unwrap()));
    batch
}

/// The number that the store holds for a new leader, if any.
async fn found(store: &mut FaultyStore) -> Option<u64> {
    let epoch = store.claim().await.unwrap();
    let mut found = None;
    let mut visit = |row| match row {
        Row::Sequence(token) => found = Some(token.get()),
        Row::Lock { .. }
        | Row::Hold { .. }
        | Row::Release { .. }
        | Row::Past { .. }
        | Row::Key(_)
        | Row::Import { .. }
        | Row::StoredDeadlines { .. } => panic!("never written: {row:?}"),
    };
    store.load(epoch, &mut visit).await.unwrap();
    found
}

/// A store with 1 committed, and its second commit, of 2, going wrong.
async fn second_commit(fault: Fault) -> (FaultyStore, Epoch, Result<(), StoreError>) {
    let mut store = FaultyStore::new();
    store.faults().fail_commit(2, fault);
    let epoch = store.claim().await.unwrap();
    store.commit(epoch, &batch(1)).await.unwrap();
    let outcome = store.commit(epoch, &batch(2)).await;
    (store, epoch, outcome)
}

#[test]
fn an_unavailable_commit_writes_nothing_and_the_next_succeeds() {
    block_on(async {
        let (mut store, epoch, outcome) = second_commit(Fault::Unavailable).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        assert_eq!((store.faults().commits(), store.faults().rows_written()), (2, 1));
        store.commit(epoch, &batch(3)).await.unwrap();
        assert_eq!(found(&mut store).await, Some(3));
    });
}

#[test]
fn an_unknown_outcome_is_either() {
    block_on(async {
        for (fault, expected) in [(Fault::UnknownLost, 1), (Fault::UnknownKept, 2)] {
            let (mut store, _, outcome) = second_commit(fault).await;
            assert!(matches!(outcome, Err(StoreError::OutcomeUnknown(_))), "{outcome:?}");
            assert_eq!(found(&mut store).await, Some(expected), "{fault:?}");
        }
    });
}

#[test]
fn i1_a_rivals_claim_fences_the_commit() {
    block_on(async {
        let (mut store, epoch, outcome) = second_commit(Fault::RivalClaim).await;
        assert_eq!(outcome, Err(StoreError::Fenced(epoch)));
        assert_eq!(found(&mut store).await, Some(1));
    });
}

#[test]
fn i2_a_crash_forgets_what_was_not_synced_or_keeps_a_part() {
    block_on(async {
        for (kept, expected) in [(0, 1), (1, 2)] {
            let (mut before, _, _) = second_commit(Fault::UnknownKept).await;
            let mut after = before.faults().crash(kept);
            assert_eq!(found(&mut after).await, Some(expected));
            let dead = before.claim().await;
            assert!(matches!(dead, Err(StoreError::Unavailable(_))), "{dead:?}");
        }
    });
}

#[test]
fn i2_a_claim_syncs_what_it_shows() {
    block_on(async {
        let (mut store, _, _) = second_commit(Fault::UnknownKept).await;
        assert_eq!(found(&mut store).await, Some(2));
        assert_eq!(found(&mut store.faults().crash(0)).await, Some(2));
    });
}

#[test]
fn i3_epochs_grow_across_a_crash() {
    block_on(async {
        let (store, epoch, _) = second_commit(Fault::UnknownLost).await;
        assert!(store.faults().crash(0).claim().await.unwrap() > epoch);
    });
}

#[test]
fn i2_a_frozen_sync_never_returns() {
    let mut store = FaultyStore::new();
    let faults = store.faults();
    faults.fail_commit(1, Fault::FrozenSync);
    let epoch = block_on(store.claim()).unwrap();
    let first = batch(1);
    let mut frozen = store.commit(epoch, &first);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        assert_eq!(frozen.as_mut().poll(&mut context), Poll::Pending);
    }
    assert_eq!(block_on(found(&mut faults.crash(0))), None);
}
