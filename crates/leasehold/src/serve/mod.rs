//! `leasehold serve`: bind, start the commit loop, answer at once, stop in order.

mod bind;
mod descriptors;
mod error;
mod first_key;
mod key_file;
mod print;
mod ready;
mod replica;
mod settings;
mod tls;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use leasehold_engine::{Engine, SystemClock};
use leasehold_server::listen::ListenSettings;
use leasehold_server::tls::Tls;
use leasehold_server::{Router, api_router, install_metrics, listen, probe_router};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};

pub(crate) use error::ServeError;

use crate::config::Settings;
use crate::signals::Signals;
use crate::{late_store, log};

/// Runs the service until a signal ends it.
///
/// # Errors
/// [`ServeError`] says what to do before the next start.
pub(crate) fn serve(settings: &Settings) -> Result<(), ServeError> {
    log::init(settings.log_format.value, &settings.log_level.value).map_err(ServeError::NoLog)?;
    for warning in settings.warnings() {
        warn!("{warning}");
    }
    descriptors::make_room(settings.max_connections.value.count());
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(settings.worker_threads.value.count())
        .enable_all()
        .build()
        .map_err(ServeError::NoRuntime)?;
    runtime.block_on(start(settings))
}

/// An address that is being served, until its `stop` is set to true.
struct Served {
    task: JoinHandle<std::io::Result<()>>,
    stop: watch::Sender<bool>,
}

impl Served {
    fn start(
        listener: TcpListener,
        router: Router,
        settings: &Settings,
        tls: Option<watch::Receiver<Tls>>,
    ) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let limits = ListenSettings { tls, ..settings::listen(settings) };
        let task = tokio::spawn(async move {
            let stopped = async move {
                // An error means that nobody is left who could ask for the stop: stop as well.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            let service_for = |caller| router.for_caller(caller);
            listen::serve(listener, service_for, limits, stopped).await
        });
        Self { task, stop }
    }
}

async fn start(settings: &Settings) -> Result<(), ServeError> {
    if listen::clock_is_beyond_http_dates() {
        return Err(ServeError::ClockBeyond9999);
    }
    let signals = Signals::listen().map_err(ServeError::NoSignals)?;
    let listener = bind::bind("listen", &settings.listen, settings.listen.value).await?;
    let probes = &settings.probes_listen;
    let probes = match probes.value {
        Some(address) => Some(bind::bind("probes-listen", probes, address).await?),
        None => None,
    };
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    let metrics = install_metrics()?;
    log::publish_dropped();
    upkeep::start(metrics.clone());
    let tls = tls::start(settings)?;
    let candidate = replica::candidate(settings, address)?;
    let store = late_store::open(settings, candidate.clone()).await?;
    let engine = Engine::start(store, Arc::new(SystemClock), settings::engine(settings))
        .map_err(ServeError::NoCommitLoop)?;
    // Probes answer for as long as the process lives, so that they can tell of the stop as well.
    let _probes = probes.map(|listener| {
        Served::start(listener, probe_router(engine.clone(), metrics.clone()), settings, None)
    });
    let cluster = settings.has_others().then(|| replica::join(&candidate, &engine, tls.clone()));
    let server = settings::server(settings);
    let router = api_router(engine.clone(), server, metrics, cluster.clone());
    let api = Served::start(listener, router, settings, tls);
    run(settings, &engine, api, signals, address).await?;
    if let Some(cluster) = cluster {
        cluster.call_election().await;
    }
    info!("stopped");
    Ok(())
}

async fn run(
    settings: &Settings,
    engine: &Engine,
    mut api: Served,
    mut signals: Signals,
    address: std::net::SocketAddr,
) -> Result<(), ServeError> {
    let signal = tokio::select! {
        signal = signals.next() => signal,
        reason = ready::never_led(engine) => return Err(ServeError::Stopped(reason)),
        error = ready::announce(engine, settings, address) => return Err(error),
        ended = &mut api.task => {
            ended?.map_err(ServeError::Listener)?;
            return Err(ServeError::ListenerEnded);
        }
    };
    info!(signal, "stopping: requests under way finish, then the last batch commits");
    signals.exit_at_the_next();
    api.stop.send_replace(true);
    // They are requests under way too, and some would stay so for minutes.
    engine.turn_waiters_away();
    api.task.await?.map_err(ServeError::Listener)?;
    let grace_seconds = settings.shutdown_grace_seconds.value.get();
    timeout(Duration::from_secs(grace_seconds.into()), engine.drain())
        .await
        .map_err(|_| ServeError::DrainTooLong(grace_seconds.into()))
}
