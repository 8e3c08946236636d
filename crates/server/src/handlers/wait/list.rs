//! Look at who waits for whom.

use hyper::StatusCode;
use leasehold_core::{Command, Reply, Role};

use crate::auth::Caller;
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::exchange::{Handler, Request, Response};
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire::Waits;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/waits",
    noun: Noun::Wait,
    operation: "list_waits",
    summary: "See who waits for whom",
    description: "Shows the wait-for graph of the caller's namespace: everybody in line, for which lock \
                  and in which place, and who is in the way: holders, then those ahead in line.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Waits),
    refusals: &[],
    handler: Handler::Keyed(Role::Read, |api, caller, request| {
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let parse = |call: &Call<'_>| Ok(call.caller.namespace.clone());
    let namespace = Call::read(&api, caller, &ENDPOINT, request, parse).await?;
    match api.engine.submit(Command::GetWaits { namespace }).await? {
        Reply::Waits(waits) => Ok(reply::json(StatusCode::OK, &Waits::from(waits.as_slice()))),
        other => Err(mismatched(&other)),
    }
}
