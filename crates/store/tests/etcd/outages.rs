//! etcd goes away and comes back; leases run out meanwhile.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use leasehold_store::{Store, StoreError};

use crate::server::{Etcd, LEASE, open};
use crate::support::{batch, block_on, numbers, open_for_long, recovered, set};

#[test]
fn i2_what_was_acknowledged_survives_a_killed_etcd() {
    let mut etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        let epoch = store.claim().await.unwrap();
        for number in 0..50 {
            store.commit(epoch, &batch([number])).await.unwrap();
        }
        etcd.kill();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let refused = store.commit(epoch, &batch([50])).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        let refused = store.claim().await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        etcd.restart();
        assert_eq!(recovered(&mut store).await, set(0..50));
    });
}

/// The kills come while batches are on their way, and etcd is soon back: so the store finds out about
/// each batch, and goes on.
#[test]
fn i2_a_kill_in_the_middle_of_commits_leaves_nothing_unknown() {
    let mut etcd = Etcd::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut store = open_for_long(&etcd.url());
    let epoch = runtime.block_on(store.claim()).unwrap();
    let mut acknowledged = BTreeSet::new();
    let mut refused = 0;
    thread::scope(|scope| {
        let kills = scope.spawn(|| {
            for round in 0..6 {
                thread::sleep(Duration::from_millis(100 + 7 * round));
                etcd.kill();
                etcd.restart();
            }
        });
        let mut number = 0;
        while !kills.is_finished() {
            let pair = [number, number + 1];
            number += 2;
            match runtime.block_on(store.commit(epoch, &batch(pair))) {
                Ok(()) => acknowledged.extend(pair),
                Err(StoreError::Unavailable(_)) => refused += 1,
                Err(error) => panic!("after {number}: {error}"),
            }
        }
        kills.join().unwrap();
    });
    eprintln!("{} rows acknowledged, {refused} batches refused", acknowledged.len());
    assert!(acknowledged.len() > 20);
    assert_eq!(runtime.block_on(numbers(&mut store, epoch)), acknowledged);
    assert_eq!(runtime.block_on(recovered(&mut store)), acknowledged);
}

/// Longer than one call may take, shorter than the store's patience.
#[test]
fn i2_a_batch_that_a_paused_etcd_takes_is_found_out_about() {
    let etcd = Etcd::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut store = open_for_long(&etcd.url());
    let epoch = runtime.block_on(store.claim()).unwrap();
    runtime.block_on(store.commit(epoch, &batch([1]))).unwrap();
    etcd.pause();
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_secs(3));
            etcd.resume();
        });
        runtime.block_on(store.commit(epoch, &batch([2, 3])))
    });
    let expected = match outcome {
        Ok(()) => set(1..=3),
        Err(StoreError::Unavailable(_)) => set([1]),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(runtime.block_on(numbers(&mut store, epoch)), expected);
    assert_eq!(runtime.block_on(recovered(&mut store)), expected);
}

/// Longer than anybody waits. What the woken etcd makes of the batch is seen by the next claim.
#[test]
fn i2_a_batch_that_a_sleeping_etcd_took_is_unknown_until_it_is_loaded() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([1])).await.unwrap();
        etcd.pause();
        let unknown = store.commit(epoch, &batch([2, 3])).await;
        assert!(matches!(unknown, Err(StoreError::OutcomeUnknown(_))), "{unknown:?}");
        etcd.resume();
        let found = recovered(&mut store).await;
        assert!(found == set(1..=3) || found == set([1]), "{found:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(recovered(&mut store).await, found, "it changed after the claim");
    });
}

/// A leader that slept past its lease and is not displaced goes on; once another has claimed, it is fenced.
#[test]
fn i1_a_leader_that_was_displaced_while_it_slept_writes_nothing() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open(&etcd.url());
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([1])).await.unwrap();
        let mut other = open(&etcd.url());
        while other.leader().await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        store.commit(epoch, &batch([2])).await.unwrap();
        let led = other.claim().await;
        assert!(matches!(led, Err(StoreError::Led(_))), "a batch is a sign of life: {led:?}");
        tokio::time::sleep(LEASE).await;
        assert_eq!(recovered(&mut other).await, set([1, 2]));
        let fenced = Err(StoreError::Fenced(epoch));
        assert_eq!(store.commit(epoch, &batch([3])).await, fenced);
        assert_eq!(store.renew(epoch).await, fenced);
        assert_eq!(store.resign(epoch).await, fenced);
        assert_eq!(recovered(&mut other).await, set([1, 2]));
    });
}

/// The follower's answers are slow, and etcd's own clock stands still: in no case may the lease end for
/// others before the leader, counting from before it asked, believes that it does.
#[test]
fn a_lease_is_never_shorter_than_what_was_said() {
    let etcd = Etcd::start();
    block_on(async {
        let mut other = open(&etcd.url());
        for pause in [0, 300] {
            let mut store = open(&etcd.url());
            let sent = loop {
                let sent = Instant::now();
                match store.claim().await {
                    Ok(_) => break sent,
                    Err(StoreError::Led(_)) => tokio::time::sleep(LEASE / 100).await,
                    Err(error) => panic!("{error}"),
                }
            };
            let lease = store.lease().unwrap();
            etcd.pause();
            tokio::time::sleep(Duration::from_millis(pause)).await;
            etcd.resume();
            while other.leader().await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(sent.elapsed() >= lease, "it ended after {:?}", sent.elapsed());
        }
    });
}
