//! When another may lead: never while the last leader may still answer from memory.

use std::time::{Duration, Instant};

use leasehold_store::{Epoch, EtcdStore, Store, StoreError};
use tokio::time::sleep;

use crate::gateway::{delete, get, revoke_all_leases};
use crate::proxy::Proxy;
use crate::server::{Etcd, LEASE, candidate, open, url};
use crate::support::{batch, block_on, numbers, recovered, set};

/// Between two tries of a follower.
const CAMPAIGN_PAUSE: Duration = Duration::from_millis(20);
/// What a claim may take beyond the lease, on a machine that others use too.
const SLACK: Duration = Duration::from_millis(900);

/// Tries to claim as a follower does, until it leads.
async fn claim_in_turn(store: &mut EtcdStore) -> Epoch {
    loop {
        match store.claim().await {
            Ok(epoch) => return epoch,
            Err(StoreError::Led(_)) => {}
            Err(error) => panic!("cannot claim: {error}"),
        }
        sleep(CAMPAIGN_PAUSE).await;
    }
}

/// A leader whose last renewal was sent at this moment, and another that follows it.
async fn led(etcd: &Etcd) -> (EtcdStore, Epoch, EtcdStore, Instant) {
    let (mut leader, mut rival) = (open(&etcd.url()), open(&etcd.url()));
    let epoch = leader.claim().await.unwrap();
    leader.commit(epoch, &batch([1])).await.unwrap();
    assert!(matches!(rival.claim().await, Err(StoreError::Led(_))));
    sleep(LEASE / 4).await;
    let sent = Instant::now();
    leader.renew(epoch).await.unwrap();
    (leader, epoch, rival, sent)
}

/// An operator deleted the leader key. The next claim succeeded immediately, while the old leader went on to
/// answer from memory until 0.9 of its lease: it acknowledged refreshes of holds that the new leader gave away.
#[test]
fn i4_a_deleted_leader_key_lets_no_other_lead_before_the_lease_has_passed() {
    let etcd = Etcd::start();
    block_on(async {
        let (mut leader, epoch, mut rival, sent) = led(&etcd).await;
        delete(etcd.client_port, "leader");
        let next = claim_in_turn(&mut rival).await;
        assert!(sent.elapsed() >= LEASE, "another led after {:?}", sent.elapsed());
        assert!(sent.elapsed() < LEASE + SLACK, "it took {:?}", sent.elapsed());
        assert!(next > epoch);
        assert_eq!(leader.renew(epoch).await, Err(StoreError::Fenced(epoch)));
        assert_eq!(numbers(&mut rival, next).await, set([1]));
    });
}

/// An etcd leader whose disk had stalled came back and had leases revoked that others had renewed meanwhile
/// (etcd#15247). The leader key went with its lease, and that was taken for the end of the term.
#[test]
fn i4_leases_that_etcd_revokes_early_let_no_other_lead() {
    let etcd = Etcd::start();
    block_on(async {
        let (_leader, _, mut rival, sent) = led(&etcd).await;
        revoke_all_leases(etcd.client_port);
        claim_in_turn(&mut rival).await;
        assert!(sent.elapsed() >= LEASE, "another led after {:?}", sent.elapsed());
    });
}

/// The same, but the handle that claims has never looked before: it cannot know how long the keys have stood.
#[test]
fn i4_a_handle_that_starts_after_the_deletion_waits_a_whole_lease() {
    let etcd = Etcd::start();
    block_on(async {
        let (_leader, _, _, _) = led(&etcd).await;
        delete(etcd.client_port, "leader");
        sleep(LEASE / 2).await;
        let began = Instant::now();
        let mut rival = open(&etcd.url());
        claim_in_turn(&mut rival).await;
        assert!(began.elapsed() >= LEASE, "it led after {:?}", began.elapsed());
    });
}

/// A leader that has not renewed since its claim counts its lease from the claim.
#[test]
fn i4_a_claim_that_was_never_renewed_lasts_a_lease() {
    let etcd = Etcd::start();
    block_on(async {
        let (mut leader, mut rival) = (open(&etcd.url()), open(&etcd.url()));
        let sent = Instant::now();
        leader.claim().await.unwrap();
        delete(etcd.client_port, "leader");
        claim_in_turn(&mut rival).await;
        assert!(sent.elapsed() >= LEASE, "another led after {:?}", sent.elapsed());
    });
}

