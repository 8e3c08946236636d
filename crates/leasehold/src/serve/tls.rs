//! TLS as the settings ask for it. Renewed files are picked up without a restart, whoever renews them:
//! they are looked at now and then, and on SIGHUP.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use leasehold_server::tls::{Tls, TlsError, TlsFiles};
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{ServeError, settings};
use crate::config::Settings;
use crate::signals;

const READABLE_BY_ALL: u32 = 0o004;

const PERIOD: Duration = Duration::from_secs(10);

/// TLS as it is from moment to moment; `None` if it is not on.
pub(super) fn start(settings: &Settings) -> Result<Option<watch::Receiver<Tls>>, ServeError> {
    let hangups = signals::hangups().map_err(ServeError::NoHangups)?;
    let Some(files) = settings::tls(settings) else {
        tokio::spawn(look_at_nothing(hangups));
        return Ok(None);
    };
    let tls = files.load()?;
    warn_of_open_key(&files);
    put_to_use(&tls);
    let (current, receiver) = watch::channel(tls);
    tokio::spawn(keep_fresh(Arc::new(files), current, hangups));
    Ok(Some(receiver))
}

/// SIGHUP asks to look at files again. Without TLS there are none, but it must not end the process, as it does
/// where no process waits for it.
async fn look_at_nothing(mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        info!("SIGHUP: there are no files to look at again");
    }
}

/// Others on the machine could speak for the service with a key that they can read.
fn warn_of_open_key(files: &TlsFiles) {
    let mode = fs::metadata(&files.key).map(|found| found.permissions().mode());
    if mode.is_ok_and(|mode| mode & READABLE_BY_ALL != 0) {
        let path = files.key.display();
        warn!("everybody on this machine can read the TLS key {path}: run `chmod o-r` on it");
    }
}

fn put_to_use(tls: &Tls) {
    tls.publish_expiry();
    info!(expires_at = %tls.expires_at(), "TLS has a certificate");
}

/// What cannot be used leaves what is in use as it is, and is tried again: half of a renewal is soon
/// followed by the other half.
async fn keep_fresh(files: Arc<TlsFiles>, current: watch::Sender<Tls>, mut hangups: Signal) {
    let mut last_complaint = String::new();
    loop {
        tokio::select! {
            () = sleep(PERIOD) => {}
            _ = hangups.recv() => {}
        }
        let (files, in_use) = (Arc::clone(&files), current.borrow().clone());
        let looked = spawn_blocking(move || look(&files, &in_use)).await;
        let complaint = match looked {
            Ok(Ok(Some(renewed))) => {
                put_to_use(&renewed);
                current.send_replace(renewed);
                String::new()
            }
            Ok(Ok(None)) => String::new(),
            Ok(Err(complaint)) => complaint,
            Err(failure) => failure.to_string(),
        };
        // Once, not every few seconds.
        if !complaint.is_empty() && complaint != last_complaint {
            warn!("TLS goes on with the certificate that it has: {complaint}");
        }
        last_complaint = complaint;
    }
}

/// What to use instead, if the files have changed; or what is wrong.
fn look(files: &TlsFiles, in_use: &Tls) -> Result<Option<Tls>, String> {
    let renewed = files.load_if_changed(in_use).map_err(|error: TlsError| error.to_string())?;
    let has_expired = SystemTime::from(in_use.expires_at()) < SystemTime::now();
    if renewed.is_none() && has_expired {
        return Err(format!("it expired at {}: renew it", in_use.expires_at()));
    }
    Ok(renewed)
}
