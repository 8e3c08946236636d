//! `leasehold key create`: make a key and print it once.

use std::io::{self, Write as _};

use clap::{Args, ValueEnum};
use leasehold_core::Role;

use super::KeyError;
use super::client::Client;
use super::limits::LimitFlags;
use super::wire::{CreatedKey, Limits, NewKey};
use crate::printable::printable;

#[derive(Args, Debug)]
pub(super) struct CreateArguments {
    /// The namespace that the key opens [default: that of your own key]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// What the key may do
    #[arg(long)]
    role: RoleName,
    /// A note on whose key it is
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    label: String,
    #[command(flatten)]
    limits: LimitFlags,
}

/// A role as a user writes it.
#[derive(Clone, Copy, ValueEnum, Debug)]
enum RoleName {
    /// Look at locks
    Read,
    /// Create, acquire, refresh and release locks
    Write,
    /// Manage the keys of the namespace; in `default`, those of every namespace
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Read => Self::Read,
            RoleName::Write => Self::Write,
            RoleName::Admin => Self::Admin,
        }
    }
}

/// The key alone goes to stdout, so that a script can take it; the rest goes to stderr.
pub(super) fn create(client: &Client, arguments: &CreateArguments) -> Result<(), KeyError> {
    let asked = NewKey {
        namespace: arguments.namespace.as_deref(),
        role: Role::from(arguments.role).as_str(),
        label: &arguments.label,
        limits: &Limits::from(&arguments.limits),
    };
    let CreatedKey { about, key } = client.post("/v1/keys", &asked)?;
    writeln!(io::stdout(), "{}", printable(&key))?;
    let note = format!(
        "Key {} ({} in namespace {}). Keep it now: it is not shown again.",
        about.key_id, about.role, about.namespace
    );
    writeln!(io::stderr(), "{}", printable(&note))?;
    Ok(())
}
