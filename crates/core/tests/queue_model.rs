//! Random requests that wait, and callers that go: the table's lines against a naive queue, and what
//! callers were told against what the table holds for them.

#![expect(clippy::panic, clippy::unwrap_used, reason = "test helpers are tests too")]

mod queue;
mod seeded;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use leasehold_core::{
    Command, Deadlines, Detail, Effects, Limits, Mode, Mono, Now, Origin, Outcome, Quotas,
    Recovery, Refusal, Reply, Row, RowKey, RowWrite, Table, Ticket, Wall,
};
use proptest::prelude::*;
use queue::translate::{
    acquire, hold_key, lock_id, name_of, namespace, new_lock, number_of, process_id, secs, terms,
    verdict_of, wait,
};
use queue::{Hold, Kind, Name, Number, Process, Queue, Request, Verdict, Wants};

const NAMES: Name = 4;
const PROCESSES: Process = 7;

fn limits() -> Limits {
    Limits { max_waiters_per_lock: 5, max_waiters: 8, ..Limits::default() }
}

#[derive(Clone, Debug)]
enum Step {
    Create(Name, Kind),
    Acquire(Request),
    Upgrade(Request),
    Downgrade(Process, Name, u32),
    Refresh(Process, (Name, Mode), u32),
    Release(Process, (Name, Mode)),
    ReleaseProcess(Process),
    Delete(Name, bool),
    /// The caller that waits at this place among all that wait, counted around, is gone.
    HangUp(usize),
    /// Time goes by.
    Pass(u64),
    /// The service starts anew from its rows.
    Restart,
}

fn kinds() -> impl Strategy<Value = Kind> + Clone {
    let max_writers = prop_oneof![4 => Just(Some(1)), 2 => Just(Some(2)), 2 => Just(None)];
    let max_readers = prop_oneof![4 => Just(None), 1 => Just(Some(2))];
    (max_readers, max_writers, prop::bool::weighted(0.3)).prop_map(
        |(max_readers, max_writers, is_ephemeral)| Kind { max_readers, max_writers, is_ephemeral },
    )
}

