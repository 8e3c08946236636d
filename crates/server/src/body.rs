//! Request bodies: one JSON object, bounded in length and in time (I7).

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use hyper::{Method, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::error_code::ErrorCode;
use crate::json_object::{Members, Object};
use crate::problem::Problem;
use crate::query::{shortened, shortened_to};
use crate::state::Api;

/// What a body may take.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    max_bytes: usize,
    timeout: Duration,
}

impl Bounds {
    pub(crate) fn of(api: &Api) -> Self {
        Self { max_bytes: api.settings.max_body_bytes, timeout: api.settings.body_timeout }
    }
}

/// Most that a refusal says about the place of a mistake, in characters.
const MAX_REASON_CHARS: usize = 400;

/// Media type of RFC 7396.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// The body of a request, which must be of the shape that the call documents.
pub(crate) async fn read<T: DeserializeOwned>(
    head: &Parts,
    body: Incoming,
    bounds: Bounds,
) -> Result<T, Problem> {
    check_media_type(head)?;
    let Object(body) = parse(&receive(body, bounds).await?)?;
    Ok(body)
}

/// Parameters that came in the body, as the members of one JSON object; none if the body is empty.
pub(crate) async fn members(
    head: &Parts,
    body: Incoming,
    bounds: Bounds,
) -> Result<Members, Problem> {
    let bytes = received(body, bounds).await?;
    if bytes.is_empty() {
        return Ok(Members(Vec::new()));
    }
    check_media_type(head)?;
    parse(&bytes)
}

/// Refuses a body where the call takes none.
pub(crate) async fn none(body: Incoming, bounds: Bounds) -> Result<(), Problem> {
    if received(body, bounds).await?.is_empty() {
        return Ok(());
    }
    let reason = "this call takes no body; its parameters stand in the query";
    Err(Problem::new(ErrorCode::InvalidBody, reason))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let body = serde_path_to_error::deserialize(&mut json).map_err(|error| misfit(&error))?;
    json.end().map_err(|error| invalid(&error.to_string()))?;
    Ok(body)
}

/// The library's message does not say which field it is about, and repeats all of the caller's text.
fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let (path, reason) = (error.path().to_string(), error.inner().to_string());
    let reason = shortened_to(MAX_REASON_CHARS, &reason);
    if error.path().iter().next().is_some() {
        invalid(&format!("in `{}`, {reason}", shortened(&path)))
    } else {
        invalid(&reason)
    }
}

/// A refusal of a body for `reason`.
pub(crate) fn invalid(reason: &str) -> Problem {
    Problem::new(ErrorCode::InvalidBody, &format!("the body is not valid: {reason}"))
}

/// Of a body that changes something, JSON is a merge patch, by that name or not (RFC 7396).
fn check_media_type(head: &Parts) -> Result<(), Problem> {
    let Some(given) = head.headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let given = given.to_str().unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| media_type.eq_ignore_ascii_case(name);
    if is("application/json") || (head.method == Method::PATCH && is(MERGE_PATCH)) {
        return Ok(());
    }
    let reason = format!("the body has the media type {:?}", shortened(media_type));
    Err(Problem::new(ErrorCode::UnsupportedMediaType, &reason))
}

/// What most requests bring is known without a wait: nothing.
async fn received(body: Incoming, bounds: Bounds) -> Result<Bytes, Problem> {
    if body.is_end_stream() { Ok(Bytes::new()) } else { receive(body, bounds).await }
}

async fn receive(body: Incoming, bounds: Bounds) -> Result<Bytes, Problem> {
    let Bounds { max_bytes, timeout: patience } = bounds;
    match timeout(patience, Limited::new(body, max_bytes).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let reason = format!("the body is longer than {max_bytes} bytes");
            Err(Problem::new(ErrorCode::BodyTooLarge, &reason))
        }
        Ok(Err(_)) => Err(invalid("it broke off, or its chunks are malformed")),
        Err(_) => {
            let reason = format!("the body took longer than {} seconds", patience.as_secs_f32());
            Err(Problem::new(ErrorCode::RequestTimeout, &reason))
        }
    }
}
