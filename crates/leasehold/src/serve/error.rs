//! Why the service could not start or had to end. Every text says what to do.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::task::JoinError;

use crate::config::Origin;
use crate::store::StoreOpenError;

/// Why `leasehold serve` ended without having been asked to.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    #[error("cannot start the thread that writes the log: {0}")]
    NoLog(io::Error),
    #[error("cannot start the threads that serve requests: {0}")]
    NoRuntime(io::Error),
    #[error(
        "the clock of this machine is beyond the year 9999, which no HTTP date can tell: set it, then start again"
    )]
    ClockBeyond9999,
    #[error("cannot listen for signals: {0}")]
    NoSignals(io::Error),
    #[error(
        "{address} is in use: another program listens there. Stop it, or choose another address \
         with --{setting} ({setting} comes from: {origin})"
    )]
    AddressInUse { setting: &'static str, address: SocketAddr, origin: Origin },
    #[error("cannot listen on {address} ({setting}, {origin}): {error}")]
    Bind { setting: &'static str, address: SocketAddr, origin: Origin, error: io::Error },
    #[error("cannot collect metrics: {0}")]
    Metrics(#[from] leasehold_server::MetricsError),
    #[error("cannot listen for SIGHUP: {0}")]
    NoHangups(io::Error),
    #[error("TLS: {0}")]
    Tls(#[from] leasehold_server::tls::TlsError),
    #[error(transparent)]
    Store(#[from] StoreOpenError),
    #[error("the machine gives no random numbers: {0}")]
    NoRandomness(String),
    #[error("cannot start the commit loop: {0}")]
    NoCommitLoop(io::Error),
    #[error("{0}")]
    Stopped(String),
    #[error(
        "cannot make the first API key: {0}; start with LEASEHOLD_API_KEY set to a key of your own"
    )]
    FirstKey(String),
    #[error(
        "cannot print the first API key, which is stored and can never be shown again: {0}; start with \
         LEASEHOLD_API_KEY set to a key of your own, and revoke it (its label is `first start`)"
    )]
    FirstKeyNotShown(io::Error),
    #[error(
        "cannot make the file {path} for the first API key (`first-key-file`): {error}; name a file that does \
         not exist, in a directory that this service can write to"
    )]
    FirstKeyFile { path: String, error: io::Error },
    #[error("the listener failed: {0}")]
    Listener(io::Error),
    #[error("the listener broke off: {0}")]
    ListenerPanic(#[from] JoinError),
    #[error("the listener ended without having been asked to")]
    ListenerEnded,
    #[error(
        "the last batch was not done {0} seconds after the stop; what was acknowledged is durable"
    )]
    DrainTooLong(u64),
}
