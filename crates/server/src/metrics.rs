//! The numbers that the service publishes.

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};
use thiserror::Error;

/// Renders the numbers, and does the upkeep that keeps histograms from growing: call its
/// `run_upkeep` every few seconds.
pub use metrics_exporter_prometheus::PrometheusHandle as MetricsHandle;

pub(crate) const REQUESTS: &str = "leasehold_http_requests_total";
pub(crate) const REQUEST_SECONDS: &str = "leasehold_http_request_seconds";
pub(crate) const REFUSALS: &str = "leasehold_refusals_total";
pub(crate) const FAILED_HANDSHAKES: &str = "leasehold_tls_failed_handshakes_total";
pub(crate) const CERTIFICATE_EXPIRES: &str = "leasehold_tls_certificate_expires_seconds";

const LOG_LINES_DROPPED: &str = "leasehold_log_lines_dropped_total";

/// From a request that touches only memory, over one that waits for a slow disk, to the longest wait in
/// line.
const SECONDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
    30.0, 300.0,
];

const ROWS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// The numbers cannot be published.
#[derive(Debug, Error)]
#[error("metrics cannot be set up: {0}")]
pub struct MetricsError(#[from] BuildError);

/// Sets up the process's one recorder. Do this before [`leasehold_engine::Engine::start`] and
/// [`crate::api_router`]: both look their handles up when they are made.
///
/// # Errors
/// [`MetricsError`] if the process has a recorder already.
pub fn install_metrics() -> Result<MetricsHandle, MetricsError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_rows".to_owned()), &ROWS)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

/// The metric of log lines that could not be written. Call it after [`install_metrics`].
pub fn log_lines_dropped() -> Counter {
    counter!(LOG_LINES_DROPPED)
}

fn describe() {
    describe_counter!(REQUESTS, "Requests answered, by method, route and status.");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Time to answer a request, by route.");
    describe_counter!(REFUSALS, "Requests refused, by the code of the refusal.");
    describe_counter!(FAILED_HANDSHAKES, "Connections that did not come to terms on TLS.");
    describe_counter!(LOG_LINES_DROPPED, "Log lines that could not be written.");
    describe_gauge!(
        CERTIFICATE_EXPIRES,
        Unit::Seconds,
        "End of the validity of the certificate in use, in Unix time."
    );
    describe_counter!("leasehold_grants_total", "Holds granted.");
    describe_counter!("leasehold_releases_total", "Holds released by their holders.");
    describe_counter!("leasehold_expiries_total", "Holds ended because their timeout passed.");
    describe_counter!(
        "leasehold_forced_ends_total",
        "Holds ended because an admin broke the lock."
    );
    describe_counter!("leasehold_events_total", "Events published, of all kinds.");
    describe_counter!("leasehold_event_gaps_total", "Gaps told to those who follow events.");
    describe_gauge!("leasehold_event_streams", "Event streams that are open.");
    describe_gauge!("leasehold_locks", "Locks that exist, by namespace.");
    describe_gauge!("leasehold_holds", "Holds that are in force, by namespace.");
    describe_gauge!("leasehold_waiters", "Requests in line, by namespace.");
    describe_histogram!("leasehold_batch_rows", "Rows written by one durable batch.");
    describe_histogram!("leasehold_commit_seconds", Unit::Seconds, "Time to commit one batch.");
    describe_gauge!("leasehold_queue_depth", "Commands that wait for the commit loop.");
}
