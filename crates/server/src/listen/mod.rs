//! Puts a service on a socket, bounded in every direction (I7): who may connect, and until when
//! (here), what a connection speaks (`connection.rs`), and what many requests on one connection are
//! held to (`streams.rs`).

mod connection;
mod streams;

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::tls::Tls;
use crate::vanished_peer;
use connection::Protocols;

/// Bounds of a listening socket.
#[derive(Clone, Debug)]
pub struct ListenSettings {
    /// Connections that are open at once; more wait to be accepted. On a connection with HTTP/2, each
    /// request that is open beside another counts like one more connection.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request, counted from the end of the one
    /// before: it cuts off slow clients and idle connections alike.
    pub header_read_timeout: Duration,
    /// TLS, as it is now; without it, connections are plain.
    pub tls: Option<watch::Receiver<Tls>>,
    /// How long a client may take to agree on TLS.
    pub handshake_timeout: Duration,
    /// Longest head of a request, in bytes; at least 8 KiB.
    pub max_header_bytes: usize,
    /// How long requests that are under way may take once the service is told to stop.
    pub shutdown_grace: Duration,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            header_read_timeout: Duration::from_secs(60),
            tls: None,
            handshake_timeout: Duration::from_secs(10),
            max_header_bytes: 32 * 1024,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// Pause after the machine could not give us a connection, for instance for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers the requests of a connection, such as [`crate::Router`].
pub trait HttpService:
    Service<
        Request<Incoming>,
        Response = Response<Self::Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static
{
    /// The body of its replies.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static;
}

impl<S, B> HttpService for S
where
    S: Service<
            Request<Incoming>,
            Response = Response<B>,
            Error = Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    type Body = B;
}

/// Serves until `shutdown` completes, then lets requests that are under way finish. Every connection gets
/// a service of its own, made for the address that opened it.
///
/// Requests still unanswered after [`ListenSettings::shutdown_grace`] are left to the end of the
/// runtime, which drops them.
///
/// # Errors
/// If the socket itself is unusable. Failures of single connections, and the want of file
/// descriptors, are survived.
pub async fn serve<S: HttpService>(
    listener: TcpListener,
    service_for: impl Fn(IpAddr) -> S,
    settings: ListenSettings,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let server = Server::new(&settings);
    let stop = watch::Sender::new(false);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            accepted = server.accept(&listener) => {
                if let Some((stream, caller, slot)) = accepted? {
                    server.spawn(stream, service_for(caller), slot, stop.subscribe());
                }
            }
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    stop.send_replace(true);
    // Every connection keeps its receiver for as long as it lasts.
    if timeout(settings.shutdown_grace, stop.closed()).await.is_err() {
        let unanswered = settings.max_connections - server.slots.available_permits();
        tracing::warn!(unanswered, "connections are cut off: they did not finish in time");
    }
    Ok(())
}

/// The first second of the year 10000, in Unix time.
const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);

/// Whether the wall clock shows a time that the header `Date` cannot tell. The HTTP library panics then,
/// with or without that header, so no connection is served.
#[must_use]
pub fn clock_is_beyond_http_dates() -> bool {
    SystemTime::now().duration_since(UNIX_EPOCH).is_ok_and(|since| since >= YEAR_10000)
}

struct Server {
    protocols: Arc<Protocols>,
    slots: Arc<Semaphore>,
}

impl Server {
    fn new(settings: &ListenSettings) -> Self {
        let slots = Arc::new(Semaphore::new(settings.max_connections));
        Self { protocols: Arc::new(Protocols::new(settings, Arc::clone(&slots))), slots }
    }

    /// The next connection, who opened it, and its slot; `None` if this one failed and the next may do.
    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> io::Result<Option<(TcpStream, IpAddr, OwnedSemaphorePermit)>> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok(_) if clock_is_beyond_http_dates() => {
                tracing::error!("a connection is refused: the clock is beyond the year 9999");
                sleep(ACCEPT_PAUSE).await;
                Ok(None)
            }
            Ok((stream, caller)) => {
                // Without it the connection works all the same, with replies that may wait for an
                // acknowledgement.
                let _ = stream.set_nodelay(true);
                vanished_peer::watch(&stream);
                Ok(Some((stream, caller.ip(), slot)))
            }
            Err(error) if is_of_one_connection(&error) => Ok(None),
            Err(error) if is_of_the_socket(&error) => Err(error),
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections; trying again");
                sleep(ACCEPT_PAUSE).await;
                Ok(None)
            }
        }
    }

    fn spawn<S: HttpService>(
        &self,
        stream: TcpStream,
        service: S,
        slot: OwnedSemaphorePermit,
        stopped: watch::Receiver<bool>,
    ) {
        let protocols = Arc::clone(&self.protocols);
        tokio::spawn(async move {
            protocols.serve(stream, service, stopped).await;
            drop(slot);
        });
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn is_of_the_socket(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client over HTTP/1.1 that lost its power stayed queued to the end of its wait, up to 300 s, and
    /// was granted then, for its whole timeout. What this does to such a client is seen in the
    /// cluster scenario `client_vanishes`.
    #[tokio::test]
    async fn accepted_connections_are_watched_for_the_end_of_their_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let server = Server::new(&ListenSettings::default());
        let (accepted, _, _) = server.accept(&listener).await.unwrap().unwrap();
        vanished_peer::assert_watched(&accepted);
        assert!(accepted.nodelay().unwrap());
    }
}
