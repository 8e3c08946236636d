//! The health check that clients of the old service know.

use hyper::StatusCode;
use leasehold_engine::{Clock, SystemClock};

use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::exchange::{Handler, Response};
use crate::reply;
use crate::state::Api;
use crate::wire::{Health, Rfc3339};

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/healthcheck",
    noun: Noun::Service,
    operation: "healthcheck",
    summary: "Check that the service answers",
    description: "Answers while the process serves. Whether calls to locks are answered: `/readyz`.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Health),
    refusals: &[],
    handler: Handler::Open(|api, _| Box::pin(async move { Ok(handle(&api)) })),
};

fn handle(api: &Api) -> Response {
    let body = Health {
        message: "healthy",
        service_version: &api.settings.service_version,
        commit_id: &api.settings.commit_id,
        time: Rfc3339(SystemClock.now().wall),
    };
    reply::json(StatusCode::OK, &body)
}
