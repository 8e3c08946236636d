//! Keeps the memory of metrics bounded: histograms collect samples until they are drained.

use std::time::Duration;

use leasehold_server::MetricsHandle;
use tokio::time::{MissedTickBehavior, interval};

const PERIOD: Duration = Duration::from_secs(5);

/// Drains the histograms every few seconds, for as long as the process lives.
pub(super) fn start(metrics: MetricsHandle) {
    tokio::spawn(async move {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            metrics.run_upkeep();
        }
    });
}
