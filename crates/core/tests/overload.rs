//! More requests than a lock can serve, from clients that give up.
//!
//! The story: a wait that timed out kept its place for two seconds, and the lock was kept free for it.
//! When clients gave up at least every two seconds, the head of the queue was always a client that had
//! gone: 8 requests a second on a lock that can serve 5 got 20, 7, 0, 0 … grants in 4 seconds, and a free
//! lock refused new requests because its queue was full of clients that had left.

#![expect(clippy::unwrap_used, reason = "test helpers are tests too")]

use std::collections::BTreeMap;
use std::time::Duration;

use leasehold_core::{
    Acquire, Command, Detail, Effects, HoldKey, Limits, LockId, LockKind, LockUid, Mode, Mono,
    Namespace, NewLock, Now, Origin, Outcome, ProcessId, Quotas, Refusal, Reply, Table, Terms,
    Ticket, TimeoutSecs, Wall, Want,
};

/// How long a client keeps what it got.
const HOLD: u64 = 200;
/// How long a client waits; then it has gone for good.
const PATIENCE: u64 = 2_000;
/// How long requests arrive.
const SPAN: u64 = 60_000;

/// One kind of load. Every `every_ms` a new client asks for what `wants` says of its number.
struct Load {
    kind: LockKind,
    limits: Limits,
    every_ms: u64,
    wants: fn(u64) -> Vec<(&'static str, Mode)>,
}

impl Load {
    fn twice_the_capacity(max_writers: u32, wants: fn(u64) -> Vec<(&'static str, Mode)>) -> Self {
        let kind = LockKind { max_writers: Some(max_writers), ..LockKind::default() };
        let every_ms = HOLD / 2 / u64::from(max_writers);
        Self { kind, limits: Limits::default(), every_ms, wants }
    }

    fn run(&self) -> Run {
        let mut run = Run {
            table: Table::new(self.limits),
            effects: Effects::default(),
            ends: BTreeMap::new(),
            granted: 0,
            full: 0,
        };
        for name in ["a", "b"] {
            run.create(name, self.kind);
        }
        for ms in 0..SPAN {
            run.step(ms);
            if ms % self.every_ms == 0 {
                run.arrive(ms, ms / self.every_ms, &(self.wants)(ms / self.every_ms));
            }
        }
        run
    }
}

struct Run {
    table: Table,
    effects: Effects,
    /// What to release, and when.
    ends: BTreeMap<u64, Vec<HoldKey>>,
    granted: u64,
    /// Requests that were refused because too many waited.
    full: u64,
}

impl Run {
    fn create(&mut self, name: &str, kind: LockKind) {
        let command = Command::CreateLock {
            namespace: Namespace::default(),
            lock_id: LockId::parse(name).unwrap(),
            new: NewLock { uid: LockUid([7; 16]), kind, must_match: false },
            quotas: Quotas::default(),
        };
        self.table.execute(at(0), &Origin::default(), &command, &mut self.effects);
    }

    fn arrive(&mut self, ms: u64, client: u64, wants: &[(&str, Mode)]) {
        let want = |(name, mode): &(&str, Mode)| Want {
            lock_id: LockId::parse(name).unwrap(),
            mode: *mode,
            create_if_missing: None,
        };
        let command = Command::Acquire(Acquire {
            namespace: Namespace::default(),
            process_id: ProcessId::parse(&format!("client-{client}")).unwrap(),
            wants: wants.iter().map(want).collect(),
            terms: Terms {
                timeout: TimeoutSecs::new(10).unwrap(),
                note: None,
                detail: Detail::Own,
            },
            wait: Duration::from_millis(PATIENCE),
            quotas: Quotas::default(),
        });
        match self.table.execute(at(ms), &Origin::default(), &command, &mut self.effects) {
            Outcome::Done(answer) => self.hear(ms, answer),
            Outcome::Waiting(_) | Outcome::Continues { .. } => {}
        }
        self.settle(ms);
    }

