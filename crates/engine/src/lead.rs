//! The loop itself: take what has queued up, decide, commit once, then answer (I2).

use std::mem;
use std::time::Duration;

use leasehold_core::{Command, Effects, Mono, Now, Outcome, Refusal, Reply, Table};
use leasehold_store::{Epoch, StoreError};
use tokio::sync::oneshot;
use tracing::warn;

use crate::engine::{Call, Failure, keys_changed};
use crate::gone::{CallOutcome, Gone};
use crate::keyring::KeyRing;
use crate::leadership::Leadership;
use crate::lease::Lease;
use crate::replica_state::ReplicaState;
use crate::run::Owner;
use crate::waiting::Waiting;
use crate::wind_down::WindDown;
use crate::work::{Again, Step, Work};

/// Longest sleep between two looks at the clock. Where timers stand still while the machine is suspended,
/// ends are noticed late by up to this; on Linux they do not (`timer.rs`).
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Commands that a round takes at least, if so many are there.
const MIN_ROUND: usize = 16;

/// How a term of leadership ended.
pub(crate) enum TermEnd {
    /// Somebody asked the loop to end, and all that was queued is answered.
    Drained,
    /// A commit failed, or somebody else may lead by now. What the table holds may differ from the
    /// store, so it is gone.
    Lost(String),
}

/// An outcome that is due to a caller once the round's batch is durable.
pub(crate) struct Answer {
    pub(crate) caller: oneshot::Sender<CallOutcome>,
    pub(crate) outcome: CallOutcome,
    /// What was asked, where that may have to be carried out again.
    pub(crate) again: Option<Box<Again>>,
}

impl Owner {
    pub(crate) async fn lead(
        &mut self,
        mut table: Table,
        epoch: Epoch,
        mut lease: Lease,
        work: &mut Work,
    ) -> TermEnd {
        let mut waiting = Waiting::default();
        let mut taken = 0;
        // They came before the claim that this term began with.
        attended(work);
        loop {
            let due = self.next_due(&table, &lease, &waiting);
            let size = self.round_size(taken);
            let drained = self.wait_for_work(due, size, work, &waiting).await;
            taken = work.calls.len();
            if drained && work.is_empty() && work.gone.is_empty() {
                waiting.refuse(&Failure::Draining);
                return TermEnd::Drained;
            }
            work.attend(&mut self.attending);
            let now = self.clock.now();
            let mut effects = Effects::of_round(self.settings.max_batch_rows);
            let asked = !work.is_empty();
            let answers = self.decide(now, &mut table, work, &mut waiting, &mut effects);
            let rests = asked || !answers.is_empty() || !effects.events.is_empty();
            let rests = rests || self.is_due_to_confirm(now.mono, &lease, &waiting);
            let done = self.make_good(epoch, &mut lease, &effects, &table, rests).await;
            if let Err(error) = done {
                return self.lose(&error, now.mono, answers, waiting, work);
            }
            if self.settings.leadership.is_on_demand() && !effects.batch.is_empty() {
                lease = lease.renewed(now.mono);
            }
            if asked {
                self.turns.served();
            }
            attended(work);
            work.steps_are_durable();
            // Before the answers: whoever has had one and then follows hears only of what came later.
            let events = mem::take(&mut effects.events);
            for namespace in self.events.followed_grants(&events) {
                table.events_shown(&namespace);
            }
            self.gauges.published(events.len());
            self.events.publish(events);
            for Answer { caller, outcome, again: _ } in answers {
                if let Err(outcome) = caller.send(outcome) {
                    work.gone.extend(Gone::with(&outcome));
                }
            }
            self.gauges.after_batch(now.mono, &effects, self.inbox.len(), &table);
        }
    }

    /// How many commands to take at once: half of the callers in sight, who are those in the queue and
    /// those answered last, who are about to call again. While this half's batch is written, the other
    /// half's requests are read and answered by other threads. Taking all at once would have the loop
    /// and those threads wait for each other by turns.
    fn round_size(&self, answered: usize) -> usize {
        let callers = answered + self.inbox.len();
        callers.div_ceil(2).max(MIN_ROUND).min(self.settings.max_batch)
    }

