//! `leasehold key revoke`: shut a key out.

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
}

pub(super) fn revoke(client: &Client, arguments: &RevokeArguments) -> Result<(), KeyError> {
    let key: Key = client.delete(&format!("/v1/keys/{}", arguments.key_id))?;
    writeln!(
        io::stdout(),
        "Revoked {} ({} in namespace {}): it opens nothing any more.",
        key.key_id,
        key.role,
        key.namespace
    )?;
    Ok(())
}
