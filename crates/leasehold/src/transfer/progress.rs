//! Tells how far it is: on a terminal in one line that is written anew, elsewhere now and then in a line
//! of its own.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use crate::log;

/// Between two looks of the same line.
const ON_TERMINAL: Duration = Duration::from_millis(200);
/// Between two lines.
const ELSEWHERE: Duration = Duration::from_secs(10);
/// Goes to the start of the line and clears it.
const ANEW: &str = "\r\x1b[K";

/// Counts rows and tells of them on stderr.
pub(super) struct Progress {
    doing: &'static str,
    of: Option<u64>,
    rows: u64,
    began: Instant,
    told: Instant,
    is_terminal: bool,
    has_line: bool,
}

impl Progress {
    /// Begins to count; `of` so many, if that is known.
    pub(super) fn begin(doing: &'static str, of: Option<u64>) -> Self {
        let now = Instant::now();
        let is_terminal = io::stderr().is_terminal();
        Self { doing, of, rows: 0, began: now, told: now, is_terminal, has_line: false }
    }

    pub(super) fn add(&mut self, rows: u64) {
        self.rows += rows;
        let period = if self.is_terminal { ON_TERMINAL } else { ELSEWHERE };
        if self.told.elapsed() >= period {
            self.told = Instant::now();
            self.tell();
        }
    }

    /// How long it took, in seconds.
    pub(super) fn end(self) -> f64 {
        if self.has_line {
            log::write(ANEW);
        }
        self.began.elapsed().as_secs_f64()
    }

    fn tell(&mut self) {
        let Self { doing, rows, .. } = self;
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = *rows as f64 / self.began.elapsed().as_secs_f64();
        let of = self.of.map(|of| format!(" of {of}")).unwrap_or_default();
        let text = format!("{doing}: {rows}{of} rows, {rate:.0} rows/s");
        if self.is_terminal {
            self.has_line = true;
            log::write(&format!("{ANEW}{text}"));
        } else {
            say(&text);
        }
    }
}

/// One line for the user.
pub(super) fn say(text: &str) {
    log::write(&format!("{text}\n"));
}