    fn step(&mut self, ms: u64) {
        self.table.expire(at(ms), usize::MAX, &mut self.effects);
        self.settle(ms);
        for hold in self.ends.remove(&ms).unwrap_or_default() {
            let command = Command::Release { hold, token: None, detail: Detail::Own };
            self.table.execute(at(ms), &Origin::default(), &command, &mut self.effects);
            self.settle(ms);
        }
    }

    fn settle(&mut self, ms: u64) {
        let settled: Vec<(Ticket, Result<Reply, Refusal>)> =
            self.effects.settled.drain(..).collect();
        settled.into_iter().for_each(|(_, answer)| self.hear(ms, answer));
    }

    fn hear(&mut self, ms: u64, answer: Result<Reply, Refusal>) {
        match answer {
            Ok(Reply::Granted(grants)) => {
                self.granted += 1;
                let holds = grants.into_iter().map(|grant| grant.key);
                self.ends.entry(ms + HOLD).or_default().extend(holds);
            }
            Err(Refusal::TooManyWaiters { .. }) => self.full += 1,
            Ok(_) | Err(_) => {}
        }
    }
}

fn at(ms: u64) -> Now {
    Now { mono: Mono(ms * 1_000_000), wall: Wall(0) }
}

/// Grants that fit into the span, if a lock with so many permits is never idle.
fn capacity(permits: u64) -> u64 {
    permits * SPAN / HOLD
}

fn assert_most_of(granted: u64, capacity: u64) {
    assert!(granted * 10 >= capacity * 9, "{granted} of {capacity} possible grants");
}

#[test]
fn an_exclusive_lock_at_twice_its_capacity_stays_in_use() {
    let run = Load::twice_the_capacity(1, |_| vec![("a", Mode::Write)]).run();
    assert_most_of(run.granted, capacity(1));
}

#[test]
fn a_semaphore_at_twice_its_capacity_stays_in_use() {
    let run = Load::twice_the_capacity(3, |_| vec![("a", Mode::Write)]).run();
    assert_most_of(run.granted, capacity(3));
}

/// Every second client is a reader. Those that arrive beside each other share the lock, so that there are
/// more grants than for writers alone.
#[test]
fn readers_and_writers_at_twice_the_capacity_stay_in_use() {
    let wants = |client| match client % 2 {
        0 => vec![("a", Mode::Read)],
        _ => vec![("a", Mode::Write)],
    };
    let run = Load::twice_the_capacity(1, wants).run();
    assert_most_of(run.granted, capacity(1));
}

/// Every third client wants two locks at once.
#[test]
fn batch_acquires_at_twice_the_capacity_stay_in_use() {
    let wants = |client| match client % 3 {
        0 => vec![("a", Mode::Write), ("b", Mode::Write)],
        1 => vec![("a", Mode::Write)],
        _ => vec![("b", Mode::Write)],
    };
    let mut load = Load::twice_the_capacity(1, wants);
    // Each lock is wanted by two of three.
    load.every_ms = load.every_ms * 2 / 3;
    // Two locks, on which a client that takes both counts once: three grants for every four.
    assert_most_of(load.run().granted, capacity(2) * 3 / 4);
}

/// Clients that have gone take no place in a queue of bounded length.
#[test]
fn clients_that_gave_up_do_not_fill_the_queue() {
    let mut load = Load::twice_the_capacity(1, |_| vec![("a", Mode::Write)]);
    load.limits.max_waiters_per_lock = 15;
    let run = load.run();
    assert_most_of(run.granted, capacity(1));
    // Half of the requests are more than the lock can serve; no other is refused for that.
    assert!(run.full <= capacity(1) * 11 / 10, "{} requests found the queue full", run.full);
}

/// After the overload, a lock at half its capacity serves every client.
#[test]
fn a_lock_recovers_from_an_overload() {
    let mut run = Load::twice_the_capacity(1, |_| vec![("a", Mode::Write)]).run();
    let before = run.granted;
    for ms in SPAN..2 * SPAN {
        run.step(ms);
        if ms % (2 * HOLD) == 0 {
            run.arrive(ms, ms, &[("a", Mode::Write)]);
        }
    }
    let served = run.granted - before;
    assert!(served >= SPAN / (2 * HOLD) - 1, "{served} grants after the overload");
}
