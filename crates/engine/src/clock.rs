//! Where time comes from.

use leasehold_core::{Mono, Now, Wall};

/// A source of time. The commit loop reads it once a batch.
pub trait Clock: Send + Sync {
    /// Both clocks at this moment.
    fn now(&self) -> Now;
}

/// The machine's clocks: boot time, which counts suspension and which nobody can set, and real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        Now { mono: boot_time(), wall: Wall(wall.tv_sec * 1_000 + wall.tv_nsec / 1_000_000) }
    }
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
