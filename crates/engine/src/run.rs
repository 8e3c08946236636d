//! The life of the commit loop: recover, lead, and again, until it is drained or the store is beyond help.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arc_swap::ArcSwap;
use leasehold_store::Store;
use tokio::runtime;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::engine::{Attendance, Call, Settings};
use crate::events::EventLog;
use crate::gauges::Gauges;
use crate::gone::Gone;
use crate::keyring::KeyRing;
use crate::last_leader::LastLeader;
use crate::lead::TermEnd;
use crate::leadership::Leadership;
use crate::recover::Recovered;
use crate::replica_state::{ReplicaState, Term};
use crate::timer::Timer;
use crate::turns::Turns;
use crate::wind_down::WindDown;
use crate::work::Work;

/// The one owner of the lock table and of the store.
pub(crate) struct Owner {
    pub(crate) store: Box<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) inbox: mpsc::Receiver<Call>,
    pub(crate) gone: mpsc::UnboundedReceiver<Gone>,
    pub(crate) keyring: Arc<ArcSwap<KeyRing>>,
    pub(crate) state: watch::Sender<ReplicaState>,
    pub(crate) wind_down: watch::Receiver<WindDown>,
    pub(crate) attending: mpsc::Receiver<oneshot::Sender<Attendance>>,
    pub(crate) nudge: Arc<Notify>,
    pub(crate) turns: Turns,
    /// Set while this replica follows.
    pub(crate) last_leader: Option<LastLeader>,
    pub(crate) timer: Timer,
    pub(crate) gauges: Gauges,
    pub(crate) events: Arc<EventLog>,
}

impl Owner {
    /// Runs until drained. A broken promise (a panic of the table) ends the loop before anything is
    /// committed or answered: callers get an unknown outcome, readiness says why.
    pub(crate) fn run(self) {
        let (state, events) = (self.state.clone(), Arc::clone(&self.events));
        let ended = catch_unwind(AssertUnwindSafe(|| -> Result<String, String> {
            let runtime = runtime::Builder::new_current_thread()
                .enable_time()
                .enable_io()
                .build()
                .map_err(|error| format!("the commit loop has no runtime: {error}"))?;
            Ok(runtime.block_on(self.terms()))
        }));
        let reason = match ended {
            Ok(Ok(reason) | Err(reason)) => reason,
            Err(_) => "the commit loop broke off; the log has the reason".to_owned(),
        };
        info!(reason, "the commit loop has ended");
        events.close();
        state.send_replace(ReplicaState::Stopped { reason });
    }

    async fn terms(mut self) -> String {
        let mut reason = "starting".to_owned();
        let mut work = Work::default();
        loop {
            let recovered = match self.settings.leadership {
                Leadership::Continuous => self.recover(reason).await,
                Leadership::OnDemand { .. } => self.take_over(&mut work).await,
            };
            let (table, epoch, lease) = match recovered {
                Recovered::Table(table, epoch, lease) => (table, epoch, lease),
                Recovered::Drained => return "drained".to_owned(),
                Recovered::Hopeless(reason) => {
                    error!(reason, "the store cannot be used");
                    return reason;
                }
            };
            self.events.begin(epoch.0);
            let since = self.clock.now().wall;
            self.state.send_replace(ReplicaState::Leading(Term { epoch, since }));
            info!(epoch = epoch.0, "leading");
            match self.lead(*table, epoch, lease, &mut work).await {
                // Nobody has to wait for it to be over.
                TermEnd::Drained if self.settings.leadership.is_on_demand() => {
                    return "drained".to_owned();
                }
                TermEnd::Drained => {
                    if let Err(error) = self.store.resign(epoch).await {
                        warn!(%error, "could not resign; the next leader takes over all the same");
                    }
                    return "drained".to_owned();
                }
                TermEnd::Lost(lost) => {
                    warn!(reason = lost, "dropped the table; it may differ from the store");
                    reason = lost;
                }
            }
        }
    }
}
