//! The settings of each part, from those that are in force.

use std::time::Duration;

use leasehold_core::Limits;
use leasehold_engine as engine;
use leasehold_server::ServerSettings;
use leasehold_server::listen::ListenSettings;
use leasehold_server::tls::{TlsFiles, Trust};

use crate::config::{Leadership, Settings};
use crate::version;

/// Of the commit loop.
pub(super) fn engine(settings: &Settings) -> engine::Settings {
    engine::Settings {
        limits: Limits {
            max_locks_per_namespace: settings.max_locks_per_namespace.value.count(),
            max_holders_per_lock: settings.max_holders_per_lock.value.count(),
            max_timeout_secs: settings.max_timeout_seconds.value.get(),
            max_waiters_per_lock: settings.max_waiters_per_lock.value.count(),
            max_waiters_per_namespace: settings.max_waiters_per_namespace.value.count(),
            max_waiters: settings.max_waiters.value.count(),
            max_history_per_lock: settings.max_history_per_lock.value.count(),
            max_history_age_secs: settings.max_history_age_seconds.value.get(),
            max_history: settings.max_history.value.count(),
            ..Limits::default()
        },
        leadership: match settings.leadership.value {
            Leadership::Continuous => engine::Leadership::Continuous,
            Leadership::OnDemand => engine::Leadership::OnDemand {
                max_clock_skew: Duration::from_secs(
                    settings.max_clock_skew_seconds.value.get().into(),
                ),
            },
        },
        max_queued: settings.max_queued.value.count(),
        max_buffered_events: settings.max_buffered_events.value.count(),
        ..engine::Settings::default()
    }
}

/// Of the HTTP face.
pub(super) fn server(settings: &Settings) -> ServerSettings {
    ServerSettings {
        dev: settings.dev.value,
        admin_key: settings.api_key.value.map(|key| key.hash),
        service_version: version::VERSION.to_owned(),
        commit_id: version::COMMIT_ID.to_owned(),
        max_body_bytes: settings.max_body_bytes.value.count(),
        metrics_access: settings.metrics_access.value,
        probes_elsewhere: settings.probes_listen.value.is_some(),
        max_event_streams: settings.max_event_streams.value.count(),
        ..ServerSettings::default()
    }
}

/// Of a listener.
pub(super) fn listen(settings: &Settings) -> ListenSettings {
    let seconds = |setting: u32| Duration::from_secs(setting.into());
    ListenSettings {
        max_connections: settings.max_connections.value.count(),
        header_read_timeout: seconds(settings.header_timeout_seconds.value.get()),
        shutdown_grace: seconds(settings.shutdown_grace_seconds.value.get()),
        ..ListenSettings::default()
    }
}

/// Of TLS, if it is on.
pub(super) fn tls(settings: &Settings) -> Option<TlsFiles> {
    let certificate = settings.tls_cert.value.as_ref()?.path().to_owned();
    let key = settings.tls_key.value.as_ref()?.path().to_owned();
    let client_ca = settings.tls_client_ca.value.as_ref().map(|file| file.path().to_owned());
    let link = settings
        .tls_ca
        .value
        .as_ref()
        .map_or(Trust::System, |file| Trust::File(file.path().to_owned()));
    let link = settings.has_others().then_some(link);
    Some(TlsFiles { certificate, key, client_ca, link })
}
