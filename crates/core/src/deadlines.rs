//! When holds end that another term granted: by what it left behind.

use std::time::Duration;

use crate::time::{Mono, Now, TimeoutSecs, Wall};

/// Stored times are cut off to whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);

/// How a term of leadership keeps deadlines for the one after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Deadlines {
    /// Not at all: a refresh that keeps the timeout's length leaves no row, and whoever recovers starts
    /// every timeout anew.
    #[default]
    Anew,
    /// Every acquire and refresh leaves its time in the hold's row, and whoever recovers reckons by that:
    /// right while the wall clocks of all who lead differ by no more than this at any time.
    Stored {
        /// The most that two wall clocks may differ.
        max_clock_skew: Duration,
    },
}

/// The end of a hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct End {
    /// When it expires here.
    pub(crate) deadline: Mono,
    /// Until when its holder may rely on it, whoever leads by then.
    pub(crate) promised: Mono,
}

impl End {
    /// Of a timeout that begins now: all that other terms may do is to end the hold later.
    pub(crate) fn after(now: Now, timeout: TimeoutSecs) -> Self {
        let deadline = now.mono.plus(timeout.span());
        Self { deadline, promised: deadline }
    }

    /// Of a timeout that began then, by the clock of whoever led. Late by what its clock may have been
    /// ahead of this one, but never later than with the whole timeout from now on.
    ///
    /// The clock may as well have been behind: this end is late by up to twice as much then, and another
    /// term may find an earlier one. So nobody is promised more than what is left without that.
    pub(crate) fn of_stored(
        now: Now,
        began: Wall,
        timeout: TimeoutSecs,
        max_clock_skew: Duration,
    ) -> Self {
        let allowance = max_clock_skew.saturating_add(ROUNDING);
        let ends = began.plus(timeout.span()).plus(allowance);
        let remaining = ends.since(now.wall).min(timeout.span());
        let deadline = now.mono.plus(remaining);
        Self { deadline, promised: deadline.minus(allowance.saturating_mul(2)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Milliseconds of a clock of which nobody knows; two machines are off by so much.
    fn wall(true_ms: u64, off_ms: i64) -> Wall {
        Wall(i64::try_from(true_ms).unwrap() + off_ms)
    }

    proptest! {
        /// Granted by a machine at `granted`, recovered by another at `recovered`, shown to somebody there,
        /// and recovered by a third at `again`. Their clocks differ by no more than the skew.
        #[test]
        fn i4_stored_times_are_late_never_early_and_never_told_too_late(
            skew_ms in 0_u64..5_000,
            offs in [0.0..1.0_f64, 0.0..1.0, 0.0..1.0],
            timeout_secs in 1_u32..60,
            granted in 1_000_000_u64..2_000_000,
            passed in 0_u64..90_000,
            passed_again in 0_u64..90_000,
        ) {
            let [first, second, third] =
                offs.map(|off| (off * skew_ms as f64).floor() as i64);
            let timeout = TimeoutSecs::new(timeout_secs).unwrap();
            let max_clock_skew = Duration::from_millis(skew_ms);
            let began = wall(granted, first);
            let end_ms = granted + u64::from(timeout_secs) * 1_000;
            let recovered = |at_ms: u64, off| {
                // Counted from another origin than the wall clock.
                let now = Now { mono: Mono(at_ms * 1_000_000), wall: wall(at_ms, off) };
                End::of_stored(now, began, timeout, max_clock_skew)
            };
            let at = granted + passed;
            let here = recovered(at, second);
            let ends_here = here.deadline.0 / 1_000_000;
            prop_assert!(ends_here >= end_ms.max(at), "early: {ends_here} before {end_ms}");
            prop_assert!(ends_here <= end_ms.max(at) + 2 * skew_ms + 1, "{ends_here} for {end_ms}");
            prop_assert!(ends_here <= at + u64::from(timeout_secs) * 1_000);
            let told = here.promised.0 / 1_000_000;
            prop_assert!(told <= end_ms.max(at), "told {told}, may end at {end_ms}");
            let there = recovered(at + passed_again, third).deadline.0 / 1_000_000;
            prop_assert!(told <= there.max(at), "told {told}, ended at {there}");
        }
    }

    #[test]
    fn i4_a_clock_that_was_stepped_back_gives_no_eternity() {
        let now = Now { mono: Mono(5), wall: Wall(0) };
        let timeout = TimeoutSecs::new(10).unwrap();
        let end = End::of_stored(now, Wall(i64::MAX), timeout, Duration::from_secs(2));
        assert_eq!(end.deadline, now.mono.plus(timeout.span()));
        let end = End::of_stored(now, Wall(i64::MIN), timeout, Duration::from_secs(2));
        assert_eq!(end.deadline, now.mono, "long over");
    }
}
