//! Whether the last leader may still answer from memory.
//!
//! An absent or changed key does not say that it cannot: etcd or a person may have removed it.

use std::time::{Duration, Instant};

use super::EtcdStore;
use super::keys::{LeaderValue, State};
use crate::store::StoreError;

/// The least that is waited for where the length of the last lease is not known: it was claimed by a version
/// before format 4, or the keys that say it have been deleted.
const UNKNOWN_LEASE: Duration = Duration::from_secs(10);

/// Since when the keys have stood that a leader writes as long as it lives, as this handle knows it.
pub(super) struct Watch {
    signs: Signs,
    since: Instant,
}

/// The revisions of those keys.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Signs {
    epoch: i64,
    leader: i64,
    lease: i64,
    fence: i64,
}

impl Signs {
    fn of(State { epoch, leader, lease, fence, .. }: &State) -> Self {
        Self {
            epoch: epoch.revision,
            leader: leader.revision,
            lease: lease.revision,
            fence: fence.revision,
        }
    }
}

/// What is known of the term that was claimed last.
pub(super) enum LastTerm<'s> {
    /// There has never been one.
    Never,
    /// Its leader has said that it is over.
    Resigned,
    /// It may last.
    Led(&'s LeaderValue),
    /// It may last, and the keys do not say under which leader or for how long.
    Unknown,
}

impl State {
    pub(super) fn last_term(&self) -> LastTerm<'_> {
        if self.epoch.revision == 0 {
            return LastTerm::Never;
        }
        let of_epoch = |leader: &&LeaderValue| leader.epoch == self.epoch.value;
        let lease = self.lease.value.as_ref().filter(of_epoch);
        match lease.or(self.leader.value.as_ref().filter(of_epoch)) {
            Some(leader) if leader.has_resigned => LastTerm::Resigned,
            Some(leader) => LastTerm::Led(leader),
            None => LastTerm::Unknown,
        }
    }
}

impl EtcdStore {
    /// Looks at the keys, and goes on watching them.
    pub(super) async fn look(&mut self) -> Result<State, StoreError> {
        let state = self.etcd.state().await?;
        let signs = Signs::of(&state);
        if self.watch.as_ref().is_none_or(|watch| watch.signs != signs) {
            self.watch = Some(Watch { signs, since: Instant::now() });
        }
        Ok(state)
    }

    /// Whether the leader of this term, which the last look showed, cannot answer from memory any more. It
    /// counts its lease from before it sent what that look found, and this handle from after.
    pub(super) fn ran_out(&self, state: &State, leader: &LeaderValue) -> bool {
        // Before format 4 renewals wrote nothing, and etcd removed the key when there were none.
        if state.etcd_lease != 0 {
            return false;
        }
        self.stood_for(leader.lease_ms.map_or(self.unknown_lease(), Duration::from_millis))
    }

    /// Refuses as long as the last leader may answer from memory, unless that is this handle.
    pub(super) fn check_over(&self, state: &State) -> Result<(), StoreError> {
        // A build without this rule is how the cluster tests prove that they would see it missing.
        if cfg!(leasehold_unwatched) && state.leader.value.is_none() {
            return Ok(());
        }
        match state.last_term() {
            LastTerm::Never | LastTerm::Resigned => Ok(()),
            LastTerm::Led(leader) if leader.holder == self.holder => Ok(()),
            LastTerm::Led(leader) if self.ran_out(state, leader) => Ok(()),
            LastTerm::Led(leader) => Err(StoreError::Led(Box::new(leader.clone().into_leader()))),
            LastTerm::Unknown if self.stood_for(self.unknown_lease()) => Ok(()),
            LastTerm::Unknown => Err(StoreError::Unavailable(format!(
                "the last leader did not resign and may still answer; waiting until nothing has been \
                 written for {:?}",
                self.unknown_lease()
            ))),
        }
    }

    fn stood_for(&self, lease: Duration) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.since.elapsed() >= lease)
    }

    /// Replicas of one service have leases of one length.
    fn unknown_lease(&self) -> Duration {
        self.candidate.lease.max(UNKNOWN_LEASE)
    }
}
