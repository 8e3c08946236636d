//! Calls over HTTP, each within a time, and what is known of one that failed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use super::address::DatastoreOpenError;

/// A connection that takes longer to come about is not waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer that is read. A page of rows stays far below.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// A kept HTTP/1.1 client with TLS where the address asks for it.
#[derive(Clone)]
pub(super) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Why there is no answer.
pub(super) enum NoAnswer {
    /// The request never left.
    Unsent(String),
    /// It may have been done.
    Lost(String),
}

impl Http {
    /// # Errors
    /// [`DatastoreOpenError::Tls`] if TLS is needed and the machine trusts nobody.
    pub(super) fn new(needs_tls: bool) -> Result<Self, DatastoreOpenError> {
        let refusal = |what: String| DatastoreOpenError::Tls { what };
        let mut roots = RootCertStore::empty();
        if needs_tls {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(refusal(format!(
                    "this machine has no root certificates (install ca-certificates): {:?}",
                    found.errors
                )));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refusal(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        // A request that was cut off is never sent again from here: what it means to send one twice
        // is known above.
        let client =
            Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build(connector);
        Ok(Self(client))
    }

    pub(super) async fn call(
        &self,
        request: Request<Full<Bytes>>,
        within: Duration,
    ) -> Result<Answer, NoAnswer> {
        let answer = async {
            let response = self.0.request(request).await.map_err(|error| {
                let why = with_causes(&error);
                if error.is_connect() { NoAnswer::Unsent(why) } else { NoAnswer::Lost(why) }
            })?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
            let body = body.collect().await.map_err(|error| NoAnswer::Lost(error.to_string()))?;
            Ok(Answer { status, body: body.to_bytes() })
        };
        timeout(within, answer)
            .await
            .unwrap_or_else(|_| Err(NoAnswer::Lost(format!("no answer within {within:?}"))))
    }
}

/// An error's text and those of what caused it: the first alone says only "client error".
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
