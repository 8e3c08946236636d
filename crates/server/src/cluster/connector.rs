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
use crate::vanished_peer;

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
        vanished_peer::watch_all(&mut http);
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A follower kept what it forwarded to a leader whose machine had lost its power, until the store named
    /// another one; where that took long, for as long as TCP sends data again, a quarter of an hour.
    #[tokio::test]
    async fn connections_to_other_replicas_are_watched_for_the_end_of_their_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let uri = Uri::try_from(format!("http://{address}/")).unwrap();
        let connected = Connector::new(None).call(uri).await.unwrap();
        let MaybeHttpsStream::Http(stream) = connected else { panic!("expected no TLS") };
        vanished_peer::assert_watched(stream.inner());
    }
}
