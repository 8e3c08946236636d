//! One connection, from its first byte: TLS or not, HTTP/1.1 or HTTP/2, and its end.

use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use metrics::{Counter, counter};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::streams::{OneOfMany, Streams};
use super::{HttpService, ListenSettings};
use crate::metrics::FAILED_HANDSHAKES;
use crate::tls::{HTTP2, Tls};

/// Least buffer that the HTTP library works with.
const MIN_HEADER_BYTES: usize = 8 * 1024;

/// Requests that may be open at once on one connection with HTTP/2; a client keeps more to itself.
const MAX_STREAMS: u32 = 1_000;

/// What a client may send of a body that nobody has read yet, of one request and of all of a connection.
/// Below it the largest body by default fits.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// What is kept of a reply that a client does not read.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// A peer that is gone without a word is noticed after both.
const PING_PERIOD: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How every connection with HTTP/2 begins that was not agreed on in a TLS handshake. No method of
/// HTTP/1.1 that is served here begins so.
const PREFACE: &[u8; 3] = b"PRI";

/// Until the rest of a preface is looked for that has come in part.
const PREFACE_PAUSE: Duration = Duration::from_millis(20);

/// How connections are served.
pub(super) struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    tls: Option<watch::Receiver<Tls>>,
    handshake_timeout: Duration,
    idle_timeout: Duration,
    slots: Arc<Semaphore>,
    failed_handshakes: Counter,
}

impl Protocols {
    pub(super) fn new(settings: &ListenSettings, slots: Arc<Semaphore>) -> Self {
        let max_header_bytes = settings.max_header_bytes.max(MIN_HEADER_BYTES);
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(settings.header_read_timeout)
            .max_buf_size(max_header_bytes);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(max_header_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .keep_alive_interval(PING_PERIOD)
            .keep_alive_timeout(PING_TIMEOUT);
        Self {
            http1,
            http2,
            tls: settings.tls.clone(),
            handshake_timeout: settings.handshake_timeout,
            idle_timeout: settings.header_read_timeout,
            slots,
            failed_handshakes: counter!(FAILED_HANDSHAKES),
        }
    }

    /// Serves a connection to its end, or until it is told to stop.
    pub(super) async fn serve<S: HttpService>(
        &self,
        stream: TcpStream,
        service: S,
        mut stopped: watch::Receiver<bool>,
    ) {
        let tls = self.tls.as_ref().map(|tls| Arc::clone(&tls.borrow().server));
        let ended = match tls {
            // What is seldom and large is boxed: a task is as large as its largest branch.
            Some(config) => Box::pin(self.serve_tls(stream, config, service, stopped)).await,
            None => {
                let begun = tokio::select! {
                    begun = timeout(self.idle_timeout, begins_with_http2(&stream)) => begun,
                    _ = stopped.wait_for(|stop| *stop) => return,
                };
                match begun {
                    Ok(Ok(false)) => {
                        let connection = self.http1.serve_connection(TokioIo::new(stream), service);
                        run(connection, pending, stopped).await
                    }
                    Ok(Ok(true)) => Box::pin(self.serve_http2(stream, service, stopped)).await,
                    Ok(Err(_)) | Err(_) => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn serve_tls<S: HttpService>(
        &self,
        stream: TcpStream,
        config: Arc<ServerConfig>,
        service: S,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), hyper::Error> {
        let agreed = tokio::select! {
            agreed = self.shake_hands(stream, config) => agreed,
            _ = stopped.wait_for(|stop| *stop) => None,
        };
        let Some(stream) = agreed else { return Ok(()) };
        if stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
            self.serve_http2(stream, service, stopped).await
        } else {
            let connection = self.http1.serve_connection(TokioIo::new(stream), service);
            run(connection, pending, stopped).await
        }
    }

    /// The encrypted connection, if it comes about in time.
    async fn shake_hands(
        &self,
        stream: TcpStream,
        config: Arc<ServerConfig>,
    ) -> Option<TlsStream<TcpStream>> {
        let agreed = TlsAcceptor::from(config).accept(stream);
        match timeout(self.handshake_timeout, agreed).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
        self.failed_handshakes.increment(1);
        None
    }

    async fn serve_http2<S: HttpService>(
        &self,
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        service: S,
        stopped: watch::Receiver<bool>,
    ) -> Result<(), hyper::Error> {
        let streams = Streams::new(Arc::clone(&self.slots));
        let service = OneOfMany::new(service, Arc::clone(&streams));
        let connection = self.http2.serve_connection(TokioIo::new(stream), service);
        run(connection, || streams.idle(self.idle_timeout), stopped).await
    }
}

/// Looks at the first bytes of a connection and leaves them there.
async fn begins_with_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut start = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut start).await?;
        if seen == 0 || start[..seen] != PREFACE[..seen] {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            return Ok(true);
        }
        sleep(PREFACE_PAUSE).await;
    }
}

/// Runs a connection. One that is told to stop or has been idle says so to its client, finishes the
/// requests that are under way, and ends.
async fn run<C, Idle>(
    connection: C,
    idle: impl Fn() -> Idle,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), C::Error>
where
    C: GracefulConnection,
    Idle: Future<Output = ()>,
{
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        _ = stopped.wait_for(|stop| *stop) => {}
        () = idle() => {}
    }
    connection.as_mut().graceful_shutdown();
    // A client need not answer; it is not waited for when nothing of it is under way.
    tokio::select! {
        ended = connection => ended,
        () = idle() => Ok(()),
    }
}
