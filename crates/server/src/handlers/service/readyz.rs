//! Whether calls to locks are answered.

use hyper::StatusCode;
use leasehold_engine::ReplicaState;

use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Response};
use crate::problem::Problem;
use crate::reply;
use crate::state::Api;
use crate::wire::Readiness;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/readyz",
    noun: Noun::Service,
    operation: "readyz",
    summary: "Readiness probe",
    description: "200 while calls to locks are answered, else 503 with the reason. Send no traffic \
                  to it meanwhile. A service that leads on demand is ready before it has led: it does \
                  not ask the store for the sake of a probe.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Readiness),
    refusals: &[ErrorCode::NotReady, ErrorCode::Draining],
    handler: Handler::Open(|api, _| Box::pin(async move { handle(&api) })),
};

fn handle(api: &Api) -> Result<Response, Problem> {
    match &*api.engine.state() {
        ReplicaState::Leading(_) | ReplicaState::Standby | ReplicaState::Following(_) => {
            Ok(reply::json(StatusCode::OK, &Readiness { ready: true }))
        }
        ReplicaState::Recovering { reason } | ReplicaState::Stopped { reason } => {
            Err(Problem::new(ErrorCode::NotReady, reason))
        }
        ReplicaState::Draining => {
            Err(Problem::new(ErrorCode::Draining, "the service is shutting down"))
        }
    }
}
