//! Who has been in touch with this replica while it led.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After so long without a word a member counts as gone.
const LATELY: Duration = Duration::from_secs(10);

/// Members that are remembered at most (I7).
const MAX_MEMBERS: usize = 100;

/// A replica that follows.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) address: String,
    /// What to show when calling it.
    pub(crate) link_token: String,
    /// How long ago it was in touch.
    pub(crate) silent_for: Duration,
}

#[derive(Default)]
pub(super) struct Members {
    seen: Mutex<BTreeMap<String, (String, Instant)>>,
}

impl Members {
    /// A member was in touch just now.
    pub(super) fn note(&self, address: String, link_token: String) {
        let mut seen = self.seen();
        seen.retain(|_, (_, at)| at.elapsed() < LATELY);
        if seen.len() < MAX_MEMBERS {
            seen.insert(address, (link_token, Instant::now()));
        }
    }

    pub(super) fn lately(&self) -> Vec<Member> {
        let seen = self.seen();
        let members = seen.iter().map(|(address, (link_token, at))| Member {
            address: address.clone(),
            link_token: link_token.clone(),
            silent_for: at.elapsed(),
        });
        members.filter(|member| member.silent_for < LATELY).collect()
    }

    /// Nobody panics while holding it.
    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, (String, Instant)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
