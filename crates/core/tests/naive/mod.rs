//! The lock service as its promises describe it, without a thought for cost: plain lists, looked
//! through from end to end. Written from the design, not from the code that it is compared with.

pub(crate) mod translate;
pub(crate) mod witness;

use leasehold_core::{EndCause, Limits, Mode};

/// The numbers behind the names of a run: few, so that commands meet.
pub(crate) type Space = u8;
/// A lock's number within its namespace.
pub(crate) type Name = u8;
/// A process's number.
pub(crate) type Process = u8;

/// What became of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Done,
    LockExists,
    NoSuchLock,
    Held,
    AlreadyHeld,
    NotHeld,
    NothingToRelease,
    TimeoutTooLong,
    TooManyLocks,
    TooManyHolders,
}

/// A hold as a reply shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SeenHold {
    pub(crate) process: Process,
    pub(crate) token: u64,
    pub(crate) timeout_secs: u32,
    pub(crate) acquired_wall_ms: i64,
    pub(crate) expires_wall_ms: i64,
    pub(crate) remaining_ms: u64,
}

/// A lock as a reply shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SeenLock {
    pub(crate) uid: u128,
    pub(crate) is_write_exclusive: bool,
    pub(crate) created_wall_ms: i64,
    pub(crate) updated_wall_ms: i64,
    pub(crate) readers: Vec<SeenHold>,
    pub(crate) writers: Vec<SeenHold>,
    pub(crate) reader_count: usize,
    pub(crate) writer_count: usize,
}

/// A reply: what became of the command, and the lock where it is shown.
pub(crate) type Seen = (Verdict, Option<SeenLock>);

/// A past hold as a reply shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SeenPast {
    pub(crate) process: Process,
    pub(crate) mode: Mode,
    pub(crate) token: u64,
    pub(crate) acquired_wall_ms: i64,
    pub(crate) ended_wall_ms: i64,
    pub(crate) cause: EndCause,
}

/// Both clocks in milliseconds. True time is what the machine's clocks should have counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    pub(crate) true_ms: u64,
    pub(crate) wall_ms: i64,
}

/// One hold, by lock, mode and process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Who {
    pub(crate) space: Space,
    pub(crate) name: Name,
    pub(crate) mode: Mode,
    pub(crate) process: Process,
}

#[derive(Clone, Debug)]
struct NaiveLock {
    space: Space,
    name: Name,
    uid: u128,
    is_write_exclusive: bool,
    created_wall_ms: i64,
    updated_wall_ms: i64,
}

#[derive(Clone, Debug)]
struct NaiveHold {
    who: Who,
    token: u64,
    timeout_secs: u32,
    acquired_wall_ms: i64,
    over_ms: u64,
}

#[derive(Clone, Debug)]
struct NaivePast {
    space: Space,
    name: Name,
    seen: SeenPast,
}

#[derive(Clone, Debug)]
pub(crate) struct Naive {
    limits: Limits,
    locks: Vec<NaiveLock>,
    holds: Vec<NaiveHold>,
    /// In the order in which they ended.
    past: Vec<NaivePast>,
    last_token: u64,
}

fn over_ms(at: Moment, timeout_secs: u32) -> u64 {
    at.true_ms + u64::from(timeout_secs) * 1_000
}

