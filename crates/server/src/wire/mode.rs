//! Shared or exclusive, as a word.

use leasehold_core::Mode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a process holds a lock, or wants to.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HoldMode {
    /// Shared with other readers, never with a writer.
    Read,
    /// Never with a reader; with as many other writers as the lock permits.
    Write,
}

impl From<Mode> for HoldMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Read => Self::Read,
            Mode::Write => Self::Write,
        }
    }
}

impl From<HoldMode> for Mode {
    fn from(mode: HoldMode) -> Self {
        match mode {
            HoldMode::Read => Self::Read,
            HoldMode::Write => Self::Write,
        }
    }
}
