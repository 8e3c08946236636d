//! What every handler shares, behind one pointer.

use std::sync::Arc;

use leasehold_engine::Engine;

use crate::cluster::Cluster;
use crate::event_stream::EventStreams;
use crate::failed_keys::FailedKeys;
use crate::metrics::MetricsHandle;
use crate::settings::ServerSettings;

/// Shared by all handlers.
pub(crate) type ApiState = Arc<Api>;

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) engine: Engine,
    pub(crate) settings: Arc<ServerSettings>,
    /// The other replicas, if it is one of several.
    pub(crate) cluster: Option<Arc<Cluster>>,
    pub(crate) metrics: MetricsHandle,
    pub(crate) event_streams: Arc<EventStreams>,
    pub(crate) failed_keys: Arc<FailedKeys>,
}

impl Api {
    pub(crate) fn new(
        engine: Engine,
        settings: ServerSettings,
        metrics: MetricsHandle,
        cluster: Option<Arc<Cluster>>,
    ) -> Self {
        let (max, heartbeat) = (settings.max_event_streams, settings.event_heartbeat);
        let event_streams = EventStreams::new(max, heartbeat).into();
        Self {
            engine,
            settings: settings.into(),
            cluster,
            metrics,
            event_streams,
            failed_keys: Arc::default(),
        }
    }

    /// The same for one request, which is let in by the keys of this moment or not at all.
    pub(crate) fn pinned(&self) -> ApiState {
        Arc::new(Self { engine: self.engine.pinned(), ..self.clone() })
    }
}
