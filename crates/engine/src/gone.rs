//! Callers that hang up. Nothing is held for nobody: a caller that is gone leaves the line, and a grant
//! that it can no longer take is given back.

use leasehold_core::{FencingToken, HoldKey, Reply};
use tokio::sync::{mpsc, oneshot};

use crate::engine::Failure;

/// Names one call to the loop, within this process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct CallId(pub(crate) u64);

/// The outcome of a call.
pub(crate) type CallOutcome = Result<Reply, Failure>;

/// Word of a caller that is gone.
#[derive(Debug)]
pub(crate) enum Gone {
    /// It has had no reply yet.
    Caller(CallId),
    /// A grant was on its way to it.
    Grant(Vec<(HoldKey, FencingToken)>),
}

impl Gone {
    /// What a caller that never saw this outcome leaves behind, if anything.
    pub(crate) fn with(outcome: &CallOutcome) -> Option<Self> {
        match outcome {
            Ok(Reply::Granted(grants)) => Some(Self::Grant(
                grants.iter().map(|grant| (grant.key.clone(), grant.hold.token)).collect(),
            )),
            Ok(
                Reply::Lock(_)
                | Reply::Locks { .. }
                | Reply::Process { .. }
                | Reply::History { .. }
                | Reply::Waits(_)
                | Reply::Key(_)
                | Reply::Keys(_),
            )
            | Err(_) => None,
        }
    }
}

/// The caller's end of a call: sends word if it is dropped before the outcome was taken.
pub(crate) struct Listener {
    pub(crate) id: CallId,
    pub(crate) outcome: oneshot::Receiver<CallOutcome>,
    pub(crate) gone: mpsc::UnboundedSender<Gone>,
    pub(crate) is_served: bool,
}

impl Listener {
    pub(crate) async fn listen(mut self) -> CallOutcome {
        let outcome = (&mut self.outcome).await;
        self.is_served = true;
        outcome.unwrap_or_else(|_| Err(Failure::OutcomeUnknown("the commit loop ended".to_owned())))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.is_served {
            return;
        }
        self.outcome.close();
        let word = match self.outcome.try_recv() {
            Ok(outcome) => Gone::with(&outcome),
            Err(_) => Some(Gone::Caller(self.id)),
        };
        // An error means that the loop has ended: then nobody waits and nothing is granted.
        word.map(|word| self.gone.send(word));
    }
}
