//! `leasehold key revoke`: shut a key out, and end its holds if asked to.

use std::io::{self, Write as _};

use clap::Args;
use leasehold_core::KeyId;

use super::KeyError;
use super::client::Client;
use super::wire::Key;

#[derive(Args, Debug)]
pub(super) struct RevokeArguments {
    /// The key's id, as `leasehold key list` shows it
    #[arg(value_name = "KEY_ID", value_parser = |text: &str| KeyId::parse(text))]
    key_id: KeyId,
    /// End the holds that were acquired with it, too
    #[arg(long)]
    end_holds: bool,
}

pub(super) fn revoke(client: &Client, arguments: &RevokeArguments) -> Result<(), KeyError> {
    let query = if arguments.end_holds { "?end_holds=true" } else { "" };
    let key: Key = client.delete(&format!("/v1/keys/{}{query}", arguments.key_id))?;
    writeln!(
        io::stdout(),
        "Revoked {} ({} in namespace {}): it opens nothing any more.",
        key.key_id,
        key.role,
        key.namespace
    )?;
    Ok(())
}
