//! Look at the replicas.

use hyper::StatusCode;
use leasehold_core::Role;
use leasehold_engine::ReplicaState;

use crate::auth::Caller;
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Request, Response};
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/cluster",
    noun: Noun::Service,
    operation: "get_cluster",
    summary: "Look at the replicas",
    description: "Shows who leads, in which epoch and since when, and which other replicas were in touch \
                  with it in the last 10 seconds. Any replica can be asked: the leader answers. A service \
                  that runs alone, or leads on demand, leads itself and has no address for others. \
                  Addresses are shown to admins of the namespace `default` alone; for other callers they \
                  are null.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Cluster),
    refusals: &[],
    handler: Handler::Keyed(Role::Read, |api, caller, request| {
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let shows_addresses = caller.is_operator();
    Call::read(&api, caller, &ENDPOINT, request, |_| Ok(())).await?;
    api.engine.attend().await?;
    let ReplicaState::Leading(term) = *api.engine.state() else {
        return Err(Problem::new(ErrorCode::NotReady, "this replica does not lead"));
    };
    let members = api.cluster.as_ref().map(|cluster| cluster.members()).unwrap_or_default();
    let address = api.cluster.as_ref().map(|cluster| cluster.link().address.as_str());
    Ok(reply::json(StatusCode::OK, &wire::Cluster::new(address, term, &members, shows_addresses)))
}
