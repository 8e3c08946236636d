//! Log lines on stderr, for people or as JSON; panics are among them.
//!
//! Logging never holds anything up and never ends the process. A line goes into a bounded queue (`queue.rs`),
//! and one thread writes what is there (`write.rs`). A line that the queue has no room for, or that cannot
//! be written, is dropped and counted.

mod queue;
mod write;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _, Write as _};
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use leasehold_server::log_lines_dropped;
use tracing::error;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogLevel};
use queue::LineQueue;

/// How long the end of the process waits for lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The lines of this process, once there is a log.
static LINES: OnceLock<Arc<LineQueue>> = OnceLock::new();

/// Starts logging for the whole process. Call it once, and [`flush`] at its end.
///
/// # Errors
/// If the machine grants no thread.
pub(crate) fn init(format: LogFormat, level: &LogLevel) -> io::Result<()> {
    let queue = Arc::clone(LINES.get_or_init(Arc::default));
    let queued = Arc::clone(&queue);
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write::write_lines(&queued, &mut io::stderr()))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level.as_str()))
        // Reports go to stderr by a macro that panics where stderr cannot be written.
        .log_internal_errors(false)
        .with_writer(queue);
    match format {
        LogFormat::Human => lines.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).log_internal_errors(false).init(),
    }
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Publishes how many lines were dropped, from now on and so far. Call it once there are metrics.
pub(crate) fn publish_dropped() {
    if let Some(queue) = LINES.get() {
        queue.publish_dropped(log_lines_dropped());
    }
}

/// Waits until all lines are written, but not for long. Call it before the process ends.
pub(crate) fn flush() {
    if let Some(queue) = LINES.get() {
        queue.flush(FLUSH_TIMEOUT);
    }
}

/// Writes text for the user to stderr as it is, after all lines of the log.
pub(crate) fn write(text: &str) {
    match LINES.get() {
        Some(queue) => queue.push(text.as_bytes()),
        None => {
            // Nothing is left to tell a user whose stderr is gone.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("a panic without a message");
    let location = info.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(location, backtrace, "panic: {message}");
}
