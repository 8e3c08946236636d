//! `leasehold key limit`: change what bounds the calls of a key.

use std::io::{self, Write as _};

use clap::Args;
use leasehold_core::KeyId;

use super::KeyError;
use super::client::Client;
use super::limits::LimitFlags;
use super::wire::{Key, Limits};

#[derive(Args, Debug)]
pub(super) struct LimitArguments {
    /// The key's id, as `leasehold key list` shows it
    #[arg(value_name = "KEY_ID", value_parser = |text: &str| KeyId::parse(text))]
    key_id: KeyId,
    #[command(flatten)]
    limits: LimitFlags,
}

pub(super) fn limit(client: &Client, arguments: &LimitArguments) -> Result<(), KeyError> {
    let path = format!("/v1/keys/{}", arguments.key_id);
    let key: Key = client.patch(&path, &Limits::from(&arguments.limits))?;
    writeln!(
        io::stdout(),
        "Limits of {} ({} in namespace {}): {}.",
        key.key_id,
        key.role,
        key.namespace,
        key.limits()
    )?;
    Ok(())
}
