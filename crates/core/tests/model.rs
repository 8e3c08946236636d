//! Random commands, clocks and crashes: the table against a naive model and a witness of promises.

#![expect(clippy::panic, clippy::unwrap_used, reason = "test helpers are tests too")]

mod naive;
mod seeded;

use std::collections::BTreeMap;
use std::mem;

use leasehold_core::{
    Command, Deadlines, Effects, Limits, Mode, Mono, Now, Origin, Quotas, Recovery, Row, RowKey,
    RowWrite, Table, Wall,
};
use naive::translate::{
    acquire, detail, hold_key, lock_id, namespace, new_lock, secs, see, see_history, token_of,
};
use naive::witness::Witness;
use naive::{Moment, Naive, Name, Process, Seen, SeenPast, Space, Verdict, Who};
use proptest::prelude::*;

const SPACES: Space = 2;
const NAMES: Name = 4;
const PROCESSES: Process = 4;

/// So tight that runs meet every one of them.
const LIMITS: Limits = Limits {
    max_locks_per_namespace: 3,
    max_holders_per_lock: 3,
    max_timeout_secs: 5,
    max_waiters_per_lock: 0,
    max_waiters_per_namespace: 0,
    max_waiters: 0,
    max_remembered_releases: 0,
    max_history_per_lock: 3,
    max_history_age_secs: 60,
    max_history: 5,
    max_keys: 1,
};

#[derive(Clone, Debug)]
enum Step {
    Create {
        at: (Space, Name),
        is_write_exclusive: bool,
    },
    Get {
        at: (Space, Name),
    },
    Acquire {
        who: Who,
        timeout_secs: u32,
        own: bool,
    },
    Refresh {
        who: Who,
        timeout_secs: u32,
        own: bool,
    },
    Release {
        who: Who,
        own: bool,
    },
    /// The open batch becomes durable, then time goes by.
    Pass {
        span_ms: u64,
    },
    /// The wall clock is set, and nothing else.
    SetWall {
        by_ms: i64,
    },
    /// The open batch becomes durable, then the service starts anew from its rows.
    Restart {
        clock_ms: u64,
        rows_reversed: bool,
    },
    /// The open batch is lost, and the service starts anew from its rows.
    Crash {
        clock_ms: u64,
        rows_reversed: bool,
    },
}

