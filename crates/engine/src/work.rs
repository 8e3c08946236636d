//! What there is to do in one round, and how a call is carried out again.

use std::time::Duration;

use leasehold_core::{Command, Mono};
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
}

impl Work {
    /// Whether nobody waits for anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.attending.is_empty()
    }

    /// Takes in who else asks by now whether what is known here is the latest.
    pub(crate) fn attend(&mut self, attending: &mut mpsc::Receiver<oneshot::Sender<Attendance>>) {
        while let Ok(caller) = attending.try_recv() {
            self.attending.push(caller);
        }
    }

    /// Tells everybody the same. Nothing was done.
    pub(crate) fn refuse(&mut self, failure: &Failure) {
        // Callers may have hung up meanwhile; then nobody needs the answer.
        for call in self.calls.drain(..) {
            drop(call.caller.send(Err(failure.clone())));
        }
        for caller in self.attending.drain(..) {
            drop(caller.send(Err(failure.clone())));
        }
    }
}

/// What it takes to carry a call out again, should its round come to nothing.
pub(crate) struct Again {
    id: CallId,
    command: Command,
    admitted: Option<u64>,
    /// Until when it may stand in line, if it may.
    until: Option<Mono>,
}

impl Again {
    /// Of a call that is decided now.
    pub(crate) fn of(id: CallId, mut command: Command, admitted: Option<u64>, now: Mono) -> Self {
        let wait = wait_of(&mut command).copied().filter(|wait| !wait.is_zero());
        Self { id, command, admitted, until: wait.map(|wait| now.plus(wait)) }
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
        let Self { id, command, admitted, until: _ } = self;
        Ok(Call { id, command, caller, admitted })
    }
}

fn wait_of(command: &mut Command) -> Option<&mut Duration> {
    match command {
        Command::Acquire(acquire) => Some(&mut acquire.wait),
        Command::Upgrade { wait, .. } => Some(wait),
        _ => None,
    }
}