impl Naive {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, locks: Vec::new(), holds: Vec::new(), past: Vec::new(), last_token: 0 }
    }

    /// Ends what is due.
    pub(crate) fn expire(&mut self, at: Moment) {
        let over = self.holds.iter().filter(|hold| hold.over_ms <= at.true_ms);
        let mut over: Vec<_> = over.map(|hold| (hold.over_ms, hold.token, hold.who)).collect();
        over.sort_by_key(|(over_ms, token, _)| (*over_ms, *token));
        for (_, _, who) in over {
            self.end(at, who, EndCause::Expired);
        }
    }

    /// Every hold starts its full timeout anew.
    pub(crate) fn restart(&mut self, at: Moment) {
        for hold in &mut self.holds {
            hold.over_ms = over_ms(at, hold.timeout_secs);
        }
    }

    pub(crate) fn next_over_ms(&self) -> Option<u64> {
        self.holds.iter().map(|hold| hold.over_ms).min()
    }

    pub(crate) fn lock_count(&self, space: Space) -> usize {
        self.locks.iter().filter(|lock| lock.space == space).count()
    }

    pub(crate) fn hold_count(&self, space: Space) -> usize {
        self.holds.iter().filter(|hold| hold.who.space == space).count()
    }

    /// Locks, holds, past holds, and the sequence once there is one.
    pub(crate) fn row_count(&self) -> usize {
        let sequence = usize::from(self.last_token > 0);
        self.locks.len() + self.holds.len() + self.past.len() + sequence
    }

    /// What is over, the newest first; `None` if there is neither that nor a lock.
    pub(crate) fn history(&self, at: Moment, space: Space, name: Name) -> Option<Vec<SeenPast>> {
        let past = self.past.iter().rev().filter(|past| (past.space, past.name) == (space, name));
        let past: Vec<_> =
            past.filter(|past| !self.is_too_old(at, past)).map(|past| past.seen.clone()).collect();
        (self.at(space, name).is_some() || !past.is_empty()).then_some(past)
    }

    fn is_too_old(&self, at: Moment, past: &NaivePast) -> bool {
        let age_ms = i64::from(self.limits.max_history_age_secs) * 1_000;
        past.seen.ended_wall_ms.max(past.seen.acquired_wall_ms) + age_ms < at.wall_ms
    }

    /// What is over is kept: so many of a lock, so many in all. What is too old goes, but an end takes
    /// two with it at most.
    fn remember(&mut self, at: Moment, past: NaivePast) {
        let of_lock = |other: &NaivePast| (other.space, other.name) == (past.space, past.name);
        for _ in 0..2 {
            let own = self.past.iter().filter(|other| of_lock(other)).count();
            let first = if own == self.limits.max_history_per_lock {
                self.past.iter().position(of_lock)
            } else {
                let too_many = self.past.len() == self.limits.max_history;
                let too_old = self.past.first().is_some_and(|first| self.is_too_old(at, first));
                (too_many || too_old).then_some(0)
            };
            first.map(|first| self.past.remove(first));
        }
        self.past.push(past);
    }

    fn at(&self, space: Space, name: Name) -> Option<usize> {
        self.locks.iter().position(|lock| lock.space == space && lock.name == name)
    }

    fn hold(&self, who: Who) -> Option<usize> {
        self.holds.iter().position(|hold| hold.who == who)
    }

    fn holders(&self, space: Space, name: Name, mode: Mode) -> Vec<&NaiveHold> {
        let of_lock = |hold: &&NaiveHold| {
            hold.who.space == space && hold.who.name == name && hold.who.mode == mode
        };
        let mut holders: Vec<&NaiveHold> = self.holds.iter().filter(of_lock).collect();
        holders.sort_by_key(|hold| hold.who.process);
        holders
    }

    fn touch(&mut self, at: Moment, who: Who) {
        for lock in &mut self.locks {
            if lock.space == who.space && lock.name == who.name {
                lock.updated_wall_ms = lock.updated_wall_ms.max(at.wall_ms);
            }
        }
    }

    fn end(&mut self, at: Moment, who: Who, cause: EndCause) {
        let Some(hold) = self.hold(who) else { return };
        let hold = self.holds.remove(hold);
        self.touch(at, who);
        let seen = SeenPast {
            process: who.process,
            mode: who.mode,
            token: hold.token,
            acquired_wall_ms: hold.acquired_wall_ms,
            ended_wall_ms: at.wall_ms,
            cause,
        };
        self.remember(at, NaivePast { space: who.space, name: who.name, seen });
    }

    fn show(&self, at: Moment, space: Space, name: Name, only: Option<Who>) -> Option<SeenLock> {
        let lock = &self.locks[self.at(space, name)?];
        let list = |mode: Mode| -> Vec<SeenHold> {
            let holders = self.holders(space, name, mode).into_iter();
            let listed = holders.filter(|hold| only.is_none_or(|only| only == hold.who));
            listed.map(|hold| show_hold(at, hold)).collect()
        };
        Some(SeenLock {
            uid: lock.uid,
            is_write_exclusive: lock.is_write_exclusive,
            created_wall_ms: lock.created_wall_ms,
            updated_wall_ms: lock.updated_wall_ms,
            readers: list(Mode::Read),
            writers: list(Mode::Write),
            reader_count: self.holders(space, name, Mode::Read).len(),
            writer_count: self.holders(space, name, Mode::Write).len(),
        })
    }

    /// Everybody, the one that asks before the others.
    fn show_own_first(&self, at: Moment, who: Who) -> Option<SeenLock> {
        let mut lock = self.show(at, who.space, who.name, None)?;
        for list in [&mut lock.readers, &mut lock.writers] {
            list.sort_by_key(|hold| hold.process != who.process);
        }
        Some(lock)
    }

    pub(crate) fn create(
        &mut self,
        at: Moment,
        (space, name): (Space, Name),
        uid: u128,
        is_write_exclusive: bool,
    ) -> Seen {
        if self.at(space, name).is_some() {
            return (Verdict::LockExists, self.show(at, space, name, None));
        }
        if self.lock_count(space) == self.limits.max_locks_per_namespace {
            return (Verdict::TooManyLocks, None);
        }
        let (created_wall_ms, updated_wall_ms) = (at.wall_ms, at.wall_ms);
        self.locks.push(NaiveLock {
            space,
            name,
            uid,
            is_write_exclusive,
            created_wall_ms,
            updated_wall_ms,
        });
        (Verdict::Done, self.show(at, space, name, None))
    }

    pub(crate) fn get(&self, at: Moment, space: Space, name: Name) -> Seen {
        match self.show(at, space, name, None) {
            Some(lock) => (Verdict::Done, Some(lock)),
            None => (Verdict::NoSuchLock, None),
        }
    }

    pub(crate) fn acquire(&mut self, at: Moment, who: Who, timeout_secs: u32, own: bool) -> Seen {
        let Some(lock) = self.at(who.space, who.name) else {
            return (Verdict::NoSuchLock, None);
        };
        if timeout_secs > self.limits.max_timeout_secs {
            return (Verdict::TimeoutTooLong, None);
        }
        if self.hold(who).is_some() {
            return (Verdict::AlreadyHeld, self.show_own_first(at, who));
        }
        let readers = self.holders(who.space, who.name, Mode::Read).len();
        let writers = self.holders(who.space, who.name, Mode::Write).len();
        let (in_the_way, beside) = match who.mode {
            Mode::Read => (writers, readers),
            Mode::Write if self.locks[lock].is_write_exclusive => (readers + writers, 0),
            Mode::Write => (readers, writers),
        };
        if in_the_way > 0 {
            return (Verdict::Held, self.show(at, who.space, who.name, None));
        }
        if beside == self.limits.max_holders_per_lock {
            return (Verdict::TooManyHolders, None);
        }
        self.last_token += 1;
        self.holds.push(NaiveHold {
            who,
            token: self.last_token,
            timeout_secs,
            acquired_wall_ms: at.wall_ms,
            over_ms: over_ms(at, timeout_secs),
        });
        self.touch(at, who);
        (Verdict::Done, self.show(at, who.space, who.name, own.then_some(who)))
    }

    pub(crate) fn refresh(&mut self, at: Moment, who: Who, timeout_secs: u32, own: bool) -> Seen {
        if self.at(who.space, who.name).is_none() {
            let past = self.history(at, who.space, who.name).unwrap_or_default();
            let had = past.iter().any(|past| (past.process, past.mode) == (who.process, who.mode));
            return (if had { Verdict::NotHeld } else { Verdict::NoSuchLock }, None);
        }
        if timeout_secs > self.limits.max_timeout_secs {
            return (Verdict::TimeoutTooLong, None);
        }
        let Some(hold) = self.hold(who) else {
            return (Verdict::NotHeld, self.show(at, who.space, who.name, None));
        };
        self.holds[hold].timeout_secs = timeout_secs;
        self.holds[hold].over_ms = over_ms(at, timeout_secs);
        (Verdict::Done, self.show(at, who.space, who.name, own.then_some(who)))
    }

    pub(crate) fn release(&mut self, at: Moment, who: Who, own: bool) -> Seen {
        if self.at(who.space, who.name).is_none() {
            return (Verdict::NoSuchLock, None);
        }
        if self.hold(who).is_none() {
            return (Verdict::NothingToRelease, self.show(at, who.space, who.name, None));
        }
        self.end(at, who, EndCause::Released);
        (Verdict::Done, self.show(at, who.space, who.name, own.then_some(who)))
    }
}

fn show_hold(at: Moment, hold: &NaiveHold) -> SeenHold {
    let remaining_ms = hold.over_ms - at.true_ms;
    SeenHold {
        process: hold.who.process,
        token: hold.token,
        timeout_secs: hold.timeout_secs,
        acquired_wall_ms: hold.acquired_wall_ms,
        expires_wall_ms: at.wall_ms + i64::try_from(remaining_ms).unwrap_or(i64::MAX),
        remaining_ms,
    }
}
