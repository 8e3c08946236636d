//! How TCP notices a peer that is gone without a word: power loss, a pulled cable, a NAT or balancer that
//! forgot the connection. Otherwise a client that waits would stay queued to the end of its wait, and then
//! be granted, for its whole timeout.
//!
//! A connection without traffic is probed. One on which something was sent ends if it is not acknowledged.
//! Either way the peer is gone after [`PATIENCE`], about as soon as HTTP/2's pings notice it.

use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// How long a peer may be silent after it was last heard of, or after something was sent to it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Silence before the first probe.
const IDLE: Duration = Duration::from_secs(10);

/// Between two probes.
const INTERVAL: Duration = Duration::from_secs(5);

/// Probes until the peer is gone.
const PROBES: u32 = 2;

const _: () = assert!(IDLE.as_secs() + INTERVAL.as_secs() * PROBES as u64 == PATIENCE.as_secs());

/// Has the end of this peer noticed. Where that fails, the connection works all the same, and a peer that is
/// gone without a word is noticed as late as the system has it by default.
pub(crate) fn watch(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let keepalive =
        TcpKeepalive::new().with_time(IDLE).with_interval(INTERVAL).with_retries(PROBES);
    let watched = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let watched = watched.and_then(|()| socket.set_tcp_user_timeout(Some(PATIENCE)));
    if let Err(error) = watched {
        tracing::debug!(%error, "TCP cannot be told to watch for the end of a peer");
    }
}

/// The same for the connections that this connector opens.
pub(crate) fn watch_all(connector: &mut HttpConnector) {
    connector.set_keepalive(Some(IDLE));
    connector.set_keepalive_interval(Some(INTERVAL));
    connector.set_keepalive_retries(Some(PROBES));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(PATIENCE));
}

/// Fails unless this connection is watched.
#[cfg(test)]
pub(crate) fn assert_watched(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), IDLE);
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), INTERVAL);
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES);
    #[cfg(target_os = "linux")]
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(PATIENCE));
}
