//! Many different requests, each sent once: what has to be there before a measurement starts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use crate::connection::{Connection, ExchangeError};

/// Sends `request(0)` to `request(count - 1)` over so many connections at once, in no fixed order.
///
/// # Errors
/// The first request that had no reply or one whose status is not in `accepted`.
///
/// # Panics
/// If `request` panics.
pub async fn send(
    address: SocketAddr,
    connections: usize,
    count: usize,
    accepted: &'static [u16],
    request: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
) -> Result<(), ExchangeError> {
    let (request, next) = (Arc::new(request), Arc::new(AtomicUsize::new(0)));
    let mut senders = JoinSet::new();
    for _ in 0..connections.min(count) {
        let (request, next) = (Arc::clone(&request), Arc::clone(&next));
        senders.spawn(async move {
            let mut connection = Connection::open(address).await?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                let bytes = request(number);
                let status = connection.exchange(&bytes).await?;
                if !accepted.contains(&status) {
                    return Err(ExchangeError::status(status, &bytes, connection.body()));
                }
            }
        });
    }
    // Dropping the set on the first error ends the other senders.
    while let Some(ended) = senders.join_next().await {
        match ended {
            Ok(sent) => sent?,
            Err(broken) => std::panic::resume_unwind(broken.into_panic()),
        }
    }
    Ok(())
}
