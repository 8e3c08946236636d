//! Keys that earlier versions wrote, as they wrote them (`earlier/`): a claim turns them into this format.

use std::time::{Duration, Instant};

use leasehold_store::{Store, StoreError};
use tokio::time::sleep;

use crate::gateway::{get_text, put_base64, put_text, put_with_lease};
use crate::server::{Etcd, open};
use crate::support::{batch, block_on, numbers, open_for_long, recovered, set};

/// The wait where the keys do not say for how long the last leader may answer from memory.
const UNKNOWN_LEASE: Duration = Duration::from_secs(10);

fn etcd_with(keys: &str) -> Etcd {
    let etcd = Etcd::start();
    for line in keys.lines() {
        let (key, value) = line.split_once(' ').unwrap();
        put_base64(etcd.client_port, key.strip_prefix("leasehold/").unwrap(), value);
    }
    etcd
}

fn becomes(keys: &str, held: impl IntoIterator<Item = u64>) {
    let held = set(held);
    let etcd = etcd_with(keys);
    // Otherwise there would be a wait for it: see below.
    let epoch = get_text(etcd.client_port, "epoch");
    let leader = r#""address":"a:1","link_token":"t","since":5,"holder":6,"has_resigned":true"#;
    put_text(etcd.client_port, "lease", &format!(r#"{{"epoch":{epoch},{leader}}}"#));
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        assert_eq!(recovered(&mut store).await, held);
        assert_eq!(get_text(etcd.client_port, "format"), "4");
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([99])).await.unwrap();
        store.resign(epoch).await.unwrap();
        let mut next = open_for_long(&etcd.url());
        let epoch = next.claim().await.unwrap();
        assert_eq!(numbers(&mut next, epoch).await, &held | &set([99]));
    });
}

/// Before format 4 a leader that resigned and one whose key was lost left the same behind: nothing. So there is
/// a wait for the one that may still answer.
#[test]
fn i4_the_last_leader_of_an_earlier_format_is_waited_for() {
    let etcd = etcd_with(include_str!("earlier/format-3.txt"));
    block_on(async {
        let mut store = open(&etcd.url());
        let began = Instant::now();
        let epoch = loop {
            match store.claim().await {
                Ok(epoch) => break epoch,
                Err(StoreError::Unavailable(why)) => {
                    assert!(why.contains("may still answer"), "{why}");
                }
                Err(error) => panic!("{error}"),
            }
            assert_eq!(store.leader().await, Ok(None));
            sleep(Duration::from_millis(100)).await;
        };
        assert!(began.elapsed() >= UNKNOWN_LEASE, "it led after {:?}", began.elapsed());
        assert_eq!(get_text(etcd.client_port, "format"), "4");
        assert_eq!(numbers(&mut store, epoch).await, set(0..3));
    });
}

/// A leader of format 3 renews a lease of etcd, and nothing that it writes shows it. While its key is there, it
/// leads.
#[test]
fn i4_a_leader_of_format_3_is_left_to_lead() {
    let etcd = etcd_with(include_str!("earlier/format-3.txt"));
    block_on(async {
        let leader = r#"{"epoch":2,"address":"old:1","link_token":"t","since":5,"holder":6}"#;
        put_with_lease(etcd.client_port, "leader", leader, 30);
        let mut store = open(&etcd.url());
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3) {
            let Err(StoreError::Led(named)) = store.claim().await else { panic!() };
            assert_eq!(named.address, "old:1");
            assert_eq!(store.leader().await, Ok(Some(*named)));
            sleep(Duration::from_millis(100)).await;
        }
    });
}

#[test]
fn what_format_3_left_in_its_log_is_read() {
    becomes(include_str!("earlier/format-3.txt"), 0..3);
}

#[test]
fn rows_of_format_1_are_read() {
    becomes(include_str!("earlier/format-1.txt"), 0..4);
}

/// Process 1 was given back in the log, 5 and 7 were both taken and given back there.
#[test]
fn a_log_of_format_2_is_put_into_its_places() {
    becomes(include_str!("earlier/format-2-log.txt"), [0, 2, 3, 4, 6]);
}

/// The leader was killed between the piece that decided and the rows.
#[test]
fn a_batch_that_format_2_left_in_pieces_is_finished() {
    becomes(include_str!("earlier/format-2-pieces.txt"), 0..20);
}