/// Mostly the first lock of the first namespace, so that commands meet.
fn locks() -> impl Strategy<Value = (Space, Name)> + Clone {
    prop_oneof![6 => Just((0, 0)), 1 => (0..SPACES, 0..NAMES)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lock = locks();
    let mode = prop_oneof![Just(Mode::Read), Just(Mode::Write)];
    let who = (lock.clone(), mode, 0..PROCESSES).prop_map(|((space, name), mode, process)| Who {
        space,
        name,
        mode,
        process,
    });
    let timeout_secs =
        prop_oneof![8 => 1..=LIMITS.max_timeout_secs, 1 => Just(LIMITS.max_timeout_secs + 1)];
    let timed = (who.clone(), timeout_secs, any::<bool>());
    let span_ms = prop_oneof![Just(1), Just(499), Just(500), Just(1_000), 0..3_000_u64];
    let start = (0..10_000_u64, any::<bool>());
    let step = prop_oneof![
        4 => (lock.clone(), any::<bool>())
            .prop_map(|(at, is_write_exclusive)| Step::Create { at, is_write_exclusive }),
        2 => lock.prop_map(|at| Step::Get { at }),
        12 => timed.clone()
            .prop_map(|(who, timeout_secs, own)| Step::Acquire { who, timeout_secs, own }),
        8 => timed.prop_map(|(who, timeout_secs, own)| Step::Refresh { who, timeout_secs, own }),
        4 => (who, any::<bool>()).prop_map(|(who, own)| Step::Release { who, own }),
        5 => span_ms.prop_map(|span_ms| Step::Pass { span_ms }),
        1 => (-10_000_000..10_000_000_i64).prop_map(|by_ms| Step::SetWall { by_ms }),
        1 => start.clone()
            .prop_map(|(clock_ms, rows_reversed)| Step::Restart { clock_ms, rows_reversed }),
        1 => start.prop_map(|(clock_ms, rows_reversed)| Step::Crash { clock_ms, rows_reversed }),
    ];
    prop::collection::vec(step, 1..400)
}

/// The table and, beside it, those who watch it.
struct Run {
    table: Table,
    rows: BTreeMap<RowKey, Row>,
    effects: Effects,
    model: Naive,
    witness: Witness,
    durable: (Naive, Witness),
    at: Moment,
    clock_ahead_ms: i128,
    uids: u128,
}

impl Run {
    fn new() -> Self {
        let (model, witness) = (Naive::new(LIMITS), Witness::default());
        Self {
            table: Table::new(LIMITS),
            rows: BTreeMap::new(),
            effects: Effects::default(),
            durable: (model.clone(), witness.clone()),
            model,
            witness,
            at: Moment { true_ms: 0, wall_ms: 1_700_000_000_000 },
            clock_ahead_ms: 0,
            uids: 0,
        }
    }

    fn now(&self) -> Now {
        let mono_ms = i128::from(self.at.true_ms) + self.clock_ahead_ms;
        Now { mono: Mono(u64::try_from(mono_ms).unwrap() * 1_000_000), wall: Wall(self.at.wall_ms) }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Create { at: (space, name), is_write_exclusive } => {
                self.uids += 1;
                let (uid, at) = (self.uids, self.at);
                let command = Command::CreateLock {
                    namespace: namespace(space),
                    lock_id: lock_id(name),
                    new: new_lock(uid, is_write_exclusive),
                    quotas: Quotas::default(),
                };
                self.run(&command, |model| {
                    model.create(at, (space, name), uid, is_write_exclusive)
                });
            }
            Step::Get { at: (space, name) } => self.look(space, name),
            Step::Acquire { who, timeout_secs, own } => self.acquire(who, timeout_secs, own),
            Step::Refresh { who, timeout_secs, own } => self.refresh(who, timeout_secs, own),
            Step::Release { who, own } => self.release(who, own),
            Step::Pass { span_ms } => {
                self.commit();
                self.at.true_ms += span_ms;
                self.at.wall_ms += i64::try_from(span_ms).unwrap();
            }
            Step::SetWall { by_ms } => {
                self.commit();
                self.at.wall_ms += by_ms;
            }
            Step::Restart { clock_ms, rows_reversed } => {
                self.commit();
                self.check_rebuilt();
                self.start(clock_ms, rows_reversed);
            }
            Step::Crash { clock_ms, rows_reversed } => {
                self.lose_batch();
                self.start(clock_ms, rows_reversed);
            }
        }
        self.check_whole();
    }

    fn acquire(&mut self, who: Who, timeout_secs: u32, own: bool) {
        let at = self.at;
        let command = acquire(who, timeout_secs, own);
        let seen = self.run(&command, |model| model.acquire(at, who, timeout_secs, own));
        if let (Verdict::Done, Some(lock)) = seen {
            self.witness.granted(at, who, timeout_secs, token_of(&lock, who));
        }
        self.look(who.space, who.name);
    }

    fn refresh(&mut self, who: Who, timeout_secs: u32, own: bool) {
        let (at, granted, token) = (self.at, self.effects.granted, self.table.last_token());
        let (hold, timeout) = (hold_key(who), secs(timeout_secs));
        let command = Command::Refresh { hold, token: None, timeout, detail: detail(own) };
        let seen = self.run(&command, |model| model.refresh(at, who, timeout_secs, own));
        let after = (self.effects.granted, self.table.last_token());
        assert_eq!((granted, token), after, "I5: a refresh grants nothing");
        if let (Verdict::Done, Some(lock)) = seen {
            self.witness.refreshed(at, who, timeout_secs, token_of(&lock, who));
        }
        self.look(who.space, who.name);
    }

    fn release(&mut self, who: Who, own: bool) {
        let at = self.at;
        let command = Command::Release { hold: hold_key(who), token: None, detail: detail(own) };
        if let (Verdict::Done, _) = self.run(&command, |model| model.release(at, who, own)) {
            self.witness.released(who);
        }
        self.look(who.space, who.name);
    }

    fn look(&mut self, space: Space, name: Name) {
        let at = self.at;
        let command = Command::GetLock { namespace: namespace(space), lock_id: lock_id(name) };
        if let (_, Some(lock)) = self.run(&command, |model| model.get(at, space, name)) {
            self.witness.sees(at, space, name, &lock);
        }
        let now = self.now();
        let history = history(&mut self.table, now, space, name);
        assert_eq!(history, self.model.history(at, space, name), "history at {at:?}");
    }

    /// Ends what is due, then lets the table and the model answer, and compares.
    fn run(&mut self, command: &Command, ask_model: impl FnOnce(&mut Naive) -> Seen) -> Seen {
        let now = self.now();
        while self.table.expire(now, 2, &mut self.effects) > 0 {}
        self.model.expire(self.at);
        self.check_decide_reads_only(command);
        let seen = see(&self.table.execute(now, &Origin::default(), command, &mut self.effects));
        self.table.check().unwrap();
        assert_eq!(seen, ask_model(&mut self.model), "{command:?} at {:?}", self.at);
        seen
    }

    fn check_decide_reads_only(&self, command: &Command) {
        let before = format!("{:?}", self.table);
        let first = format!("{:?}", self.table.decide(self.now(), &Origin::default(), command));
        let second = format!("{:?}", self.table.decide(self.now(), &Origin::default(), command));
        assert_eq!(first, second, "the same table, time and command give the same decision");
        assert_eq!(before, format!("{:?}", self.table), "decide does not change the table");
    }

    fn commit(&mut self) {
        write(&mut self.rows, &mem::take(&mut self.effects));
        self.durable = (self.model.clone(), self.witness.clone());
        assert_eq!(self.rows.len(), self.model.row_count(), "{:?}", self.rows);
    }

    /// What waited for the batch was told to nobody. A batch without rows kept nobody waiting.
    fn lose_batch(&mut self) {
        if !mem::take(&mut self.effects).batch.is_empty() {
            (self.model, self.witness) = self.durable.clone();
        }
    }

    fn start(&mut self, clock_ms: u64, rows_reversed: bool) {
        self.clock_ahead_ms = i128::from(clock_ms) - i128::from(self.at.true_ms);
        self.table = recover(&self.rows, self.now(), rows_reversed);
        self.model.restart(self.at);
        let rows = &self.rows;
        self.witness.restarted(self.at, |who| rows.contains_key(&RowKey::Hold(hold_key(who))));
        self.durable = (self.model.clone(), self.witness.clone());
        for (space, name) in all_locks() {
            self.look(space, name);
        }
    }

    fn check_whole(&self) {
        let next = self.table.next_deadline().map(|deadline| deadline.since(self.now().mono));
        let due = self.model.next_over_ms().map(|over_ms| over_ms.saturating_sub(self.at.true_ms));
        assert_eq!(next.map(|left| left.as_millis()), due.map(u128::from), "the next deadline");
        for space in 0..SPACES {
            let of_space = self.table.occupancy().find(|full| full.namespace == namespace(space));
            let counts = of_space.map_or((0, 0), |full| (full.locks, full.holds));
            assert_eq!(counts, (self.model.lock_count(space), self.model.hold_count(space)));
        }
    }

    /// A table rebuilt from all rows written equals the live one, but for what remains of timeouts.
    fn check_rebuilt(&mut self) {
        let now = self.now();
        let mut rows = self.rows.clone();
        write(&mut rows, &self.effects);
        let mut rebuilt = recover(&rows, now, true);
        assert_eq!(rebuilt.last_token(), self.table.last_token());
        for (space, name) in all_locks() {
            let live = timeless(&mut self.table, now, space, name);
            assert_eq!(timeless(&mut rebuilt, now, space, name), live, "from {rows:?}");
            let live = history(&mut self.table, now, space, name);
            assert_eq!(history(&mut rebuilt, now, space, name), live, "from {rows:?}");
        }
    }
}

