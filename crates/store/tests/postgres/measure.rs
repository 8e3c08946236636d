//! What a commit costs. Run with
//! `cargo nextest run --workspace --release --run-ignored only --no-capture -E 'test(measure)'`.

use std::time::Instant;

use leasehold_core::{Batch, FencingToken, Row, RowKey};
use leasehold_store::Store;

use crate::server::{Server, fresh_schema};
use crate::support::{batch_of, block_on, hold, hold_key, open};

/// The `nth` batch: takes half of its rows' holds and gives back those that the batch before took.
fn batch(nth: u64, rows: u64) -> Batch {
    let half = rows / 2;
    let name = |number: u64| format!("bench-process-{number}");
    let mut batch = Batch::default();
    for number in nth * half..(nth + 1) * half {
        batch.put(hold(&name(number), number));
    }
    for number in nth.saturating_sub(1) * half..nth * half {
        batch.delete(RowKey::Hold(hold_key(&name(number))));
    }
    batch.put(Row::Sequence(FencingToken::new((nth + 1) * half).unwrap()));
    batch
}

#[test]
#[ignore = "measures, and holds nothing against anything"]
fn measure_commits_and_a_load() {
    const COMMITS: u64 = 1_000;
    block_on(async {
        let server = Server::shared();
        for rows in [16_u64, 64, 256] {
            let mut store = open(&server.url(&fresh_schema())).await;
            let epoch = store.claim().await.unwrap();
            let batches: Vec<_> = (0..COMMITS).map(|nth| batch(nth, rows)).collect();
            let began = Instant::now();
            for batch in &batches {
                store.commit(epoch, batch).await.unwrap();
            }
            let spent = began.elapsed();
            let each = spent.as_micros() / u128::from(COMMITS);
            let rate = (COMMITS * rows) as f64 / spent.as_secs_f64();
            println!("batches of {rows:>3} rows: {each:>5} µs a commit, {rate:>7.0} rows/s");
            store.resign(epoch).await.unwrap();
        }
        let mut store = open(&server.url(&fresh_schema())).await;
        let epoch = store.claim().await.unwrap();
        for part in 0..20_u64 {
            let rows: Vec<_> = (0..5_000)
                .map(|number| hold(&format!("process-{number}-{part}"), part * 5_000 + number))
                .collect();
            let began = Instant::now();
            store.commit(epoch, &batch_of(&rows)).await.unwrap();
            if part == 19 {
                println!("a batch of 5,000 new rows: {:?}", began.elapsed());
            }
        }
        let began = Instant::now();
        let mut loaded = 0_u64;
        store.load(epoch, &mut |_| loaded += 1).await.unwrap();
        println!("load of {loaded} rows: {:?}", began.elapsed());
    });
}
