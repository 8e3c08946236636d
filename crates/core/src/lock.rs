//! One lock, its holds, and the line before it.

use std::collections::BTreeMap;

use crate::command::{HoldKey, LockKind, Mode};
use crate::history::Past;
use crate::id::{IdempotencyKey, KeyId, LockId, LockUid, Note, ProcessId};
use crate::line::Ticket;
use crate::reply::{HoldView, LockState, LockView};
use crate::time::{Mono, Now, TimeoutSecs, Wall};
use crate::token::FencingToken;

/// One hold of a lock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// Its fencing token, higher than any before.
    pub token: FencingToken,
    /// How long it lasts without a refresh.
    pub timeout: TimeoutSecs,
    /// When it was granted.
    pub acquired_at: Wall,
    /// When its timeout began.
    pub renewed_at: Wall,
    /// When it expires.
    pub deadline: Mono,
    /// Until when its holder may rely on it, whichever replica leads by then: what is shown. Not after
    /// `deadline`.
    pub promised: Mono,
    /// What its holder says about it.
    pub note: Option<Note>,
    /// The mark of the request that took it.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The API key that took it, if any.
    pub acquired_by: Option<KeyId>,
    /// Its process is known to have heard of it, or had a hold of the lock before: it is not given back
    /// when the caller that it was granted to turns out to be gone.
    pub is_confirmed: bool,
}

impl Hold {
    pub(crate) fn view(&self, process_id: &ProcessId, now: Now) -> HoldView {
        let remaining = self.promised.since(now.mono);
        HoldView {
            process_id: process_id.clone(),
            token: self.token,
            timeout: self.timeout,
            acquired_at: self.acquired_at,
            remaining,
            deadline: self.promised,
            expires_at: now.wall.plus(remaining),
            note: self.note.clone(),
        }
    }
}

/// Holders that a refusal or a list shows at most, so that it costs the same however many hold.
pub(crate) const HOLDERS_IN_PASSING: usize = 16;

/// Which holders a view lists.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Show<'a> {
    All,
    Only(&'a HoldKey),
    First,
    /// The first ones, and this one before them.
    FirstAfter(&'a HoldKey),
}

/// The line before a lock.
#[derive(PartialEq, Eq, Debug, Default)]
pub(crate) struct Line {
    /// The reader that waits to become the writer: before everybody else, because it holds the lock.
    pub(crate) upgrader: Option<Ticket>,
    /// Everybody else, the lowest ticket first.
    pub(crate) waiters: BTreeMap<Ticket, Mode>,
}

impl Line {
    pub(crate) fn len(&self) -> usize {
        self.waiters.len() + usize::from(self.upgrader.is_some())
    }
}

/// One lock: who holds it, by process, and who stands in line.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(crate) uid: LockUid,
    pub(crate) kind: LockKind,
    pub(crate) created_at: Wall,
    pub(crate) updated_at: Wall,
    /// It was made by a request that waits for it, and no process has held it yet: it has no row, and it
    /// goes when the last such request goes.
    pub(crate) is_provisional: bool,
    /// It is being deleted, in steps: no process gets a hold of it any more.
    pub(crate) is_closing: bool,
    /// Holds with tokens up to this one were shown to clients that may be their holders.
    pub(crate) shown_up_to: FencingToken,
    pub(crate) readers: BTreeMap<ProcessId, Hold>,
    pub(crate) writers: BTreeMap<ProcessId, Hold>,
    /// Boxed, because most locks have none most of the time.
    pub(crate) line: Option<Box<Line>>,
    /// Its past holds, and those of the locks that had its name before. Boxed for the same reason.
    pub(crate) past: Option<Box<Past>>,
}

impl Lock {
    /// One that nobody holds.
    pub(crate) fn new(uid: LockUid, kind: LockKind, created_at: Wall, updated_at: Wall) -> Self {
        let (readers, writers) = (BTreeMap::new(), BTreeMap::new());
        Self {
            uid,
            kind,
            created_at,
            updated_at,
            is_provisional: false,
            is_closing: false,
            shown_up_to: FencingToken::default(),
            readers,
            writers,
            line: None,
            past: None,
        }
    }

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

    /// The holds that any hold of this mode excludes.
    pub(crate) fn opponents(&self, mode: Mode) -> &BTreeMap<ProcessId, Hold> {
        self.holders(mode.opposite())
    }

    /// Holds of this mode that the lock permits at a time; `None` without a limit of its own.
    pub(crate) fn permits(&self, mode: Mode) -> Option<usize> {
        let permits = match mode {
            Mode::Read => self.kind.max_readers,
            Mode::Write => self.kind.max_writers,
        };
        permits.map(|permits| permits as usize)
    }

    /// Whether the lock has as many holds of this mode as it permits.
    pub(crate) fn is_full(&self, mode: Mode) -> bool {
        self.permits(mode).is_some_and(|permits| self.holders(mode).len() >= permits)
    }

    /// Whether the present holds leave room for one more of this mode.
    pub(crate) fn admits(&self, mode: Mode) -> bool {
        self.opponents(mode).is_empty() && !self.is_full(mode)
    }

    /// I1: never a reader beside a writer, never more of one mode than the lock permits.
    pub(crate) fn keeps_exclusion(&self) -> bool {
        let within = |mode| self.permits(mode).is_none_or(|n| self.holders(mode).len() <= n);
        (self.readers.is_empty() || self.writers.is_empty())
            && within(Mode::Read)
            && within(Mode::Write)
    }

    pub(crate) fn waiter_count(&self) -> usize {
        self.line.as_ref().map_or(0, |line| line.len())
    }

    pub(crate) fn upgrader(&self) -> Option<Ticket> {
        self.line.as_ref()?.upgrader
    }

    /// The first of the line, the upgrader apart.
    pub(crate) fn head(&self) -> Option<Ticket> {
        self.line.as_ref()?.waiters.first_key_value().map(|(ticket, _)| *ticket)
    }

    /// Whether nobody holds the lock and nobody waits for it.
    pub(crate) fn is_idle(&self) -> bool {
        self.readers.is_empty() && self.writers.is_empty() && self.waiter_count() == 0
    }

    pub(crate) fn hold_of(&self, hold: &HoldKey) -> Option<&Hold> {
        self.holders(hold.mode).get(&hold.process_id)
    }

    pub(crate) fn view(&self, lock_id: &LockId, now: Now, show: Show<'_>) -> LockView {
        let list = |mode: Mode| -> Vec<HoldView> {
            let holders = self.holders(mode);
            let (own, others) = match show {
                Show::All => (None, usize::MAX),
                Show::First => (None, HOLDERS_IN_PASSING),
                Show::Only(key) => (Some(key), 0),
                Show::FirstAfter(key) => (Some(key), HOLDERS_IN_PASSING - 1),
            };
            let own = own.filter(|key| key.mode == mode).map(|key| &key.process_id);
            let others = holders.iter().filter(|(id, _)| Some(*id) != own).take(others);
            let own = own.and_then(|id| holders.get_key_value(id));
            own.into_iter().chain(others).map(|(id, hold)| hold.view(id, now)).collect()
        };
        LockView {
            uid: self.uid,
            lock_id: lock_id.clone(),
            kind: self.kind,
            state: self.state(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            readers: list(Mode::Read),
            writers: list(Mode::Write),
            reader_count: self.readers.len(),
            writer_count: self.writers.len(),
            waiter_count: self.waiter_count(),
        }
    }
}
