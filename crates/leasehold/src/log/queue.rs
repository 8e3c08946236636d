//! Log lines that wait to be written. Adding one never waits for the writer.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use metrics::Counter;

/// Most bytes that wait (I7): some thousand lines.
const MAX_BYTES: usize = 1024 * 1024;

/// A bounded queue of lines, and how many were dropped.
#[derive(Default)]
pub(super) struct LineQueue {
    pending: Mutex<Pending>,
    changed: Condvar,
    dropped: AtomicU64,
    published: OnceLock<Counter>,
}

#[derive(Default)]
struct Pending {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    /// Whether a line has been taken and is being written.
    is_writing: bool,
}

impl LineQueue {
    /// Adds a line, or drops it if there is no room.
    pub(super) fn push(&self, line: &[u8]) {
        let mut pending = self.pending();
        if pending.bytes + line.len() > MAX_BYTES {
            drop(pending);
            self.count_dropped();
            return;
        }
        pending.bytes += line.len();
        pending.lines.push_back(line.into());
        drop(pending);
        self.changed.notify_all();
    }

    /// The next line, once there is one. The line before is written, or dropped, by then.
    pub(super) fn next(&self) -> Box<[u8]> {
        let mut pending = self.pending();
        pending.is_writing = false;
        loop {
            if let Some(line) = pending.lines.pop_front() {
                pending.bytes -= line.len();
                pending.is_writing = true;
                return line;
            }
            self.changed.notify_all();
            pending = self.changed.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending().lines.is_empty()
    }

    /// Waits until every line is written or dropped, but no longer than this.
    pub(super) fn flush(&self, timeout: Duration) {
        let began = Instant::now();
        let mut pending = self.pending();
        while pending.is_writing || !pending.lines.is_empty() {
            let Some(left) = timeout.checked_sub(began.elapsed()) else { return };
            let waited = self.changed.wait_timeout(pending, left);
            pending = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Counts a line that is lost.
    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.tell_metric();
    }

    /// Lines lost so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Keeps this metric equal to the lines lost so far.
    pub(super) fn publish_dropped(&self, counter: Counter) {
        // A second call would give the same metric.
        let _ = self.published.set(counter);
        self.tell_metric();
    }

    fn tell_metric(&self) {
        if let Some(counter) = self.published.get() {
            counter.absolute(self.dropped());
        }
    }

    /// A panic while it was held leaves nothing half done.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The log library writes each line whole.
impl io::Write for &LineQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_full_queue_drops_and_counts_lines_and_takes_them_again_once_there_is_room() {
        let queue = LineQueue::default();
        let line = [b'x'; 1_000];
        let room = MAX_BYTES / line.len();
        for _ in 0..room + 3 {
            queue.push(&line);
        }
        assert_eq!(queue.dropped(), 3);
        for _ in 0..room {
            assert_eq!(*queue.next(), line);
        }
        assert!(queue.is_empty());
        queue.push(&line);
        assert_eq!((queue.dropped(), &*queue.next()), (3, &line[..]));
    }

    #[test]
    fn a_flush_waits_for_the_line_that_is_being_written_but_not_for_ever() {
        let queue = Arc::new(LineQueue::default());
        queue.push(b"line\n");
        queue.next();
        let began = Instant::now();
        queue.flush(Duration::from_millis(50));
        assert!(began.elapsed() >= Duration::from_millis(50), "the line is not written yet");

        let writer = Arc::clone(&queue);
        thread::spawn(move || writer.next());
        queue.flush(Duration::from_secs(60));
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
