//! A process as a whole: what it holds, and what it lost.

use leasehold_core::{EndCause, LostHold, ProcessHold, ProcessId};
use serde::Serialize;
use utoipa::ToSchema;

use super::lock::Process;
use super::{HoldMode, Rfc3339};

/// All holds of one process.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProcessHolds<'a> {
    /// Its name.
    #[schema(min_length = 1, max_length = 255)]
    process_id: &'a str,
    /// By lock, then by mode.
    holds: Vec<OneHold<'a>>,
    /// What it lost, the oldest first: at most the newest 100, and not remembered across a restart of the
    /// service. A loss is named until the client acknowledges it, or for 10 minutes after a refresh of the
    /// process named it first. What counts is what it holds.
    lost: Vec<Lost<'a>>,
}

/// One hold of a process.
#[derive(Serialize, ToSchema)]
pub(crate) struct OneHold<'a> {
    /// The lock.
    #[schema(min_length = 1, max_length = 255)]
    lock_id: &'a str,
    mode: HoldMode,
    #[serde(flatten)]
    hold: Process<'a>,
}

/// A hold that ended without its holder.
#[derive(Serialize, ToSchema)]
pub(crate) struct Lost<'a> {
    /// The lock.
    #[schema(min_length = 1, max_length = 255)]
    lock_id: &'a str,
    mode: HoldMode,
    /// The token that the hold had.
    #[schema(minimum = 1)]
    fencing_token: u64,
    cause: Cause,
    /// When it ended, UTC.
    #[schema(value_type = String, format = DateTime)]
    ended_at: Rfc3339,
}

/// How a hold ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = EndCause)]
pub(crate) enum Cause {
    /// Its holder gave it back.
    Released,
    /// Its timeout passed.
    Expired,
    /// An admin broke the lock.
    Forced,
    /// Its holder turned it into one of the other mode.
    Converted,
}

impl<'a> ProcessHolds<'a> {
    pub(crate) fn new(
        process_id: &'a ProcessId,
        holds: &'a [ProcessHold],
        lost: &'a [LostHold],
    ) -> Self {
        Self {
            process_id: process_id.as_str(),
            holds: holds.iter().map(OneHold::from).collect(),
            lost: lost.iter().map(Lost::from).collect(),
        }
    }
}

impl<'a> From<&'a ProcessHold> for OneHold<'a> {
    fn from(hold: &'a ProcessHold) -> Self {
        Self {
            lock_id: hold.lock_id.as_str(),
            mode: hold.mode.into(),
            hold: Process::from(&hold.hold),
        }
    }
}

impl<'a> From<&'a LostHold> for Lost<'a> {
    fn from(lost: &'a LostHold) -> Self {
        Self {
            lock_id: lost.lock_id.as_str(),
            mode: lost.mode.into(),
            fencing_token: lost.token.get(),
            cause: lost.cause.into(),
            ended_at: Rfc3339(lost.ended_at),
        }
    }
}

impl From<EndCause> for Cause {
    fn from(cause: EndCause) -> Self {
        match cause {
            EndCause::Released => Self::Released,
            EndCause::Expired => Self::Expired,
            EndCause::Forced => Self::Forced,
            EndCause::Converted => Self::Converted,
        }
    }
}
