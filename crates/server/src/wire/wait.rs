//! Who waits for whom.

use leasehold_core::{Blocker as CoreBlocker, CycleStep, Note, WaitView};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HoldMode, whole_ms};

/// The wait-for graph of a namespace.
#[derive(Serialize, ToSchema)]
pub(crate) struct Waits<'a> {
    /// The first 1,000, in the order in which they came; one entry for each lock that a request
    /// waits for.
    waits: Vec<Wait<'a>>,
}

/// One process in line for one lock.
#[derive(Serialize, ToSchema)]
pub(crate) struct Wait<'a> {
    /// The lock.
    #[schema(min_length = 1, max_length = 255)]
    lock_id: &'a str,
    /// Who waits.
    #[schema(min_length = 1, max_length = 255)]
    process_id: &'a str,
    mode: HoldMode,
    /// Its place in line; 1 is next.
    #[schema(minimum = 1)]
    position: usize,
    /// How long the request still waits, in milliseconds.
    remaining_ms: u64,
    /// What the waiter says about itself; null if nothing.
    #[schema(max_length = 256)]
    note: Option<&'a str>,
    /// Whom it waits for, the first few: those who hold the lock, then those ahead in line.
    blockers: Vec<Blocker<'a>>,
}

/// Somebody whom a waiter has to wait for.
#[derive(Serialize, ToSchema)]
pub(crate) struct Blocker<'a> {
    /// Who.
    #[schema(min_length = 1, max_length = 255)]
    process_id: &'a str,
    mode: HoldMode,
    /// True if it holds the lock; false if it stands ahead in line.
    holds: bool,
}

/// One step of a circle: this process would wait for this lock, which the process of the next step
/// holds, or stands ahead in line for.
#[derive(Serialize, ToSchema)]
#[schema(as = CycleStep)]
pub(crate) struct Step<'a> {
    /// Who waits.
    #[schema(min_length = 1, max_length = 255)]
    process_id: &'a str,
    /// For which lock.
    #[schema(min_length = 1, max_length = 255)]
    lock_id: &'a str,
    mode: HoldMode,
}

impl<'a> From<&'a [WaitView]> for Waits<'a> {
    fn from(waits: &'a [WaitView]) -> Self {
        Self { waits: waits.iter().map(Wait::from).collect() }
    }
}

impl<'a> From<&'a WaitView> for Wait<'a> {
    fn from(wait: &'a WaitView) -> Self {
        Self {
            lock_id: wait.lock_id.as_str(),
            process_id: wait.process_id.as_str(),
            mode: wait.mode.into(),
            position: wait.position,
            remaining_ms: whole_ms(wait.remaining),
            note: wait.note.as_ref().map(Note::as_str),
            blockers: wait.blockers.iter().map(Blocker::from).collect(),
        }
    }
}

impl<'a> From<&'a CoreBlocker> for Blocker<'a> {
    fn from(blocker: &'a CoreBlocker) -> Self {
        Self {
            process_id: blocker.process_id.as_str(),
            mode: blocker.mode.into(),
            holds: blocker.is_holder,
        }
    }
}

impl<'a> From<&'a CycleStep> for Step<'a> {
    fn from(step: &'a CycleStep) -> Self {
        Self {
            process_id: step.process_id.as_str(),
            lock_id: step.lock_id.as_str(),
            mode: step.mode.into(),
        }
    }
}
