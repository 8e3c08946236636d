//! The interactive page.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Redirect, Response};

use super::HTML;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::reply;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/docs",
    noun: Noun::Service,
    operation: "docs",
    summary: "This documentation",
    description: "The interactive page: every call can be tried with a key. `/` and `/docs` lead here.",
    needs: None,
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Text(HTML)),
    refusals: &[],
};

const CONTENT_SECURITY_POLICY: HeaderName = header::CONTENT_SECURITY_POLICY;

/// The page may load from this service alone. Swagger UI sets styles inline and inlines its icons.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      frame-ancestors 'none'";

pub(crate) async fn handle() -> Response {
    let mut response = reply::with_type(StatusCode::OK, HTML, include_str!("page.html"));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// Other addresses at which people look for it.
pub(crate) async fn lead_here() -> Redirect {
    Redirect::temporary(ENDPOINT.path)
}
