//! The whole service in this process, on a port of its own.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use leasehold_engine::{Engine, ReplicaState, Settings, SystemClock};
use leasehold_server::listen::{ListenSettings, serve};
use leasehold_server::{
    Cluster, Link, MetricsHandle, ServerSettings, api_router, credentials, install_metrics,
    probe_router,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::client::{self, Reply};
use super::store::{Mood, MoodyStore};

/// The key that the settings of a test name.
pub(crate) const ADMIN_KEY: &str = "the operator's key";

/// What a test can choose. By default: dev mode, an empty store that works.
pub(crate) struct Setup {
    pub(crate) server: ServerSettings,
    pub(crate) engine: Settings,
    pub(crate) listen: ListenSettings,
    pub(crate) store: MoodyStore,
    pub(crate) probes_alone: bool,
    pub(crate) replica: Option<Replica>,
}

impl Default for Setup {
    fn default() -> Self {
        let server = ServerSettings {
            dev: true,
            service_version: "1.2.3".to_owned(),
            commit_id: "abc1234".to_owned(),
            ..ServerSettings::default()
        };
        let engine = Settings {
            min_retry_pause: Duration::from_millis(5),
            max_retry_pause: Duration::from_millis(20),
            ..Settings::default()
        };
        Self {
            server,
            engine,
            listen: ListenSettings::default(),
            store: MoodyStore::new(Mood::Works),
            probes_alone: false,
            replica: None,
        }
    }
}

impl Setup {
    /// A service that wants keys and knows [`ADMIN_KEY`].
    pub(crate) fn with_keys() -> Self {
        let mut setup = Self::default();
        setup.server.dev = false;
        setup.server.admin_key = Some(credentials::hash(ADMIN_KEY));
        setup
    }

    pub(crate) fn start(self) -> Service {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let metrics = metrics();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let link = self.replica.as_ref().map(|replica| replica.link(address));
        let store = match &link {
            Some(link) => Box::new(self.store.replica(link)),
            None => Box::new(self.store.clone()),
        };
        let engine = Engine::start(store, Arc::new(SystemClock), self.engine).unwrap();
        let router = if self.probes_alone {
            probe_router(engine.clone(), metrics)
        } else {
            let tls = self.listen.tls.clone();
            let cluster = link.map(|link| Arc::new(Cluster::new(link, tls)));
            if let Some(cluster) = cluster.clone() {
                let engine = engine.clone();
                runtime.spawn(async move { cluster.keep_in_touch(&engine).await });
            }
            api_router(engine.clone(), self.server, metrics, cluster)
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = runtime.spawn(serve(
            listener,
            move |caller| router.for_caller(caller),
            self.listen,
            async {
                // A dropped sender stops the service as well.
                let _ = stopped.await;
            },
        ));
        Service { address, engine, store: self.store, stop, serving, runtime }
    }
}

/// One of several on the same store, for as long as it leads or follows.
pub(crate) struct Replica {
    pub(crate) token: String,
}

impl Replica {
    fn link(&self, address: SocketAddr) -> Link {
        Link { address: address.to_string(), token: self.token.clone().into() }
    }
}

pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    pub(crate) store: MoodyStore,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) serving: tokio::task::JoinHandle<std::io::Result<()>>,
    pub(crate) runtime: Runtime,
}

impl Service {
    /// In dev mode, ready.
    pub(crate) fn start() -> Self {
        Setup::default().start().ready()
    }

    /// With keys, ready.
    pub(crate) fn start_with_keys() -> Self {
        Setup::with_keys().start().ready()
    }

    pub(crate) fn ready(self) -> Self {
        let mut state = self.engine.watch_state();
        let leading = state.wait_for(ReplicaState::is_leading);
        drop(self.runtime.block_on(leading).unwrap());
        self
    }

    /// Once another leads.
    pub(crate) fn following(self) -> Self {
        let mut state = self.engine.watch_state();
        let following = state.wait_for(|state| matches!(state, ReplicaState::Following(_)));
        drop(self.runtime.block_on(following).unwrap());
        self
    }

    pub(crate) fn call(&self, method: &str, target: &str) -> Reply {
        client::send(self.address, method, target, &[], "")
    }

    pub(crate) fn call_with(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
        client::send(self.address, method, target, headers, "")
    }

    pub(crate) fn call_as(&self, key: &str, method: &str, target: &str) -> Reply {
        self.call_with(method, target, &[("x-api-key", key)])
    }

    pub(crate) fn post_as(&self, key: &str, target: &str, body: &str) -> Reply {
        self.send_as(key, "POST", target, body)
    }

    pub(crate) fn patch_as(&self, key: &str, target: &str, body: &str) -> Reply {
        self.send_as(key, "PATCH", target, body)
    }

    fn send_as(&self, key: &str, method: &str, target: &str, body: &str) -> Reply {
        let headers = [("x-api-key", key), ("content-type", "application/json")];
        client::send(self.address, method, target, &headers, body)
    }

    /// A call that is under way.
    pub(crate) fn begin(&self, method: &str, target: &str) -> JoinHandle<Reply> {
        let (address, method, target) = (self.address, method.to_owned(), target.to_owned());
        thread::spawn(move || client::send(address, &method, &target, &[], ""))
    }

    /// Who waits, once so many places in line are taken.
    #[track_caller]
    pub(crate) fn waits(&self, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let waits = self.call("GET", "/v1/waits").ok(200)["waits"].as_array().unwrap().clone();
            if waits.len() == count {
                return waits;
            }
            assert!(began.elapsed() < Duration::from_secs(5), "not {count}: {waits:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Makes a lock.
    #[track_caller]
    pub(crate) fn create(&self, lock_id: &str, is_exclusive: bool) {
        let target = format!("/v1/distributed_lock/{lock_id}?is_exclusive={is_exclusive}");
        self.call("POST", &target).ok(201);
    }

    /// Acquires, and hands the fencing token out.
    #[track_caller]
    pub(crate) fn acquire(&self, lock_id: &str, mode: &str, process_id: &str) -> u64 {
        let target = format!("/v1/distributed_lock/{lock_id}/{mode}-process/{process_id}");
        let lock = self.call_with("PUT", &target, &[("prefer", "return=minimal")]).ok(200);
        lock[format!("{mode}_process_list")][0]["fencing_token"].as_u64().unwrap()
    }
}

/// One recorder for the process, however many tests run in it.
pub(crate) fn metrics() -> MetricsHandle {
    static METRICS: OnceLock<MetricsHandle> = OnceLock::new();
    METRICS.get_or_init(|| install_metrics().unwrap()).clone()
}
