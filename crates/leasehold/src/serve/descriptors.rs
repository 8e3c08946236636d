//! Room for the connections that the settings allow: each takes a file descriptor, and many systems
//! start a process with 1,024.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Descriptors for everything but connections: the store's files, the listeners, the log.
const OTHERS: u64 = 1_000;

/// Raises the soft limit to what so many connections need, as far as the hard limit allows.
pub(super) fn make_room(max_connections: usize) {
    let needed = u64::try_from(max_connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let granted = maximum.map_or(needed, |maximum| needed.min(maximum));
    if current.is_some_and(|current| current < granted) {
        let raised = Rlimit { current: Some(granted), maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            warn!(%error, "cannot raise the limit of open files");
        }
    }
    if granted < needed {
        warn!(
            "the machine allows {granted} open files, which are too few for `max-connections`: \
             {max_connections}; raise `ulimit -Hn`, or lower the setting"
        );
    }
}
