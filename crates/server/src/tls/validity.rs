//! From when until when a certificate is valid.

use std::path::Path;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::time::Time;

use super::TlsError;

/// The end of the validity of the first certificate, which must be valid at this moment.
pub(super) fn check(
    path: &Path,
    chain: &[CertificateDer<'_>],
    now: Timestamp,
) -> Result<Timestamp, TlsError> {
    let path = path.to_owned();
    let first = chain.first().map_or(&[][..], |certificate| certificate.as_ref());
    let certificate = match Certificate::from_der(first) {
        Ok(certificate) => certificate,
        Err(error) => return Err(TlsError::NoCertificate { path, reason: error.to_string() }),
    };
    let validity = certificate.tbs_certificate.validity;
    let (from, until) = (timestamp(validity.not_before), timestamp(validity.not_after));
    if now < from {
        Err(TlsError::NotYetValid { path, at: from })
    } else if now > until {
        Err(TlsError::Expired { path, at: until })
    } else {
        Ok(until)
    }
}

/// X.509 ends with the year 9999, and so do timestamps.
fn timestamp(time: Time) -> Timestamp {
    let seconds = time.to_unix_duration().as_secs();
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}
