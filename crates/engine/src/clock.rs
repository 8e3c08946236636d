//! Where time comes from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use leasehold_core::{Mono, Now, Wall};

/// A source of time. The commit loop decides a batch by one reading of it.
pub trait Clock: Send + Sync {
    /// Both clocks at this moment.
    fn now(&self) -> Now;

    /// The monotonic one alone, to measure and to wait by.
    fn mono(&self) -> Mono {
        self.now().mono
    }
}

/// The machine's clocks: boot time, which counts suspension and which nobody can set, and real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// What may lie between the two clocks of one reading: what is stored of the one is counted on the other.
const CLOSE: Duration = Duration::from_millis(10);

/// How often they are read until they are.
const READINGS: u32 = 10;

impl Clock for SystemClock {
    /// A process may be stopped at any moment, so also between one clock and the other.
    fn now(&self) -> Now {
        let mut mono = boot_time();
        let mut readings = 1;
        loop {
            let wall = wall_time();
            let after = boot_time();
            if after.since(mono) < CLOSE || readings == READINGS {
                return Now { mono, wall };
            }
            mono = after;
            readings += 1;
        }
    }

    /// One reading, where both clocks take three at least.
    fn mono(&self) -> Mono {
        boot_time()
    }
}

/// By way of the C library, so that tests can put another in its place; boot time comes from the kernel.
fn wall_time() -> Wall {
    let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Wall(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    })
}

#[cfg(target_os = "linux")]
fn boot_time() -> Mono {
    nanoseconds(rustix::time::clock_gettime(rustix::time::ClockId::Boottime))
}

/// Outside Linux the monotonic clock may stand still while the machine is suspended: holds then end
/// late, never early.
#[cfg(not(target_os = "linux"))]
fn boot_time() -> Mono {
    nanoseconds(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
}

fn nanoseconds(time: rustix::time::Timespec) -> Mono {
    Mono(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs())
}
