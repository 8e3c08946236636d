//! Replies that carry JSON.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use serde::Serialize;

use crate::exchange::Response;

/// A JSON reply.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    with_type(status, "application/json", json_bytes(body))
}

/// A reply that says all by its status.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// A reply of one media type.
pub(crate) fn with_type(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let mut response = Response::new(body.into().into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A lock with one or two holders fits, so that most replies are written without growing.
const TYPICAL_REPLY_BYTES: usize = 1_024;

/// A wire type as JSON. Wire types have string keys and no failing `Serialize`, so there is always one.
pub(crate) fn json_bytes(body: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::with_capacity(TYPICAL_REPLY_BYTES);
    match serde_json::to_writer(&mut json, body) {
        Ok(()) => json,
        Err(_) => Vec::new(),
    }
}
