//! The handle through which everybody else talks to the commit loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use leasehold_core::{Command, Limits, Mono, Origin, Refusal, Reply};
use leasehold_store::{Leader, Store};
use thiserror::Error;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::events::{EventId, EventLog, Filter, Follower};
use crate::gauges::Gauges;
use crate::gone::{CallId, CallOutcome, Gone, Listener};
use crate::keyring::KeyRing;
use crate::leadership::Leadership;
use crate::replica_state::ReplicaState;
use crate::run::Owner;
use crate::timer::Timer;
use crate::turns::Turns;
use crate::wind_down::WindDown;

/// How the commit loop is bounded (I7). Checked where settings are read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bounds of the table.
    pub limits: Limits,
    /// When it leads.
    pub leadership: Leadership,
    /// Commands that may wait for the loop; more are refused with [`Failure::Overloaded`].
    pub max_queued: usize,
    /// Commands, and expiries, that one durable batch takes at most.
    pub max_batch: usize,
    /// Rows after which a durable batch takes no more commands: every store can commit so many within a
    /// small part of a lease. The last command may go beyond it, by what one step of it changes.
    pub max_batch_rows: usize,
    /// Events kept for followers that come back or lag behind; as many refreshes besides.
    pub max_buffered_events: usize,
    /// Pause before the first new try after a failure of the store; doubles up to `max_retry_pause`.
    pub min_retry_pause: Duration,
    /// Longest pause between two tries.
    pub max_retry_pause: Duration,
    /// Pause between two tries to lead while another replica does.
    pub campaign_pause: Duration,
    /// How often a loop that leads on demand looks whether another has taken over, while somebody waits in
    /// line or follows events.
    pub confirm_pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            leadership: Leadership::default(),
            max_queued: 16_384,
            max_batch: 1_024,
            max_batch_rows: 4_096,
            max_buffered_events: 65_536,
            min_retry_pause: Duration::from_millis(50),
            max_retry_pause: Duration::from_secs(2),
            campaign_pause: Duration::from_millis(100),
            confirm_pause: Duration::from_secs(1),
        }
    }
}

/// Why a command has no reply, by what the caller does next.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Failure {
    /// The table said no. Nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More commands wait than the service takes on. Nothing changed; try again soon.
    #[error("too many requests are waiting")]
    Overloaded,
    /// The store cannot be reached or is being loaded. Nothing changed; try again.
    #[error("the service is not ready: {0}")]
    NotReady(String),
    /// Another replica leads. Nothing changed; ask there.
    #[error("another replica leads")]
    Elsewhere(Box<Leader>),
    /// The service is shutting down. Nothing changed; try again, elsewhere or later.
    #[error("the service is shutting down")]
    Draining,
    /// The commit failed midway. The command may or may not have happened: look, then try again.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
}

/// One command on its way to the loop, and where its outcome goes.
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) command: Command,
    pub(crate) origin: Origin,
    pub(crate) caller: oneshot::Sender<CallOutcome>,
    /// [`KeyRing::revocations`] of the ring by which the caller was let in, if it is to be held against
    /// the present one.
    pub(crate) admitted: Option<u64>,
    /// What earlier rounds have done of it, in the words of the answer: if any, it has begun.
    pub(crate) parts: Vec<Reply>,
}

/// Whether what is known here is the latest, or why that is not known.
pub(crate) type Attendance = Result<(), Failure>;

/// What a caller is told whose key may have been revoked since it was let in.
pub(crate) fn keys_changed() -> Failure {
    Failure::NotReady("API keys have been revoked meanwhile".to_owned())
}

/// A handle to a running commit loop. Cheap to clone; the loop ends by [`Engine::drain`].
#[derive(Clone)]
pub struct Engine {
    calls: mpsc::Sender<Call>,
    next_call: Arc<AtomicU64>,
    gone: mpsc::UnboundedSender<Gone>,
    attending: mpsc::Sender<oneshot::Sender<Attendance>>,
    keyring: Arc<ArcSwap<KeyRing>>,
    /// The keys that this handle goes by, if not by those of the moment.
    pinned: Option<Arc<KeyRing>>,
    state: watch::Receiver<ReplicaState>,
    wind_down: watch::Sender<WindDown>,
    events: Arc<EventLog>,
    nudge: Arc<Notify>,
    clock: Arc<dyn Clock>,
    leadership: Leadership,
}

