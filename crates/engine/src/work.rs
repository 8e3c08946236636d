//! What there is to do in one round, and how a call is carried out again, or on.

use std::collections::VecDeque;
use std::time::Duration;

use leasehold_core::{Command, Mono, Origin, Reply};
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Attendance, Call, Failure};
use crate::gone::{CallId, CallOutcome, Gone};

/// What there is to do in one round.
#[derive(Default)]
pub(crate) struct Work {
    pub(crate) calls: Vec<Call>,
    pub(crate) gone: Vec<Gone>,
    /// Who waits to hear that what is known here is the latest.
    pub(crate) attending: Vec<oneshot::Sender<Attendance>>,
    /// Calls that take more than one round. Each round takes the first one a step further, and puts it at
    /// the end, so that none keeps the others waiting.
    pub(crate) unfinished: VecDeque<Call>,
    /// What this round has done of such calls, until its batch is durable.
    pub(crate) steps: Vec<Step>,
}

/// One step of a call that takes more than one round.
pub(crate) struct Step {
    /// The call as it was before.
    pub(crate) call: Call,
    /// What is left of its command.
    pub(crate) next: Command,
    /// What the step adds to the answer.
    pub(crate) part: Reply,
}

impl Work {
    /// Whether nobody waits for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.attending.is_empty() && self.unfinished.is_empty()
    }

    /// The batch of the round is durable, and so are the steps that it took.
    pub(crate) fn steps_are_durable(&mut self) {
        for Step { mut call, next, part } in self.steps.drain(..) {
            call.command = next;
            call.parts.push(part);
            self.unfinished.push_back(call);
        }
    }

    /// The term is over before the commands of these calls were: what earlier steps did is done.
    pub(crate) fn break_off(&mut self, failure: &Failure) {
        let unfinished =
            self.unfinished.drain(..).chain(self.steps.drain(..).map(|step| step.call));
        for call in unfinished {
            let failure = match call.parts.is_empty() {
                true => failure.clone(),
                false => Failure::OutcomeUnknown("it was carried out in part".to_owned()),
            };
            // The caller may have hung up meanwhile; then no answer is needed.
            drop(call.caller.send(Err(failure)));
        }
    }

    /// Takes in who else asks by now whether what is known here is the latest.
    pub(crate) fn attend(&mut self, attending: &mut mpsc::Receiver<oneshot::Sender<Attendance>>) {
        while let Ok(caller) = attending.try_recv() {
            self.attending.push(caller);
        }
    }

    /// Sends the same failure to every caller. Nothing was done, but for what earlier steps did.
    pub(crate) fn refuse(&mut self, failure: &Failure) {
        self.unfinished.extend(self.calls.drain(..));
        self.break_off(failure);
        for caller in self.attending.drain(..) {
            drop(caller.send(Err(failure.clone())));
        }
    }
}

/// What it takes to carry a call out again, should its round come to nothing.
pub(crate) struct Again {
    id: CallId,
    command: Command,
    origin: Origin,
    admitted: Option<u64>,
    parts: Vec<Reply>,
    /// Until when it may stand in line, if it may.
    until: Option<Mono>,
}

impl Again {
    /// Of a call that is decided now.
    pub(crate) fn of(call: &Call, now: Mono) -> Self {
        let Call { id, command, origin, admitted, parts, caller: _ } = call;
        let mut again = Self {
            id: *id,
            command: command.clone(),
            origin: origin.clone(),
            admitted: *admitted,
            parts: parts.clone(),
            until: None,
        };
        let wait = wait_of(&mut again.command).copied().filter(|wait| !wait.is_zero());
        again.until = wait.map(|wait| now.plus(wait));
        again
    }

    /// The call once more, with what is left of its wait; only the caller if nothing is.
    pub(crate) fn call(
        mut self,
        caller: oneshot::Sender<CallOutcome>,
        now: Mono,
    ) -> Result<Call, oneshot::Sender<CallOutcome>> {
        if let (Some(wait), Some(until)) = (wait_of(&mut self.command), self.until) {
            *wait = until.since(now);
            if wait.is_zero() {
                return Err(caller);
            }
        }
        let Self { id, command, origin, admitted, parts, until: _ } = self;
        Ok(Call { id, command, origin, caller, admitted, parts })
    }
}

fn wait_of(command: &mut Command) -> Option<&mut Duration> {
    match command {
        Command::Acquire(acquire) => Some(&mut acquire.wait),
        Command::Upgrade { wait, .. } => Some(wait),
        _ => None,
    }
}
