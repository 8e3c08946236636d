//! Numbers for Prometheus.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::reply;
use crate::state::ProbeState;

const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/metrics",
    noun: Noun::Service,
    operation: "metrics",
    summary: "Prometheus metrics",
    description: "Requests, refusals, locks, holds, grants, expiries, batches and commits, in the \
                  text format of Prometheus.",
    needs: None,
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Text(EXPOSITION)),
    refusals: &[],
};

pub(crate) async fn handle(State(probes): State<ProbeState>) -> Response {
    reply::with_type(StatusCode::OK, EXPOSITION, probes.metrics.render())
}
