//! Keys that earlier versions wrote, as they wrote them (`earlier/`): a claim turns them into this format.

use leasehold_store::Store;

use crate::gateway::{count, get, put_base64};
use crate::server::Etcd;
use crate::support::{batch, block_on, numbers, open_for_long, recovered, set};

fn becomes(keys: &str, held: impl IntoIterator<Item = u64>) {
    let held = set(held);
    let etcd = Etcd::start();
    for line in keys.lines() {
        let (key, value) = line.split_once(' ').unwrap();
        put_base64(etcd.client_port, key.strip_prefix("leasehold/").unwrap(), value);
    }
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        assert_eq!(recovered(&mut store).await, held);
        assert_eq!(get(etcd.client_port, "format"), "Mw==", "3, in base64");
        assert_eq!(count(etcd.client_port, "pending/") + count(etcd.client_port, "log/"), 0);
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([99])).await.unwrap();
        store.resign(epoch).await.unwrap();
        let mut next = open_for_long(&etcd.url());
        let epoch = next.claim().await.unwrap();
        assert_eq!(numbers(&mut next, epoch).await, &held | &set([99]));
    });
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
