//! Why a key command failed, as a sentence.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a key command failed.
#[derive(Debug, Error)]
pub(crate) enum KeyError {
    #[error(
        "nothing listens at {0}: start the server with `leasehold serve`, or name another with --server"
    )]
    NobodyListens(String),
    #[error("cannot reach {server}: {error}")]
    Unreachable { server: String, error: ureq::Error },
    #[error("{0:?} is not the address of a server: give http://HOST:PORT or https://HOST:PORT")]
    NotAnAddress(String),
    #[error(transparent)]
    Tls(#[from] leasehold_server::tls::TlsError),
    #[error(
        "a certificate of your own takes its key as well: give --cert FILE and --cert-key FILE, or neither"
    )]
    HalfIdentity,
    #[error("{} is no PEM file with a private key: {error}", path.display())]
    NotAKey { path: PathBuf, error: ureq::Error },
    #[error(
        "the certificate of {server} is not believed: {error}. If its CA is your own, name it with --ca FILE"
    )]
    NotBelieved { server: String, error: io::Error },
    #[error("LEASEHOLD_API_KEY is empty or not visible ASCII, so it cannot be a key")]
    BadKey,
    #[error("{0}")]
    Refused(String),
    #[error("the server refused the key in LEASEHOLD_API_KEY: {0}")]
    KeyRefused(String),
    #[error("the server wants a key: set LEASEHOLD_API_KEY to an admin key")]
    KeyMissing,
    #[error("{server} answered {status} with something that is not Leasehold's")]
    NotLeasehold { server: String, status: u16 },
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}
