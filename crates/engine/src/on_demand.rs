//! Leading on demand: stand by until somebody asks, then take over, whoever led before.
//!
//! While nobody asks there is no timer and no call to the store. A round whose batch or whose look at the
//! fence finds that another has taken over has done nothing; its calls are carried out again after the next
//! takeover, on what the other left.

use std::mem;
use std::time::Duration;

use leasehold_core::Mono;
use leasehold_store::StoreError;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::engine::Failure;
use crate::lead::{Answer, TermEnd, failure_of};
use crate::recover::Recovered;
use crate::replica_state::ReplicaState;
use crate::run::Owner;
use crate::waiting::Waiting;
use crate::wind_down::WindDown;
use crate::work::Work;

/// How often a takeover is tried on a store that does not answer as it should, until callers are told.
const MAX_FAILURES: u32 = 3;

/// How an attempt to take over ended.
enum Attempt {
    Done(Recovered),
    /// Not now. Those who asked have been told.
    GivenUp,
}

impl Owner {
    /// Waits for somebody to ask, and takes over. What is asked stays in `work`.
    pub(crate) async fn take_over(&mut self, work: &mut Work) -> Recovered {
        loop {
            self.state.send_if_modified(|state| {
                let is_news = *state != ReplicaState::Standby;
                *state = ReplicaState::Standby;
                is_news
            });
            if work.is_empty() {
                self.turns.pause = Duration::ZERO;
                self.events.send_elsewhere();
                self.somebody_asks(work).await;
            }
            if *self.wind_down.borrow() == WindDown::Drain || work.is_empty() {
                return self.drained(work);
            }
            if let Attempt::Done(recovered) = self.try_to_take_over(work).await {
                return recovered;
            }
        }
    }

    /// Returns with nothing asked if the loop is to end.
    async fn somebody_asks(&mut self, work: &mut Work) {
        tokio::select! {
            biased;
            // An error means that nobody is left who could ask.
            _ = self.wind_down.wait_for(|stage| *stage == WindDown::Drain) => {}
            _ = self.inbox.recv_many(&mut work.calls, self.settings.max_batch) => {}
            caller = self.attending.recv() => work.attending.extend(caller),
        }
    }

    async fn try_to_take_over(&mut self, work: &mut Work) -> Attempt {
        let mut failures = 0;
        loop {
            if self.stands_back().await {
                return Attempt::Done(self.drained(work));
            }
            let began = self.clock.mono();
            let error = match self.try_to_recover().await {
                Ok((table, epoch, lease)) => {
                    self.turns.took(self.clock.mono().since(began));
                    return Attempt::Done(Recovered::Table(table, epoch, lease));
                }
                Err(StoreError::Corrupt(what)) => return Attempt::Done(Recovered::Hopeless(what)),
                Err(error) => error,
            };
            let tries_again = match &error {
                StoreError::Fenced(_) => self.turns.taken_over(),
                StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_) => {
                    failures += 1;
                    self.turns.pause = self.settings.min_retry_pause;
                    failures < MAX_FAILURES
                }
                StoreError::Led(_) | StoreError::Corrupt(_) => false,
            };
            if !tries_again {
                warn!(%error, "could not take over");
                self.refuse_all(work, &Failure::NotReady(error.to_string()));
                return Attempt::GivenUp;
            }
            info!(%error, pause = ?self.turns.pause, "could not take over yet");
        }
    }

    /// Lets another have its turn, if need be. True if the loop is to end.
    async fn stands_back(&mut self) -> bool {
        let pause = mem::take(&mut self.turns.pause);
        tokio::select! {
            biased;
            _ = self.wind_down.wait_for(|stage| *stage == WindDown::Drain) => true,
            () = sleep(pause) => false,
        }
    }

    /// Takes nothing new, and turns everybody away who asked.
    fn drained(&mut self, work: &mut Work) -> Recovered {
        self.inbox.close();
        self.refuse_all(work, &Failure::Draining);
        Recovered::Drained
    }

    /// Tells everybody who asked the same. Nothing was done.
    fn refuse_all(&mut self, work: &mut Work, failure: &Failure) {
        while let Ok(call) = self.inbox.try_recv() {
            work.calls.push(call);
        }
        work.attend(&mut self.attending);
        work.refuse(failure);
    }

    /// Ends a term whose round was not made good. Where it is certain that another has taken over and that
    /// nothing was done, all who still wait for an answer stay in `work`.
    pub(crate) fn lose(
        &mut self,
        error: &StoreError,
        now: Mono,
        answers: Vec<Answer>,
        waiting: Waiting,
        work: &mut Work,
    ) -> TermEnd {
        let is_fenced = matches!(error, StoreError::Fenced(_));
        let starts_over = self.settings.leadership.is_on_demand() && is_fenced;
        let nothing_done = Failure::NotReady(error.to_string());
        if starts_over {
            // Their steps were not taken: each goes on where it was.
            work.calls.extend(work.steps.drain(..).map(|step| step.call));
            work.calls.extend(work.unfinished.drain(..));
            let answered = answers.into_iter().map(|Answer { caller, again, .. }| (caller, again));
            for (caller, again) in answered.chain(waiting.into_callers()) {
                let call = match again {
                    Some(again) => again.call(caller, now),
                    None => Err(caller),
                };
                match call {
                    Ok(call) => work.calls.push(call),
                    Err(caller) => drop(caller.send(Err(nothing_done.clone()))),
                }
            }
            // As they came, so that who has stood in line longest is first again.
            work.calls.sort_unstable_by_key(|call| call.id);
            if !work.is_empty() && !self.turns.taken_over() {
                work.refuse(&nothing_done);
            }
        } else {
            let failure = failure_of(error);
            for Answer { caller, .. } in answers {
                // The caller may have hung up meanwhile; then nobody needs the answer.
                drop(caller.send(Err(failure.clone())));
            }
            waiting.refuse(&nothing_done);
            work.break_off(&failure);
            work.refuse(&nothing_done);
        }
        TermEnd::Lost(error.to_string())
    }
}
