//! Makes locks by the million, free and write-exclusive: straight into a data directory, or over HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use clap::{Args, Parser};
use leasehold_bench::{ExchangeError, Target, bulk, rows};
use leasehold_core::Wall;
use leasehold_store::{LocalStore, OpenError};
use thiserror::Error;
use tokio::runtime;

/// Connections that make locks over HTTP.
const CONNECTIONS: usize = 256;

/// Makes free, write-exclusive locks `bench-00000000`, `bench-00000001` and so on.
#[derive(Parser)]
struct Arguments {
    /// How many.
    #[arg(long)]
    locks: usize,
    #[command(flatten)]
    place: Place,
    /// Sent as `x-api-key`.
    #[arg(long, env = "LEASEHOLD_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
}

/// Where the locks are to be.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// Into the data directory of a server that is not running.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Into a running server, over HTTP.
    #[arg(long)]
    address: Option<SocketAddr>,
}

#[derive(Debug, Error)]
enum FillError {
    #[error("cannot start: {0}")]
    Runtime(#[from] std::io::Error),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Write(#[from] rows::WriteError),
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = Instant::now();
    match fill(&arguments) {
        Ok(()) => {
            println!("{} locks in {:.1} s", arguments.locks, started.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fill: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fill(arguments: &Arguments) -> Result<(), FillError> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    if let Some(data_dir) = &arguments.place.data_dir {
        runtime.block_on(fill_store(data_dir, arguments.locks))?;
    }
    if let Some(address) = arguments.place.address {
        let target = Target { address, api_key: arguments.api_key.clone(), minimal: true };
        let locks = arguments.locks;
        runtime.block_on(bulk::send(address, CONNECTIONS, locks, &[201], move |lock| {
            target.create(lock)
        }))?;
    }
    Ok(())
}

async fn fill_store(data_dir: &Path, locks: usize) -> Result<(), FillError> {
    let mut store = LocalStore::open(data_dir)?;
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = Wall(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
    Ok(rows::write(&mut store, locks, now).await?)
}