fn requests() -> impl Strategy<Value = Request> {
    let mode = prop_oneof![1 => Just(Mode::Read), 2 => Just(Mode::Write)];
    let wants = prop_oneof![
        5 => prop::collection::vec((0..NAMES, mode.clone()), 1),
        2 => prop::collection::vec((0..NAMES, mode), 2..4),
    ];
    let wait_ms = prop_oneof![2 => Just(0), 2 => 1..3_000_u64, 5 => 3_000..20_000_u64];
    let create = prop::option::weighted(0.9, kinds());
    (0..PROCESSES, wants, 1..12_u32, wait_ms, create).prop_map(
        |(process, wants, timeout_secs, wait_ms, create)| {
            // Each lock at most once, as where requests are parsed.
            let wants: BTreeMap<Name, Mode> = wants.into_iter().collect();
            let wants: Wants = wants.into_iter().collect();
            Request { process, wants, timeout_secs, wait_ms, create }
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mode = prop_oneof![Just(Mode::Read), Just(Mode::Write)];
    let want = (0..NAMES, mode);
    let upgrade = requests().prop_map(|mut request| {
        request.wants = vec![(request.wants[0].0, Mode::Write)];
        request
    });
    let span_ms = prop_oneof![Just(500), Just(1_000), Just(2_000), 0..4_000_u64];
    let step = prop_oneof![
        2 => (0..NAMES, kinds()).prop_map(|(name, kind)| Step::Create(name, kind)),
        30 => requests().prop_map(Step::Acquire),
        4 => upgrade.prop_map(Step::Upgrade),
        2 => (0..PROCESSES, 0..NAMES, 1..12_u32).prop_map(|(p, n, t)| Step::Downgrade(p, n, t)),
        4 => (0..PROCESSES, want.clone(), 1..12_u32).prop_map(|(p, w, t)| Step::Refresh(p, w, t)),
        12 => (0..PROCESSES, want).prop_map(|(p, w)| Step::Release(p, w)),
        2 => (0..PROCESSES).prop_map(Step::ReleaseProcess),
        1 => (0..NAMES, any::<bool>()).prop_map(|(name, force)| Step::Delete(name, force)),
        4 => any::<usize>().prop_map(Step::HangUp),
        10 => span_ms.prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..300)
}

/// How often runs met what they are for.
#[derive(Clone, Copy, Default, Debug)]
struct Met {
    waits: u32,
    served: u32,
    timed_out: u32,
    deadlocks: u32,
    returned: u32,
    lapsed: u32,
    refused_waiters: u32,
}

struct Run {
    table: Table,
    rows: BTreeMap<RowKey, Row>,
    effects: Effects,
    model: Queue,
    /// Callers that wait, and the model's numbers for them.
    open: BTreeMap<Ticket, Number>,
    /// All numbers of waiters so far.
    numbers: BTreeSet<Number>,
    /// The tokens that somebody was told about.
    told_tokens: BTreeSet<u64>,
    met: Met,
}

impl Run {
    fn new() -> Self {
        Self {
            table: Table::new(limits()),
            rows: BTreeMap::new(),
            effects: Effects::default(),
            model: Queue::new(limits()),
            open: BTreeMap::new(),
            numbers: BTreeSet::new(),
            told_tokens: BTreeSet::new(),
            met: Met::default(),
        }
    }

    fn now(&self) -> Now {
        Now { mono: Mono(self.model.now_ms * 1_000_000), wall: Wall(0) }
    }

    fn step(&mut self, step: &Step) {
        let namespace = namespace();
        match step.clone() {
            Step::Create(name, kind) => {
                let (lock_id, new) = (lock_id(name), new_lock(kind));
                let quotas = Quotas::default();
                let command = Command::CreateLock { namespace, lock_id, new, quotas };
                self.run(&command, |model| model.create(name, kind));
            }
            Step::Acquire(request) => {
                let command = Command::Acquire(acquire(&request));
                self.run(&command, |model| model.acquire(&request));
            }
            Step::Upgrade(request) => {
                let hold = hold_key(request.process, (request.wants[0].0, Mode::Read));
                let (terms, wait) = (terms(request.timeout_secs), wait(&request));
                let quotas = Quotas::default();
                let command = Command::Upgrade { hold, terms, wait, quotas };
                self.run(&command, |model| model.upgrade(&request));
            }
            Step::Downgrade(process, name, timeout_secs) => {
                let hold = hold_key(process, (name, Mode::Write));
                let command = Command::Downgrade { hold, terms: terms(timeout_secs) };
                self.run(&command, |model| model.downgrade(process, name, timeout_secs));
            }
            Step::Refresh(process, want, timeout_secs) => {
                let (hold, timeout) = (hold_key(process, want), secs(timeout_secs));
                let command = Command::Refresh { hold, token: None, timeout, detail: Detail::Own };
                self.run(&command, |model| model.refresh(process, want, timeout_secs));
            }
            Step::Release(process, want) => {
                let (hold, detail) = (hold_key(process, want), Detail::Own);
                let command = Command::Release { hold, token: None, detail };
                self.run(&command, |model| model.release(process, want));
            }
            Step::ReleaseProcess(process) => {
                let command = Command::ReleaseProcess {
                    namespace,
                    process_id: process_id(process),
                    rest: None,
                };
                self.run(&command, |model| model.release_process(process));
            }
            Step::Delete(name, force) => {
                let command = Command::DeleteLock {
                    namespace,
                    lock_id: lock_id(name),
                    force,
                    is_begun: false,
                };
                self.run(&command, |model| model.delete(name, force));
            }
            Step::HangUp(which) => self.hang_up(which),
            Step::Pass(span_ms) => self.model.now_ms += span_ms,
            Step::Restart => self.restart(),
        }
        self.expire();
        self.check(step);
    }

    /// Lets the table and the model answer, and compares.
    fn run(&mut self, command: &Command, ask_model: impl FnOnce(&mut Queue) -> Verdict) {
        let now = self.now();
        let outcome = self.table.execute(now, &Origin::default(), command, &mut self.effects);
        let due = ask_model(&mut self.model);
        match outcome {
            Outcome::Done(answer) => {
                assert_eq!(verdict_of(&answer), due, "{command:?}");
                self.met.deadlocks += u32::from(due == Verdict::Deadlock);
                self.met.refused_waiters += u32::from(due == Verdict::TooManyWaiters);
                self.check_circle(&answer);
                self.hear(&answer);
            }
            Outcome::Continues { .. } => panic!("{command:?} takes one step"),
            Outcome::Waiting(ticket) => {
                let Verdict::Waits(number) = due else { panic!("{command:?} waits, not {due:?}") };
                self.met.returned += u32::from(!self.numbers.insert(number));
                let known = self.open.insert(ticket, number);
                assert!(known.is_none_or(|known| known == number), "a place has one owner");
                self.met.waits += 1;
            }
        }
        self.settle();
    }

    /// In a circle each has to wait for the next, and the last for the first.
    fn check_circle(&self, answer: &Result<Reply, Refusal>) {
        let Err(Refusal::Deadlock(circle)) = answer else { return };
        for (step, next) in circle.iter().zip(circle.iter().cycle().skip(1)) {
            let (process, name) = (number_of(&step.process_id), name_of(&step.lock_id));
            let blocker = number_of(&next.process_id);
            let waits = self.model.may_wait_for(process, (name, step.mode), blocker);
            assert!(waits, "{process} does not wait for {blocker} in {circle:?}");
        }
    }

    /// Every waiter is told once how its wait ended, and the same as in the model.
    fn settle(&mut self) {
        let mut told = Vec::new();
        for (ticket, answer) in mem::take(&mut self.effects.settled) {
            let number = self.open.remove(&ticket);
            let number = number.unwrap_or_else(|| panic!("{ticket:?} does not wait: {answer:?}"));
            told.push((number, verdict_of(&answer)));
            self.met.served += u32::from(answer.is_ok());
            self.met.timed_out += u32::from(matches!(answer, Err(Refusal::WaitTimedOut { .. })));
            self.met.lapsed += u32::from(matches!(answer, Err(Refusal::NotHeld { .. })));
            self.hear(&answer);
        }
        let mut due = mem::take(&mut self.model.told);
        told.sort_unstable();
        due.sort_unstable();
        assert_eq!(told, due, "who was told what");
    }

    /// I3: a token that is told for the first time is higher than all that were told before.
    fn hear(&mut self, answer: &Result<Reply, Refusal>) {
        let Ok(Reply::Granted(grants)) = answer else { return };
        let highest = self.told_tokens.last().copied().unwrap_or(0);
        for grant in grants {
            let token = grant.hold.token.get();
            // Those who were served by one command are told in the order of their locks.
            assert!(self.told_tokens.insert(token), "I3: {token} was given out twice");
            assert!(token + 64 > highest, "I3: {token} comes long after {highest}");
        }
    }

    fn expire(&mut self) {
        let now = self.now();
        while self.table.expire(now, 2, &mut self.effects) > 0 {}
        self.model.expire();
        self.settle();
    }

    fn hang_up(&mut self, which: usize) {
        let Some(ticket) = self.open.keys().nth(which % self.open.len().max(1)).copied() else {
            return;
        };
        let number = self.open.remove(&ticket).unwrap();
        let now = self.now();
        self.table.hang_up(now, ticket, &mut self.effects);
        self.model.hang_up(number);
        self.settle();
    }

    fn commit(&mut self) {
        for (key, write) in mem::take(&mut self.effects).batch.writes() {
            match write {
                RowWrite::Put(row) => self.rows.insert(key.clone(), row.clone()),
                RowWrite::Delete => self.rows.remove(key),
            };
        }
    }

    fn restart(&mut self) {
        self.commit();
        let mut recovery = Recovery::new(limits(), Deadlines::Anew);
        self.rows.values().cloned().for_each(|row| recovery.row(row));
        (self.table, _) = recovery.finish(self.now()).unwrap();
        self.model.restart();
        self.open.clear();
    }

    /// The table agrees with itself and with the model, and holds nothing that nobody was told about.
    fn check(&mut self, step: &Step) {
        self.table.check().unwrap_or_else(|wrong| panic!("after {step:?}: {wrong}"));
        let mut holds = Vec::new();
        for name in 0..NAMES {
            let command = Command::GetLock { namespace: namespace(), lock_id: lock_id(name) };
            let outcome =
                self.table.execute(self.now(), &Origin::default(), &command, &mut self.effects);
            let Outcome::Done(Ok(Reply::Lock(lock))) = outcome else { continue };
            assert!(lock.readers.is_empty() || lock.writers.is_empty(), "I1: {lock:?}");
            for (mode, list) in [(Mode::Read, &lock.readers), (Mode::Write, &lock.writers)] {
                for hold in list {
                    let told = self.told_tokens.contains(&hold.token.get());
                    assert!(told, "{hold:?} is held for nobody after {step:?}");
                    let left_ms = u64::try_from(hold.remaining.as_millis()).unwrap();
                    holds.push(Hold {
                        name,
                        mode,
                        process: number_of(&hold.process_id),
                        timeout_secs: hold.timeout.get(),
                        over_ms: self.model.now_ms + left_ms,
                    });
                }
            }
        }
        let mut due = self.model.holds.clone();
        holds.sort_unstable();
        due.sort_unstable();
        assert_eq!(holds, due, "the holds after {step:?}");
        assert_eq!(self.lines(), self.model_lines(), "the lines after {step:?}");
        let occupancy: usize = self.table.occupancy().map(|space| space.locks).sum();
        assert_eq!(occupancy, self.model.locks.len(), "the locks after {step:?}");
        let waiting = self.model.waiters.iter().map(|waiter| waiter.number);
        assert!(waiting.eq(sorted(self.open.values().copied())), "who waits after {step:?}");
        self.check_liveness(step);
    }

    /// Whenever a lock could be granted to a client that is present, it has been: the first waiter of no
    /// queue could have all that it wants, by what the table itself shows.
    fn check_liveness(&mut self, step: &Step) {
        for waiter in &self.model.waiters {
            let could = waiter.wants.iter().all(|(name, mode)| match waiter.is_upgrade {
                true => self.model.holders(*name, Mode::Read) == [waiter.process],
                false => {
                    let is_open = self.model.holders(*name, mode.opposite()).is_empty();
                    let is_first = self.model.ahead(*name, waiter.number).is_empty();
                    is_open && is_first && !self.model.is_full(*name, *mode)
                }
            });
            assert!(!could, "{waiter:?} is present and could be served after {step:?}");
        }
    }

    /// Who stands in which line, where, and for how long.
    fn lines(&mut self) -> Vec<(Name, usize, Process, Mode, u64)> {
        let command = Command::GetWaits { namespace: namespace() };
        let outcome =
            self.table.execute(self.now(), &Origin::default(), &command, &mut self.effects);
        let Outcome::Done(Ok(Reply::Waits(waits))) = outcome else { panic!("{outcome:?}") };
        let entry = |wait: leasehold_core::WaitView| {
            let left_ms = u64::try_from(wait.remaining.as_millis()).unwrap();
            let process = number_of(&wait.process_id);
            (name_of(&wait.lock_id), wait.position, process, wait.mode, left_ms)
        };
        sorted(waits.into_iter().map(entry)).collect()
    }

    fn model_lines(&self) -> Vec<(Name, usize, Process, Mode, u64)> {
        let entries = self.model.waiters.iter().flat_map(|waiter| {
            let left_ms = waiter.until_ms - self.model.now_ms;
            waiter.wants.iter().map(move |(name, mode)| {
                let ahead = match waiter.is_upgrade {
                    true => 0,
                    false => self.model.ahead(*name, waiter.number).len(),
                };
                (*name, 1 + ahead, waiter.process, *mode, left_ms)
            })
        });
        sorted(entries).collect()
    }
}

fn sorted<T: Ord>(entries: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    entries.collect::<BTreeSet<T>>().into_iter()
}

const SEED: u64 = 20_260_802;

/// With so many runs each thing that they are for has happened.
const ENOUGH_CASES: u32 = 256;

#[test]
fn i1_i3_i6_lines_do_what_the_naive_queue_does() {
    let met = std::cell::Cell::new(Met::default());
    let cases = seeded::run("queue_model", SEED, &steps(), |steps| {
        let mut run = Run::new();
        run.met = met.get();
        steps.iter().for_each(|step| run.step(step));
        met.set(run.met);
    });
    let met = met.get();
    let all = [met.waits, met.served, met.timed_out, met.deadlocks, met.returned, met.lapsed];
    let met_all = all.iter().all(|count| *count > 0) && met.refused_waiters > 0;
    assert!(met_all || cases < ENOUGH_CASES, "runs never meet it all: {met:?}");
}