impl Engine {
    /// Starts the loop on a thread of its own. It begins by claiming an epoch and loading the table, or,
    /// if it leads on demand, by waiting for the first call; follow it with [`Engine::watch_state`].
    ///
    /// # Errors
    /// If the machine grants no thread.
    pub fn start(
        store: Box<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> std::io::Result<Self> {
        let (calls, inbox) = mpsc::channel(settings.max_queued);
        let (gone, gone_in) = mpsc::unbounded_channel();
        let keyring = Arc::new(ArcSwap::default());
        let (attend, attending) = mpsc::channel(settings.max_queued);
        let leadership = settings.leadership;
        let (state_out, state) = watch::channel(match leadership {
            Leadership::Continuous => ReplicaState::Recovering { reason: "starting".to_owned() },
            Leadership::OnDemand { .. } => ReplicaState::Standby,
        });
        let (wind_down, wind_down_in) = watch::channel(WindDown::Not);
        let events = EventLog::new(settings.max_buffered_events);
        let nudge = Arc::new(Notify::new());
        let owner = Owner {
            store,
            clock: Arc::clone(&clock),
            settings,
            inbox,
            gone: gone_in,
            keyring: Arc::clone(&keyring),
            state: state_out,
            wind_down: wind_down_in,
            attending,
            nudge: Arc::clone(&nudge),
            turns: Turns::new(),
            last_leader: None,
            timer: Timer::default(),
            gauges: Gauges::new(),
            events: Arc::clone(&events),
        };
        thread::Builder::new().name("commit-loop".to_owned()).spawn(move || owner.run())?;
        let next_call = Arc::default();
        Ok(Self {
            calls,
            next_call,
            gone,
            attending: attend,
            keyring,
            pinned: None,
            state,
            wind_down,
            events,
            nudge,
            clock,
            leadership,
        })
    }

    /// Asks the table. The reply comes once everything that it rests on is durable (I2); for an acquire
    /// that waits, once its turn has come or its wait is over.
    ///
    /// Dropping the future hangs up: a wait leaves its line at once, and a grant that nobody took is
    /// given back. Other commands are carried out all the same.
    ///
    /// # Errors
    /// [`Failure`] says whether anything may have changed and whether to try again.
    pub async fn submit(&self, command: Command) -> Result<Reply, Failure> {
        self.submit_from(Origin::default(), command).await
    }

    /// The same for a command whose origin is known.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub async fn submit_from(&self, origin: Origin, command: Command) -> Result<Reply, Failure> {
        let (caller, outcome) = oneshot::channel();
        let id = CallId(self.next_call.fetch_add(1, Ordering::Relaxed));
        let admitted = self.pinned.as_ref().map(|keyring| keyring.revocations());
        self.calls
            .try_send(Call { id, command, origin, caller, admitted, parts: Vec::new() })
            .map_err(|refused| self.why_refused(&refused))?;
        Listener { id, outcome, gone: self.gone.clone(), is_served: false }.listen().await
    }

