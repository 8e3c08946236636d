//! Claim an epoch and load the table, trying again for as long as that may help.

use std::time::Duration;

use leasehold_core::{Recovery, Row, Table};
use leasehold_store::{Epoch, Leader, StoreError};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::engine::Failure;
use crate::last_leader::LastLeader;
use crate::lease::Lease;
use crate::replica_state::ReplicaState;
use crate::run::Owner;
use crate::wind_down::WindDown;

/// How recovery ended.
pub(crate) enum Recovered {
    /// The table as the store has it, the epoch that commits must carry, and how long that lasts.
    Table(Box<Table>, Epoch, Lease),
    /// Somebody asked the loop to end.
    Drained,
    /// The store's content cannot be trusted. Trying again would not help.
    Hopeless(String),
}

impl Owner {
    pub(crate) async fn recover(&mut self, mut reason: String) -> Recovered {
        let mut pause = self.settings.min_retry_pause;
        self.state.send_replace(ReplicaState::Recovering { reason: reason.clone() });
        loop {
            match self.try_to_recover().await {
                Ok((table, epoch, lease)) => return Recovered::Table(table, epoch, lease),
                Err(StoreError::Corrupt(what)) => return Recovered::Hopeless(what),
                Err(StoreError::Led(leader)) => {
                    if self.follow(*leader).await {
                        return Recovered::Drained;
                    }
                    pause = self.settings.min_retry_pause;
                    continue;
                }
                Err(
                    error @ (StoreError::Fenced(_)
                    | StoreError::Unavailable(_)
                    | StoreError::OutcomeUnknown(_)),
                ) => {
                    warn!(%error, ?pause, "recovery failed; trying again");
                    reason = error.to_string();
                }
            }
            let (refusal, at_most) = self.refusal_without_store(&reason);
            if self.refuse_for(Instant::now() + pause.min(at_most), &refusal).await {
                return Recovered::Drained;
            }
            pause = (pause * 2).min(self.settings.max_retry_pause);
        }
    }

    /// What callers are told while the store does not answer, and for how long that holds.
    fn refusal_without_store(&self, reason: &str) -> (Failure, Duration) {
        let last = self.last_leader.as_ref();
        if let Some((leader, left)) = last.and_then(|last| last.relied_on(self.clock.mono())) {
            return (Failure::Elsewhere(Box::new(leader.clone())), left);
        }
        self.state.send_replace(ReplicaState::Recovering { reason: reason.to_owned() });
        (Failure::NotReady(reason.to_owned()), Duration::MAX)
    }

    /// Sends callers to the leader until it is time to ask the store again. True if asked to end.
    async fn follow(&mut self, leader: Leader) -> bool {
        let (now, lease) = (self.clock.mono(), self.store.lease());
        self.last_leader = Some(LastLeader::new(leader.clone(), now, lease));
        let refusal = Failure::Elsewhere(Box::new(leader.clone()));
        let state = ReplicaState::Following(leader);
        self.events.send_elsewhere();
        self.state.send_if_modified(|current| {
            let is_news = *current != state;
            if is_news {
                info!(?state, "another replica leads");
                *current = state;
            }
            is_news
        });
        self.refuse_for(Instant::now() + self.settings.campaign_pause, &refusal).await
    }

    /// Claims an epoch and loads the table once.
    pub(crate) async fn try_to_recover(
        &mut self,
    ) -> Result<(Box<Table>, Epoch, Lease), StoreError> {
        let sent = self.clock.mono();
        let epoch = self.store.claim().await?;
        // The replica that led before does not lead any more, however this goes on.
        self.last_leader = None;
        let lease = Lease::new(self.settings.leadership.lease_of(&*self.store), sent);
        let deadlines = self.settings.leadership.deadlines();
        let mut recovery = Recovery::new(self.settings.limits, deadlines);
        let (mut rows, mut has_stored_deadlines) = (0_u64, false);
        self.store
            .load(epoch, &mut |row| {
                has_stored_deadlines |= matches!(row, Row::StoredDeadlines { .. });
                recovery.row(row);
                rows += 1;
            })
            .await?;
        // Timeouts that go on count from stored times; those that begin again are stored now, or not at all.
        let now = if has_stored_deadlines { self.clock.now_for_stored() } else { self.clock.now() };
        let (table, first_batch) =
            recovery.finish(now).map_err(|violation| StoreError::Corrupt(violation.to_string()))?;
        if !first_batch.is_empty() {
            self.store.commit(epoch, &first_batch).await?;
        }
        self.know_keys(&table);
        info!(epoch = epoch.0, rows, "recovered");
        Ok((Box::new(table), epoch, lease))
    }

    /// Until the given moment, tells callers that nothing can be decided now. True if asked to end.
    async fn refuse_for(&mut self, until: Instant, refusal: &Failure) -> bool {
        loop {
            tokio::select! {
                _ = self.wind_down.wait_for(|stage| *stage == WindDown::Drain) => return true,
                () = sleep_until(until) => return false,
                () = self.nudge.notified() => return false,
                call = self.inbox.recv() => match call {
                    // The caller may have hung up meanwhile; then nobody needs the answer.
                    Some(call) => drop(call.caller.send(Err(refusal.clone()))),
                    None => return true,
                },
            }
        }
    }
}
