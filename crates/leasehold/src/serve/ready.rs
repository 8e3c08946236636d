//! From recovering to serving: wait for the commit loop, make the first key, tell the user.

use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;

use leasehold_engine::{Engine, ReplicaState};
use tracing::warn;

use super::ServeError;
use super::first_key;
use super::print::print;
use crate::config::{FilePath, Settings};
use crate::version::VERSION;

/// Tells the user once that the service answers. Returns only if that fails.
pub(super) async fn announce(
    engine: &Engine,
    settings: &Settings,
    address: SocketAddr,
) -> ServeError {
    match try_to_announce(engine, settings, address).await {
        Ok(()) => pending().await,
        Err(error) => error,
    }
}

async fn try_to_announce(
    engine: &Engine,
    settings: &Settings,
    address: SocketAddr,
) -> Result<(), ServeError> {
    let makes_key = !settings.dev.value && settings.api_key.value.is_none();
    let leads = serving(engine).await;
    if leads && makes_key {
        first_key::make_if_none(engine, first_key_file(settings)).await?;
    }
    say_where(settings, address);
    if !leads && makes_key {
        // The leader has made one, unless it ended before it could; or the first call makes this one lead.
        leading(engine).await;
        first_key::make_if_none(engine, first_key_file(settings)).await?;
    }
    Ok(())
}

fn first_key_file(settings: &Settings) -> Option<&Path> {
    settings.first_key_file.value.as_ref().map(FilePath::path)
}

/// The service is of use without this line, so it goes on if stdout is full, closed or blocked.
fn say_where(settings: &Settings, address: SocketAddr) {
    let scheme = if settings.tls_cert.value.is_some() { "https" } else { "http" };
    let printed = print(format!(
        "leasehold {VERSION} listening on {scheme}://{address} (docs: {scheme}://{address}/v1/docs)"
    ));
    tokio::spawn(async move {
        if let Ok(Err(error)) = printed.await {
            warn!(%error, "cannot print where it listens");
        }
    });
}

/// Waits until requests are answered, here or by the leader, and says whether the table is here.
async fn serving(engine: &Engine) -> bool {
    let mut state = engine.watch_state();
    let serves = |state: &ReplicaState| {
        matches!(
            state,
            ReplicaState::Leading(_) | ReplicaState::Standby | ReplicaState::Following(_)
        )
    };
    let leads = state.wait_for(serves).await.map(|state| state.is_leading());
    match leads {
        Ok(leads) => leads,
        Err(_) => pending().await,
    }
}

/// Waits until the commit loop leads; forever if it never will.
pub(super) async fn leading(engine: &Engine) {
    let mut state = engine.watch_state();
    if state.wait_for(ReplicaState::is_leading).await.is_err() {
        pending::<()>().await;
    }
}

/// Waits until the commit loop ends without ever having served, and tells why. One that has and ends
/// later, because the store failed for good, leaves the service up: readiness tells of it, callers
/// are refused, and what the operator finds is not a crash loop.
pub(super) async fn never_led(engine: &Engine) -> String {
    let mut state = engine.watch_state();
    // Cloned at once: the loop cannot move on while somebody looks at its state.
    let decided = state
        .wait_for(|state| {
            matches!(
                state,
                ReplicaState::Leading(_)
                    | ReplicaState::Standby
                    | ReplicaState::Following(_)
                    | ReplicaState::Stopped { .. }
            )
        })
        .await
        .map(|state| state.clone());
    match decided {
        Ok(ReplicaState::Stopped { reason }) => reason,
        Ok(
            ReplicaState::Recovering { .. }
            | ReplicaState::Standby
            | ReplicaState::Following(_)
            | ReplicaState::Leading(_)
            | ReplicaState::Draining,
        ) => pending().await,
        Err(_) => "the commit loop is gone".to_owned(),
    }
}
