//! What an acquire got, and how long its caller may rely on it.

use leasehold_core::{Grant, Mono, ProcessId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HoldMode, Lock, whole_ms};

/// How long a grant can be relied on. Both numbers are taken when the reply is written.
#[derive(Serialize, ToSchema)]
pub(crate) struct Reliance {
    /// What is left of the hold when this reply is written, in milliseconds; never more than
    /// `remaining_ms`. Whoever did not wait may rely on the hold for so long, counted from when it
    /// **sent** the request. After a wait, count from `waited_ms` later.
    safe_for_ms: u64,
    /// From the arrival of the request to this reply, in milliseconds: the wait in line, and the work.
    /// However long the reply is on its way, the hold does not expire before
    /// `waited_ms + safe_for_ms` have passed since the request was sent.
    waited_ms: u64,
}

/// A lock, and the hold of it that was granted.
#[derive(Serialize, ToSchema)]
pub(crate) struct GrantedLock<'a> {
    #[serde(flatten)]
    lock: Lock<'a>,
    /// The token of the caller's hold. Hand it to the resource that the lock protects.
    #[schema(minimum = 1)]
    fencing_token: u64,
    #[serde(flatten)]
    reliance: Reliance,
}

/// Several locks, granted together.
#[derive(Serialize, ToSchema)]
pub(crate) struct Grants<'a> {
    /// Who holds them.
    #[schema(min_length = 1, max_length = 255)]
    process_id: &'a str,
    #[serde(flatten)]
    reliance: Reliance,
    /// One for each lock, in the order of the request.
    grants: Vec<GrantOfOne<'a>>,
}

/// One lock of several that were granted together.
#[derive(Serialize, ToSchema)]
pub(crate) struct GrantOfOne<'a> {
    /// The lock's name.
    lock_id: &'a str,
    mode: HoldMode,
    /// The token of the caller's hold. Hand it to the resource that the lock protects.
    #[schema(minimum = 1)]
    fencing_token: u64,
    lock: Lock<'a>,
}

impl Reliance {
    /// Of holds that end at `deadline` at the earliest.
    fn new(deadline: Mono, arrived: Mono, now: Mono) -> Self {
        Self { safe_for_ms: whole_ms(deadline.since(now)), waited_ms: whole_ms(now.since(arrived)) }
    }
}

impl<'a> GrantedLock<'a> {
    /// The reply to a request that arrived then, written now.
    pub(crate) fn new(grant: &'a Grant, arrived: Mono, now: Mono) -> Self {
        Self {
            lock: Lock::from(&grant.lock),
            fencing_token: grant.hold.token.get(),
            reliance: Reliance::new(grant.hold.deadline, arrived, now),
        }
    }
}

impl<'a> Grants<'a> {
    /// The reply to a request that arrived then, written now.
    pub(crate) fn new(
        process_id: &'a ProcessId,
        grants: &'a [Grant],
        arrived: Mono,
        now: Mono,
    ) -> Self {
        let first_to_end = grants.iter().map(|grant| grant.hold.deadline).min();
        Self {
            process_id: process_id.as_str(),
            reliance: Reliance::new(first_to_end.unwrap_or(now), arrived, now),
            grants: grants.iter().map(GrantOfOne::from).collect(),
        }
    }
}

impl<'a> From<&'a Grant> for GrantOfOne<'a> {
    fn from(grant: &'a Grant) -> Self {
        Self {
            lock_id: grant.key.lock_id.as_str(),
            mode: grant.key.mode.into(),
            fencing_token: grant.hold.token.get(),
            lock: Lock::from(&grant.lock),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds on the clock that decides.
    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    #[test]
    fn i4_nobody_is_told_to_rely_on_a_hold_past_its_deadline() {
        // Arrived at 1 s, granted for 30 s at 61 s, written 5 ms later.
        let told = Reliance::new(at(91_000), at(1_000), at(61_005));
        assert_eq!((told.safe_for_ms, told.waited_ms), (29_995, 60_005));
        assert!(1_000 + told.waited_ms + told.safe_for_ms <= 91_000, "counted from the arrival");

        let late = Reliance::new(at(91_000), at(1_000), at(95_000));
        assert_eq!(late.safe_for_ms, 0, "the disk took longer than the hold lasts");
    }
}
