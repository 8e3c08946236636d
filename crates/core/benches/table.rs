//! What one command costs the table: it must not grow with the number of locks, with the number of
//! holders of one lock, nor with the number of those who wait for it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "names and timeouts here are constants that are valid"
)]

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use leasehold_core::{
    Acquire, Command, Detail, Effects, HoldKey, Limits, LockId, LockKind, LockUid, Mode, Namespace,
    NewLock, Now, Origin, Outcome, ProcessId, Quotas, Table, Terms, Ticket, TimeoutSecs, Want,
};

/// Step from one lock to the next that is used: a prime, so that a walk leaves no lock out and each
/// step goes far.
const STRIDE: usize = 7_368_787;

/// Holds that fall due at once.
const DUE_HOLDS: usize = 100;

/// Timeout of holds that outlast every benchmark.
const STANDING_SECS: u32 = u32::MAX;

/// A wait that outlasts every benchmark.
const LONG_WAIT: Duration = Duration::from_secs(300);

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
    acquire_or_wait(hold, secs, Duration::ZERO)
}

fn acquire_or_wait(hold: HoldKey, secs: u32, wait: Duration) -> Command {
    let HoldKey { namespace, lock_id, mode, process_id } = hold;
    let terms = Terms { timeout: timeout(secs), note: None, detail: Detail::Own };
    let wants = vec![Want { lock_id, mode, create_if_missing: None }];
    let quotas = Quotas::default();
    Command::Acquire(Acquire { namespace, process_id, wants, terms, wait, quotas })
}

fn release(hold: HoldKey) -> Command {
    Command::Release { hold, token: None, detail: Detail::Own }
}

fn execute(table: &mut Table, now: Now, command: &Command) -> Effects {
    let mut effects = Effects::default();
    let outcome = table.execute(now, &Origin::default(), command, &mut effects);
    black_box(&outcome);
    assert!(matches!(outcome, Outcome::Done(Ok(_))), "a bench command is granted: {outcome:?}");
    effects
}

/// Stands in line.
fn queue(table: &mut Table, command: &Command) -> Ticket {
    match table.execute(Now::default(), &Origin::default(), command, &mut Effects::default()) {
        Outcome::Waiting(ticket) => ticket,
        other => panic!("a bench waiter waits: {other:?}"),
    }
}

/// A table with so many free, write-exclusive or shared locks.
fn table_of(locks: usize, is_write_exclusive: bool) -> Table {
    table_within(Limits::default(), locks, is_write_exclusive)
}

