//! Leading a store for as long as it takes to read or to fill it, so that nobody serves meanwhile.

use std::io;
use std::time::{Duration, Instant};

use leasehold_store::{Candidate, Epoch, Store, StoreError};
use tokio::sync::oneshot;
use tokio::time::sleep;
use tracing::warn;

use super::TransferError;
use super::progress::say;
use crate::config::Settings;
use crate::signals::Signals;
use crate::store;

/// At least so long, because it is renewed only between two rows, and one may have to wait for whoever
/// reads the export. It is given back at the end, and after a crash nobody can serve for so long.
pub(super) const LEASE_SECS: u64 = 60;

/// Beyond the lease of a service that may have crashed: no look at the store takes longer.
const GRACE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(250);

/// Opens the store, leads it while `work` is done, and gives the lead back. `address` is what replicas
/// that look see in place of where a leader is reached, so it should name nobody.
pub(super) async fn leading(
    settings: &Settings,
    address: &str,
    work: impl AsyncFnOnce(&mut dyn Store, Epoch) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    let lease_of_service = Duration::from_secs(settings.lease_seconds.value.get().into());
    let candidate = Candidate {
        address: address.to_owned(),
        lease: lease_of_service.max(Duration::from_secs(LEASE_SECS)),
        // Nobody is let in by it, as nobody listens.
        link_token: "none".to_owned().into(),
    };
    let mut store = store::open(&settings.store.value, &settings.data_dir.value, candidate).await?;
    let epoch = claim(&mut *store, lease_of_service + GRACE).await?;
    let done = if settings.store.value.is_shared() {
        let stopped = stop_signal().map_err(TransferError::NoSignals)?;
        tokio::select! {
            done = work(&mut *store, epoch) => done,
            Ok(signal) = stopped => Err(TransferError::Interrupted(signal)),
        }
    } else {
        // A signal ends the process, and with it the lead.
        work(&mut *store, epoch).await
    };
    if let Err(error) = store.resign(epoch).await {
        warn!(%error, "could not give the lead back; if it lasts, it ends by itself with its lease");
    }
    done
}

/// Tells of the first signal; a second one ends the process, should the work stand still at that moment.
fn stop_signal() -> io::Result<oneshot::Receiver<&'static str>> {
    let mut signals = Signals::listen()?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let signal = signals.next().await;
        signals.exit_at_the_next();
        // Nobody listens any more if the work is done.
        let _ = tell.send(signal);
    });
    Ok(told)
}

/// Leads as soon as nobody else does. A leader that crashed leads until its lease has run out, so there
/// is a wait for that; one that lives renews it and is never displaced.
async fn claim(store: &mut dyn Store, patience: Duration) -> Result<Epoch, TransferError> {
    let began = Instant::now();
    let mut has_told = false;
    loop {
        let error = match store.claim().await {
            Ok(epoch) => return Ok(epoch),
            Err(error @ StoreError::Corrupt(_)) => return Err(error.into()),
            Err(
                error @ (StoreError::Led(_)
                | StoreError::Fenced(_)
                | StoreError::Unavailable(_)
                | StoreError::OutcomeUnknown(_)),
            ) => error,
        };
        if began.elapsed() >= patience {
            return Err(match error {
                StoreError::Led(leader) => TransferError::Led(leader),
                other => other.into(),
            });
        }
        if !has_told {
            has_told = true;
            say(&format!(
                "{error}; waiting up to {} s, in case it has crashed",
                patience.as_secs()
            ));
        }
        sleep(PAUSE).await;
    }
}

/// An error of the store while this process led.
pub(super) fn while_leading(error: StoreError) -> TransferError {
    match error {
        StoreError::Fenced(_) | StoreError::Led(_) => TransferError::Overtaken,
        error @ (StoreError::Unavailable(_)
        | StoreError::OutcomeUnknown(_)
        | StoreError::Corrupt(_)) => error.into(),
    }
}
