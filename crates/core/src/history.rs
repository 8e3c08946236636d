//! Holds that are over: who held a lock, from when to when, and how that ended.

use std::collections::VecDeque;

use crate::change::EndCause;
use crate::command::Mode;
use crate::id::{IdempotencyKey, KeyId, Note, ProcessId};
use crate::time::Wall;
use crate::token::FencingToken;

/// A hold that is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PastHold {
    /// Orders the ends of all holds of the service, which wall clocks cannot: the highest is the newest.
    pub number: u64,
    /// Who held the lock.
    pub process_id: ProcessId,
    /// How it was held.
    pub mode: Mode,
    /// The token that the hold had.
    pub token: FencingToken,
    /// When it was granted.
    pub acquired_at: Wall,
    /// When it ended.
    pub ended_at: Wall,
    /// How it ended.
    pub cause: EndCause,
    /// The API key that ended it, if one did and is known.
    pub by: Option<KeyId>,
    /// What its holder said about it.
    pub note: Option<Note>,
    /// The mark of the request that took it.
    pub idempotency_key: Option<IdempotencyKey>,
}

impl PastHold {
    /// When it ended, or was granted if the wall clock was set back in between. Its age counts from then,
    /// and its lock was not touched last before then.
    pub(crate) fn dated(&self) -> Wall {
        self.ended_at.max(self.acquired_at)
    }
}

/// A past hold, and the row that keeps it.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Names the row: the number of the first past hold that it kept.
    pub(crate) slot: u64,
    pub(crate) past: PastHold,
}

/// The past holds of one lock's name, the oldest first; never empty.
#[derive(Debug)]
pub(crate) struct Past {
    kept: VecDeque<Kept>,
    /// The latest date of all that ever were among them.
    latest: Wall,
}

impl Past {
    /// Begins with its first one. Most locks never have many, so there is no room for more at first.
    pub(crate) fn new(first: Kept) -> Self {
        let latest = first.past.dated();
        let mut kept = VecDeque::with_capacity(1);
        kept.push_back(first);
        Self { kept, latest }
    }

    pub(crate) fn push(&mut self, kept: Kept) {
        self.latest = self.latest.max(kept.past.dated());
        self.kept.push_back(kept);
    }

    pub(crate) fn latest(&self) -> Wall {
        self.latest
    }

    pub(crate) fn pop_oldest(&mut self) -> Option<Kept> {
        self.kept.pop_front()
    }

    pub(crate) fn oldest(&self) -> Option<&Kept> {
        self.kept.front()
    }

    pub(crate) fn newest(&self) -> Option<&Kept> {
        self.kept.back()
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter()
    }

    /// The newest `most`, of these those with a lower number than `before`, the newest first.
    pub(crate) fn newest_first(
        &self,
        most: usize,
        before: Option<u64>,
    ) -> impl Iterator<Item = &PastHold> {
        let end = before.map_or(self.kept.len(), |before| {
            self.kept.partition_point(|kept| kept.past.number < before)
        });
        let start = self.kept.len().saturating_sub(most).min(end);
        self.kept.range(start..end).rev().map(|kept| &kept.past)
    }
}