    /// Makes sure that what is known here is the latest: a loop that leads on demand takes over if it does
    /// not lead, or looks whether it still does. There is nothing to do where leadership is continuous.
    ///
    /// # Errors
    /// As [`Engine::submit`], of a command that changes nothing. [`Failure::NotReady`] also if this
    /// handle goes by keys of which one was revoked since.
    pub async fn attend(&self) -> Result<(), Failure> {
        if !self.is_on_demand() {
            return Ok(());
        }
        let (caller, attended) = oneshot::channel();
        self.attending.try_send(caller).map_err(|refused| self.why_refused(&refused))?;
        attended.await.unwrap_or_else(|_| Err(self.why_closed()))?;
        match &self.pinned {
            Some(pinned) if pinned.revocations() != self.keyring.load().revocations() => {
                Err(keys_changed())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the loop leads on demand.
    #[must_use]
    pub fn is_on_demand(&self) -> bool {
        self.leadership.is_on_demand()
    }

    /// Follows what happens, from after an event that the caller knows, or from now on. What it is told
    /// is durable.
    ///
    /// # Errors
    /// [`Failure::NotReady`], [`Failure::Elsewhere`] and [`Failure::Draining`]: there is nothing to follow
    /// here and now.
    pub fn follow(&self, filter: Filter, after: Option<EventId>) -> Result<Follower, Failure> {
        match &*self.state() {
            ReplicaState::Leading(_) | ReplicaState::Draining => {}
            ReplicaState::Recovering { reason } | ReplicaState::Stopped { reason } => {
                return Err(Failure::NotReady(reason.clone()));
            }
            ReplicaState::Standby => return Err(Failure::NotReady("nobody leads here".to_owned())),
            ReplicaState::Following(leader) => {
                return Err(Failure::Elsewhere(Box::new(leader.clone())));
            }
        }
        let follower = self.events.follow(filter, after).ok_or(Failure::Draining)?;
        // From now on there is somebody to tell of what time brings about.
        self.nudge.notify_one();
        Ok(follower)
    }

    fn why_refused<T>(&self, refused: &mpsc::error::TrySendError<T>) -> Failure {
        match refused {
            mpsc::error::TrySendError::Full(_) => Failure::Overloaded,
            mpsc::error::TrySendError::Closed(_) => self.why_closed(),
        }
    }

    fn why_closed(&self) -> Failure {
        match &*self.state() {
            ReplicaState::Stopped { reason } => Failure::NotReady(reason.clone()),
            ReplicaState::Recovering { .. }
            | ReplicaState::Standby
            | ReplicaState::Following(_)
            | ReplicaState::Leading(_)
            | ReplicaState::Draining => Failure::Draining,
        }
    }

    /// The committed API keys, as of now or of when this handle was pinned to them.
    #[must_use]
    pub fn keyring(&self) -> Arc<KeyRing> {
        self.pinned.clone().unwrap_or_else(|| self.keyring.load_full())
    }

    /// A handle that goes by the keys of this moment. Commands that it submits are carried out only if none
    /// of them has been revoked by then: whoever was let in by keys that turn out to be of yesterday
    /// has to come again.
    #[must_use]
    pub fn pinned(&self) -> Self {
        Self { pinned: Some(self.keyring.load_full()), ..self.clone() }
    }

    /// A handle that goes by the keys of whatever moment it is.
    #[must_use]
    pub fn unpinned(&self) -> Self {
        Self { pinned: None, ..self.clone() }
    }

    /// Where the loop stands. It cannot move on while somebody looks.
    #[must_use]
    pub fn state(&self) -> watch::Ref<'_, ReplicaState> {
        self.state.borrow()
    }

    /// Where the loop stands, to wait for.
    #[must_use]
    pub fn watch_state(&self) -> watch::Receiver<ReplicaState> {
        self.state.clone()
    }

    /// Commands that wait for the loop.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.calls.max_capacity() - self.calls.capacity()
    }

    /// The clock that the loop decides by, to measure against the deadlines in its replies.
    #[must_use]
    pub fn mono(&self) -> Mono {
        self.clock.mono()
    }

    /// Tries to lead at once, if it follows another now: that one has said that it leaves.
    pub fn campaign(&self) {
        self.nudge.notify_one();
    }

    /// From now on nobody stands in line: whoever does, or comes to it, is told [`Failure::Draining`].
    /// Nobody follows events either. Everything else is answered as before. The first half of a stop,
    /// because both can last longer than a stop may.
    pub fn turn_waiters_away(&self) {
        self.events.close();
        self.wind_down_to(WindDown::WithoutWaiters);
    }

    /// Completes once waiters are turned away: a stop has begun.
    pub async fn stopping(&self) {
        let mut stage = self.wind_down.subscribe();
        // The sender is here, so the wait ends in no other way.
        let _ = stage.wait_for(|stage| *stage >= WindDown::WithoutWaiters).await;
    }

    /// Finishes what is queued, commits, resigns and ends the loop.
    pub async fn drain(&self) {
        self.wind_down_to(WindDown::Drain);
        let mut state = self.watch_state();
        // An error means that the loop is gone already, which is what was asked for.
        let _ = state.wait_for(|state| matches!(state, ReplicaState::Stopped { .. })).await;
    }

    fn wind_down_to(&self, wanted: WindDown) {
        self.wind_down.send_if_modified(|current| {
            let is_further = wanted > *current;
            if is_further {
                *current = wanted;
            }
            is_further
        });
    }
}
