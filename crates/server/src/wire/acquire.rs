//! The request for several locks at once.

use std::num::NonZeroU32;

use serde::Deserialize;
use utoipa::ToSchema;

use super::HoldMode;
use crate::asked_kind::AskedKind;

/// Several locks, all or none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcquireRequest {
    /// Who will hold them: 1 to 255 bytes of UTF-8, no control characters, not `.` or `..`.
    #[schema(min_length = 1, max_length = 255)]
    pub(crate) process_id: String,
    /// How long the holds last without a refresh, in whole seconds.
    #[serde(default = "default_timeout_seconds")]
    #[schema(minimum = 1, default = 60)]
    pub(crate) timeout_seconds: u32,
    /// How long to stand in line if not all can be had at once, in whole seconds. Nothing is held
    /// meanwhile.
    #[serde(default)]
    #[schema(maximum = 300, default = 0)]
    pub(crate) wait_seconds: u32,
    /// Kept with the holds and shown to whoever looks.
    #[schema(max_length = 256)]
    pub(crate) note: Option<String>,
    /// Each lock once.
    #[schema(min_items = 1, max_items = 64)]
    pub(crate) locks: Vec<WantedLock>,
}

/// One of the locks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedLock {
    /// The lock's name, as it is: 1 to 255 bytes of UTF-8, no control characters, not `.` or `..`.
    #[schema(min_length = 1, max_length = 255)]
    pub(crate) lock_id: String,
    pub(crate) mode: HoldMode,
    /// Whether to make the lock if there is none of that name. The fields below say how, and are
    /// taken only together with this.
    #[serde(default)]
    pub(crate) create_if_missing: bool,
    /// Whether a new lock takes at most one writer at a time, the same as `max_writers` 1.
    is_exclusive: Option<bool>,
    /// Writers that a new lock takes at a time.
    #[schema(value_type = Option<u32>, minimum = 1)]
    max_writers: Option<NonZeroU32>,
    /// Readers that a new lock takes at a time.
    #[schema(value_type = Option<u32>, minimum = 1)]
    max_readers: Option<NonZeroU32>,
    /// Whether a new lock disappears when its last hold and waiter are gone.
    ephemeral: Option<bool>,
}

impl WantedLock {
    /// What it says about a lock to be made.
    pub(crate) fn kind(&self) -> AskedKind {
        AskedKind {
            is_exclusive: self.is_exclusive,
            max_writers: self.max_writers.map(NonZeroU32::get),
            max_readers: self.max_readers.map(NonZeroU32::get),
            is_ephemeral: self.ephemeral,
        }
    }
}

fn default_timeout_seconds() -> u32 {
    60
}
