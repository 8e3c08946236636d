//! A load in the middle of which another writes.

use std::thread;
use std::time::Duration;

use leasehold_core::{Row, Wall};
use leasehold_store::{Candidate, PostgresStore, Store, StoreError};

use crate::server::{Server, fresh_schema};
use crate::support::{batch_of, block_on, by_key, candidate, hold, rows};

/// The pages of a load are not of one moment. What another writes between two of them must not be taken
/// for what stood beside the first.
#[test]
fn i1_a_load_that_is_taken_over_in_the_middle_is_void() {
    let (server, schema) = (Server::shared(), fresh_schema());
    let url = server.url(&schema);
    // On demand, whoever comes may take over.
    let open = || PostgresStore::open(&url, Candidate { lease: Duration::ZERO, ..candidate() });
    let (before, after) = ([hold("first", 1)], [Row::StoredDeadlines { since: Wall(1) }]);
    let take_over = async || {
        let mut second = open().await.unwrap();
        let epoch = second.claim().await.unwrap();
        let mut batch = batch_of(&after);
        batch.delete(before[0].key());
        second.commit(epoch, &batch).await.unwrap();
        assert_eq!(rows(&mut second, epoch).await, by_key(&after));
    };
    block_on(async {
        let mut first = open().await.unwrap();
        let epoch = first.claim().await.unwrap();
        first.commit(epoch, &batch_of(&before)).await.unwrap();
        let mut seen = 0;
        let mut visit = |_| {
            seen += 1;
            if seen == 1 {
                thread::scope(|scope| scope.spawn(|| block_on(take_over())).join().unwrap());
            }
        };
        assert_eq!(first.load(epoch, &mut visit).await, Err(StoreError::Fenced(epoch)));
        assert_eq!(seen, 2, "a row of before and one of after");
    });
}
