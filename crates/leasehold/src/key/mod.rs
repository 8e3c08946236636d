//! `leasehold key`: the API keys of a running server, over HTTP.

mod client;
mod create;
mod error;
mod limit;
mod limits;
mod list;
mod revoke;
mod tls;
mod wire;

use clap::{Args, Subcommand};

use client::Client;
pub(crate) use error::KeyError;

/// What `leasehold key` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
The key that opens the server is no flag, because everybody on the machine can see flags: give it
as LEASEHOLD_API_KEY in the environment. A server with --dev needs none.

Examples:
  export LEASEHOLD_API_KEY=lh_...
  leasehold key create --namespace billing --role write --label 'billing workers'
  leasehold key create --role write --requests-per-second 50 --burst 100 --max-holds 500
  leasehold key list
  leasehold key list --server https://locks.example:8000 --ca ca.pem
  leasehold key limit 3f9c01d2ab77 --max-holds 1000 --burst none
  leasehold key revoke 3f9c01d2ab77")]
pub(crate) struct KeyArguments {
    /// Address of the server
    #[arg(
        long,
        global = true,
        display_order = 100,
        hide_env_values = true,
        value_name = "URL",
        env = "LEASEHOLD_SERVER",
        default_value = "http://127.0.0.1:8000"
    )]
    server: String,
    #[command(flatten)]
    tls: tls::TlsArguments,
    #[command(subcommand)]
    verb: KeyVerb,
}

#[derive(Subcommand, Debug)]
enum KeyVerb {
    /// Make a key and print it once
    Create(create::CreateArguments),
    /// List the keys, without their secrets
    List(list::ListArguments),
    /// Change what bounds the calls of a key; what is not named stays, and `none` takes a limit away
    Limit(limit::LimitArguments),
    /// Shut a key out, at once
    Revoke(revoke::RevokeArguments),
}

/// Runs one verb against the server.
///
/// # Errors
/// [`KeyError`] says what to do.
pub(crate) fn run(arguments: &KeyArguments) -> Result<(), KeyError> {
    let client = Client::new(&arguments.server, &arguments.tls)?;
    match &arguments.verb {
        KeyVerb::Create(arguments) => create::create(&client, arguments),
        KeyVerb::List(arguments) => list::list(&client, arguments),
        KeyVerb::Limit(arguments) => limit::limit(&client, arguments),
        KeyVerb::Revoke(arguments) => revoke::revoke(&client, arguments),
    }
}
