//! Time as an argument. Deadlines run on [`Mono`]; [`Wall`] is shown to people.

use std::time::Duration;

/// A point on a clock that only moves forward, that wall-clock steps do not touch and that goes on
/// counting while the machine is suspended. Nanoseconds since an origin of the clock's own (boot).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// This point plus a span; saturates after 584 years.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// This point less a span; not before the origin.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long from `earlier` to this point; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Wall-clock time: milliseconds since the Unix epoch, UTC. Shown and stored. Reckoned by it are the age of
/// what is over, and when a hold ends that another term granted, where deadlines are stored
/// ([`crate::Deadlines`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Wall(pub i64);

impl Wall {
    /// This time plus a span, saturating.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long from `earlier` to this time; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let ms = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}

/// Both clocks, read once for a whole batch of commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Orders decisions and deadlines.
    pub mono: Mono,
    /// Shown to people.
    pub wall: Wall,
}

/// How long a hold lasts without a refresh: whole seconds, at least one.
/// The longest is a setting ([`crate::Limits::max_timeout_secs`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TimeoutSecs(u32);

impl TimeoutSecs {
    /// Takes a number of seconds; `None` for zero.
    #[must_use]
    pub fn new(secs: u32) -> Option<Self> {
        (secs > 0).then_some(Self(secs))
    }

    /// Whole seconds.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// The same as a span.
    #[must_use]
    pub fn span(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}
