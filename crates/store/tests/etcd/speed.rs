//! How fast batches are committed: `cargo test --release --test etcd -- --ignored --nocapture speed`.

use std::time::{Duration, Instant};

use leasehold_core::Batch;
use leasehold_store::Store;

use crate::server::Etcd;
use crate::support::{block_on, hold, open_for_long};

const PERIOD: Duration = Duration::from_secs(3);

/// Half of the rows are new; the other half are given back, as they were taken by the batch before.
fn nth(nth: u64, rows: u64) -> Batch {
    let half = rows / 2;
    let mut batch = Batch::default();
    for number in nth * half..(nth + 1) * half {
        batch.put(hold(number));
    }
    for number in nth.saturating_sub(1) * half..nth * half {
        batch.delete(hold(number).key());
    }
    batch
}

#[test]
#[ignore = "prints numbers, asserts nothing"]
fn speed_of_commits() {
    let etcd = Etcd::start();
    block_on(async {
        let mut store = open_for_long(&etcd.url());
        let epoch = store.claim().await.unwrap();
        for rows in [2, 16, 64, 256, 1024, 8192] {
            let mut times = Vec::new();
            let began = Instant::now();
            while began.elapsed() < PERIOD {
                let batch = nth(times.len() as u64, rows);
                let sent = Instant::now();
                store.commit(epoch, &batch).await.unwrap();
                times.push(sent.elapsed());
            }
            times.sort_unstable();
            let total: Duration = times.iter().sum();
            let rows_per_sec = times.len() as f64 * rows as f64 / total.as_secs_f64();
            let at = |part: usize| times[times.len() * part / 100].as_micros();
            println!(
                "{rows:5} rows: {rows_per_sec:8.0} rows/s, {} µs median, {} µs p99",
                at(50),
                at(99)
            );
        }
    });
}
