//! What is wrong with certificates and keys, and with which file.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use thiserror::Error;

/// Why files cannot be used for TLS. Every text names the file and says what it should have.
#[derive(Debug, Error)]
pub enum TlsError {
    /// It cannot be read.
    #[error("cannot read {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is no file of certificates or keys.
    #[error("{path} has more than {max_bytes} bytes: give a PEM file", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        max_bytes: u64,
    },
    /// There is no certificate in it, or one that cannot be read.
    #[error(
        "{path} is no PEM file with certificates: {reason}",
        path = path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no key in it, or one that cannot be read.
    #[error(
        "{path} is no PEM file with a private key (PKCS#8, SEC1 or RSA, not encrypted): {reason}",
        path = path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The certificates in it vouch for nobody.
    #[error("{path} has a certificate that cannot vouch for others: {reason}", path = path.display())]
    NoCa {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The two do not belong together.
    #[error(
        "the key in {key} is not that of the first certificate in {certificate}: give the pair that \
         was made together, the server's own certificate first",
        certificate = certificate.display(), key = key.display()
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The library takes one of them not.
    #[error(
        "the certificate in {certificate} and the key in {key} cannot be used: {error}",
        certificate = certificate.display(), key = key.display()
    )]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What the library says.
        error: rustls::Error,
    },
    /// It is over.
    #[error("the certificate in {path} expired at {at}: renew it", path = path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// The end of its validity.
        at: Timestamp,
    },
    /// It has not begun.
    #[error(
        "the certificate in {path} is valid from {at} on, and not before: is the clock right?",
        path = path.display()
    )]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// The beginning of its validity.
        at: Timestamp,
    },
    /// Nobody is trusted.
    #[error("this system has no root certificates: name a file with a CA's certificate")]
    NoSystemRoots,
    /// The library cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Library(rustls::Error),
}
