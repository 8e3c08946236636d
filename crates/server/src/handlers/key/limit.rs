//! Change what bounds the calls of an API key.

use hyper::StatusCode;
use leasehold_core::{Command, KeyId, Refusal, Reply, Role};

use super::{managed_namespace, own_limits};
use crate::auth::Caller;
use crate::body::{self, Bounds};
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
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
                  it is past a new quota. Limits beyond those of the caller's own key are for admins of the \
                  namespace `default`.",
    parameters: &[],
    headers: &[Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::LimitedKey),
    refusals: &[
        ErrorCode::IdempotencyKeyReused,
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
    let (caller, origin, key_id) = {
        let call = Call::open(caller, &ENDPOINT, &head)?;
        let key_id = call.path_id("{key_id}", KeyId::parse)?;
        let origin = call.origin()?;
        (call.caller, origin, key_id)
    };
    let namespace = managed_namespace(&caller);
    let change: KeyChange = body::read(&head, body, Bounds::of(&api)).await?;
    let patch = change.into();
    if let Some(known) = api.engine.keyring().get(&key_id) {
        let present = known.key.limits;
        let asked = present.patched(&patch).map_err(Refusal::from)?;
        own_limits::check(&caller, asked, Some(present))?;
    }
    let command = Command::LimitKey { key_id, namespace, patch };
    match api.engine.submit_from(origin, command).await? {
        Reply::Key(key) => Ok(reply::json(StatusCode::OK, &Key::from(&key))),
        other => Err(mismatched(&other)),
    }
}