    /// When there is something to do, whether or not anybody asks. On demand there is not, while nobody
    /// waits or follows: what is due by then ends before the next call is decided.
    fn next_due(&self, table: &Table, lease: &Lease, waiting: &Waiting) -> Option<Mono> {
        let confirm = match self.settings.leadership {
            Leadership::Continuous => None,
            Leadership::OnDemand { .. } if self.has_listeners(waiting) => {
                Some(lease.confirmed().plus(self.settings.confirm_pause))
            }
            Leadership::OnDemand { .. } => return None,
        };
        let due = [table.next_deadline(), lease.due(), self.gauges.due(), confirm];
        due.into_iter().flatten().min()
    }

    /// Whether it is time to look if another has taken over, which nobody would tell those who wait.
    fn is_due_to_confirm(&self, now: Mono, lease: &Lease, waiting: &Waiting) -> bool {
        match self.settings.leadership {
            // Where leadership is a lease, renewals see to it.
            Leadership::Continuous => true,
            Leadership::OnDemand { .. } => {
                let due = lease.confirmed().plus(self.settings.confirm_pause);
                due <= now && self.has_listeners(waiting)
            }
        }
    }

    fn has_listeners(&self, waiting: &Waiting) -> bool {
        !waiting.is_empty() || self.events.is_followed()
    }

