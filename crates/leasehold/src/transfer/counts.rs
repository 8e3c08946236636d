//! How many rows of each kind.

use std::fmt;

use leasehold_core::Row;
use serde::{Deserialize, Serialize};

/// Rows of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counts {
    locks: u64,
    holds: u64,
    past_holds: u64,
    releases: u64,
    keys: u64,
    /// 0 or 1: the highest fencing token.
    sequences: u64,
}

impl Counts {
    pub(super) fn add(&mut self, row: &Row) {
        match row {
            Row::Lock { .. } => self.locks += 1,
            Row::Hold { .. } => self.holds += 1,
            Row::Past { .. } => self.past_holds += 1,
            Row::Release { .. } => self.releases += 1,
            Row::Key(_) => self.keys += 1,
            Row::Sequence(_) => self.sequences += 1,
            // They say something about the rows and are none of those that people ask for.
            Row::Import { .. } | Row::StoredDeadlines { .. } => {}
        }
    }

    pub(super) fn total(&self) -> u64 {
        let Self { locks, holds, past_holds, releases, keys, sequences } = self;
        locks + holds + past_holds + releases + keys + sequences
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { locks, holds, past_holds, releases, keys, sequences } = *self;
        let parts = [
            (locks, "lock", "locks"),
            (holds, "hold", "holds"),
            (past_holds, "past hold", "past holds"),
            (releases, "remembered release", "remembered releases"),
            (keys, "API key", "API keys"),
            (sequences, "sequence of fencing tokens", "sequences of fencing tokens"),
        ];
        let said: Vec<String> = parts
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect();
        f.write_str(&if said.is_empty() { "nothing".to_owned() } else { said.join(", ") })
    }
}
