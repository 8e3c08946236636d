//! One lock and its holds.

use std::collections::BTreeMap;

use crate::command::{HoldKey, Mode};
use crate::id::{LockId, LockUid, ProcessId};
use crate::reply::{HoldView, LockState, LockView};
use crate::time::{Mono, Now, TimeoutSecs, Wall};
use crate::token::FencingToken;

/// One hold of a lock.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) token: FencingToken,
    pub(crate) timeout: TimeoutSecs,
    pub(crate) acquired_at: Wall,
    pub(crate) deadline: Mono,
}

impl Hold {
    fn view(&self, process_id: &ProcessId, now: Now) -> HoldView {
        let remaining = self.deadline.since(now.mono);
        HoldView {
            process_id: process_id.clone(),
            token: self.token,
            timeout: self.timeout,
            acquired_at: self.acquired_at,
            remaining,
            expires_at: now.wall.plus(remaining),
        }
    }
}

/// Holders that a refusal lists at most, so that being refused costs the same however many hold.
const HOLDERS_IN_A_REFUSAL: usize = 16;

/// Which holders a view lists.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Show<'a> {
    All,
    Only(&'a HoldKey),
    First,
    /// The first ones, and this one before them.
    FirstAfter(&'a HoldKey),
}

/// One lock: who holds it, by process.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(crate) uid: LockUid,
    pub(crate) is_write_exclusive: bool,
    pub(crate) created_at: Wall,
    pub(crate) updated_at: Wall,
    pub(crate) readers: BTreeMap<ProcessId, Hold>,
    pub(crate) writers: BTreeMap<ProcessId, Hold>,
}

impl Lock {
    pub(crate) fn state(&self) -> LockState {
        if !self.writers.is_empty() {
            LockState::Write
        } else if !self.readers.is_empty() {
            LockState::Read
        } else {
            LockState::Free
        }
    }

    pub(crate) fn holders(&self, mode: Mode) -> &BTreeMap<ProcessId, Hold> {
        match mode {
            Mode::Read => &self.readers,
            Mode::Write => &self.writers,
        }
    }

    pub(crate) fn holders_mut(&mut self, mode: Mode) -> &mut BTreeMap<ProcessId, Hold> {
        match mode {
            Mode::Read => &mut self.readers,
            Mode::Write => &mut self.writers,
        }
    }

    /// Whether one more hold of this mode would exclude, or be excluded by, the present ones.
    pub(crate) fn excludes(&self, mode: Mode) -> bool {
        match mode {
            Mode::Read => !self.writers.is_empty(),
            Mode::Write => {
                !self.readers.is_empty() || (self.is_write_exclusive && !self.writers.is_empty())
            }
        }
    }

    /// I1: never a reader beside a writer, never two writers where writing is exclusive.
    pub(crate) fn keeps_exclusion(&self) -> bool {
        (self.readers.is_empty() || self.writers.is_empty())
            && !(self.is_write_exclusive && self.writers.len() > 1)
    }

    pub(crate) fn view(&self, lock_id: &LockId, now: Now, show: Show<'_>) -> LockView {
        let list = |mode: Mode| -> Vec<HoldView> {
            let holders = self.holders(mode);
            let (own, others) = match show {
                Show::All => (None, usize::MAX),
                Show::First => (None, HOLDERS_IN_A_REFUSAL),
                Show::Only(key) => (Some(key), 0),
                Show::FirstAfter(key) => (Some(key), HOLDERS_IN_A_REFUSAL - 1),
            };
            let own = own.filter(|key| key.mode == mode).map(|key| &key.process_id);
            let others = holders.iter().filter(|(id, _)| Some(*id) != own).take(others);
            let own = own.and_then(|id| holders.get_key_value(id));
            own.into_iter().chain(others).map(|(id, hold)| hold.view(id, now)).collect()
        };
        LockView {
            uid: self.uid,
            lock_id: lock_id.clone(),
            is_write_exclusive: self.is_write_exclusive,
            state: self.state(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            readers: list(Mode::Read),
            writers: list(Mode::Write),
            reader_count: self.readers.len(),
            writer_count: self.writers.len(),
        }
    }
}
