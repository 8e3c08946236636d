//! A service that nobody can enter makes one admin key at its first start and shows it once.

use std::io;
use std::path::Path;
use std::time::Duration;

use leasehold_core::{Command, KeyLimits, Namespace, Refusal, Role};
use leasehold_engine::{Clock as _, Engine, Failure, SystemClock};
use leasehold_server::credentials::{self, NewKey};
use tokio::time::sleep;

use super::ServeError;
use super::key_file::KeyFile;
use super::print::print;
use super::ready;

/// Before another attempt, so that a loop that has just lost its store can say so.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes the key if the service has none. The key itself goes to this file, or to stdout without one, and
/// nowhere else.
pub(super) async fn make_if_none(engine: &Engine, file: Option<&Path>) -> Result<(), ServeError> {
    // Another that leads on demand may have made one just now.
    while engine.attend().await.is_err() {
        sleep(PAUSE).await;
        ready::leading(engine).await;
    }
    if !engine.keyring().is_empty() {
        return Ok(());
    }
    // Before the key: one that cannot be written is never made.
    let file = file.map(KeyFile::create).transpose()?;
    let created_at = SystemClock.now().wall;
    let NewKey { key, secret } = credentials::generate(
        Namespace::default(),
        Role::Admin,
        "first start".to_owned(),
        created_at,
        KeyLimits::default(),
    )
    .map_err(|error| ServeError::FirstKey(error.to_string()))?;
    loop {
        match engine.submit(Command::CreateKey(key.clone())).await {
            // It exists already: an attempt whose outcome was unknown did happen.
            Ok(_) | Err(Failure::Refused(Refusal::KeyExists(_))) => {
                return match file {
                    Some(file) => file.write(&secret),
                    None => show(&secret).await,
                };
            }
            Err(Failure::OutcomeUnknown(_) | Failure::NotReady(_) | Failure::Overloaded) => {
                sleep(PAUSE).await;
                ready::leading(engine).await;
            }
            // Its leader makes one, or has.
            Err(Failure::Elsewhere(_)) => return Ok(()),
            Err(failure @ (Failure::Refused(_) | Failure::Draining)) => {
                return Err(ServeError::FirstKey(failure.to_string()));
            }
        }
    }
}

async fn show(secret: &str) -> Result<(), ServeError> {
    let rule = "─".repeat(secret.len() + 2);
    let text = format!(
        "┌{rule}┐\n\
         │ {:<width$} │\n\
         │ {:<width$} │\n\
         │ {secret} │\n\
         └{rule}┘",
        "The first API key, an admin of the namespace `default`. It is shown this once,",
        "because only its hash is stored. Send it in the header x-api-key.",
        width = secret.len(),
    );
    let printed = print(text).await.unwrap_or_else(|lost| Err(io::Error::other(lost)));
    printed.map_err(ServeError::FirstKeyNotShown)
}
