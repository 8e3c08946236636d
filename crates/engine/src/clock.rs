//! Where time comes from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use leasehold_core::{Mono, Now, Wall};

/// A source of time. The commit loop decides a batch by one reading of it.
///
/// Two clocks are never read in the same instant. Which one is read first matters where a wall time is stored
/// by one term and counted from by another ([`leasehold_core::Deadlines`]):
///
/// - A timeout that begins now is kept here by the monotonic clock, and stored by the wall clock. The
///   stored time must not be the earlier one: another term would end the hold before this one does.
///   So the monotonic clock is read first ([`Clock::now`]).
/// - What is left of a stored time is taken by the wall clock, and kept here by the monotonic clock. It must
///   not be counted from a moment before it was taken: the hold would end early by the difference.
///   So the wall clock is read first ([`Clock::now_for_stored`]).
///
/// Either way the difference makes a hold end later, never earlier (I4).
pub trait Clock: Send + Sync {
    /// Both clocks at this moment, the monotonic one read first.
    fn now(&self) -> Now;

    /// Both clocks at this moment, the wall clock read first: for what is left of stored times.
    fn now_for_stored(&self) -> Now {
        self.now()
    }

    /// The monotonic one alone, to measure and to wait by.
    fn mono(&self) -> Mono {
        self.now().mono
    }
}

/// The machine's clocks: boot time, which counts suspension and which nobody can set, and real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// What may lie between the readings of the two clocks: holds end later by so much.
const CLOSE: Duration = Duration::from_millis(10);

/// How often they are read until they are close.
const READINGS: u32 = 10;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let Reading { before, wall, after: _ } = read(boot_time, wall_time);
        Now { mono: before, wall }
    }

    fn now_for_stored(&self) -> Now {
        let Reading { before: _, wall, after } = read(boot_time, wall_time);
        Now { mono: after, wall }
    }

    /// One reading, where both clocks take three at least.
    fn mono(&self) -> Mono {
        boot_time()
    }
}

/// The wall clock, and the monotonic one before and after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Reading {
    before: Mono,
    wall: Wall,
    after: Mono,
}

/// Reads both clocks until they are close: a process may be stopped at any moment, so also in between.
fn read(mut mono: impl FnMut() -> Mono, mut wall: impl FnMut() -> Wall) -> Reading {
    let mut before = mono();
    let mut readings = 1;
    loop {
        let reading = Reading { before, wall: wall(), after: mono() };
        if reading.after.since(reading.before) < CLOSE || readings == READINGS {
            return reading;
        }
        before = reading.after;
        readings += 1;
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// What is read while `stops` say for how many milliseconds the process stops before each reading.
    fn read_with(stops: &[u64]) -> Reading {
        let (time, stops) = (Cell::new(0), RefCell::new(stops.iter()));
        let pass = || {
            time.set(time.get() + stops.borrow_mut().next().copied().unwrap_or(1));
            time.get()
        };
        read(|| Mono(pass() * 1_000_000), || Wall(i64::try_from(pass()).unwrap()))
    }

    fn reading(before: u64, wall: i64, after: u64) -> Reading {
        Reading {
            before: Mono(before * 1_000_000),
            wall: Wall(wall),
            after: Mono(after * 1_000_000),
        }
    }

    #[test]
    fn a_reading_has_the_wall_clock_between_two_of_the_other() {
        assert_eq!(read_with(&[]), reading(1, 2, 3));
        assert_eq!(read_with(&[1, 4, 5]), reading(1, 5, 10));
    }

    #[test]
    fn a_process_that_was_stopped_in_between_reads_again() {
        assert_eq!(read_with(&[1, 1_000, 1]), reading(1_002, 1_003, 1_004));
        let stopped_every_time = read_with(&[20; 100]);
        assert_eq!(stopped_every_time, reading(380, 400, 420));
    }
}
