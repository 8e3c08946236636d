//! Numbers for Prometheus.

use hyper::StatusCode;

use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::exchange::{Handler, Response};
use crate::reply;
use crate::state::Api;

const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/metrics",
    noun: Noun::Service,
    operation: "metrics",
    summary: "Prometheus metrics",
    description: "Requests, refusals, locks, holds, grants, expiries, batches and commits, in the \
                  text format of Prometheus.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Text(EXPOSITION)),
    refusals: &[],
    handler: Handler::Open(|api, _| Box::pin(async move { Ok(handle(&api)) })),
};

fn handle(api: &Api) -> Response {
    reply::with_type(StatusCode::OK, EXPOSITION, api.metrics.render())
}
