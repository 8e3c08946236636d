//! Follow what happens to one lock, or to all.

use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};
use leasehold_core::{KeyId, Role};
use leasehold_engine::{EventId, Filter, Locks};

use crate::auth::Caller;
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, ReplyBody, Request, Response};
use crate::parameter::{LAST_EVENT_ID, PREFIX, REFRESHED};
use crate::problem::Problem;
use crate::state::ApiState;

const TEXT_EVENT_STREAM: &str = "text/event-stream";

/// Proxies that buffer replies keep their hands off.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

pub(crate) static OF_LOCK: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/distributed_lock/{lock_id}/events",
    noun: Noun::Event,
    operation: "follow_lock",
    summary: "Follow a lock",
    description: "Server-sent events of one lock as they happen, each once it is durable. The lock need \
                  not exist yet, and the stream outlives it. See `GET /v1/events`.",
    parameters: &[&REFRESHED, &LAST_EVENT_ID],
    headers: &[Header::LastEventId],
    success: (StatusCode::OK, Shape::Events),
    refusals: &[ErrorCode::InvalidId, ErrorCode::TooManyStreams],
    handler: Handler::Keyed(Role::Read, |api, caller, request| {
        Box::pin(of_lock(api, caller, request))
    }),
};

pub(crate) static OF_ALL: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/events",
    noun: Noun::Event,
    operation: "follow_locks",
    summary: "Follow all locks",
    description: "Server-sent events of the locks of the caller's namespace as they happen, each once it \
                  is durable: `created`, `granted`, `queued`, `left_line`, `released`, `expired`, \
                  `forced`, `converted`, `deleted`, and `refreshed` where that is asked for. `data` is a \
                  `LockEvent`. The stream begins with now, or after the event that `Last-Event-ID` \
                  names. Where events are missing there is an event `gap` instead, whose `data` is an \
                  `EventGap`: the service started anew, or too much has happened since. A client that \
                  reads too slowly is cut off with a `gap` as well. A comment every 15 seconds keeps \
                  the connection alive and moves the id from which to resume.",
    parameters: &[&PREFIX, &REFRESHED, &LAST_EVENT_ID],
    headers: &[Header::LastEventId],
    success: (StatusCode::OK, Shape::Events),
    refusals: &[ErrorCode::TooManyStreams],
    handler: Handler::Keyed(Role::Read, |api, caller, request| {
        Box::pin(of_all(api, caller, request))
    }),
};

async fn of_lock(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let parse = |call: &Call<'_>| Wish::parse(call, Locks::One(call.lock_id()?));
    let wish = Call::read(&api, caller, &OF_LOCK, request, parse).await?;
    follow(&api, wish).await
}

async fn of_all(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let parse = |call: &Call<'_>| {
        let prefix = call.query.parsed(&PREFIX, |text| Some(text.to_owned()))?;
        Wish::parse(call, Locks::WithPrefix(prefix.unwrap_or_default()))
    };
    let wish = Call::read(&api, caller, &OF_ALL, request, parse).await?;
    follow(&api, wish).await
}

/// What a caller wants to follow, and from where.
struct Wish {
    filter: Filter,
    after: Option<EventId>,
    key_id: Option<KeyId>,
}

impl Wish {
    fn parse(call: &Call<'_>, locks: Locks) -> Result<Self, Problem> {
        let namespace = call.caller.namespace.clone();
        let with_refreshes = call.query.flag(&REFRESHED)?;
        // The header is the newer of the two: a client that reconnects by itself repeats the query.
        let in_query = call.query.parsed(&LAST_EVENT_ID, EventId::parse)?;
        Ok(Self {
            filter: Filter { namespace, locks, with_refreshes },
            after: call.last_event_id()?.or(in_query),
            key_id: call.caller.revocable_key().cloned(),
        })
    }
}

async fn follow(api: &ApiState, wish: Wish) -> Result<Response, Problem> {
    let slot = api.event_streams.take_slot()?;
    api.engine.attend().await?;
    let follower = api.engine.follow(wish.filter, wish.after)?;
    let body = api.event_streams.body(slot, follower, api.engine.unpinned(), wish.key_id);
    let mut response = Response::new(ReplyBody::Events(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT_EVENT_STREAM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}
