//! Whether the process serves.

use hyper::StatusCode;

use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::exchange::{Handler, Response};
use crate::reply;

const TEXT: &str = "text/plain; charset=utf-8";

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/livez",
    noun: Noun::Service,
    operation: "livez",
    summary: "Liveness probe",
    description: "200 while the process serves at all. If it fails, restart the process.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Text(TEXT)),
    refusals: &[],
    handler: Handler::Open(|_, _| Box::pin(async { Ok(handle()) })),
};

fn handle() -> Response {
    reply::with_type(StatusCode::OK, TEXT, "live\n")
}
