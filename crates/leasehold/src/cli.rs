//! The command line.

use clap::{Parser, Subcommand};

use crate::config::Flags;
use crate::key::KeyArguments;
use crate::transfer::{ExportArguments, ImportArguments};
use crate::version;

/// A distributed lock service: named locks over HTTP, durable, with fencing tokens.
#[derive(Parser, Debug)]
#[command(name = "leasehold", version = version::LONG, after_help = "\
Examples:
  leasehold serve --dev               try it without keys: http://127.0.0.1:8000/docs
  leasehold serve --data-dir /var/lib/leasehold
  leasehold serve --help              every setting")]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What the binary can do.
#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Run the lock service
    #[command(after_help = "\
A flag wins over the environment, the environment over the file, the file over the default.
The file is TOML with the names of the flags: max-queued = 1000

An admin key of your own is no flag, because everybody on the machine can see flags. Give it as
LEASEHOLD_API_KEY in the environment, or as api-key in the file. Without one, the first start
makes a key and prints it once.

Examples:
  leasehold serve --dev
  leasehold serve --listen 0.0.0.0:8000 --data-dir /var/lib/leasehold --log-format json
  LEASEHOLD_API_KEY=$(openssl rand -hex 32) leasehold serve --config /etc/leasehold.toml")]
    Serve(Flags),
    /// Print the settings that `serve` would use, and where each comes from
    #[command(after_help = "\
Takes what `leasehold serve` takes and prints TOML. Secrets are hidden.

Example:
  LEASEHOLD_MAX_QUEUED=1000 leasehold config --listen 127.0.0.1:9000")]
    Config(Flags),
    /// Write everything that a store holds to a file
    Export(ExportArguments),
    /// Fill an empty store with an export
    Import(ImportArguments),
    /// Make, list, limit and revoke the API keys of a running server
    Key(KeyArguments),
}
