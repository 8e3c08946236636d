//! Why settings were refused: where the bad value came from and what is allowed.

use thiserror::Error;

use super::layers::Origin;

/// Why the settings cannot be used. Every text says what to change.
#[derive(Debug, Error)]
pub(crate) enum SettingsError {
    #[error("setting `{setting}` does not take {given} ({origin}): give {allowed}")]
    NotAllowed { setting: String, given: String, origin: Origin, allowed: String },
    #[error("the environment variable {variable} is not UTF-8")]
    NotUtf8 { variable: String },
    #[error("cannot read the settings file {path}: {error}")]
    Unreadable { path: String, error: std::io::Error },
    #[error("the settings file {path} is not TOML: {error}")]
    NotToml { path: String, error: toml::de::Error },
    #[error("file {path}, line {line}: there is no setting `{key}`; {suggestion}")]
    Unknown { path: String, line: usize, key: String, suggestion: String },
    #[error("file {path}, line {line}: `{key}` takes a text, a whole number, true or false")]
    NotPlain { path: String, line: usize, key: String },
    #[error(
        "--dev serves everybody without a key, so it takes only a loopback address such as 127.0.0.1:8000; \
         `{setting}` is {address} ({origin}): change it, or leave out --dev"
    )]
    DevBeyondLoopback { setting: &'static str, address: std::net::SocketAddr, origin: Origin },
    #[error(
        "`{given}` ({origin}) takes `{missing}` as well: TLS needs a certificate and its key. Give \
         --{missing} FILE, or leave out both"
    )]
    HalfOfTls { given: &'static str, origin: Origin, missing: &'static str },
    #[error(
        "`{setting}` ({origin}) is about TLS, which is not on: give --tls-cert FILE and --tls-key FILE, or \
         leave it out"
    )]
    NoTls { setting: &'static str, origin: Origin },
    #[error(
        "other replicas cannot reach {address} (`listen`, {origin}), which stands for every address of \
         this machine: say where they do with --advertise HOST:PORT"
    )]
    NoAddressForOthers { address: std::net::SocketAddr, origin: Origin },
    #[error(
        "max-waiters is {waiters} ({waiters_origin}) and max-connections {connections} \
         ({connections_origin}): waiters could take all connections, and holders would have none to release \
         with; give fewer max-waiters, or more max-connections"
    )]
    MoreWaitersThanConnections {
        waiters: u32,
        waiters_origin: Origin,
        connections: u32,
        connections_origin: Origin,
    },
    #[error(
        "the store {store} ({origin}) cannot be led on demand (`leadership`, {leadership}): choose a store \
         datastore://PROJECT or postgres://USER:PASSWORD@HOST/DATABASE, or leave out --leadership on-demand"
    )]
    NotOnDemand { store: &'static str, origin: Origin, leadership: Origin },
    #[error(
        "with leadership on-demand ({leadership}) no replica calls another: leave out `advertise` ({origin})"
    )]
    NobodyToAdvertiseTo { origin: Origin, leadership: Origin },
}
