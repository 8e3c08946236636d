//! Files in PEM: read whole, so that what was checked is what is used.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// A chain of certificates has a few thousand bytes, all roots of a system some hundred thousand.
const MAX_BYTES: u64 = 4 << 20;

/// All of a file, which is not larger than files of certificates and keys are.
///
/// # Errors
/// [`TlsError`] names the file and what is wrong with it.
pub fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |error| TlsError::Unreadable { path: path.to_owned(), error };
    let mut contents = Vec::new();
    let mut file = File::open(path).map_err(unreadable)?.take(MAX_BYTES + 1);
    let bytes = file.read_to_end(&mut contents).map_err(unreadable)?;
    if u64::try_from(bytes).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(TlsError::TooLarge { path: path.to_owned(), max_bytes: MAX_BYTES });
    }
    Ok(contents)
}

/// At least one.
pub(super) fn certificates(
    path: &Path,
    contents: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let no_certificate = |reason| TlsError::NoCertificate { path: path.to_owned(), reason };
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(contents).collect();
    let found = found.map_err(|error| no_certificate(error.to_string()))?;
    if found.is_empty() { Err(no_certificate("there is none in it".to_owned())) } else { Ok(found) }
}

pub(super) fn key(path: &Path, contents: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(contents).map_err(|error| TlsError::NoKey {
        path: path.to_owned(),
        reason: match error {
            pem::Error::NoItemsFound => "there is none in it".to_owned(),
            error => error.to_string(),
        },
    })
}
