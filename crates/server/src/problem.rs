//! Refusals on their way to the caller: RFC 9457 problem documents.
//!
//! A handler returns a [`Problem`]; the one layer around all routes ([`crate::observe`]) counts it and
//! makes the document, because only that layer knows the request's id.

use hyper::header::{self, HeaderValue};
use leasehold_core::{Blocker, CycleStep, FencingToken, LockView, Quota, Refusal};
use leasehold_engine::Failure;

use crate::body;
use crate::error_code::{ErrorCode, Retry};
use crate::exchange::Response;
use crate::reply;
use crate::wire::ProblemDocument;

/// Media type of RFC 9457.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// One refusal.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) code: ErrorCode,
    pub(crate) detail: String,
    pub(crate) evidence: Evidence,
}

/// What a refusal shows beside its words.
#[derive(Clone, Debug)]
pub(crate) enum Evidence {
    /// Nothing.
    None,
    /// The lock as it stands.
    Lock(Box<LockView>),
    /// The caller's place in line, whom it waits for, and the lock as it stands.
    Line { position: usize, blockers: Vec<Blocker>, lock: Box<LockView> },
    /// Who waits for whom, round to the first.
    Cycle(Vec<CycleStep>),
    /// Which quota of the key, what it is, and what its namespace has.
    Quota { quota: Quota, max: u32, count: usize },
    /// The token of a hold that is over.
    PastToken(FencingToken),
    /// The methods that would do, as the header `Allow` lists them.
    Methods(String),
}

impl Evidence {
    pub(crate) fn lock(&self) -> Option<&LockView> {
        match self {
            Self::Lock(lock) | Self::Line { lock, .. } => Some(lock),
            Self::None
            | Self::Cycle(_)
            | Self::Quota { .. }
            | Self::PastToken(_)
            | Self::Methods(_) => None,
        }
    }

    pub(crate) fn line(&self) -> Option<(usize, &[Blocker])> {
        match self {
            Self::Line { position, blockers, .. } => Some((*position, blockers)),
            Self::None
            | Self::Lock(_)
            | Self::Cycle(_)
            | Self::Quota { .. }
            | Self::PastToken(_)
            | Self::Methods(_) => None,
        }
    }

    pub(crate) fn cycle(&self) -> Option<&[CycleStep]> {
        match self {
            Self::Cycle(cycle) => Some(cycle),
            Self::None
            | Self::Lock(_)
            | Self::Line { .. }
            | Self::Quota { .. }
            | Self::PastToken(_)
            | Self::Methods(_) => None,
        }
    }

    pub(crate) fn quota(&self) -> Option<(Quota, u32, usize)> {
        match self {
            Self::Quota { quota, max, count } => Some((*quota, *max, *count)),
            Self::None
            | Self::Lock(_)
            | Self::Line { .. }
            | Self::Cycle(_)
            | Self::PastToken(_)
            | Self::Methods(_) => None,
        }
    }

    pub(crate) fn past_token(&self) -> Option<FencingToken> {
        match self {
            Self::PastToken(token) => Some(*token),
            Self::None
            | Self::Lock(_)
            | Self::Line { .. }
            | Self::Cycle(_)
            | Self::Quota { .. }
            | Self::Methods(_) => None,
        }
    }
}

impl Problem {
    /// A refusal for `reason`, which is the beginning of a sentence without its full stop.
    pub(crate) fn new(code: ErrorCode, reason: &str) -> Self {
        Self::showing(code, reason, Evidence::None)
    }

    fn about(code: ErrorCode, reason: &str, lock: Box<LockView>) -> Self {
        Self::showing(code, reason, Evidence::Lock(lock))
    }

    pub(crate) fn showing(code: ErrorCode, reason: &str, evidence: Evidence) -> Self {
        Self { code, detail: format!("{}. {}", capitalized(reason), code.advice()), evidence }
    }