fn table_within(limits: Limits, locks: usize, is_write_exclusive: bool) -> Table {
    let limits = Limits {
        max_timeout_secs: u32::MAX,
        max_waiters_per_lock: usize::MAX,
        max_waiters_per_namespace: usize::MAX,
        max_waiters: usize::MAX,
        ..limits
    };
    let mut table = Table::new(limits);
    for number in 0..locks {
        let command = Command::CreateLock {
            namespace: namespace(),
            lock_id: lock_id(number),
            new: NewLock {
                must_match: false,
                uid: LockUid((number as u128).to_be_bytes()),
                kind: LockKind {
                    max_writers: is_write_exclusive.then_some(1),
                    ..LockKind::default()
                },
            },
            quotas: Quotas::default(),
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
                    execute(&mut table, now, &release(hold))
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// Acquire and release without history, and with one that is full: for each lock, or in all.
fn cycle_by_history(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("acquire and release, by history");
    for (name, locks, max_history_per_lock, max_history) in [
        ("1000 locks, off", 1_000, 0, 100_000),
        ("1000 locks, each has 1", 1_000, 1, 100_000),
        ("1000 locks, each has 50", 1_000, 50, 100_000),
        ("1000000 locks, off", 1_000_000, 0, 100_000),
        ("1000000 locks, 100000 in all", 1_000_000, 100, 100_000),
    ] {
        let limits = Limits { max_history_per_lock, max_history, ..Limits::default() };
        let mut table = table_within(limits, locks, true);
        let mut number = 0;
        let mut next = || {
            number = (number + STRIDE) % locks;
            hold(lock_id(number), Mode::Write, number)
        };
        let cycle = |table: &mut Table, hold: HoldKey| {
            execute(table, Now::default(), &acquire(hold.clone(), 60));
            execute(table, Now::default(), &release(hold))
        };
        for _ in 0..250_000 {
            cycle(&mut table, next());
        }
        group.bench_function(name, |bencher| {
            bencher.iter_batched(&mut next, |hold| cycle(&mut table, hold), BatchSize::SmallInput);
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
        let give_back = release(own);
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

/// The holder gives the lock to the first in line, and stands in line again behind all others.
fn handover_by_waiters(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handover and queue again, by waiters of the lock");
    for waiters in [10, 10_000] {
        let mut table = table_of(1, true);
        let writer = |process| hold(lock_id(0), Mode::Write, process);
        let gives: Vec<Command> = (0..=waiters).map(|process| release(writer(process))).collect();
        let takes: Vec<Command> = (0..=waiters)
            .map(|process| acquire_or_wait(writer(process), STANDING_SECS, LONG_WAIT))
            .collect();
        execute(&mut table, Now::default(), &takes[0]);
        for take in &takes[1..] {
            queue(&mut table, take);
        }
        let mut holder = 0;
        group.bench_function(BenchmarkId::from_parameter(waiters), |bencher| {
            bencher.iter(|| {
                let effects = execute(&mut table, Now::default(), &gives[holder]);
                assert_eq!(effects.settled.len(), 1, "the next in line has it");
                let ticket = queue(&mut table, &takes[holder]);
                holder = (holder + 1) % (waiters + 1);
                (effects, ticket)
            });
        });
    }
    group.finish();
}

/// Stand in line behind so many others, as a process that holds a lock, and leave again. Nobody waits
/// for that process, or somebody who has nothing to do with the others; both rule a circle out at once.
/// Or so many wait for it as well, which asks for a search as long as searches get.
fn deadlock_check_by_waiters(criterion: &mut Criterion) {
    for (held_up, waiting_for_it) in [("nobody", 0), ("somebody", 1), ("as many", usize::MAX)] {
        let name = format!("queue and leave, {held_up} waiting for it, by waiters");
        let mut group = criterion.benchmark_group(name);
        for waiters in [10, 10_000] {
            let mut table = table_of(2, true);
            let wait = |lock, process| {
                let hold = hold(lock_id(lock), Mode::Write, process);
                acquire_or_wait(hold, STANDING_SECS, LONG_WAIT)
            };
            let (hot, own, asking) = (0, 1, waiters + 1);
            execute(&mut table, Now::default(), &wait(hot, 0));
            for process in 1..=waiters {
                queue(&mut table, &wait(hot, process));
            }
            execute(&mut table, Now::default(), &wait(own, asking));
            for process in 1..=waiting_for_it.min(waiters) {
                queue(&mut table, &wait(own, asking + process));
            }
            let ask = wait(hot, asking);
            group.bench_function(BenchmarkId::from_parameter(waiters), |bencher| {
                bencher.iter(|| {
                    let ticket = queue(&mut table, &ask);
                    table.hang_up(Now::default(), ticket, &mut Effects::default());
                });
            });
        }
        group.finish();
    }
}

/// The same question in a graph that is wide instead of long: so many readers are in the way at once,
/// each of them waits for a lock of its own, and as many again wait for the process that asks.
fn deadlock_check_by_readers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue and leave, by readers in the way who wait");
    for readers in [10, 10_000] {
        let mut table = table_of(2 + readers, true);
        let wait = |lock, mode, process| {
            let hold = hold(lock_id(lock), mode, process);
            acquire_or_wait(hold, STANDING_SECS, LONG_WAIT)
        };
        let (hot, own, asking) = (0, 1, 0);
        execute(&mut table, Now::default(), &wait(own, Mode::Write, asking));
        for reader in 1..=readers {
            let (lock, holder) = (own + reader, readers + reader);
            execute(&mut table, Now::default(), &wait(hot, Mode::Read, reader));
            execute(&mut table, Now::default(), &wait(lock, Mode::Write, holder));
            queue(&mut table, &wait(lock, Mode::Write, reader));
            queue(&mut table, &wait(own, Mode::Write, 2 * readers + reader));
        }
        let ask = wait(hot, Mode::Write, asking);
        group.bench_function(BenchmarkId::from_parameter(readers), |bencher| {
            bencher.iter(|| {
                let ticket = queue(&mut table, &ask);
                table.hang_up(Now::default(), ticket, &mut Effects::default());
            });
        });
    }
    group.finish();
}

/// So many waits for one lock end at once, without a grant.
fn end_waits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a wait ends, by waiters of the lock");
    for waiters in [10, 10_000] {
        group.throughput(Throughput::Elements(waiters as u64));
        let later = Now { mono: Now::default().mono.plus(LONG_WAIT), ..Now::default() };
        group.bench_function(BenchmarkId::from_parameter(waiters), |bencher| {
            bencher.iter_batched(
                || {
                    let mut table = table_of(1, true);
                    let wait = |process| {
                        let hold = hold(lock_id(0), Mode::Write, process);
                        acquire_or_wait(hold, STANDING_SECS, LONG_WAIT)
                    };
                    execute(&mut table, Now::default(), &wait(waiters));
                    for process in 0..waiters {
                        queue(&mut table, &wait(process));
                    }
                    table
                },
                |mut table| {
                    let mut effects = Effects::default();
                    assert_eq!(table.expire(later, waiters, &mut effects), waiters);
                    (table, effects)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(
    benches,
    cycle_by_locks,
    cycle_by_history,
    cycle_by_holders,
    expire_due,
    handover_by_waiters,
    deadlock_check_by_waiters,
    deadlock_check_by_readers,
    end_waits
);
criterion_main!(benches);