/// A process that starts again at the same address is not the one before it: that one may only be paused.
#[test]
fn i4_another_handle_at_the_same_address_waits() {
    let etcd = Etcd::start();
    block_on(async {
        let (leader, _, _, sent) = led(&etcd).await;
        drop(leader);
        let mut restarted = open(&etcd.url());
        let Err(StoreError::Led(named)) = restarted.claim().await else { panic!() };
        assert_eq!(named.address, candidate().address);
        claim_in_turn(&mut restarted).await;
        assert!(sent.elapsed() >= LEASE, "it led after {:?}", sent.elapsed());
    });
}

/// The handle that led last has dropped its table when it claims again, so it need not wait. While the key is
/// gone, followers still forward to the leader, which does not know it yet.
#[test]
fn a_leader_whose_key_was_deleted_is_fenced_and_leads_again_immediately() {
    let etcd = Etcd::start();
    block_on(async {
        let (mut leader, epoch, mut rival, sent) = led(&etcd).await;
        delete(etcd.client_port, "leader");
        let fenced = Err(StoreError::Fenced(epoch));
        assert_eq!(rival.leader().await.unwrap().unwrap().epoch, epoch);
        assert_eq!(leader.commit(epoch, &batch([2])).await, fenced);
        assert_eq!(leader.renew(epoch).await, fenced);
        assert_eq!(leader.resign(epoch).await, fenced);
        let next = leader.claim().await.unwrap();
        assert!(next > epoch && sent.elapsed() < LEASE);
        let Err(StoreError::Led(named)) = rival.claim().await else { panic!() };
        assert_eq!(named.epoch, next);
        assert_eq!(recovered(&mut leader).await, set([1]));
    });
}

#[test]
fn a_leader_that_resigned_is_followed_immediately() {
    let etcd = Etcd::start();
    block_on(async {
        let (mut leader, epoch, mut rival, _) = led(&etcd).await;
        let began = Instant::now();
        leader.resign(epoch).await.unwrap();
        assert_eq!(rival.leader().await, Ok(None));
        let next = rival.claim().await.unwrap();
        assert!(began.elapsed() < LEASE / 2, "it took {:?}", began.elapsed());
        assert!(next > epoch);
        // It says so of its own epoch alone.
        let mut third = open(&etcd.url());
        assert!(matches!(third.claim().await, Err(StoreError::Led(_))));
        delete(etcd.client_port, "leader");
        assert!(matches!(third.claim().await, Err(StoreError::Led(_))));
    });
}

/// A leader that lives and renews is never displaced, however long another watches it.
#[test]
fn a_leader_that_only_renews_keeps_others_out() {
    let etcd = Etcd::start();
    block_on(async {
        let (mut leader, epoch, mut rival, began) = led(&etcd).await;
        while began.elapsed() < LEASE * 3 {
            leader.renew(epoch).await.unwrap();
            assert!(matches!(rival.claim().await, Err(StoreError::Led(_))));
            sleep(LEASE / 3).await;
        }
    });
}

/// A follower has seen the keys unchanged for a lease, and its claim is on its way when the leader renews after
/// all. The leader answers from memory again, so the claim must fail.
#[test]
fn i4_a_claim_that_a_renewal_overtakes_fails() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.client_port);
    block_on(async {
        let (mut leader, epoch, _, _) = led(&etcd).await;
        let mut rival = open(&url(proxy.port));
        assert!(matches!(rival.claim().await, Err(StoreError::Led(_))));
        sleep(LEASE + CAMPAIGN_PAUSE).await;
        proxy.keep_requests_from(br#""link_token""#);
        let kept = rival.claim().await;
        assert!(kept.is_err(), "{kept:?}");
        leader.renew(epoch).await.unwrap();
        assert!(proxy.deliver(Duration::from_millis(200)) > 100, "the claim had been sent");
        sleep(Duration::from_millis(300)).await;
        assert_eq!(leader.renew(epoch).await, Ok(()));
        assert_eq!(leader.commit(epoch, &batch([2])).await, Ok(()));
        assert_eq!(get(etcd.client_port, "epoch"), "MQ==", "1, in base64");
    });
}

/// Without the epoch key no claim can know which epochs have been given out.
#[test]
fn i3_a_lost_epoch_is_named_and_not_counted_from_1() {
    let etcd = Etcd::start();
    block_on(async {
        let (_leader, _, mut rival, _) = led(&etcd).await;
        delete(etcd.client_port, "epoch");
        let Err(StoreError::Corrupt(what)) = rival.claim().await else { panic!() };
        assert!(what.contains("epoch"), "{what}");
    });
}
