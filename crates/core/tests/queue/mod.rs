//! Waiting in line as the issue describes it, without a thought for cost: one list of holds, one list
//! of waiters, both looked through from end to end. Written from the text, not from the code.

mod circle;
mod commands;
pub(crate) mod translate;

use leasehold_core::{GRACE, Limits, Mode};

pub(crate) type Name = u8;
pub(crate) type Process = u8;
/// A waiter's number: who has the lower one came earlier.
pub(crate) type Number = u64;
pub(crate) type Wants = Vec<(Name, Mode)>;

/// What became of a command, or of a wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Verdict {
    Done,
    Waits(Number),
    LockExists,
    NoSuchLock,
    LockDeleted,
    Held,
    AlreadyHeld,
    AlreadyWaiting,
    NotHeld,
    NothingToRelease,
    NotFree,
    HoldsNothing,
    Deadlock,
    TooManyWaiters,
    WaitTimedOut,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kind {
    pub(crate) max_readers: Option<u32>,
    pub(crate) max_writers: Option<u32>,
    pub(crate) is_ephemeral: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Lock {
    pub(crate) name: Name,
    pub(crate) kind: Kind,
    /// Somebody held it or waited for it since it was made, or since the service started.
    was_used: bool,
    /// A request that waits made it, and no process has held it yet.
    is_provisional: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Hold {
    pub(crate) name: Name,
    pub(crate) mode: Mode,
    pub(crate) process: Process,
    pub(crate) timeout_secs: u32,
    pub(crate) over_ms: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) number: Number,
    pub(crate) process: Process,
    pub(crate) wants: Wants,
    pub(crate) is_upgrade: bool,
    pub(crate) until_ms: u64,
    timeout_secs: u32,
}

impl Waiter {
    pub(crate) fn wants(&self, name: Name) -> bool {
        self.wants.iter().any(|want| want.0 == name)
    }
}

/// A request for holds.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) process: Process,
    pub(crate) wants: Wants,
    pub(crate) timeout_secs: u32,
    pub(crate) wait_ms: u64,
    pub(crate) create: Option<Kind>,
}

