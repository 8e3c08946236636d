//! What one command costs the table: it must not grow with the number of locks, nor with the number
//! of holders of one lock.

#![expect(clippy::expect_used, reason = "names and timeouts here are constants that are valid")]

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use leasehold_core::{
    Command, Detail, Effects, HoldKey, Limits, LockId, LockUid, Mode, Namespace, Now, ProcessId,
    Table, TimeoutSecs,
};

/// Step from one lock to the next that is used: a prime, so that a walk leaves no lock out and each
/// step goes far.
const STRIDE: usize = 7_368_787;

/// Holds that fall due at once.
const DUE_HOLDS: usize = 100;

/// Timeout of holds that outlast every benchmark.
const STANDING_SECS: u32 = u32::MAX;

fn namespace() -> Namespace {
    Namespace::parse("default").expect("a slug")
}

fn lock_id(number: usize) -> LockId {
    LockId::parse(&format!("lock-{number}")).expect("a lock id")
}

fn timeout(secs: u32) -> TimeoutSecs {
    TimeoutSecs::new(secs).expect("above zero")
}

fn hold(lock: LockId, mode: Mode, process: usize) -> HoldKey {
    let process_id = ProcessId::parse(&format!("process-{process}")).expect("a process id");
    HoldKey { namespace: namespace(), lock_id: lock, mode, process_id }
}

fn acquire(hold: HoldKey, secs: u32) -> Command {
    Command::Acquire { hold, timeout: timeout(secs), detail: Detail::Own }
}

fn execute(table: &mut Table, now: Now, command: &Command) -> Effects {
    let mut effects = Effects::default();
    let reply = table.execute(now, command, &mut effects);
    black_box(&reply);
    assert!(reply.is_ok(), "a bench command is never refused: {reply:?}");
    effects
}

/// A table with so many free, write-exclusive or shared locks.
fn table_of(locks: usize, is_write_exclusive: bool) -> Table {
    let limits = Limits { max_timeout_secs: u32::MAX, ..Limits::default() };
    let mut table = Table::new(limits);
    for number in 0..locks {
        let command = Command::CreateLock {
            namespace: namespace(),
            lock_id: lock_id(number),
            uid: LockUid((number as u128).to_be_bytes()),
            is_write_exclusive,
        };
        execute(&mut table, Now::default(), &command);
    }
    table
}

/// Acquire and release, each time another lock far from the last.
fn cycle_by_locks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("acquire and release, by locks");
    for locks in [1_000, 1_000_000] {
        let mut table = table_of(locks, true);
        let mut number = 0;
        group.bench_function(BenchmarkId::from_parameter(locks), |bencher| {
            bencher.iter_batched(
                || {
                    number = (number + STRIDE) % locks;
                    hold(lock_id(number), Mode::Write, number)
                },
                |hold| {
                    let now = Now::default();
                    execute(&mut table, now, &acquire(hold.clone(), 60));
                    execute(&mut table, now, &Command::Release { hold, detail: Detail::Own })
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Acquire and release one read hold beside so many others on the same lock.
fn cycle_by_holders(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("acquire and release, by holders of the lock");
    for holders in [10, 10_000] {
        let mut table = table_of(1, false);
        for reader in 0..holders {
            let standing = hold(lock_id(0), Mode::Read, reader);
            execute(&mut table, Now::default(), &acquire(standing, STANDING_SECS));
        }
        let own = hold(lock_id(0), Mode::Read, holders);
        let take = acquire(own.clone(), 60);
        let give_back = Command::Release { hold: own, detail: Detail::Own };
        group.bench_function(BenchmarkId::from_parameter(holders), |bencher| {
            bencher.iter(|| {
                execute(&mut table, Now::default(), &take);
                execute(&mut table, Now::default(), &give_back)
            });
        });
    }
    group.finish();
}

/// End the holds that are due, among many that are not.
fn expire_due(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("expire {DUE_HOLDS} due holds, by holds"));
    for standing in [1_000, 100_000] {
        let mut table = table_of(standing + DUE_HOLDS, true);
        for number in 0..standing {
            let hold = hold(lock_id(number), Mode::Write, number);
            execute(&mut table, Now::default(), &acquire(hold, STANDING_SECS));
        }
        let soon_due: Vec<Command> = (standing..standing + DUE_HOLDS)
            .map(|number| acquire(hold(lock_id(number), Mode::Write, number), 1))
            .collect();
        let (table, clock) = (RefCell::new(table), RefCell::new(Now::default()));
        group.bench_function(BenchmarkId::from_parameter(standing), |bencher| {
            bencher.iter_batched(
                || {
                    let mut now = clock.borrow_mut();
                    for command in &soon_due {
                        execute(&mut table.borrow_mut(), *now, command);
                    }
                    let passed = Duration::from_secs(1);
                    *now = Now { mono: now.mono.plus(passed), wall: now.wall.plus(passed) };
                },
                |()| {
                    let mut effects = Effects::default();
                    let ended = table.borrow_mut().expire(*clock.borrow(), 1_024, &mut effects);
                    assert_eq!(ended, DUE_HOLDS);
                    effects
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, cycle_by_locks, cycle_by_holders, expire_due);
criterion_main!(benches);
