//! Take several holds, all or none.

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::StatusCode;
use leasehold_core::{
    Acquire, Command, IdError, LockId, MAX_WANTS, Note, ProcessId, Reply, Role, Terms, TimeoutSecs,
    Want,
};

use crate::auth::Caller;
use crate::body::{self, Bounds};
use crate::call::{Call, preferred};
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Request, Response};
use crate::handlers::mismatched;
use crate::parameter::MAX_WAIT_SECS;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::wire::{AcquireRequest, DEFAULT_TIMEOUT_SECS, Grants, WantedLock};

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Post,
    path: "/v1/acquire",
    noun: Noun::Hold,
    operation: "acquire_several",
    summary: "Acquire several locks at once",
    description: "Takes 1 to 64 locks for one process, all or none, each for reading or for writing. \
                  With `wait_seconds` it stands in the lines of all of them and holds none until it can \
                  have all, so that two such requests never wait for each other for ever.",
    parameters: &[],
    headers: &[Header::Prefer, Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::Grants),
    refusals: acquire_refusals!(InvalidBody, UnsupportedMediaType),
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let arrived = api.engine.mono();
    let (head, body) = request.into_parts();
    let (caller, origin, detail) = {
        let call = Call::open(caller, &ENDPOINT, &head)?;
        let (origin, detail) = (call.origin()?, call.detail());
        (call.caller, origin, detail)
    };
    let asked: AcquireRequest = body::read(&head, body, Bounds::of(&api)).await?;
    let terms = Terms {
        timeout: TimeoutSecs::new(asked.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECS))
            .ok_or_else(|| body::invalid("`timeout_seconds` must be 1 or more"))?,
        note: asked.note.as_deref().map(Note::parse).transpose().map_err(|e| named("note", &e))?,
        detail,
    };
    let acquire = parse(&asked, caller, terms)?;
    let process_id = acquire.process_id.clone();
    match api.engine.submit_from(origin, Command::Acquire(acquire)).await? {
        Reply::Granted(grants) => {
            let now = api.engine.mono();
            Ok(preferred(&Grants::new(&process_id, &grants, arrived, now), detail))
        }
        other => Err(mismatched(&other)),
    }
}

fn parse(asked: &AcquireRequest, caller: Caller, terms: Terms) -> Result<Acquire, Problem> {
    let process_id =
        ProcessId::parse(&asked.process_id).map_err(|error| named("process_id", &error))?;
    let wait_secs = asked.wait_seconds.unwrap_or_default();
    if wait_secs > MAX_WAIT_SECS {
        return Err(body::invalid(&format!("`wait_seconds` must be 0 to {MAX_WAIT_SECS}")));
    }
    if !(1..=MAX_WANTS).contains(&asked.locks.len()) {
        let count = asked.locks.len();
        return Err(body::invalid(&format!("`locks` has {count} items; give 1 to {MAX_WANTS}")));
    }
    let wants: Vec<Want> = asked
        .locks
        .iter()
        .enumerate()
        .map(|(at, lock)| want(at, lock))
        .collect::<Result<_, _>>()?;
    let mut names = BTreeSet::new();
    if let Some(again) = wants.iter().find(|want| !names.insert(&want.lock_id)) {
        let name = again.lock_id.as_str();
        return Err(body::invalid(&format!("`locks` names {name:?} twice; name each lock once")));
    }
    let wait = Duration::from_secs(wait_secs.into());
    let Caller { namespace, limits, .. } = caller;
    let quotas = limits.quotas;
    Ok(Acquire { namespace, process_id, wants, terms, wait, quotas })
}

fn want(at: usize, asked: &WantedLock) -> Result<Want, Problem> {
    let lock_id = LockId::parse(&asked.lock_id)
        .map_err(|error| named(&format!("locks[{at}].lock_id"), &error))?;
    let create_if_missing = asked
        .kind()
        .if_missing(asked.create_if_missing.unwrap_or_default())
        .map_err(|error| body::invalid(&format!("in `locks[{at}]`, {error}")))?;
    Ok(Want { lock_id, mode: asked.mode.into(), create_if_missing })
}

fn named(field: &str, error: &IdError) -> Problem {
    body::invalid(&format!("`{field}` {error}"))
}