/// The whole service.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    limits: Limits,
    pub(crate) now_ms: u64,
    pub(crate) locks: Vec<Lock>,
    /// In the order in which they were granted.
    pub(crate) holds: Vec<Hold>,
    /// In the order of their numbers. Each has a client that is present.
    pub(crate) waiters: Vec<Waiter>,
    /// Those whose wait timed out, and until when the same request gets their number again. They are
    /// in no queue.
    kept: Vec<(Waiter, u64)>,
    last_number: Number,
    /// Waits that have ended since this was looked at, and how.
    pub(crate) told: Vec<(Number, Verdict)>,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            now_ms: 0,
            locks: Vec::new(),
            holds: Vec::new(),
            waiters: Vec::new(),
            kept: Vec::new(),
            last_number: 0,
            told: Vec::new(),
        }
    }

    fn lock(&self, name: Name) -> Option<&Lock> {
        self.locks.iter().find(|lock| lock.name == name)
    }

    pub(crate) fn holders(&self, name: Name, mode: Mode) -> Vec<Process> {
        let of_lock = self.holds.iter().filter(|hold| (hold.name, hold.mode) == (name, mode));
        of_lock.map(|hold| hold.process).collect()
    }

    fn holds(&self, process: Process, name: Name, mode: Mode) -> bool {
        self.holders(name, mode).contains(&process)
    }

    pub(crate) fn is_full(&self, name: Name, mode: Mode) -> bool {
        let kind = self.lock(name).map(|lock| lock.kind);
        let permits = kind.and_then(|kind| match mode {
            Mode::Read => kind.max_readers,
            Mode::Write => kind.max_writers,
        });
        permits.is_some_and(|permits| self.holders(name, mode).len() >= permits as usize)
    }

    /// Those before somebody with this number in the line of a lock; who upgrades is before everybody.
    pub(crate) fn ahead(&self, name: Name, number: Number) -> Vec<&Waiter> {
        let before = |waiter: &&Waiter| {
            waiter.wants(name)
                && waiter.number != number
                && (waiter.is_upgrade || waiter.number < number)
        };
        self.waiters.iter().filter(before).collect()
    }

    fn can_take(&self, (name, mode): (Name, Mode), number: Number) -> bool {
        self.holders(name, mode.opposite()).is_empty()
            && !self.is_full(name, mode)
            && self.ahead(name, number).is_empty()
    }

    fn grant(&mut self, process: Process, wants: &Wants, timeout_secs: u32) {
        for (name, mode) in wants {
            self.holds.push(Hold {
                name: *name,
                mode: *mode,
                process,
                timeout_secs,
                over_ms: self.now_ms + u64::from(timeout_secs) * 1_000,
            });
            self.use_lock(*name);
            self.keep_lock(*name);
        }
    }

    fn keep_lock(&mut self, name: Name) {
        self.locks
            .iter_mut()
            .filter(|lock| lock.name == name)
            .for_each(|lock| lock.is_provisional = false);
    }

    fn use_lock(&mut self, name: Name) {
        self.locks
            .iter_mut()
            .filter(|lock| lock.name == name)
            .for_each(|lock| lock.was_used = true);
    }

    fn end(&mut self, process: Process, name: Name, mode: Mode) {
        self.holds.retain(|hold| (hold.process, hold.name, hold.mode) != (process, name, mode));
    }

    fn take_out(&mut self, number: Number) {
        self.waiters.retain(|waiter| waiter.number != number);
    }

    fn tell(&mut self, waiter: &Waiter, verdict: Verdict) {
        self.told.push((waiter.number, verdict));
    }

    /// The number that the same request had when its wait timed out a moment ago.
    fn kept_number(&self, process: Process, wants: &Wants, is_upgrade: bool) -> Option<Number> {
        let is_same = |(waiter, until_ms): &&(Waiter, u64)| {
            waiter.process == process
                && waiter.is_upgrade == is_upgrade
                && waiter.wants.len() == wants.len()
                && waiter.wants.iter().all(|want| wants.contains(want))
                && self.now_ms < *until_ms
        };
        self.kept.iter().rev().find(is_same).map(|(waiter, _)| waiter.number)
    }

    fn use_up(&mut self, number: Number) {
        self.kept.retain(|(waiter, _)| waiter.number != number);
    }

    /// Serves whoever can be served, the earliest first, until nobody can.
    fn serve(&mut self) {
        let lapsed = |queue: &Self, waiter: &Waiter| {
            waiter.is_upgrade && !queue.holds(waiter.process, waiter.wants[0].0, Mode::Read)
        };
        let ready = |queue: &Self, waiter: &Waiter| match waiter.is_upgrade {
            true => queue.holders(waiter.wants[0].0, Mode::Read) == [waiter.process],
            false => waiter.wants.iter().all(|want| queue.can_take(*want, waiter.number)),
        };
        while let Some(waiter) =
            self.waiters.iter().find(|waiter| lapsed(self, waiter) || ready(self, waiter)).cloned()
        {
            self.take_out(waiter.number);
            if lapsed(self, &waiter) {
                self.tell(&waiter, Verdict::NotHeld);
                continue;
            }
            if waiter.is_upgrade {
                self.end(waiter.process, waiter.wants[0].0, Mode::Read);
            }
            self.grant(waiter.process, &waiter.wants, waiter.timeout_secs);
            self.tell(&waiter, Verdict::Done);
        }
        let (holds, waiters) = (&self.holds, &self.waiters);
        self.locks.retain(|lock| {
            !(lock.kind.is_ephemeral && lock.was_used || lock.is_provisional)
                || holds.iter().any(|hold| hold.name == lock.name)
                || waiters.iter().any(|waiter| waiter.wants(lock.name))
        });
    }

    /// Ends what is due, in the order of the times.
    pub(crate) fn expire(&mut self) {
        loop {
            let over = self.holds.iter().min_by_key(|hold| hold.over_ms).cloned();
            let over = over.filter(|hold| hold.over_ms <= self.now_ms);
            let ends = self.waiters.iter().min_by_key(|waiter| waiter.until_ms).cloned();
            let ends = ends.filter(|waiter| waiter.until_ms <= self.now_ms);
            match (over, ends) {
                (None, None) => return,
                (Some(hold), ends) if ends.as_ref().is_none_or(|w| hold.over_ms <= w.until_ms) => {
                    self.end(hold.process, hold.name, hold.mode);
                }
                (_, Some(waiter)) => self.end_wait(&waiter),
                (Some(_), None) => unreachable!("the guard above takes it"),
            }
            self.serve();
        }
    }

    fn end_wait(&mut self, ended: &Waiter) {
        self.tell(ended, Verdict::WaitTimedOut);
        let grace_ms = u64::try_from(GRACE.as_millis()).unwrap();
        self.take_out(ended.number);
        self.kept.push((ended.clone(), self.now_ms + grace_ms));
    }
}
