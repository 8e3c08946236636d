//! Request bodies: one JSON object, bounded in length and in time (I7).

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::error_code::ErrorCode;
use crate::exchange::Request;
use crate::problem::Problem;

/// How long a caller may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The body of a request, which must be of the shape that the call documents.
pub(crate) async fn read<T: DeserializeOwned>(
    request: Request,
    max_bytes: usize,
) -> Result<T, Problem> {
    check_media_type(&request)?;
    let bytes = receive(request.into_body(), max_bytes).await?;
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    let body = serde_path_to_error::deserialize(&mut json).map_err(|error| misfit(&error))?;
    json.end().map_err(|error| invalid(&error.to_string()))?;
    Ok(body)
}

/// The library's message does not say which field it is about.
fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let (path, inner) = (error.path(), error.inner());
    if path.iter().next().is_some() {
        invalid(&format!("in `{path}`, {inner}"))
    } else {
        invalid(&inner.to_string())
    }
}

/// A refusal of a body for `reason`.
pub(crate) fn invalid(reason: &str) -> Problem {
    Problem::new(ErrorCode::InvalidBody, &format!("the body is not valid: {reason}"))
}

/// Of a body that changes something, JSON is a merge patch, by that name or not (RFC 7396).
fn check_media_type(request: &Request) -> Result<(), Problem> {
    let Some(given) = request.headers().get(header::CONTENT_TYPE) else { return Ok(()) };
    let media_type = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    let is = |name: &str| media_type.trim().eq_ignore_ascii_case(name);
    let is_patch = request.method() == Method::PATCH;
    if is("application/json") || (is_patch && is("application/merge-patch+json")) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::UnsupportedMediaType, "the body is announced as something else"))
}

async fn receive(body: Incoming, max_bytes: usize) -> Result<Bytes, Problem> {
    match timeout(BODY_TIMEOUT, Limited::new(body, max_bytes).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => {
            let reason = format!("the body broke off, or has more than {max_bytes} bytes");
            Err(Problem::new(ErrorCode::BodyTooLarge, &reason))
        }
        Err(_) => Err(invalid("it did not arrive in time")),
    }
}
