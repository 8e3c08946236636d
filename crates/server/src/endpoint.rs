//! How a call describes itself. The router, authorization, parameter checks and the OpenAPI document
//! read the same description, so none of them can drift from the others.

use hyper::StatusCode;
use leasehold_core::Role;
pub(crate) use utoipa::openapi::HttpMethod;

use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::parameter::Parameter;

/// One call of the API.
pub(crate) struct Endpoint {
    pub(crate) method: HttpMethod,
    /// Path template: a segment such as `{lock_id}` stands for any text.
    pub(crate) path: &'static str,
    pub(crate) noun: Noun,
    /// Unique name for generated clients.
    pub(crate) operation: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    pub(crate) parameters: &'static [&'static Parameter],
    /// Headers that change what the call does.
    pub(crate) headers: &'static [Header],
    pub(crate) success: (StatusCode, Reply),
    /// Refusals of its own, beside those that every such call shares.
    pub(crate) refusals: &'static [ErrorCode],
    pub(crate) handler: Handler,
}

/// What a call is about: its heading in the documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Noun {
    Lock,
    Hold,
    Process,
    Wait,
    Event,
    Key,
    Service,
}

/// A header that some calls take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Header {
    /// `Prefer: return=minimal` shortens the reply.
    Prefer,
    /// `Idempotency-Key` makes it safe to send the request twice.
    IdempotencyKey,
    /// `Last-Event-ID` names the event after which a stream resumes.
    LastEventId,
}

/// What a successful reply carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    Lock,
    /// A lock, and the hold of it that was granted.
    GrantedLock,
    /// Several of them.
    Grants,
    /// A page of locks.
    Locks,
    /// A page of past holds.
    History,
    Process,
    Waits,
    /// A stream of server-sent events.
    Events,
    NewKey,
    Key,
    /// A key whose limits were changed.
    LimitedKey,
    Keys,
    Cluster,
    Health,
    Readiness,
    /// Text of this media type.
    Text(&'static str),
}

impl Endpoint {
    /// Role that the key must have at least; `None` if no key is needed.
    pub(crate) fn needs(&self) -> Option<Role> {
        match self.handler {
            Handler::Open(_) => None,
            Handler::Keyed(role, _) => Some(role),
        }
    }

    /// Whether it takes its parameters as a JSON object, too.
    pub(crate) fn takes_body_parameters(&self) -> bool {
        let is_get = self.method == HttpMethod::Get;
        self.needs().is_some() && !is_get && !self.takes_own_body()
    }

    /// Whether its body is described by a schema of its own.
    fn takes_own_body(&self) -> bool {
        self.refusals.contains(&ErrorCode::InvalidBody)
    }

    /// Every refusal that a caller of this call can meet.
    pub(crate) fn all_refusals(&self) -> Vec<ErrorCode> {
        let mut codes = self.refusals.to_vec();
        if let Some(role) = self.needs() {
            codes.extend([
                ErrorCode::Unauthorized,
                ErrorCode::RateLimited,
                ErrorCode::TooManyFailedKeys,
            ]);
            if role > Role::Read {
                codes.push(ErrorCode::Forbidden);
            }
            codes.extend([ErrorCode::InvalidParameter, ErrorCode::UnknownParameter]);
            codes.push(ErrorCode::DuplicateParameter);
            codes.push(ErrorCode::RequestTimeout);
            if !self.takes_own_body() {
                codes.push(ErrorCode::InvalidBody);
            }
            if self.takes_body_parameters() {
                codes.push(ErrorCode::UnsupportedMediaType);
            }
            codes.extend([ErrorCode::Overloaded, ErrorCode::NotReady]);
            codes.extend([ErrorCode::Draining, ErrorCode::OutcomeUnknown]);
        }
        codes.extend([ErrorCode::InvalidHost, ErrorCode::BodyTooLarge, ErrorCode::Internal]);
        codes
    }
}
