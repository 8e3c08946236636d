//! The document that every refusal comes with.

use leasehold_core::FencingToken;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Blocker, Lock, Step};
use crate::problem::Problem;

/// A quota of a key that is used up.
#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
pub(crate) struct UsedUp {
    /// What the limit is called: `max_locks`, `max_holds` or `max_waiters`.
    name: &'static str,
    /// What it is.
    max: u32,
    /// What the namespace has of it, whichever keys brought that about.
    count: usize,
}

/// Why a call was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument<'a> {
    /// Where this refusal is explained.
    #[schema(format = "uri-reference")]
    r#type: String,
    /// The same for every occurrence of this `code`.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened and what to do about it.
    detail: &'a str,
    /// A stable word to decide by.
    code: &'static str,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// `none`: nothing has changed. `unknown`: it may have; look before trying again.
    outcome: &'static str,
    /// The lock as it stands, where that helps; a refusal lists only its first holders.
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<Lock<'a>>,
    /// With `wait_timed_out`: the caller's place in line, 1 is next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    position: Option<usize>,
    /// With `wait_timed_out`: whom the caller waits for, the first few.
    #[serde(skip_serializing_if = "Option::is_none")]
    blockers: Option<Vec<Blocker<'a>>>,
    /// With `deadlock`: each waits for the next, and the last for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle: Option<Vec<Step<'a>>>,
    /// With `quota_exceeded`: which, and what there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<UsedUp>,
    /// With `request_over`: the token that the hold had.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    fencing_token: Option<u64>,
    /// The same as in the header `x-request-id`.
    request_id: &'a str,
}

impl<'a> ProblemDocument<'a> {
    pub(crate) fn new(problem: &'a Problem, request_id: &'a str) -> Self {
        let code = problem.code;
        Self {
            r#type: code.type_uri(),
            title: code.title(),
            status: code.status().as_u16(),
            detail: &problem.detail,
            code: code.word(),
            retryable: code.retryable(),
            outcome: code.outcome(),
            lock: problem.evidence.lock().map(Lock::from),
            position: problem.evidence.line().map(|(position, _)| position),
            blockers: problem
                .evidence
                .line()
                .map(|(_, blockers)| blockers.iter().map(Blocker::from).collect()),
            cycle: problem.evidence.cycle().map(|cycle| cycle.iter().map(Step::from).collect()),
            quota: problem.evidence.quota().map(|(quota, max, count)| UsedUp {
                name: quota.name(),
                max,
                count,
            }),
            fencing_token: problem.evidence.past_token().map(FencingToken::get),
            request_id,
        }
    }
}
