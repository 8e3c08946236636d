//! `leasehold`: the lock service, and the commands to run it, in one binary.

mod cli;
mod config;
mod key;
mod late_store;
mod log;
mod printable;
mod serve;
mod signals;
mod store;
mod transfer;
mod version;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use thiserror::Error;

use cli::{Cli, Verb};
use config::{Settings, SettingsError};
use key::KeyError;
use serve::ServeError;
use transfer::TransferError;

/// A request allocates a few dozen times; the system's allocator took a fifth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Cli { verb } = Cli::parse();
    let code = match run(verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::write(&printable::printable(&format!("leasehold: {error}\n")));
            ExitCode::FAILURE
        }
    };
    log::flush();
    code
}

/// Why a verb failed.
#[derive(Debug, Error)]
enum VerbError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

fn run(verb: Verb) -> Result<(), VerbError> {
    match verb {
        Verb::Serve(flags) => serve::serve(&Settings::load(flags)?)?,
        Verb::Config(flags) => {
            io::stdout().write_all(Settings::load(flags)?.to_toml().as_bytes())?;
        }
        Verb::Export(arguments) => transfer::export(arguments)?,
        Verb::Import(arguments) => transfer::import(arguments)?,
        Verb::Key(arguments) => key::run(&arguments)?,
    }
    Ok(())
}
