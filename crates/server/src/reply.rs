//! Replies that carry JSON.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;

/// A JSON reply.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    with_type(status, "application/json", json_bytes(body))
}

/// A reply of one media type.
pub(crate) fn with_type(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A wire type as JSON. Wire types have string keys and no failing `Serialize`, so there is always one.
pub(crate) fn json_bytes(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}
