//! How a call describes itself. Authorization, parameter checks and the OpenAPI document read the
//! same description, so none of them can drift from the others.

use axum::http::StatusCode;
use leasehold_core::Role;
pub(crate) use utoipa::openapi::HttpMethod;

use crate::error_code::ErrorCode;

/// One call of the API.
pub(crate) struct Endpoint {
    pub(crate) method: HttpMethod,
    /// Path template as the router takes it.
    pub(crate) path: &'static str,
    pub(crate) noun: Noun,
    /// Unique name for generated clients.
    pub(crate) operation: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    /// Role that the key must have at least; `None` if no key is needed.
    pub(crate) needs: Option<Role>,
    pub(crate) parameters: &'static [&'static Parameter],
    /// Whether `Prefer: return=minimal` shortens the reply.
    pub(crate) can_be_minimal: bool,
    pub(crate) success: (StatusCode, Reply),
    /// Refusals of its own, beside those that every such call shares.
    pub(crate) refusals: &'static [ErrorCode],
}

/// What a call is about: its heading in the documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Noun {
    Lock,
    Hold,
    Key,
    Service,
}

/// What a successful reply carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    Lock,
    NewKey,
    Key,
    Keys,
    Health,
    Readiness,
    /// Text of this media type.
    Text(&'static str),
}

/// One query parameter.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// Its second spelling.
    pub(crate) alias: &'static str,
    pub(crate) kind: Kind,
    /// As it would be written in a query.
    pub(crate) default: &'static str,
    /// Completes "it must be …".
    pub(crate) expects: &'static str,
    pub(crate) description: &'static str,
}

/// What a parameter's value is in JSON's terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    WholeNumberFromOne,
    Boolean,
}

impl Parameter {
    pub(crate) fn names(&self) -> [&'static str; 2] {
        [self.name, self.alias]
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.names().contains(&name)
    }
}

/// How long a hold lasts without a refresh.
pub(crate) static TIMEOUT_SECONDS: Parameter = Parameter {
    name: "timeout_seconds",
    alias: "timeout",
    kind: Kind::WholeNumberFromOne,
    default: "60",
    expects: "a whole number of seconds, 1 or more, in digits",
    description: "How long the hold lasts without a refresh, in whole seconds from 1.",
};

/// Whether a new lock takes one writer at most.
pub(crate) static IS_EXCLUSIVE: Parameter = Parameter {
    name: "is_exclusive",
    alias: "is_write_exclusive",
    kind: Kind::Boolean,
    default: "false",
    expects: "true, false, 1, 0, yes, no, on or off",
    description: "Whether the lock takes at most one writer at a time.",
};

impl Endpoint {
    /// Every refusal that a caller of this call can meet.
    pub(crate) fn all_refusals(&self) -> Vec<ErrorCode> {
        let mut codes = self.refusals.to_vec();
        if let Some(role) = self.needs {
            codes.push(ErrorCode::Unauthorized);
            if role > Role::Read {
                codes.push(ErrorCode::Forbidden);
            }
            codes.extend([ErrorCode::UnknownParameter, ErrorCode::DuplicateParameter]);
            codes.extend([ErrorCode::Overloaded, ErrorCode::NotReady]);
            codes.extend([ErrorCode::Draining, ErrorCode::OutcomeUnknown]);
        }
        if !self.parameters.is_empty() {
            codes.push(ErrorCode::InvalidParameter);
        }
        codes.extend([ErrorCode::BodyTooLarge, ErrorCode::Internal]);
        codes
    }
}
