//! The load of [`crate::load`] on what an engine offers itself to whoever wants a lock: clients that take
//! and give back a lock of their own, as fast as the replies come.

mod etcd;
mod postgres;

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::client::Window;
use crate::load::{cpu_within, errors_of};
use crate::report::{Report, Tally, record};

/// How a lock is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// etcd's `Lock` and `Unlock`, on a lease that the client keeps.
    EtcdLock,
    /// etcd: a transaction that puts a key if it is not there, and one that deletes it.
    EtcdTxn,
    /// PostgreSQL: a row that is inserted if it is not there, and deleted; prepared statements.
    PostgresRow,
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "etcd-lock" => Ok(Self::EtcdLock),
            "etcd-txn" => Ok(Self::EtcdTxn),
            "postgres-row" => Ok(Self::PostgresRow),
            _ => Err("give etcd-lock, etcd-txn or postgres-row".to_owned()),
        }
    }
}

/// What a run does.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The engine, `host:port`.
    pub address: String,
    /// How a lock is taken.
    pub way: Way,
    /// Clients, each with a connection and one request on its way at a time, as separate processes have.
    pub clients: usize,
    /// Load before counting begins.
    pub warmup: Duration,
    /// How long is counted.
    pub measured: Duration,
    /// The engine's process, to count its CPU time.
    pub server_pid: Option<u32>,
}

/// Why a client cannot go on, or a run not begin.
pub type NativeError = Box<dyn Error + Send + Sync>;

enum Client {
    Lock(etcd::LockClient),
    Txn(etcd::TxnClient),
    Row(postgres::RowClient),
}

impl Client {
    async fn acquire(&mut self) -> Result<(), NativeError> {
        match self {
            Self::Lock(client) => client.lock().await,
            Self::Txn(client) => client.put().await,
            Self::Row(client) => client.insert().await,
        }
    }

    async fn release(&mut self) -> Result<(), NativeError> {
        match self {
            Self::Lock(client) => client.unlock().await,
            Self::Txn(client) => client.delete().await,
            Self::Row(client) => client.delete().await,
        }
    }
}

/// Runs the load and reports. A client that meets an error stops, and is counted in the report.
///
/// # Errors
/// If the engine cannot be reached or its CPU time is not known.
///
/// # Panics
/// If a client panics.
pub fn run(settings: &Settings) -> Result<Report, NativeError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let clients = runtime.block_on(open(settings))?;
    let opens = Instant::now() + settings.warmup;
    let window = Window { opens, closes: opens + settings.measured };
    thread::scope(|scope| {
        let cpu = scope.spawn(move || cpu_within(window, settings.server_pid));
        let (tally, errors) = run_clients(&runtime, clients, window);
        let cpu = cpu.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Report::new(settings.clients, settings.measured, &tally, cpu, &errors))
    })
}

async fn open(settings: &Settings) -> Result<Vec<Client>, NativeError> {
    let Settings { address, way, clients, .. } = settings;
    Ok(match way {
        Way::EtcdLock => {
            etcd::lock_clients(address, *clients).await?.into_iter().map(Client::Lock).collect()
        }
        Way::EtcdTxn => {
            etcd::txn_clients(address, *clients).await?.into_iter().map(Client::Txn).collect()
        }
        Way::PostgresRow => {
            postgres::clients(address, *clients).await?.into_iter().map(Client::Row).collect()
        }
    })
}

fn run_clients(
    runtime: &runtime::Runtime,
    clients: Vec<Client>,
    window: Window,
) -> (Tally, Vec<String>) {
    let tally = Rc::new(RefCell::new(Tally::new()));
    let errors = LocalSet::new().block_on(runtime, async {
        let mut running = JoinSet::new();
        for client in clients {
            running.spawn_local(run_client(client, window, Rc::clone(&tally)));
        }
        errors_of(running).await
    });
    (tally.replace(Tally::new()), errors)
}

async fn run_client(
    mut client: Client,
    window: Window,
    tally: Rc<RefCell<Tally>>,
) -> Result<(), NativeError> {
    loop {
        let started = Instant::now();
        if started >= window.closes {
            return Ok(());
        }
        client.acquire().await?;
        let acquired = Instant::now();
        client.release().await?;
        let ended = Instant::now();
        if window.covers(ended) {
            let mut tally = tally.borrow_mut();
            record(&mut tally.request_micros, acquired - started);
            record(&mut tally.request_micros, ended - acquired);
            record(&mut tally.cycle_micros, ended - started);
        }
    }
}
