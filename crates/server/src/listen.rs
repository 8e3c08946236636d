//! Puts a service on a socket: HTTP/1.1 with keep-alive, bounded in every direction (I7).

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// Bounds of a listening socket.
#[derive(Clone, Debug)]
pub struct ListenSettings {
    /// Connections that are open at once; more wait to be accepted.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request, counted from the end of the one
    /// before: it cuts off slow clients and idle connections alike.
    pub header_read_timeout: Duration,
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
            max_header_bytes: 32 * 1024,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// Least buffer that the HTTP library works with.
const MIN_HEADER_BYTES: usize = 8 * 1024;

/// Pause after the machine could not give us a connection, for instance for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers the requests of a connection, such as [`crate::Router`].
pub trait HttpService:
    Service<Request<Incoming>, Response = Response<Self::Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
    /// The body of its replies.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;
}

impl<S, B> HttpService for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
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
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            accepted = server.accept(&listener) => {
                if let Some((stream, caller, slot)) = accepted? {
                    server.spawn(stream, service_for(caller), slot, graceful.watcher());
                }
            }
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    if timeout(settings.shutdown_grace, graceful.shutdown()).await.is_err() {
        let unanswered = settings.max_connections - server.slots.available_permits();
        tracing::warn!(unanswered, "connections are cut off: they did not finish in time");
    }
    Ok(())
}

struct Server {
    http: http1::Builder,
    slots: Arc<Semaphore>,
}

impl Server {
    fn new(settings: &ListenSettings) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(settings.header_read_timeout)
            .max_buf_size(settings.max_header_bytes.max(MIN_HEADER_BYTES));
        let slots = Arc::new(Semaphore::new(settings.max_connections));
        Self { http, slots }
    }

    /// The next connection, who opened it, and its slot; `None` if this one failed and the next may do.
    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> io::Result<Option<(TcpStream, IpAddr, OwnedSemaphorePermit)>> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok((stream, caller)) => Ok(Some((stream, caller.ip(), slot))),
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
        watcher: Watcher,
    ) {
        // Without it the connection works all the same, with replies that may wait for an
        // acknowledgement.
        let _ = stream.set_nodelay(true);
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let watched = watcher.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "connection ended");
            }
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
