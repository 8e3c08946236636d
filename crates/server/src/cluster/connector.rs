//! Connections to other replicas: plain, or with TLS as it is at the moment.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tower_service::Service;

use crate::tls::Tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The handshake counts; a replica that is alive answers it at once.
const TLS_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens connections. Those that are open already stay as they were agreed on.
#[derive(Clone)]
pub(super) struct Connector {
    http: HttpConnector,
    tls: Option<watch::Receiver<Tls>>,
}

type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Connector {
    pub(super) fn new(tls: Option<watch::Receiver<Tls>>) -> Self {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.set_nodelay(true);
        http.enforce_http(false);
        Self { http, tls }
    }

    fn config(&self) -> Option<Arc<ClientConfig>> {
        self.tls.as_ref().and_then(|tls| tls.borrow().link.clone())
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, Failure>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.http.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self.config() {
            Some(config) => {
                let connecting = HttpsConnector::from((self.http.clone(), config)).call(uri);
                Box::pin(async move { timeout(TLS_CONNECT_TIMEOUT, connecting).await? })
            }
            None => {
                let connecting = self.http.call(uri);
                Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await?)) })
            }
        }
    }
}
