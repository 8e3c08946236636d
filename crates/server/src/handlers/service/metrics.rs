//! Numbers for Prometheus.

use hyper::StatusCode;
use leasehold_core::{Namespace, Role};

use crate::auth;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Request, Response};
use crate::handlers::fallback;
use crate::problem::Problem;
use crate::reply;
use crate::settings::MetricsAccess;
use crate::state::Api;

const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/metrics",
    noun: Noun::Service,
    operation: "metrics",
    summary: "Prometheus metrics",
    description: "Requests, refusals, locks, holds, grants, expiries, batches and commits, in the \
                  text format of Prometheus. With `--metrics-access key` it needs a key of the namespace \
                  `default`, because it names all namespaces; with `off`, or with `--probes-listen`, it \
                  is not on the address of the API.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Text(EXPOSITION)),
    refusals: &[ErrorCode::Unauthorized, ErrorCode::Forbidden, ErrorCode::NotReady],
    handler: Handler::Open(|api, request| Box::pin(async move { handle(&api, &request) })),
};

fn handle(api: &Api, request: &Request) -> Result<Response, Problem> {
    match api.settings.metrics_access {
        MetricsAccess::Open => {}
        MetricsAccess::Key => must_be_of_default(api, request)?,
        MetricsAccess::Off => return Err(fallback::no_such_route()),
    }
    Ok(reply::with_type(StatusCode::OK, EXPOSITION, api.metrics.render()))
}

/// The numbers are about all namespaces, and those are the operator's.
fn must_be_of_default(api: &Api, request: &Request) -> Result<(), Problem> {
    let (caller, _) = auth::admit(api, Role::Read, request, None);
    if caller?.namespace == Namespace::default() {
        return Ok(());
    }
    let reason = "the metrics are about all namespaces: they need a key of the namespace `default`";
    Err(Problem::new(ErrorCode::Forbidden, reason))
}
