//! A timer that goes on while the machine is suspended, as the clock of deadlines does.
//!
//! The runtime's timers stand still meanwhile: after a suspend, what was due had to wait for the rest of a
//! sleep. Correctness never rests on a timer, because each round first ends what is due by the clock.
//! What rests on it is how soon waiters and followers of events hear of an end.

use std::time::Duration;

#[cfg(target_os = "linux")]
use self::boottime as system;
#[cfg(not(target_os = "linux"))]
use self::runtime as system;

/// The one timer of a commit loop.
#[derive(Default)]
pub(crate) struct Timer(system::Timer);

impl Timer {
    /// Completes after this time. Dropping it before does no harm.
    pub(crate) async fn sleep(&mut self, span: Duration) {
        if !span.is_zero() {
            self.0.sleep(span).await;
        }
    }
}

#[cfg(target_os = "linux")]
mod boottime {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;
    use tracing::warn;

    /// A `timerfd` on the boot-time clock, once it was needed.
    #[derive(Default)]
    pub(super) struct Timer {
        pub(super) descriptor: Option<AsyncFd<OwnedFd>>,
    }

    impl Timer {
        pub(super) async fn sleep(&mut self, span: Duration) {
            if let Err(error) = self.try_to_sleep(span).await {
                warn!(%error, "no timer that counts suspension; holds may end late after one");
                tokio::time::sleep(span).await;
            }
        }

        async fn try_to_sleep(&mut self, span: Duration) -> io::Result<()> {
            let descriptor = match &mut self.descriptor {
                Some(descriptor) => descriptor,
                none => none.insert(create()?),
            };
            // Whatever it was set to before counts no more.
            timerfd_settime(&*descriptor, TimerfdTimerFlags::empty(), &after(span))?;
            loop {
                let mut ready = descriptor.readable().await?;
                let mut expirations = [0; 8];
                let read = |timer: &AsyncFd<OwnedFd>| {
                    Ok(rustix::io::read(timer.get_ref(), &mut expirations)?)
                };
                if let Ok(read) = ready.try_io(read) {
                    return read.map(drop);
                }
            }
        }
    }

    #[expect(
        deprecated,
        reason = "sound for a descriptor that is owned; what replaces it is unsafe"
    )]
    fn create() -> io::Result<AsyncFd<OwnedFd>> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        AsyncFd::new(timerfd_create(TimerfdClockId::Boottime, flags)?)
    }

    /// Once, after this time.
    fn after(span: Duration) -> Itimerspec {
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: seconds, tv_nsec: span.subsec_nanos().into() },
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod runtime {
    use std::time::Duration;

    #[derive(Default)]
    pub(super) struct Timer;

    impl Timer {
        pub(super) async fn sleep(&mut self, span: Duration) {
            tokio::time::sleep(span).await;
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::os::fd::AsRawFd as _;
    use std::time::Instant;

    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn it_completes_on_time_again_and_again_and_after_being_dropped() {
        let mut timer = Timer::default();
        for span in [Duration::ZERO, SHORT, SHORT * 2] {
            let began = Instant::now();
            timer.sleep(span).await;
            assert!(began.elapsed() >= span && began.elapsed() < span + SHORT * 10, "{span:?}");
        }
        // One that has run out unseen is not taken for the next one.
        timeout(SHORT / 2, timer.sleep(SHORT)).await.unwrap_err();
        tokio::time::sleep(SHORT).await;
        let began = Instant::now();
        timer.sleep(SHORT * 4).await;
        assert!(began.elapsed() >= SHORT * 4, "{:?}", began.elapsed());
    }

    /// After a suspend the end of a hold was noticed up to 60 s late, because the loop's sleep went on
    /// where it had stopped. No test suspends the machine: this one asks which clock is used.
    #[tokio::test]
    async fn it_counts_the_time_that_the_machine_is_suspended() {
        const CLOCK_BOOTTIME: &str = "7";
        let mut timer = Timer::default();
        timer.sleep(SHORT).await;
        let descriptor = timer.0.descriptor.as_ref().unwrap().as_raw_fd();
        let about = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap();
        let clock = about.lines().find_map(|line| line.strip_prefix("clockid: "));
        assert_eq!(clock, Some(CLOCK_BOOTTIME), "{about}");
    }
}
