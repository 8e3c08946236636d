//! What callers can ask of the queue.

use leasehold_core::Mode;

use super::{Hold, Kind, Lock, Name, Number, Process, Queue, Request, Verdict, Waiter};

impl Queue {
    pub(crate) fn create(&mut self, name: Name, kind: Kind) -> Verdict {
        match self.lock(name) {
            Some(lock) if lock.is_provisional && lock.kind == kind => self.keep_lock(name),
            Some(_) => return Verdict::LockExists,
            None => self.add(name, kind, false),
        }
        Verdict::Done
    }

    fn add(&mut self, name: Name, kind: Kind, is_provisional: bool) {
        if self.lock(name).is_none() {
            self.locks.push(Lock { name, kind, was_used: false, is_provisional });
        }
    }

    pub(crate) fn acquire(&mut self, request: &Request) -> Verdict {
        let Request { process, wants, timeout_secs, create, .. } = request;
        let missing = wants.iter().any(|(name, _)| self.lock(*name).is_none());
        if missing && create.is_none() {
            return Verdict::NoSuchLock;
        }
        if wants.iter().any(|(name, mode)| self.holds(*process, *name, *mode)) {
            return Verdict::AlreadyHeld;
        }
        let own = self.waiters.iter().find(|waiter| {
            waiter.process == *process && waiter.wants.iter().any(|want| wants.contains(want))
        });
        let same = |waiter: &Waiter| {
            !waiter.is_upgrade
                && waiter.wants.len() == wants.len()
                && waiter.wants.iter().all(|want| wants.contains(want))
        };
        if own.is_some_and(|waiter| !same(waiter)) {
            return Verdict::AlreadyWaiting;
        }
        let queued = own.map(|waiter| waiter.number);
        let place = queued.or_else(|| self.kept_number(*process, wants, false));
        let mut after = self.clone();
        for (name, _) in wants {
            create.map(|kind| after.add(*name, kind, false));
        }
        let number = place.unwrap_or(Number::MAX);
        if wants.iter().all(|want| after.can_take(*want, number)) {
            after.take_out(number);
            after.use_up(number);
            after.grant(*process, wants, *timeout_secs);
            after.serve();
            *self = after;
            return Verdict::Done;
        }
        let verdict = self.join(request, place, false);
        if let Verdict::Waits(_) = verdict {
            for (name, _) in wants {
                create.map(|kind| self.add(*name, kind, true));
                self.use_lock(*name);
            }
        }
        verdict
    }

    /// Stands in line, or comes back to its place there.
    fn join(&mut self, request: &Request, place: Option<Number>, is_upgrade: bool) -> Verdict {
        let Request { process, wants, timeout_secs, wait_ms, .. } = request.clone();
        if wait_ms == 0 {
            return Verdict::Held;
        }
        if self.would_close_a_circle(process, &wants, place, is_upgrade) {
            return Verdict::Deadlock;
        }
        let until_ms = self.now_ms + wait_ms;
        let queued = self.waiters.iter_mut().find(|waiter| Some(waiter.number) == place);
        if let Some(waiter) = queued {
            (waiter.until_ms, waiter.timeout_secs) = (until_ms, timeout_secs);
            return Verdict::Waits(waiter.number);
        }
        let in_line = |name| self.waiters.iter().filter(|waiter| waiter.wants(name)).count();
        let full = |want: &(Name, Mode)| in_line(want.0) >= self.limits.max_waiters_per_lock;
        if wants.iter().any(full) || self.waiters.len() >= self.limits.max_waiters {
            return Verdict::TooManyWaiters;
        }
        let number = place.unwrap_or(self.last_number + 1);
        self.last_number = self.last_number.max(number);
        self.use_up(number);
        let waiter = Waiter { number, process, wants, is_upgrade, until_ms, timeout_secs };
        let at = self.waiters.partition_point(|before| before.number < number);
        self.waiters.insert(at, waiter);
        Verdict::Waits(number)
    }

