//! TLS to the server: whom to believe, and what to show.

use std::path::PathBuf;

use clap::Args;
use leasehold_server::tls::{self, Trust};
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

use super::KeyError;

#[derive(Args, Debug)]
pub(super) struct TlsArguments {
    /// CA certificates that the server is known by, in PEM; without it, those of the system
    #[arg(
        long,
        global = true,
        display_order = 101,
        hide_env_values = true,
        value_name = "FILE",
        env = "LEASEHOLD_CA"
    )]
    ca: Option<PathBuf>,
    /// Certificate to show to a server that asks for one, in PEM
    #[arg(
        long,
        global = true,
        display_order = 102,
        hide_env_values = true,
        value_name = "FILE",
        env = "LEASEHOLD_CERT"
    )]
    cert: Option<PathBuf>,
    /// The key of that certificate, in PEM
    #[arg(
        long,
        global = true,
        display_order = 103,
        hide_env_values = true,
        value_name = "FILE",
        env = "LEASEHOLD_CERT_KEY"
    )]
    cert_key: Option<PathBuf>,
}

impl TlsArguments {
    /// How to talk to a server at `https://`.
    pub(super) fn config(&self) -> Result<TlsConfig, KeyError> {
        let trust = self.ca.clone().map_or(Trust::System, Trust::File);
        let shown = match (&self.cert, &self.cert_key) {
            (Some(certificate), Some(path)) => {
                let chain = certificates(&tls::certificates(certificate)?);
                let key = PrivateKey::from_pem(&tls::read(path)?)
                    .map_err(|error| KeyError::NotAKey { path: path.clone(), error })?;
                Some(ClientCert::new_with_certs(&chain, key))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(KeyError::HalfIdentity),
        };
        Ok(TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(tls::provider())
            .root_certs(RootCerts::new_with_certs(&certificates(&tls::roots(&trust)?)))
            .client_cert(shown)
            .build())
    }
}

fn certificates(certificates: &[CertificateDer<'_>]) -> Vec<Certificate<'static>> {
    certificates.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}
