//! What every handler shares, behind one pointer.

use std::sync::Arc;

use leasehold_engine::Engine;

use crate::metrics::MetricsHandle;
use crate::settings::ServerSettings;

/// Shared by all handlers.
pub(crate) type ApiState = Arc<Api>;

pub(crate) struct Api {
    pub(crate) engine: Engine,
    pub(crate) settings: ServerSettings,
    pub(crate) metrics: MetricsHandle,
}
