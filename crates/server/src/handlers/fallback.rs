//! Requests that no call takes.

use axum::extract::Request;

use crate::error_code::ErrorCode;
use crate::problem::Problem;

/// No route has this path.
pub(crate) async fn no_such_route() -> Problem {
    Problem::new(ErrorCode::NoSuchRoute, "no call has this path")
}

/// A route has this path, but not for this method. The router adds the header `Allow`.
pub(crate) async fn method_not_allowed(request: Request) -> Problem {
    let reason = format!("the method {} is not allowed for this path", request.method());
    Problem::new(ErrorCode::MethodNotAllowed, &reason)
}
