//! The loop itself: take what has queued up, decide, commit once, then answer (I2).

use std::time::Duration;

use leasehold_core::{Effects, Mono, Reply, Table};
use leasehold_store::{Epoch, StoreError};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::engine::{Call, Failure};
use crate::keyring::KeyRing;
use crate::role::Role;
use crate::run::Owner;

/// Longest sleep between two looks at the clock: timers stand still while the machine is suspended,
/// deadlines do not.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// How a term of leadership ended.
pub(crate) enum TermEnd {
    /// Somebody asked the loop to end, and all that was queued is answered.
    Drained,
    /// A commit failed. What the table holds may differ from the store, so it is gone.
    Lost(String),
}

type Outcome = Result<Reply, Failure>;

impl Owner {
    pub(crate) async fn lead(&mut self, mut table: Table, epoch: Epoch) -> TermEnd {
        let mut calls = Vec::with_capacity(self.settings.max_batch);
        loop {
            let drained = self.wait_for_work(&table, &mut calls).await;
            if drained && calls.is_empty() {
                return TermEnd::Drained;
            }
            let now = self.clock.now();
            let mut effects = Effects::default();
            // Commands are decided once every hold that is due has ended; if that takes more than one
            // batch, they wait for the rounds that end them.
            let limit = self.settings.max_batch;
            let decided =
                if table.expire(now, limit, &mut effects) < limit { calls.len() } else { 0 };
            let outcomes: Vec<(oneshot::Sender<Outcome>, Outcome)> = calls
                .drain(..decided)
                .map(|Call { command, reply }| {
                    let outcome = table.execute(now, &command, &mut effects);
                    (reply, outcome.map_err(Failure::Refused))
                })
                .collect();
            let committed = self.commit(epoch, &effects, &table).await;
            for (reply, outcome) in outcomes {
                let outcome = match &committed {
                    Ok(()) => outcome,
                    Err(error) => Err(failure_of(error)),
                };
                // The caller may have hung up meanwhile; what was committed stands all the same.
                drop(reply.send(outcome));
            }
            if let Err(error) = committed {
                return TermEnd::Lost(error.to_string());
            }
            self.gauges.after_batch(now.mono, &effects, self.inbox.len(), &table);
        }
    }

    /// Waits for commands, for the next deadline, or for the call to end. True if asked to end and
    /// nothing more is queued.
    async fn wait_for_work(&mut self, table: &Table, calls: &mut Vec<Call>) -> bool {
        if !calls.is_empty() {
            return false;
        }
        let now = self.clock.now().mono;
        let until = |moment: Mono| moment.since(now).min(LONGEST_SLEEP);
        let due = [table.next_deadline(), self.gauges.due()].into_iter().flatten().min();
        let idle = async {
            match due {
                Some(moment) => sleep(until(moment)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            received = self.inbox.recv_many(calls, self.settings.max_batch) => received == 0,
            _ = self.drain.wait_for(|drain| *drain) => {
                self.role.send_replace(Role::Draining);
                self.inbox.close();
                self.inbox.recv_many(calls, self.settings.max_batch).await == 0
            }
            () = idle => false,
        }
    }

    async fn commit(
        &mut self,
        epoch: Epoch,
        effects: &Effects,
        table: &Table,
    ) -> Result<(), StoreError> {
        if !effects.batch.is_empty() {
            let started = self.clock.now().mono;
            self.store.commit(epoch, &effects.batch).await?;
            self.gauges.committed(&effects.batch, self.clock.now().mono.since(started));
        }
        if effects.keys_changed {
            self.keyring.store(KeyRing::new(table.keys().clone()).into());
        }
        Ok(())
    }
}

/// What a failed commit means for the callers whose commands, or whose view, rested on it.
fn failure_of(error: &StoreError) -> Failure {
    match error {
        StoreError::Fenced(_) | StoreError::Unavailable(_) => Failure::NotReady(error.to_string()),
        StoreError::OutcomeUnknown(_) | StoreError::Corrupt(_) => {
            Failure::OutcomeUnknown(error.to_string())
        }
    }
}