fn write(rows: &mut BTreeMap<RowKey, Row>, effects: &Effects) {
    for (key, write) in effects.batch.writes() {
        match write {
            RowWrite::Put(row) => rows.insert(key.clone(), row.clone()),
            RowWrite::Delete => rows.remove(key),
        };
    }
}

fn recover(rows: &BTreeMap<RowKey, Row>, now: Now, reversed: bool) -> Table {
    let mut recovery = Recovery::new(LIMITS, Deadlines::Anew);
    if reversed {
        rows.values().rev().cloned().for_each(|row| recovery.row(row));
    } else {
        rows.values().cloned().for_each(|row| recovery.row(row));
    }
    let (table, batch) = recovery.finish(now).unwrap();
    assert!(batch.is_empty(), "{batch:?}");
    table
}

fn all_locks() -> impl Iterator<Item = (Space, Name)> {
    (0..SPACES).flat_map(|space| (0..NAMES).map(move |name| (space, name)))
}

fn timeless(table: &mut Table, now: Now, space: Space, name: Name) -> Seen {
    let command = Command::GetLock { namespace: namespace(space), lock_id: lock_id(name) };
    let (verdict, mut lock) =
        see(&table.execute(now, &Origin::default(), &command, &mut Effects::default()));
    for hold in lock.iter_mut().flat_map(|lock| lock.readers.iter_mut().chain(&mut lock.writers)) {
        (hold.remaining_ms, hold.expires_wall_ms) = (0, 0);
    }
    (verdict, lock)
}

fn history(table: &mut Table, now: Now, space: Space, name: Name) -> Option<Vec<SeenPast>> {
    let command = Command::GetHistory {
        namespace: namespace(space),
        lock_id: lock_id(name),
        before: None,
        limit: 1_000,
    };
    see_history(&table.execute(now, &Origin::default(), &command, &mut Effects::default()))
}

const SEED: u64 = 20_260_801;

#[test]
fn i1_i3_i4_i5_the_table_does_what_the_naive_model_does() {
    seeded::run("model", SEED, &steps(), |steps| {
        let mut run = Run::new();
        steps.iter().for_each(|step| run.step(step));
        run.check_rebuilt();
    });
}
