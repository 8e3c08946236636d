//! Load on what an engine offers itself to whoever wants a lock.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use leasehold_bench::native::{self, Settings, Way};

/// Takes and gives back locks with etcd or PostgreSQL alone, closed loop, and reports like `load`.
///
/// Exits with 1 if any client met an error: such a run counts for nothing.
#[derive(Parser)]
struct Arguments {
    /// The engine: `host:port`. PostgreSQL is used as user and database `postgres`, without a password.
    #[arg(long)]
    address: String,
    /// How a lock is taken: etcd-lock (`Lock` and `Unlock`), etcd-txn (a transaction that puts a key if
    /// it is not there), postgres-row (a row that is inserted if it is not there).
    #[arg(long)]
    way: Way,
    /// Clients, each with a lock of its own and one request on its way at a time.
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// How many seconds are counted.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Load before counting begins, in seconds.
    #[arg(long, default_value_t = 2.0)]
    warmup_seconds: f64,
    /// The engine's process id, to count its CPU time.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Report as one line of JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = Settings {
        address: arguments.address,
        way: arguments.way,
        clients: arguments.clients,
        warmup: Duration::from_secs_f64(arguments.warmup_seconds),
        measured: Duration::from_secs_f64(arguments.seconds),
        server_pid: arguments.server_pid,
    };
    let report = match native::run(&settings) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("native: {error}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.json {
        println!("{}", serde_json::json!(report));
    } else {
        println!("{report}");
    }
    if report.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