    pub(crate) fn upgrade(&mut self, request: &Request) -> Verdict {
        let (process, name) = (request.process, request.wants[0].0);
        if self.lock(name).is_none() {
            return Verdict::NoSuchLock;
        }
        if !self.holds(process, name, Mode::Read) {
            return self.not_convertible(process, name, Mode::Write);
        }
        let upgrader = self.waiters.iter().find(|waiter| waiter.is_upgrade && waiter.wants(name));
        if upgrader.is_some_and(|waiter| waiter.process != process) {
            return Verdict::Deadlock;
        }
        let queued = upgrader.map(|waiter| waiter.number);
        let place = queued.or_else(|| self.kept_number(process, &request.wants, true));
        if self.holders(name, Mode::Read) == [process] {
            self.take_out(place.unwrap_or(Number::MAX));
            self.use_up(place.unwrap_or(Number::MAX));
            self.end(process, name, Mode::Read);
            self.grant(process, &request.wants, request.timeout_secs);
            self.serve();
            return Verdict::Done;
        }
        self.join(request, place, true)
    }

    pub(crate) fn downgrade(&mut self, process: Process, name: Name, timeout_secs: u32) -> Verdict {
        if self.lock(name).is_none() {
            return Verdict::NoSuchLock;
        }
        if !self.holds(process, name, Mode::Write) {
            return self.not_convertible(process, name, Mode::Read);
        }
        if self.holders(name, Mode::Write) != [process] {
            return Verdict::Held;
        }
        self.end(process, name, Mode::Write);
        self.grant(process, &vec![(name, Mode::Read)], timeout_secs);
        self.serve();
        Verdict::Done
    }

    /// A process that has what it would convert to has converted before.
    fn not_convertible(&self, process: Process, name: Name, to: Mode) -> Verdict {
        match self.holds(process, name, to) {
            true => Verdict::AlreadyHeld,
            false => Verdict::NotHeld,
        }
    }

    pub(crate) fn refresh(
        &mut self,
        process: Process,
        (name, mode): (Name, Mode),
        timeout_secs: u32,
    ) -> Verdict {
        if self.lock(name).is_none() {
            return Verdict::NoSuchLock;
        }
        let over_ms = self.now_ms + u64::from(timeout_secs) * 1_000;
        let own = |hold: &&mut Hold| (hold.process, hold.name, hold.mode) == (process, name, mode);
        let Some(hold) = self.holds.iter_mut().find(own) else { return Verdict::NotHeld };
        (hold.timeout_secs, hold.over_ms) = (timeout_secs, over_ms);
        Verdict::Done
    }

    pub(crate) fn release(&mut self, process: Process, (name, mode): (Name, Mode)) -> Verdict {
        if self.lock(name).is_none() {
            return Verdict::NoSuchLock;
        }
        if !self.holds(process, name, mode) {
            return Verdict::NothingToRelease;
        }
        self.end(process, name, mode);
        self.serve();
        Verdict::Done
    }

    pub(crate) fn release_process(&mut self, process: Process) -> Verdict {
        if !self.holds.iter().any(|hold| hold.process == process) {
            return Verdict::HoldsNothing;
        }
        self.holds.retain(|hold| hold.process != process);
        self.serve();
        Verdict::Done
    }

    pub(crate) fn delete(&mut self, name: Name, force: bool) -> Verdict {
        if self.lock(name).is_none() {
            return Verdict::NoSuchLock;
        }
        let gone: Vec<Waiter> = self.waiters.iter().filter(|w| w.wants(name)).cloned().collect();
        let is_idle = gone.is_empty() && self.holds.iter().all(|hold| hold.name != name);
        if !is_idle && !force {
            return Verdict::NotFree;
        }
        for waiter in &gone {
            self.take_out(waiter.number);
            self.tell(waiter, Verdict::LockDeleted);
        }
        self.holds.retain(|hold| hold.name != name);
        self.locks.retain(|lock| lock.name != name);
        self.serve();
        Verdict::Done
    }

    /// The caller of a waiter is gone.
    pub(crate) fn hang_up(&mut self, number: Number) {
        self.take_out(number);
        self.serve();
    }

    /// Lines are gone, and every hold starts its full timeout anew.
    pub(crate) fn restart(&mut self) {
        self.waiters.clear();
        self.kept.clear();
        self.told.clear();
        let now_ms = self.now_ms;
        for hold in &mut self.holds {
            hold.over_ms = now_ms + u64::from(hold.timeout_secs) * 1_000;
        }
        let holds = &self.holds;
        self.locks.retain(|lock| !lock.is_provisional);
        for lock in &mut self.locks {
            lock.was_used = holds.iter().any(|hold| hold.name == lock.name);
        }
    }
}
