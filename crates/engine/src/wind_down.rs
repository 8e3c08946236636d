//! The way to a stop.

/// How far the loop has been told to wind down; it never goes back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum WindDown {
    /// Not at all.
    Not,
    /// Go on, but let nobody stand in line.
    WithoutWaiters,
    /// Finish what is queued, and end.
    Drain,
}
