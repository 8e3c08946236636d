//! What the HTTP face is told at start. Plain data, checked where settings are read.

use std::time::Duration;

use leasehold_core::KeyHash;

/// Who may read `/metrics`, which names all namespaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricsAccess {
    /// Any client.
    Open,
    /// Clients with a key of the namespace `default`.
    Key,
    /// No client: the path does not exist.
    Off,
}

/// Settings of [`crate::api_router`].
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Serve without keys: every caller is admin of the namespace `default`.
    pub dev: bool,
    /// Hash of one admin key of the namespace `default` that is not in the store.
    pub admin_key: Option<KeyHash>,
    /// Version that the health check reports.
    pub service_version: String,
    /// Commit that the health check reports.
    pub commit_id: String,
    /// Longest request body, in bytes (I7).
    pub max_body_bytes: usize,
    /// How long a caller may take to send its body.
    pub body_timeout: Duration,
    /// Event streams that are open at once (I7).
    pub max_event_streams: usize,
    /// Who may read `/metrics` on the address of the API.
    pub metrics_access: MetricsAccess,
    /// `/livez`, `/readyz` and `/metrics` have an address of their own, and are not on that of the API.
    pub probes_elsewhere: bool,
    /// Longest silence on an event stream.
    pub event_heartbeat: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            dev: false,
            admin_key: None,
            service_version: env!("CARGO_PKG_VERSION").to_owned(),
            commit_id: "unknown".to_owned(),
            max_body_bytes: 64 * 1024,
            body_timeout: Duration::from_secs(10),
            max_event_streams: 1_000,
            metrics_access: MetricsAccess::Open,
            probes_elsewhere: false,
            event_heartbeat: Duration::from_secs(15),
        }
    }
}
