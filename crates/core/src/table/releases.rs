//! Releases that carried an idempotency key: a request that is sent twice gets the same answer twice,
//! and its second copy does not end a hold that the process took since.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::HoldKey;
use crate::id::IdempotencyKey;

/// The last such release of each hold, as many as [`crate::Limits::max_remembered_releases`] in all.
#[derive(Debug, Default)]
pub(crate) struct Releases {
    by_hold: BTreeMap<HoldKey, (IdempotencyKey, u64)>,
    by_number: BTreeSet<(u64, HoldKey)>,
}

impl Releases {
    /// Whether the hold was released by the request that has this key.
    pub(crate) fn has(&self, hold: &HoldKey, idempotency_key: &IdempotencyKey) -> bool {
        self.by_hold.get(hold).is_some_and(|(key, _)| key == idempotency_key)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_hold.len()
    }

    /// The number that the next release gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.by_number.last().map_or(1, |(number, _)| number.saturating_add(1))
    }

    /// The longest remembered first.
    pub(crate) fn oldest(&self) -> impl Iterator<Item = &HoldKey> {
        self.by_number.iter().map(|(_, hold)| hold)
    }

    pub(super) fn remember(&mut self, hold: HoldKey, key: IdempotencyKey, number: u64) {
        self.forget(&hold);
        self.by_number.insert((number, hold.clone()));
        self.by_hold.insert(hold, (key, number));
    }

    pub(super) fn forget(&mut self, hold: &HoldKey) {
        if let Some((_, number)) = self.by_hold.remove(hold) {
            self.by_number.remove(&(number, hold.clone()));
        }
    }
}
