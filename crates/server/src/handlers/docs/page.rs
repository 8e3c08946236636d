//! The interactive page.

use std::future::ready;

use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};

use super::HTML;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::exchange::{Answering, Handler, Request, Response};
use crate::reply;
use crate::state::ApiState;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/docs",
    noun: Noun::Service,
    operation: "docs",
    summary: "This documentation",
    description: "The interactive page: every call can be tried with a key. `/` and `/docs` lead here.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Text(HTML)),
    refusals: &[],
    handler: Handler::Open(|_, _| Box::pin(async { Ok(handle()) })),
};

const CONTENT_SECURITY_POLICY: HeaderName = header::CONTENT_SECURITY_POLICY;

/// The page may load from this service alone. Swagger UI sets styles inline and inlines its icons.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      frame-ancestors 'none'";

fn handle() -> Response {
    let mut response = reply::with_type(StatusCode::OK, HTML, include_str!("page.html"));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// Other addresses at which people look for it.
pub(crate) fn lead_here(_: ApiState, _: Request) -> Answering {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(ENDPOINT.path));
    Box::pin(ready(Ok(response)))
}
