//! Every setting, once: to add one, add an entry here and use it where it belongs.
//!
//! An entry's name is its flag (`--max-queued`), its environment variable (`LEASEHOLD_MAX_QUEUED`)
//! and its key in the file (`max-queued`); its type says what is allowed; its doc is the help text.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::available_parallelism;

use leasehold_core::Limits;
use leasehold_engine as engine;
use leasehold_server::listen::ListenSettings;
use leasehold_server::{MetricsAccess, ServerSettings};

use super::SettingsError;
use super::layers::{Given, Layers, Name};
use super::store::StoreChoice;
use super::value::{
    AdminKey, FilePath, HostPort, Leadership, LogFormat, LogLevel, Recovery, UNSET, Value, Whole,
};

/// What is known of a setting before anybody has given it a value.
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) doc: &'static str,
    pub(super) placeholder: &'static str,
    pub(super) is_secret: bool,
    pub(super) is_switch: bool,
    pub(super) default: fn() -> String,
}

/// One line of the settings in force.
pub(super) struct Line {
    pub(super) name: Name,
    /// `None` if no value is set.
    pub(super) toml: Option<String>,
    pub(super) origin: String,
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $value:ty = $default:expr,)+) => {
        /// What is in force, each value with where it came from.
        pub(crate) struct Settings {
            $($(#[doc = $doc])+ pub(crate) $name: Given<$value>,)+
        }

        impl Settings {
            /// All settings, in the order in which people see them.
            pub(super) const TABLE: &[Entry] = &[$(Entry {
                name: Name(stringify!($name)),
                doc: concat!($($doc),+),
                placeholder: <$value>::PLACEHOLDER,
                is_secret: <$value>::IS_SECRET,
                is_switch: <$value>::IS_SWITCH,
                default: || $default.to_string(),
            },)+];

            /// Reads every value from the strongest layer that gives one.
            pub(super) fn read(layers: &Layers) -> Result<Self, SettingsError> {
                Ok(Self {
                    $($name: layers.read(Name(stringify!($name)), || $default.to_string())?,)+
                })
            }

            /// Every setting as people see it.
            pub(super) fn lines(&self) -> Vec<Line> {
                vec![$(Line {
                    name: Name(stringify!($name)),
                    toml: self.$name.value.toml(),
                    origin: self.$name.origin.to_string(),
                },)+]
            }
        }
    };
}

/// One core is left to the commit loop, which everybody waits for.
fn worker_threads() -> usize {
    available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

settings! {
    /// Address of the API. Without it, PORT (as serverless platforms set it) means 0.0.0.0:PORT
    listen: SocketAddr = "127.0.0.1:8000",
    /// An address for /livez, /readyz and /metrics alone; they leave that of the API then
    probes_listen: Option<SocketAddr> = UNSET,
    /// Who may read /metrics on the address of the API: open, key (of the namespace `default`) or off
    metrics_access: MetricsAccess = "open",
    /// The server's certificate, then those that lead to its CA, in PEM; with tls-key it means TLS
    tls_cert: Option<FilePath> = UNSET,
    /// The key of that certificate, in PEM
    tls_key: Option<FilePath> = UNSET,
    /// CA certificates, in PEM: every client must show a certificate of theirs, and a key all the same
    tls_client_ca: Option<FilePath> = UNSET,
    /// CA certificates, in PEM, that the other replicas are known by; without it, those of the system
    tls_ca: Option<FilePath> = UNSET,
    /// Where the rows live: local, or the URL of an etcd, PostgreSQL or Datastore that replicas share
    store: StoreChoice = "local",
    /// Where other replicas reach this one, as HOST:PORT; without it, the address of the API
    advertise: Option<HostPort> = UNSET,
    /// When this process leads: continuous, or on-demand on platforms that stop it between requests
    leadership: Leadership = "continuous",
    /// With leadership on-demand: the most that the clocks of two machines may differ, in seconds
    max_clock_skew_seconds: Whole<1, 300> = 2,
    /// How long a replica leads without renewing, in seconds: the longest gap when one dies
    lease_seconds: Whole<1, 300> = 5,
    /// Directory of the data of the store `local`; made if it is missing
    data_dir: PathBuf = "./leasehold-data",
    /// Serve without keys, everybody an admin; refused on any address but loopback
    dev: bool = false,
    /// An admin key of the namespace `default`
    api_key: Option<AdminKey> = UNSET,
    /// Where the first key goes, in a new file for its owner alone; without it, to standard output
    first_key_file: Option<FilePath> = UNSET,
    /// What becomes of live holds after a restart: extend starts their timeouts anew
    recovery: Recovery = "extend",
    /// How log lines look
    log_format: LogFormat = "human",
    /// Which log lines are written: a level, and levels of parts as in info,leasehold_server=debug
    log_level: LogLevel = "info,fjall=warn,lsm_tree=warn",
    /// Locks that one namespace may have
    max_locks_per_namespace: Whole<1, 100_000_000> = Limits::default().max_locks_per_namespace,
    /// Holders that one lock may have
    max_holders_per_lock: Whole<1, 10_000_000> = Limits::default().max_holders_per_lock,
    /// Longest timeout of a hold, in seconds
    max_timeout_seconds: Whole<1, 315_360_000> = Limits::default().max_timeout_secs,
    /// Requests that may stand in line for one lock; more are answered 429
    max_waiters_per_lock: Whole<1, 1_000_000> = Limits::default().max_waiters_per_lock,
    /// Requests that may stand in line in one namespace; more are answered 429
    max_waiters_per_namespace: Whole<1, 1_000_000> = Limits::default().max_waiters_per_namespace,
    /// Requests that may stand in line in all, fewer than max-connections; more are answered 429
    max_waiters: Whole<1, 1_000_000> = Limits::default().max_waiters,
    /// Past holds that are kept of each lock; 0 keeps no history at all
    max_history_per_lock: Whole<0, 1_000_000> = Limits::default().max_history_per_lock,
    /// How long a past hold is kept, in seconds
    max_history_age_seconds: Whole<1, 315_360_000> = Limits::default().max_history_age_secs,
    /// Past holds that are kept in all; the oldest are forgotten first
    max_history: Whole<1, 10_000_000> = Limits::default().max_history,
    /// Requests that may wait for the store; more are answered 503
    max_queued: Whole<1, 1_000_000> = engine::Settings::default().max_queued,
    /// Open connections; more wait to be accepted
    max_connections: Whole<1, 1_000_000> = ListenSettings::default().max_connections,
    /// Largest body of a request, in bytes
    max_body_bytes: Whole<1_024, 16_777_216> = ServerSettings::default().max_body_bytes,
    /// Event streams that are open at once; more are answered 429
    max_event_streams: Whole<1, 100_000> = ServerSettings::default().max_event_streams,
    /// Events kept in memory for followers that reconnect; as many refreshes besides
    max_buffered_events: Whole<1_000, 100_000_000> = engine::Settings::default().max_buffered_events,
    /// How long a connection may wait for the head of its next request, in seconds
    header_timeout_seconds: Whole<1, 3_600> = ListenSettings::default().header_read_timeout.as_secs(),
    /// How long a stop waits for requests that are under way, in seconds
    shutdown_grace_seconds: Whole<1, 3_600> = ListenSettings::default().shutdown_grace.as_secs(),
    /// Threads that serve requests; the commit loop has one of its own
    worker_threads: Whole<1, 1_024> = worker_threads(),
}
