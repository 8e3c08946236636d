//! Change what bounds the calls of an API key.

use hyper::StatusCode;
use leasehold_core::{Command, KeyId, Reply, Role};

use super::managed_namespace;
use crate::auth::Caller;
use crate::body::{self, Bounds};
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Request, Response};
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire::{Key, KeyChange};

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Patch,
    path: "/v1/keys/{key_id}",
    noun: Noun::Key,
    operation: "limit_key",
    summary: "Change the limits of an API key",
    description: "Takes a JSON merge patch: limits that are left out stay as they are, and `null` takes \
                  one away. It counts from the next request on. What is there already stays, however far \
                  it is past a new quota.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::LimitedKey),
    refusals: &[
        ErrorCode::InvalidId,
        ErrorCode::InvalidBody,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::NoSuchKey,
    ],
    handler: Handler::Keyed(Role::Admin, |api, caller, request| {
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (origin, key_id, namespace) = {
        let call = Call::open(caller, &ENDPOINT, &head)?;
        let key_id = call.path_id("{key_id}", KeyId::parse)?;
        (call.origin()?, key_id, managed_namespace(&call.caller))
    };
    let change: KeyChange = body::read(&head, body, Bounds::of(&api)).await?;
    let command = Command::LimitKey { key_id, namespace, patch: change.into() };
    match api.engine.submit_from(origin, command).await? {
        Reply::Key(key) => Ok(reply::json(StatusCode::OK, &Key::from(&key))),
        other => Err(mismatched(&other)),
    }
}
