//! The document that every refusal comes with.

use serde::Serialize;
use utoipa::ToSchema;

use super::Lock;
use crate::problem::Problem;

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
            lock: problem.lock.as_deref().map(Lock::from),
            request_id,
        }
    }
}
