//! Load generator: clients that acquire and release locks over HTTP as fast as the replies come.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use leasehold_bench::load::{self, Settings};
use leasehold_bench::{Locks, Mode, Target};

/// Acquires and releases locks over HTTP/1.1, closed loop with keep-alive, and reports.
///
/// Exits with 1 if any client met an error: such a run counts for nothing.
#[derive(Parser)]
struct Arguments {
    /// The server.
    #[arg(long, default_value = "127.0.0.1:8000")]
    address: SocketAddr,
    /// Clients, each with a connection and one request on its way at a time.
    #[arg(long, default_value_t = 64, value_parser = positive)]
    clients: usize,
    /// Threads that the clients are spread over.
    #[arg(long, default_value_t = 1, value_parser = positive)]
    threads: usize,
    /// How long is counted.
    #[arg(long, default_value = "10", value_parser = seconds)]
    seconds: Duration,
    /// Load before counting begins.
    #[arg(long, default_value = "2", value_parser = seconds)]
    warmup_seconds: Duration,
    /// `own`: one lock a client; a number: so many shared locks; `roam:N`: any of N existing locks.
    #[arg(long, default_value = "own")]
    locks: Locks,
    /// Which kind of hold is taken.
    #[arg(long, value_enum, default_value_t = Mode::Write)]
    mode: Mode,
    /// Stand in line so long, up to 300 seconds; 0 to be refused at once, and try again at once.
    #[arg(long, default_value_t = 0)]
    wait_seconds: u32,
    /// Readers that hold each lock throughout, besides the clients; needs `--mode read`.
    #[arg(long, default_value_t = 0)]
    standing_readers: usize,
    /// Ask for `Prefer: return=minimal`.
    #[arg(long)]
    minimal: bool,
    /// Sent as `x-api-key`.
    #[arg(long, env = "LEASEHOLD_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// The server's process id, to count its CPU time.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Report as one line of JSON.
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "give a whole number above 0".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|secs| Duration::try_from_secs_f64(secs).ok())
        .ok_or_else(|| "give a number of seconds, such as 10 or 0.5".to_owned())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    let report = match load::run(&arguments.into()) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("load: {error}");
            return ExitCode::FAILURE;
        }
    };
    if json {
        println!("{}", serde_json::json!(report));
    } else {
        println!("{report}");
    }
    if report.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl From<Arguments> for Settings {
    fn from(arguments: Arguments) -> Self {
        Self {
            target: Target {
                address: arguments.address,
                api_key: arguments.api_key,
                minimal: arguments.minimal,
            },
            clients: arguments.clients,
            threads: arguments.threads,
            warmup: arguments.warmup_seconds,
            measured: arguments.seconds,
            locks: arguments.locks,
            mode: arguments.mode,
            wait_secs: arguments.wait_seconds,
            standing_readers: arguments.standing_readers,
            server_pid: arguments.server_pid,
        }
    }
}
