//! Somebody who knows only what callers were told, and holds the service to its promises.

use leasehold_core::Mode;

use super::{Moment, Name, SeenLock, Space, Who};

#[derive(Clone, Debug)]
struct Told {
    who: Who,
    token: u64,
    timeout_secs: u32,
    /// Until here the hold was promised.
    promised_ms: u64,
    /// From here it is over if nothing is done; later than promised only after a restart.
    over_ms: u64,
}

/// Cloned where a batch is durable, and put back where what came after it was lost: what was not
/// acknowledged was told to nobody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness {
    told: Vec<Told>,
    highest_token: u64,
}

impl Witness {
    /// I1 and I4, whenever a lock is shown with all its holders.
    pub(crate) fn sees(&self, at: Moment, space: Space, name: Name, lock: &SeenLock) {
        let (readers, writers) = (lock.reader_count, lock.writer_count);
        assert!(readers == 0 || writers == 0, "I1: {readers} readers beside {writers} writers");
        assert!(!lock.is_write_exclusive || writers <= 1, "I1: {writers} exclusive writers");
        let here = |told: &&Told| (told.who.space, told.who.name) == (space, name);
        for told in self.told.iter().filter(here).filter(|told| at.true_ms < told.promised_ms) {
            let holders = match told.who.mode {
                Mode::Read => &lock.readers,
                Mode::Write => &lock.writers,
            };
            let stands = holders
                .iter()
                .any(|hold| hold.process == told.who.process && hold.token == told.token);
            assert!(stands, "I4: {told:?} is gone at {at:?}: {lock:?}");
        }
    }

    /// I3, whenever a hold is granted.
    pub(crate) fn granted(&mut self, at: Moment, who: Who, timeout_secs: u32, token: u64) {
        assert!(token > self.highest_token, "I3: {token} comes after {}", self.highest_token);
        self.highest_token = token;
        self.told.retain(|told| told.who != who);
        let over_ms = at.true_ms + u64::from(timeout_secs) * 1_000;
        self.told.push(Told { who, token, timeout_secs, promised_ms: over_ms, over_ms });
    }

    /// I5, whenever a refresh succeeds: the hold was there all the time.
    pub(crate) fn refreshed(&mut self, at: Moment, who: Who, timeout_secs: u32, token: u64) {
        let told = self.told.iter_mut().find(|told| told.who == who);
        let Some(told) = told.filter(|told| told.token == token && at.true_ms < told.over_ms)
        else {
            panic!("I5: {who:?} refreshed at {at:?} what it does not hold");
        };
        told.timeout_secs = timeout_secs;
        told.over_ms = at.true_ms + u64::from(timeout_secs) * 1_000;
        told.promised_ms = told.over_ms;
    }

    pub(crate) fn released(&mut self, who: Who) {
        self.told.retain(|told| told.who != who);
    }

    /// What lives then may live for its full timeout again; nothing that is over comes back.
    pub(crate) fn restarted(&mut self, at: Moment, is_durably_held: impl Fn(Who) -> bool) {
        self.told.retain(|told| is_durably_held(told.who));
        for told in &mut self.told {
            told.over_ms = at.true_ms + u64::from(told.timeout_secs) * 1_000;
        }
    }
}
