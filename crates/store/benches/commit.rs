//! Durable group commits on the local store: rows a second at several batch sizes.
//!
//! Each iteration is one commit of so many holds, half new and half given back, synced to the disk
//! that holds the target folder.
#![expect(clippy::expect_used, reason = "a benchmark fails by a panic")]

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use leasehold_core::{
    Batch, FencingToken, HoldKey, LockId, Mode, Namespace, ProcessId, Row, RowKey, TimeoutSecs,
    Wall,
};
use leasehold_store::{LocalStore, Store};

const BATCH_ROWS: [u64; 3] = [16, 64, 256];
const LOCKS: u64 = 10_000;

fn hold(number: u64) -> HoldKey {
    HoldKey {
        namespace: Namespace::parse("default").expect("a namespace"),
        lock_id: LockId::parse(&format!("bench-lock-{}", number % LOCKS)).expect("a lock id"),
        mode: Mode::Write,
        process_id: ProcessId::parse(&format!("bench-process-{number}")).expect("a process id"),
    }
}

/// The `nth` batch: takes half of its rows' holds and gives back those that the batch before took.
fn batch(nth: u64, rows: u64) -> Batch {
    let half = rows / 2;
    let mut batch = Batch::default();
    for number in nth * half..(nth + 1) * half {
        batch.put(Row::Hold {
            hold: hold(number),
            token: FencingToken::new(number).expect("a token"),
            timeout: TimeoutSecs::new(60).expect("a timeout"),
            acquired_at: Wall(1_700_000_000_000),
            renewed_at: Wall(1_700_000_000_000),
            note: None,
            idempotency_key: None,
            acquired_by: None,
        });
    }
    for number in nth.saturating_sub(1) * half..nth * half {
        batch.delete(RowKey::Hold(hold(number)));
    }
    batch
}

fn commits(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("local_commit");
    for rows in BATCH_ROWS {
        let dir = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("a folder");
        let mut store = LocalStore::open(dir.path()).expect("a store");
        let epoch = runtime.block_on(store.claim()).expect("an epoch");
        let mut nth = 0;
        group.throughput(Throughput::Elements(rows));
        group.bench_function(BenchmarkId::from_parameter(rows), |bencher| {
            bencher.iter_batched(
                || {
                    nth += 1;
                    batch(nth, rows)
                },
                |batch| runtime.block_on(store.commit(epoch, black_box(&batch))).expect("durable"),
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, commits);
criterion_main!(benches);