    /// Ends what is due, takes out those who are gone, and decides the calls, in this order. Whoever is
    /// served by one step is out of the way of the next, which may be about the same place in line.
    fn decide(
        &self,
        now: Now,
        table: &mut Table,
        work: &mut Work,
        waiting: &mut Waiting,
        effects: &mut Effects,
    ) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(work.calls.len());
        table.expire(now, self.settings.max_batch, effects);
        settle(effects, waiting, &mut answers);
        for gone in work.gone.drain(..) {
            match gone {
                Gone::Caller(call) => {
                    if let Some(ticket) = waiting.remove(call) {
                        table.hang_up(now, ticket, effects);
                    }
                }
                Gone::Grant(holds) => {
                    for (hold, token) in holds {
                        table.give_back(now, &hold, token, effects);
                    }
                }
            }
            settle(effects, waiting, &mut answers);
        }
        // Commands are decided once everything that is due has ended; if that takes more than one
        // batch, they wait for the rounds that end it.
        if !table.is_due(now) {
            if let Some(call) = work.unfinished.pop_front() {
                self.carry_out(now, table, call, work, waiting, effects, &mut answers);
            }
            let mut calls = mem::take(&mut work.calls).into_iter();
            while !effects.is_full()
                && let Some(call) = calls.next()
            {
                if !call.caller.is_closed() || !takes_holds(&call.command) {
                    self.carry_out(now, table, call, work, waiting, effects, &mut answers);
                }
            }
            work.calls = calls.collect();
        }
        if *self.wind_down.borrow() >= WindDown::WithoutWaiters {
            // Some may still get their turn, because those ahead of them have gone.
            while let Some((ticket, (caller, again))) = waiting.pop_last() {
                table.hang_up(now, ticket, effects);
                answers.push(Answer { caller, outcome: Err(Failure::Draining), again });
                settle(effects, waiting, &mut answers);
            }
        }
        answers
    }

    /// Carries out one call, or one step of it.
    #[expect(clippy::too_many_arguments, reason = "the parts of one round, which nothing else has")]
    fn carry_out(
        &self,
        now: Now,
        table: &mut Table,
        call: Call,
        work: &mut Work,
        waiting: &mut Waiting,
        effects: &mut Effects,
        answers: &mut Vec<Answer>,
    ) {
        if let Err(failure) = self.check_admitted(&call, table) {
            answers.push(Answer { caller: call.caller, outcome: Err(failure), again: None });
            return;
        }
        let keeps_calls = self.settings.leadership.is_on_demand();
        match table.execute(now, &call.origin, &call.command, effects) {
            Outcome::Done(outcome) => {
                let again = keeps_calls.then(|| Box::new(Again::of(&call, now.mono)));
                let outcome = whole(call.parts, outcome).map_err(Failure::Refused);
                answers.push(Answer { caller: call.caller, outcome, again });
            }
            Outcome::Waiting(ticket) => {
                let again = keeps_calls.then(|| Box::new(Again::of(&call, now.mono)));
                waiting.insert(ticket, call.id, (call.caller, again));
            }
            Outcome::Continues { next, part } => {
                work.steps.push(Step { call, next: *next, part: *part });
            }
        }
        settle(effects, waiting, answers);
    }

    /// Refuses a call that was let in by keys of which one has been revoked since. A call that has begun
    /// is carried out to its end.
    fn check_admitted(&self, call: &Call, table: &Table) -> Result<(), Failure> {
        let is_outdated =
            call.admitted.is_some_and(|admitted| admitted != self.keyring.load().revocations());
        if !is_outdated || !call.parts.is_empty() {
            return Ok(());
        }
        match &call.origin.key_id {
            Some(key_id) if call.origin.is_revocable && !table.has_key(key_id) => {
                Err(Failure::Refused(Refusal::KeyRevoked))
            }
            Some(_) | None => Err(keys_changed()),
        }
    }

    /// Waits for commands (it takes `size` at most), for word of callers who are gone, for the next
    /// deadline, or for the call to wind down. True if asked to end and nothing more is queued.
    async fn wait_for_work(
        &mut self,
        due: Option<Mono>,
        size: usize,
        work: &mut Work,
        waiting: &Waiting,
    ) -> bool {
        while let Ok(gone) = self.gone.try_recv() {
            work.gone.push(gone);
        }
        if !work.is_empty() {
            // Others are served between the steps of a call that takes several.
            while work.calls.len() < size
                && let Ok(call) = self.inbox.try_recv()
            {
                work.calls.push(call);
            }
            return false;
        }
        let now = self.clock.mono();
        let until = |moment: Mono| moment.since(now).min(LONGEST_SLEEP);
        let has_work = !work.gone.is_empty();
        let timer = &mut self.timer;
        let idle = async {
            match due {
                _ if has_work => {}
                Some(moment) => timer.sleep(until(moment)).await,
                None => std::future::pending().await,
            }
        };
        let stage = if waiting.is_empty() { WindDown::Drain } else { WindDown::WithoutWaiters };
        tokio::select! {
            biased;
            received = self.inbox.recv_many(&mut work.calls, size) => received == 0,
            reached = self.wind_down.wait_for(|reached| *reached >= stage) => {
                // An error means that nobody is left who could call.
                if reached.is_ok_and(|reached| *reached == WindDown::WithoutWaiters) {
                    return false;
                }
                // Closed first: whoever sees that it drains is not let in any more.
                self.inbox.close();
                self.state.send_replace(ReplicaState::Draining);
                self.inbox.recv_many(&mut work.calls, self.settings.max_batch).await == 0
            }
            Some(gone) = self.gone.recv() => {
                work.gone.push(gone);
                false
            }
            Some(caller) = self.attending.recv() => {
                work.attending.push(caller);
                false
            }
            () = self.nudge.notified(), if self.settings.leadership.is_on_demand() => false,
            () = idle => false,
        }
    }

    /// Makes what a round decided true: commits its rows. A round without rows rests on memory, which
    /// tells the truth only while nobody else can lead (I2); unless nothing rests on it.
    async fn make_good(
        &mut self,
        epoch: Epoch,
        lease: &mut Lease,
        effects: &Effects,
        table: &Table,
        rests: bool,
    ) -> Result<(), StoreError> {
        if let Some(due) = lease.due() {
            let now = self.clock.mono();
            if due <= now {
                match self.renew(epoch, lease, now).await {
                    Err(StoreError::Unavailable(reason)) if lease.is_certain(now) => {
                        warn!(reason, "the lease was not renewed; trying again");
                        *lease = lease.not_renewed(now);
                    }
                    renewed => renewed?,
                }
            }
        }
        self.commit(epoch, effects, table).await?;
        if effects.batch.is_empty() && rests {
            let now = self.clock.mono();
            if !lease.is_certain(now) {
                self.renew(epoch, lease, now).await?;
            }
        }
        Ok(())
    }

    /// Prolongs the lease from `now`, before it is sent: the store counts from later.
    async fn renew(
        &mut self,
        epoch: Epoch,
        lease: &mut Lease,
        now: Mono,
    ) -> Result<(), StoreError> {
        self.store.renew(epoch).await?;
        *lease = lease.renewed(now);
        Ok(())
    }

    async fn commit(
        &mut self,
        epoch: Epoch,
        effects: &Effects,
        table: &Table,
    ) -> Result<(), StoreError> {
        if !effects.batch.is_empty() {
            let started = self.clock.mono();
            self.store.commit(epoch, &effects.batch).await?;
            self.gauges.committed(&effects.batch, self.clock.mono().since(started));
        }
        if effects.keys_changed {
            self.know_keys(table);
        }
        Ok(())
    }

    /// Lets request handlers see the keys.
    pub(crate) fn know_keys(&self, table: &Table) {
        self.keyring.rcu(|before| KeyRing::new(table.keys(), before));
    }
}

