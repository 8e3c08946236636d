//! How instances that lead on demand give way to each other.
//!
//! Whoever has been taken over from stands back for as long as a takeover takes, so that the other gets its
//! round through; and twice as long each time that it came to nothing itself. So somebody always gets on.

use std::time::Duration;

/// Takeovers that come to nothing, one after another, until callers are told to try again themselves.
const MAX_FRUITLESS: u32 = 8;

/// Of what is taken for the length of a takeover.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(500);

/// Of one pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

pub(crate) struct Turns {
    /// How often it was taken over from since it last answered anybody.
    fruitless: u32,
    /// How long the last takeover took.
    takeover: Duration,
    /// How long to stand back before the next.
    pub(crate) pause: Duration,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self { fruitless: 0, takeover: LONGEST / 10, pause: Duration::ZERO }
    }

    /// It leads, after a takeover that took so long.
    pub(crate) fn took(&mut self, span: Duration) {
        self.takeover = span.clamp(SHORTEST, LONGEST);
    }

    /// It has answered somebody.
    pub(crate) fn served(&mut self) {
        self.fruitless = 0;
    }

    /// It was taken over from. False once it is time to give up.
    pub(crate) fn taken_over(&mut self) -> bool {
        if self.fruitless == MAX_FRUITLESS {
            self.fruitless = 0;
            self.pause = Duration::ZERO;
            return false;
        }
        self.pause = (self.takeover * (1 << self.fruitless)).min(LONGEST_PAUSE);
        self.fruitless += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_nothing_done_stands_back_longer_and_gives_up() {
        let mut turns = Turns::new();
        turns.took(Duration::from_millis(20));
        let mut pauses = Vec::new();
        while turns.taken_over() {
            pauses.push(turns.pause.as_millis());
        }
        assert_eq!(pauses, [20, 40, 80, 160, 320, 640, 1_280, 2_000]);
        assert!(turns.taken_over());
        assert_eq!(turns.pause.as_millis(), 20);
        turns.taken_over();
        turns.served();
        turns.taken_over();
        assert_eq!(turns.pause.as_millis(), 20, "it got something done");
    }
}
