//! SIGTERM and SIGINT: the first asks for an orderly stop, the second ends the process immediately. SIGHUP
//! asks to look at the files of TLS.

use std::io;
use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

use crate::log;

/// The exit status after a second signal, as shells count an interrupted process.
const INTERRUPTED: i32 = 130;

/// SIGHUP, which without this ends the process.
pub(crate) fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// SIGTERM and SIGINT, from the moment of [`Signals::listen`] on.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal and tells its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// From now on a signal ends the process. Safe at any moment: what was acknowledged is durable.
    pub(crate) fn exit_at_the_next(mut self) {
        tokio::spawn(async move {
            let signal = self.next().await;
            warn!(signal, "a second signal: ending immediately");
            log::flush();
            process::exit(INTERRUPTED);
        });
    }
}
