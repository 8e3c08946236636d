//! What every handler shares, behind one pointer.

use std::sync::Arc;

use leasehold_engine::Engine;

use crate::metrics::MetricsHandle;
use crate::settings::ServerSettings;

/// Shared by the handlers of the API.
pub(crate) type ApiState = Arc<Api>;

/// Shared by the handlers of the probes.
pub(crate) type ProbeState = Arc<Probes>;

pub(crate) struct Api {
    pub(crate) engine: Engine,
    pub(crate) settings: ServerSettings,
}

pub(crate) struct Probes {
    pub(crate) engine: Engine,
    pub(crate) metrics: MetricsHandle,
}
