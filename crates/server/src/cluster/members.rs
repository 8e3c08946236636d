//! The replicas that were in touch with this one while it led, and proved that they answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use leasehold_store::LinkToken;

/// After so long without a word a member counts as gone.
const LATELY: Duration = Duration::from_secs(10);

/// Members that are remembered at most (I7).
const MAX_MEMBERS: usize = 100;

/// A replica that follows.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) address: String,
    /// What to show when calling it.
    pub(crate) link_token: LinkToken,
    /// How long ago it was in touch.
    pub(crate) silent_for: Duration,
}

#[derive(Default)]
pub(super) struct Members {
    seen: Mutex<BTreeMap<String, (LinkToken, Instant)>>,
}

impl Members {
    /// A member that has proved its address was in touch just now.
    pub(super) fn note(&self, address: String, link_token: LinkToken) {
        let mut seen = self.seen();
        seen.retain(|_, (_, at)| at.elapsed() < LATELY);
        if seen.len() < MAX_MEMBERS || seen.contains_key(&address) {
            seen.insert(address, (link_token, Instant::now()));
        }
    }

    /// Whether this member is known, with this token.
    pub(super) fn knows(&self, address: &str, link_token: &LinkToken) -> bool {
        let seen = self.seen();
        seen.get(address).is_some_and(|(known, at)| known == link_token && at.elapsed() < LATELY)
    }

    /// Those that were in touch lately, by address.
    pub(super) fn lately(&self) -> Vec<Member> {
        let seen = self.seen();
        let members = seen.iter().map(|(address, (link_token, at))| Member {
            address: address.clone(),
            link_token: link_token.clone(),
            silent_for: at.elapsed(),
        });
        members.filter(|member| member.silent_for < LATELY).collect()
    }

    /// No thread panics while it holds the lock.
    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, (LinkToken, Instant)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
