//! The OpenAPI document.

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::StatusCode;

use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::exchange::{Handler, Response};
use crate::reply;

const JSON: &str = "application/json";

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/openapi.json",
    noun: Noun::Service,
    operation: "openapi",
    summary: "The OpenAPI document",
    description: "Describes every call, for people and for generators of clients.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Text(JSON)),
    refusals: &[],
    handler: Handler::Open(|_, _| Box::pin(async { Ok(handle()) })),
};

/// The same for every caller, so it is written once.
static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| Bytes::from(reply::json_bytes(&crate::openapi())));

fn handle() -> Response {
    reply::with_type(StatusCode::OK, JSON, DOCUMENT.clone())
}
