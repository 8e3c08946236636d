//! A run: make the locks, start the clients, count for a while, sum up.

use std::cell::RefCell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::bulk;
use crate::client::{Client, Window};
use crate::connection::{Connection, ExchangeError};
use crate::cpu::{CpuError, cpu_time};
use crate::locks::Locks;
use crate::report::{CpuUsed, Report, Tally};
use crate::request::{Cycle, Hold, Mode, Target};

/// Connections that make locks and standing readers before a run.
const PREPARING_CONNECTIONS: usize = 32;

/// Timeout of standing readers: longer than any run.
const STANDING_TIMEOUT_SECS: u32 = 24 * 3600;

/// What a run does.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where requests go.
    pub target: Target,
    /// Clients, each with a connection and one request on its way at a time.
    pub clients: usize,
    /// Threads that the clients are spread over.
    pub threads: usize,
    /// Load before counting begins; connections are made within it.
    pub warmup: Duration,
    /// How long is counted.
    pub measured: Duration,
    /// Which locks the clients work on.
    pub locks: Locks,
    /// Which kind of hold they take.
    pub mode: Mode,
    /// How long an acquire stands in line before it is refused, in seconds.
    pub wait_secs: u32,
    /// Readers that hold each made lock throughout, besides the clients.
    pub standing_readers: usize,
    /// The server's process, to count its CPU time.
    pub server_pid: Option<u32>,
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The machine grants no thread or event queue.
    #[error("cannot start: {0}")]
    Runtime(#[from] std::io::Error),
    /// Locks or standing readers could not be made.
    #[error("cannot prepare the locks: {0}")]
    Prepare(#[from] ExchangeError),
    /// CPU time is unknown.
    #[error(transparent)]
    Cpu(#[from] CpuError),
}

/// Runs the load and reports. A client that meets an error stops, and is counted in the report.
///
/// # Errors
/// [`LoadError`] if the run could not start or its CPU time is not known.
///
/// # Panics
/// If a client panics.
pub fn run(settings: &Settings) -> Result<Report, LoadError> {
    new_runtime()?.block_on(prepare(settings))?;
    let opens = Instant::now() + settings.warmup;
    let window = Window { opens, closes: opens + settings.measured };
    let runtimes = (0..settings.threads).map(|_| new_runtime()).collect::<Result<Vec<_>, _>>()?;
    thread::scope(|scope| {
        let threads: Vec<_> = runtimes
            .into_iter()
            .enumerate()
            .map(|(thread, runtime)| {
                scope.spawn(move || run_thread(settings, thread, window, &runtime))
            })
            .collect();
        let cpu = cpu_within(window, settings.server_pid);
        let (mut tally, mut errors) = (Tally::new(), Vec::new());
        for thread in threads {
            let (of_thread, errors_of_thread) =
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            tally.add(&of_thread);
            errors.extend(errors_of_thread);
        }
        Ok(Report::new(settings.clients, settings.measured, &tally, cpu?, &errors))
    })
}

fn new_runtime() -> std::io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_io().build()
}

/// Makes the locks and standing readers; those that an earlier run has left are as good.
async fn prepare(settings: &Settings) -> Result<(), ExchangeError> {
    let locks = settings.locks.to_create(settings.clients);
    let target = Target { minimal: true, ..settings.target.clone() };
    let address = target.address;
    let create = target.clone();
    bulk::send(address, PREPARING_CONNECTIONS, locks, &[201, 400], move |lock| create.create(lock))
        .await?;
    let holds = locks * settings.standing_readers;
    bulk::send(address, PREPARING_CONNECTIONS, holds, &[200, 406], move |number| {
        let process_id = format!("standing-{}", number / locks);
        let hold = Hold { lock: number % locks, mode: Mode::Read, process_id };
        target.acquire(&hold, STANDING_TIMEOUT_SECS, 0)
    })
    .await
}

/// Runs every client whose number falls to this thread; gives what they counted and their errors.
fn run_thread(
    settings: &Settings,
    thread: usize,
    window: Window,
    runtime: &runtime::Runtime,
) -> (Tally, Vec<String>) {
    let tally = Rc::new(RefCell::new(Tally::new()));
    let errors = LocalSet::new().block_on(runtime, async {
        let mut clients = JoinSet::new();
        for number in (thread..settings.clients).step_by(settings.threads) {
            clients.spawn_local(run_client(settings.clone(), number, window, Rc::clone(&tally)));
        }
        errors_of(clients).await
    });
    (tally.replace(Tally::new()), errors)
}

/// Waits until all clients have ended; gives the errors that they ended with.
pub(crate) async fn errors_of<E: ToString + 'static>(
    mut clients: JoinSet<Result<(), E>>,
) -> Vec<String> {
    let mut errors = Vec::new();
    while let Some(ended) = clients.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => errors.push(error.to_string()),
            Err(broken) => std::panic::resume_unwind(broken.into_panic()),
        }
    }
    errors
}

async fn run_client(
    settings: Settings,
    number: usize,
    window: Window,
    tally: Rc<RefCell<Tally>>,
) -> Result<(), ExchangeError> {
    let process_id = format!("worker-{number}");
    let client = Client {
        connection: Connection::open(settings.target.address).await?,
        cycle: Cycle::new(&settings.target, settings.mode, process_id, settings.wait_secs),
        locks: settings.locks.of_client(number, settings.clients),
        contended: settings.locks.contended() && settings.mode == Mode::Write,
    };
    client.run(window, &tally).await
}

/// Sleeps through the window and counts the CPU time within it.
pub(crate) fn cpu_within(window: Window, server_pid: Option<u32>) -> Result<CpuUsed, CpuError> {
    let read = || -> Result<(Option<Duration>, Duration), CpuError> {
        Ok((server_pid.map(cpu_time).transpose()?, cpu_time(std::process::id())?))
    };
    thread::sleep(window.opens.saturating_duration_since(Instant::now()));
    let (server_before, generator_before) = read()?;
    thread::sleep(window.closes.saturating_duration_since(Instant::now()));
    let (server_after, generator_after) = read()?;
    Ok(CpuUsed {
        server: server_after.zip(server_before).map(|(after, before)| after - before),
        generator: generator_after - generator_before,
    })
}
