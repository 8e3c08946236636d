//! The request for several locks at once.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{HoldMode, member};
use crate::asked_kind::AskedKind;

/// How long holds last if the request does not say it, in seconds.
pub(crate) const DEFAULT_TIMEOUT_SECS: u32 = 60;

/// Several locks, all or none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcquireRequest {
    /// Who will hold them: 1 to 255 bytes of UTF-8, no control characters, not `.` or `..`.
    #[serde(deserialize_with = "member::needed_text")]
    #[schema(min_length = 1, max_length = 255)]
    pub(crate) process_id: String,
    /// How long the holds last without a refresh, in whole seconds.
    #[serde(default, deserialize_with = "member::number")]
    #[schema(minimum = 1, default = 60)]
    pub(crate) timeout_seconds: Option<u32>,
    /// How long to stand in line if not all can be had at once, in whole seconds. Nothing is held
    /// meanwhile.
    #[serde(default, deserialize_with = "member::number")]
    #[schema(maximum = 300, default = 0)]
    pub(crate) wait_seconds: Option<u32>,
    /// Kept with the holds and shown to whoever looks.
    #[serde(default, deserialize_with = "member::text")]
    #[schema(max_length = 256)]
    pub(crate) note: Option<String>,
    /// Each lock once.
    #[serde(deserialize_with = "member::objects")]
    #[schema(min_items = 1, max_items = 64)]
    pub(crate) locks: Vec<WantedLock>,
}

/// One of the locks.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WantedLock {
    /// The lock's name, as it is: 1 to 255 bytes of UTF-8, no control characters, not `.` or `..`.
    #[serde(deserialize_with = "member::needed_text")]
    #[schema(min_length = 1, max_length = 255)]
    pub(crate) lock_id: String,
    pub(crate) mode: HoldMode,
    /// Whether to make the lock if there is none of that name. The fields below say how, and are
    /// taken only together with this.
    #[serde(default, deserialize_with = "member::flag")]
    #[schema(default = false)]
    pub(crate) create_if_missing: Option<bool>,
    /// Whether a new lock takes at most one writer at a time, the same as `max_writers` 1.
    #[serde(default, deserialize_with = "member::flag")]
    is_exclusive: Option<bool>,
    /// Writers that a new lock takes at a time.
    #[serde(default, deserialize_with = "member::positive")]
    #[schema(minimum = 1)]
    max_writers: Option<u32>,
    /// Readers that a new lock takes at a time.
    #[serde(default, deserialize_with = "member::positive")]
    #[schema(minimum = 1)]
    max_readers: Option<u32>,
    /// Whether a new lock disappears when its last hold and waiter are gone.
    #[serde(default, deserialize_with = "member::flag")]
    ephemeral: Option<bool>,
}

impl WantedLock {
    /// What it says about a lock to be made.
    pub(crate) fn kind(&self) -> AskedKind {
        AskedKind {
            is_exclusive: self.is_exclusive,
            max_writers: self.max_writers,
            max_readers: self.max_readers,
            is_ephemeral: self.ephemeral,
        }
    }
}
