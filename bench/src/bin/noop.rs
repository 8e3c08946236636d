//! The ceiling: a server that does nothing, on the HTTP stack of the real one.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use hyper_util::service::TowerToHyperService;
use leasehold_bench::noop;
use leasehold_server::listen::{self, ListenSettings};
use tokio::net::TcpListener;

/// The allocator of the real server.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Answers the lock endpoints with fixed replies until it is ended.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match serve(arguments.listen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("noop: cannot serve on {}: {error}", arguments.listen);
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: SocketAddr) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("no-op server on http://{}", listener.local_addr()?);
    let service = TowerToHyperService::new(noop::router());
    listen::serve(listener, |_| service.clone(), ListenSettings::default(), std::future::pending())
        .await
}
