//! Requests that no call takes.

use hyper::Method;

use crate::error_code::ErrorCode;
use crate::problem::{Evidence, Problem};

/// No route has this path.
pub(crate) fn no_such_route() -> Problem {
    Problem::new(ErrorCode::NoSuchRoute, "no call has this path")
}

/// A route has this path, but only for these other methods.
pub(crate) fn method_not_allowed<'m>(
    asked: &Method,
    known: impl Iterator<Item = &'m Method>,
) -> Problem {
    let allowed = known
        .map(|method| if method == Method::GET { "GET,HEAD" } else { method.as_str() })
        .collect::<Vec<_>>()
        .join(",");
    let reason = format!("the method {asked} is not allowed for this path");
    Problem::showing(ErrorCode::MethodNotAllowed, &reason, Evidence::Methods(allowed))
}
