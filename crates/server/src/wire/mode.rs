//! Shared or exclusive, as a word.

use leasehold_core::Mode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::member;

/// How a process holds a lock, or wants to.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HoldMode {
    /// Shared with other readers, never with a writer.
    Read,
    /// Never with a reader; with as many other writers as the lock permits.
    Write,
}

impl<'de> Deserialize<'de> for HoldMode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        member::word(from, &[("read", Self::Read), ("write", Self::Write)])
    }
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
