//! Fencing tokens: one sequence for the whole service that only grows (I3).

use std::fmt;

/// A number that grows with every grant, across releases, restarts, failovers and re-created locks.
/// A resource that remembers the highest token it has seen can refuse a holder that was paused past
/// its timeout. Below 2^53, so that JSON numbers carry it in every language.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct FencingToken(u64);

impl FencingToken {
    /// The highest token: the largest integer that a double holds exactly together with its successor.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Takes a stored number; `None` past [`Self::MAX`].
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        (number <= Self::MAX.0).then_some(Self(number))
    }

    /// The number on the wire and in rows.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// The token after this one; `None` once the sequence is used up (285 years at a million a second).
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
