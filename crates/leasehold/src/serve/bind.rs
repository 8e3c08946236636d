//! Take an address before anything else, so that whoever connects waits instead of being refused.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::ServeError;
use crate::config::Given;

/// Binds the address that the setting gives.
pub(super) async fn bind<V>(
    setting: &'static str,
    given: &Given<V>,
    address: SocketAddr,
) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| {
        let origin = given.origin.clone();
        if error.kind() == ErrorKind::AddrInUse {
            ServeError::AddressInUse { setting, address, origin }
        } else {
            ServeError::Bind { setting, address, origin, error }
        }
    })
}
