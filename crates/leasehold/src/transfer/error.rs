//! Why an export or an import failed. Every text says what to do.

use std::io;
use std::path::PathBuf;

use leasehold_core::Violation;
use leasehold_store::{Leader, StoreError};
use thiserror::Error;

use super::counts::Counts;
use super::lead::LEASE_SECS;
use super::reader::Fault;
use crate::config::SettingsError;
use crate::store::StoreOpenError;

/// Why an export or an import failed.
#[derive(Debug, Error)]
pub(crate) enum TransferError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("cannot start the thread that writes the log: {0}")]
    NoLog(io::Error),
    #[error("cannot start the threads that work: {0}")]
    NoRuntime(io::Error),
    #[error("cannot listen for signals: {0}")]
    NoSignals(io::Error),
    #[error(transparent)]
    Open(#[from] StoreOpenError),
    #[error(
        "the replica at {} leads (epoch {}): stop every replica that serves from this store, then try \
         again. One that crashed leads until its lease has run out; an export or import that was killed, \
         for {LEASE_SECS} s",
        .0.address, .0.epoch.0
    )]
    Led(Box<Leader>),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error(
        "the lead was lost meanwhile: another replica leads (stop them all), or reading took longer than \
         the lease (give a longer --lease-seconds, up to 300); then try again"
    )]
    Overtaken,
    #[error("stopped by {0}")]
    Interrupted(&'static str),

    #[error(
        "the store holds an import that is not complete, so there is nothing whole to export: import \
         again"
    )]
    NothingWhole,
    #[error("there is no data directory {}: name another with --data-dir", .0.display())]
    NoDirectory(PathBuf),
    #[error(
        "the store holds nothing at all: is it the right one? (A service that is moved by an empty export \
         would give out its fencing tokens a second time.)"
    )]
    NothingThere,
    #[error("cannot write {name}: {error}")]
    Output { name: String, error: io::Error },
    #[error("{0} exists: choose another name, or delete it first")]
    OutputExists(String),

    #[error("cannot open {name}: {error}")]
    Input { name: String, error: io::Error },
    #[error("{name} cannot be imported, and nothing was: {fault}")]
    Fault { name: String, fault: Box<Fault> },
    #[error(
        "{name} cannot be imported, and nothing was: its rows contradict each other{place}: {violation}"
    )]
    Contradiction { name: String, place: String, violation: Box<Violation> },
    #[error(
        "the store is not empty (it holds {0}), so nothing was imported: choose an empty one, such as \
         another data directory, prefix, schema or namespace"
    )]
    NotEmpty(Counts),
    #[error(
        "the import was begun and is not complete: {0}. Nobody serves from the store as it is; run the \
         same import again, which clears it and begins anew"
    )]
    Unfinished(Box<TransferError>),
    #[error(
        "{0}. That was the last batch: run the same import again; if the store is then found not to be \
         empty, the import is complete"
    )]
    Unclear(StoreError),
    #[error("{name} has changed while it was read")]
    InputChanged { name: String },
}
