//! TLS, from PEM files: what the server shows and asks for, and what replicas show each other. Files are
//! read whole (`pem.rs`), checked, and made into configurations that connections pick up when they
//! begin; so a renewed certificate needs no restart.

mod error;
mod pem;
mod validity;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use metrics::gauge;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};

use crate::metrics::CERTIFICATE_EXPIRES;
pub use error::TlsError;
pub use pem::read;

/// HTTP/2, as it is called in a TLS handshake (RFC 7301).
pub(crate) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Whose certificates are believed.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Those that the roots of this system vouch for.
    System,
    /// Those that one of the certificates in this PEM file vouches for.
    File(PathBuf),
}

/// Where certificates and keys are, all in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate, then those that lead from it to its CA.
    pub certificate: PathBuf,
    /// The key of that certificate: PKCS#8, SEC1 or RSA, not encrypted.
    pub key: PathBuf,
    /// If given, every client has to show a certificate that one of these vouches for.
    pub client_ca: Option<PathBuf>,
    /// Among replicas, whom to believe on calling another one.
    pub link: Option<Trust>,
}

/// TLS as connections that begin now have it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) link: Option<Arc<ClientConfig>>,
    expires_at: Timestamp,
    /// Of the files' contents.
    digest: [u8; 32],
}

impl Tls {
    /// The end of the validity of the server's certificate.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Publishes the end of the validity as a metric.
    #[expect(clippy::cast_precision_loss, reason = "whole seconds far below 2^53")]
    pub fn publish_expiry(&self) {
        gauge!(CERTIFICATE_EXPIRES).set(self.expires_at.as_second() as f64);
    }
}

/// What the files have in them.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    link_ca: Option<Vec<u8>>,
}

impl TlsFiles {
    /// Reads and checks all files.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what is wrong with it.
    pub fn load(&self) -> Result<Tls, TlsError> {
        let contents = self.read()?;
        self.build(&contents, contents.digest())
    }

    /// The same, but `None` if the files are as they were.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what is wrong with it.
    pub fn load_if_changed(&self, current: &Tls) -> Result<Option<Tls>, TlsError> {
        let contents = self.read()?;
        let digest = contents.digest();
        if digest == current.digest {
            return Ok(None);
        }
        self.build(&contents, digest).map(Some)
    }

    fn read(&self) -> Result<Contents, TlsError> {
        let link_ca = match &self.link {
            Some(Trust::File(path)) => Some(path),
            Some(Trust::System) | None => None,
        };
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            client_ca: self.client_ca.as_deref().map(read).transpose()?,
            link_ca: link_ca.map(|path| read(path)).transpose()?,
        })
    }

    fn build(&self, contents: &Contents, digest: [u8; 32]) -> Result<Tls, TlsError> {
        let chain = pem::certificates(&self.certificate, &contents.certificate)?;
        let key = pem::key(&self.key, &contents.key)?;
        let expires_at = validity::check(&self.certificate, &chain, Timestamp::now())?;
        let link = match &self.link {
            Some(trust) => {
                Some(self.link_config(trust, contents, chain.clone(), key.clone_key())?)
            }
            None => None,
        };
        let server = self.server_config(contents, chain, key)?;
        Ok(Tls { server: Arc::new(server), link: link.map(Arc::new), expires_at, digest })
    }

    fn server_config(
        &self,
        contents: &Contents,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Library)?;
        let builder = match self.client_ca.as_deref().zip(contents.client_ca.as_deref()) {
            Some((path, pem)) => {
                let roots = Arc::new(file_roots(path, pem)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                let verifier = verifier.build().map_err(|error| TlsError::NoCa {
                    path: path.to_owned(),
                    reason: error.to_string(),
                })?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config =
            builder.with_single_cert(chain, key).map_err(|error| self.misfit(error))?;
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(config)
    }

    /// A replica that calls another shows its own certificate, if it is asked for one.
    fn link_config(
        &self,
        trust: &Trust,
        contents: &Contents,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<ClientConfig, TlsError> {
        let roots = match (trust, &contents.link_ca) {
            (Trust::File(path), Some(pem)) => file_roots(path, pem)?,
            (Trust::File(_) | Trust::System, _) => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(system_roots()?);
                roots
            }
        };
        ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Library)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| self.misfit(error))
    }

    fn misfit(&self, error: rustls::Error) -> TlsError {
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch { certificate, key },
            error => TlsError::Unusable { certificate, key, error },
        }
    }
}

impl Contents {
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let files = [
            Some(&self.certificate),
            Some(&self.key),
            self.client_ca.as_ref(),
            self.link_ca.as_ref(),
        ];
        for file in files {
            digest.update(Sha256::digest(file.map_or(&[][..], Vec::as_slice)));
        }
        digest.finalize().into()
    }
}

/// The certificates that are trusted, in DER.
///
/// # Errors
/// [`TlsError`] names the file and what is wrong with it.
pub fn roots(trust: &Trust) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    match trust {
        Trust::System => system_roots(),
        Trust::File(path) => certificates(path),
    }
}

/// The certificates in a PEM file, in DER; at least one.
///
/// # Errors
/// [`TlsError`] names the file and what is wrong with it.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    pem::certificates(path, &read(path)?)
}

/// The cryptography of all our TLS.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn system_roots() -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(found.certs) }
}

fn file_roots(path: &Path, contents: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(path, contents)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::NoCa { path: path.to_owned(), reason: error.to_string() })?;
    }
    Ok(roots)
}
