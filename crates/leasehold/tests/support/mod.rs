//! What the tests of the binary share.

mod connection;
pub(crate) mod load;
pub(crate) mod model;
mod server;

pub(crate) use connection::{Broken, Connection, Reply};
pub(crate) use server::{
    Collected, Ended, Launch, Server, assert_refused, run, run_with_input, spawn,
};

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Looks again and again until there is something to see; fails after the given time.
#[track_caller]
pub(crate) fn eventually<T>(
    within: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < within, "{what}: not seen within {within:?}");
        sleep(Duration::from_millis(10));
    }
}
