//! Batches whose answer does not come: each is found out about, and none is guessed.

use std::time::Duration;

use leasehold_store::{EtcdStore, Store, StoreError};

use crate::proxy::Proxy;
use crate::server::{Etcd, url};
use crate::support::{batch, block_on, numbers, open_for_long, recovered, set};

/// A store that goes by the proxy as long as that answers, then straight to etcd.
fn open_by(proxy: &Proxy, etcd: &Etcd) -> EtcdStore {
    let (first, second) = (proxy.port, etcd.client_port);
    open_for_long(&format!("etcd://127.0.0.1:{first},127.0.0.1:{second}/leasehold"))
}

/// A request waits in the network until its sender has given it up and said so. When it arrives at
/// last, what it would write was refused to its caller long ago.
#[test]
fn i2_a_batch_that_arrives_late_is_not_written() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.client_port);
    block_on(async {
        let mut store = open_by(&proxy, &etcd);
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([1])).await.unwrap();
        proxy.keep_requests();
        let given_up = store.commit(epoch, &batch([2, 3])).await;
        assert!(matches!(given_up, Err(StoreError::Unavailable(_))), "{given_up:?}");
        assert!(proxy.deliver(Duration::from_secs(1)) > 100, "the batch had been sent");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(numbers(&mut store, epoch).await, set([1]));
        store.commit(epoch, &batch([4])).await.unwrap();
        assert_eq!(recovered(&mut store).await, set([1, 4]));
    });
}

/// The same, but it arrives after a new claim of the same replica, which knows nothing of it.
#[test]
fn i1_a_batch_that_arrives_after_the_next_claim_is_not_written() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.client_port);
    block_on(async {
        let mut store = open_by(&proxy, &etcd);
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([1])).await.unwrap();
        proxy.keep_requests();
        let commit = batch([2, 3]);
        let dropped =
            tokio::time::timeout(Duration::from_millis(300), store.commit(epoch, &commit));
        assert!(dropped.await.is_err(), "it was answered");
        let epoch = store.claim().await.unwrap();
        assert!(proxy.deliver(Duration::from_millis(200)) > 100, "the batch had been sent");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(numbers(&mut store, epoch).await, set([1]));
        store.commit(epoch, &batch([4])).await.unwrap();
        assert_eq!(recovered(&mut store).await, set([1, 4]));
    });
}

#[test]
fn i2_a_batch_whose_answer_is_lost_is_found_to_be_written() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.client_port);
    block_on(async {
        let mut store = open_by(&proxy, &etcd);
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([1])).await.unwrap();
        proxy.lose_answers();
        assert_eq!(store.commit(epoch, &batch([2, 3])).await, Ok(()));
        assert_eq!(store.commit(epoch, &batch([4])).await, Ok(()));
        assert_eq!(recovered(&mut store).await, set(1..=4));
    });
}

#[test]
fn i2_where_nobody_answers_the_outcome_is_unknown() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.client_port);
    block_on(async {
        let mut store = open_for_long(&url(proxy.port));
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([1])).await.unwrap();
        proxy.lose_answers();
        let unknown = store.commit(epoch, &batch([2, 3])).await;
        assert!(matches!(unknown, Err(StoreError::OutcomeUnknown(_))), "{unknown:?}");
        proxy.pass();
        assert_eq!(recovered(&mut store).await, set(1..=3));
    });
}