    /// The document, in reply to the request with this id.
    pub(crate) fn response(&self, request_id: &HeaderValue) -> Response {
        let document = ProblemDocument::new(self, request_id.to_str().unwrap_or_default());
        let body = reply::json_bytes(&document);
        let mut response = reply::with_type(self.code.status(), PROBLEM_JSON, body);
        let headers = response.headers_mut();
        if let Retry::AfterSecs(secs) = self.code.retry() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if self.code == ErrorCode::Unauthorized {
            let scheme = HeaderValue::from_static("Bearer realm=\"leasehold\"");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if let Evidence::Methods(allowed) = &self.evidence {
            // Names of methods are always fit for a header.
            headers.extend(allowed.parse().ok().map(|allowed| (header::ALLOW, allowed)));
        }
        response
    }
}

fn capitalized(reason: &str) -> String {
    let mut chars = reason.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let reason = refusal.to_string();
        match refusal {
            Refusal::LockExists(lock) => Self::about(ErrorCode::LockExists, &reason, lock),
            Refusal::NoSuchLock(_) => Self::new(ErrorCode::NoSuchLock, &reason),
            Refusal::LockDiffers { lock, .. } => Self::about(ErrorCode::LockDiffers, &reason, lock),
            Refusal::LockDeleted(_) => Self::new(ErrorCode::LockDeleted, &reason),
            Refusal::HoldOver { token, .. } => {
                Self::showing(ErrorCode::NotHeld, &reason, Evidence::PastToken(token))
            }
            Refusal::Held(lock) => Self::about(ErrorCode::Held, &reason, lock),
            Refusal::WaitTimedOut { position, blockers, lock } => {
                let evidence = Evidence::Line { position, blockers, lock };
                Self::showing(ErrorCode::WaitTimedOut, &reason, evidence)
            }
            Refusal::Deadlock(cycle) => {
                Self::showing(ErrorCode::Deadlock, &reason, Evidence::Cycle(cycle))
            }
            Refusal::AlreadyWaiting { .. } => Self::new(ErrorCode::AlreadyWaiting, &reason),
            Refusal::Superseded => Self::new(ErrorCode::Superseded, &reason),
            Refusal::TooManyWaiters { .. } => Self::new(ErrorCode::TooManyWaiters, &reason),
            Refusal::StaleToken { lock, .. } => Self::about(ErrorCode::StaleToken, &reason, lock),
            Refusal::NotFree(lock) => Self::about(ErrorCode::NotFree, &reason, lock),
            Refusal::ProcessHoldsNothing(_) => Self::new(ErrorCode::ProcessHoldsNothing, &reason),
            Refusal::AlreadyHeld { lock, .. } => Self::about(ErrorCode::AlreadyHeld, &reason, lock),
            Refusal::NotHeld { lock, .. } => Self::about(ErrorCode::NotHeld, &reason, lock),
            Refusal::NothingToRelease { lock, .. } => {
                Self::about(ErrorCode::NothingToRelease, &reason, lock)
            }
            Refusal::TimeoutTooLong { .. } => Self::new(ErrorCode::TimeoutTooLong, &reason),
            Refusal::TooManyLocks { .. } => Self::new(ErrorCode::TooManyLocks, &reason),
            Refusal::TooManyHolders { .. } => Self::new(ErrorCode::TooManyHolders, &reason),
            Refusal::QuotaExceeded { quota, max, count, more: _ } => {
                let evidence = Evidence::Quota { quota, max, count };
                Self::showing(ErrorCode::QuotaExceeded, &reason, evidence)
            }
            Refusal::TokensExhausted => Self::new(ErrorCode::TokensExhausted, &reason),
            Refusal::TooManyKeys { .. } => Self::new(ErrorCode::TooManyKeys, &reason),
            Refusal::BadLimits(_) => body::invalid(&reason),
            Refusal::KeyExists(_) => Self::new(ErrorCode::KeyExists, &reason),
            Refusal::NoSuchKey(_) => Self::new(ErrorCode::NoSuchKey, &reason),
            Refusal::KeyRevoked => Self::new(ErrorCode::Unauthorized, &reason),
            Refusal::LockBeingDeleted(_) => Self::new(ErrorCode::LockBeingDeleted, &reason),
            Refusal::RequestOver { hold: _, token } => {
                Self::showing(ErrorCode::RequestOver, &reason, Evidence::PastToken(token))
            }
            Refusal::KeyShownBefore(_) => Self::new(ErrorCode::KeyShownBefore, &reason),
            Refusal::IdempotencyKeyReused(_) => Self::new(ErrorCode::IdempotencyKeyReused, &reason),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let reason = failure.to_string();
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Overloaded => Self::new(ErrorCode::Overloaded, &reason),
            Failure::NotReady(_) | Failure::Elsewhere(_) => Self::new(ErrorCode::NotReady, &reason),
            Failure::Draining => Self::new(ErrorCode::Draining, &reason),
            Failure::OutcomeUnknown(_) => Self::new(ErrorCode::OutcomeUnknown, &reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_whole_sentences_and_says_what_to_do() {
        let problem = Problem::from(Refusal::KeyExists("abc".to_owned()));
        assert_eq!(problem.code, ErrorCode::KeyExists);
        assert_eq!(
            problem.detail,
            "An API key with the id \"abc\" exists already. Try again: the service draws a new id."
        );
    }
}