/// Tells those who asked whether what is known here is the latest: it is.
fn attended(work: &mut Work) {
    for caller in work.attending.drain(..) {
        // It may have hung up meanwhile; then nobody needs the answer.
        drop(caller.send(Ok(())));
    }
}

/// The answer to a call: the parts that its rounds have added, and the last one. A command that has begun
/// is not refused any more: if nothing was left to do, the parts are the answer.
fn whole(parts: Vec<Reply>, last: Result<Reply, Refusal>) -> Result<Reply, Refusal> {
    let mut parts = parts.into_iter();
    let Some(mut reply) = parts.next() else { return last };
    parts.chain(last.ok()).for_each(|part| reply.extend(part));
    Ok(reply)
}

/// Takes those whose wait is over out of the line, with their answers.
fn settle(effects: &mut Effects, waiting: &mut Waiting, answers: &mut Vec<Answer>) {
    for (ticket, outcome) in effects.settled.drain(..) {
        if let Some((caller, again)) = waiting.take(ticket) {
            answers.push(Answer { caller, outcome: outcome.map_err(Failure::Refused), again });
        }
    }
}

/// Whether a command takes holds, which nobody would have if its caller is gone.
fn takes_holds(command: &Command) -> bool {
    match command {
        Command::Acquire(_) | Command::Upgrade { .. } => true,
        Command::CreateLock { .. }
        | Command::GetLock { .. }
        | Command::ListLocks(_)
        | Command::GetHistory { .. }
        | Command::DeleteLock { .. }
        | Command::Refresh { .. }
        | Command::Release { .. }
        | Command::Downgrade { .. }
        | Command::GetProcess { .. }
        | Command::RefreshProcess { .. }
        | Command::ReleaseProcess { .. }
        | Command::GetWaits { .. }
        | Command::CreateKey(_)
        | Command::ListKeys { .. }
        | Command::LimitKey { .. }
        | Command::RevokeKey { .. } => false,
    }
}

/// What a failed commit means for the callers whose commands, or whose view, rested on it.
pub(crate) fn failure_of(error: &StoreError) -> Failure {
    match error {
        StoreError::Fenced(_) | StoreError::Led(_) | StoreError::Unavailable(_) => {
            Failure::NotReady(error.to_string())
        }
        StoreError::OutcomeUnknown(_) | StoreError::Corrupt(_) => {
            Failure::OutcomeUnknown(error.to_string())
        }
    }
}
