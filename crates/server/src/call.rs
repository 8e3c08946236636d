//! One request that was let in, taken apart.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};
use leasehold_core::{
    Detail, FencingToken, HoldKey, IdError, IdempotencyKey, LockId, Mode, Note, Origin, ProcessId,
    Terms,
};
use leasehold_engine::EventId;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::auth::Caller;
use crate::body::{self, Bounds};
use crate::endpoint::{Endpoint, Header};
use crate::error_code::ErrorCode;
use crate::exchange::{Request, Response};
use crate::parameter::{FENCING_TOKEN, NOTE, WAIT_SECONDS};
use crate::problem::Problem;
use crate::query::{Query, has_whole_escapes, present};
use crate::reply;
use crate::state::Api;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const RETURN_MINIMAL: &str = "return=minimal";

/// A request whose caller may make it and whose parameters the call knows.
pub(crate) struct Call<'r> {
    pub(crate) caller: Caller,
    pub(crate) query: Query<'r>,
    endpoint: &'static Endpoint,
    head: &'r Parts,
}

impl<'r> Call<'r> {
    /// Checks the names of the parameters in the query.
    pub(crate) fn open(
        caller: Caller,
        endpoint: &'static Endpoint,
        head: &'r Parts,
    ) -> Result<Self, Problem> {
        let query = Query::parse(head.uri.query())?;
        query.check(endpoint.parameters)?;
        Ok(Self { caller, query, endpoint, head })
    }

    /// What `parse` makes of a request whose parameters stand in its query, in its body or in both. All of
    /// the request is read first and dropped then. A body that is not read would keep the connection
    /// from noticing that a waiting client is gone; a head that is kept would keep it from reading
    /// into the same buffer again.
    pub(crate) async fn read<T>(
        api: &Api,
        caller: Caller,
        endpoint: &'static Endpoint,
        request: Request,
        parse: impl FnOnce(&Call<'_>) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let bounds = Bounds::of(api);
        let (head, body) = request.into_parts();
        let mut call = Call::open(caller, endpoint, &head)?;
        if endpoint.takes_body_parameters() {
            let members = body::members(&head, body, bounds).await?;
            call.query.add_members(members, endpoint.parameters)?;
        } else {
            body::none(body, bounds).await?;
        }
        parse(&call)
    }

    /// The same for a call that becomes a command, with where that comes from.
    pub(crate) async fn read_from<T>(
        api: &Api,
        caller: Caller,
        endpoint: &'static Endpoint,
        request: Request,
        parse: impl FnOnce(&Call<'_>) -> Result<T, Problem>,
    ) -> Result<(Origin, T), Problem> {
        let parse = |call: &Call<'_>| Ok((call.origin()?, parse(call)?));
        Self::read(api, caller, endpoint, request, parse).await
    }

    /// Where the command comes from that this call becomes.
    pub(crate) fn origin(&self) -> Result<Origin, Problem> {
        Ok(Origin {
            key_id: self.caller.key_id.clone(),
            is_revocable: self.caller.revocable_key().is_some(),
            idempotency_key: match self.endpoint.headers.contains(&Header::IdempotencyKey) {
                true => self.idempotency_key()?,
                false => None,
            },
        })
    }

    /// The lock that the path names.
    pub(crate) fn lock_id(&self) -> Result<LockId, Problem> {
        self.path_id("{lock_id}", LockId::parse)
    }

    /// The hold that the path names.
    pub(crate) fn hold(&self, mode: Mode) -> Result<HoldKey, Problem> {
        Ok(HoldKey {
            namespace: self.caller.namespace.clone(),
            lock_id: self.lock_id()?,
            mode,
            process_id: self.process_id()?,
        })
    }

    /// The process that the path names.
    pub(crate) fn process_id(&self) -> Result<ProcessId, Problem> {
        self.path_id("{process_id}", ProcessId::parse)
    }

    /// On what terms a hold is asked for, by the parameters.
    pub(crate) fn terms(&self) -> Result<Terms, Problem> {
        Ok(Terms {
            timeout: self.query.timeout()?,
            note: self.query.parsed(&NOTE, |text| Note::parse(text).ok())?,
            detail: self.detail(),
        })
    }

    /// How long to stand in line.
    pub(crate) fn wait(&self) -> Result<Duration, Problem> {
        let secs = present(&WAIT_SECONDS, self.query.number(&WAIT_SECONDS)?)?;
        Ok(Duration::from_secs(secs))
    }

    /// The token that the hold must still have.
    pub(crate) fn token(&self) -> Result<Option<FencingToken>, Problem> {
        Ok(self.query.number(&FENCING_TOKEN)?.and_then(FencingToken::new))
    }

    /// What marks the request as one that may be sent twice.
    fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        let expects = "1 to 255 bytes of UTF-8 without control characters, not `.` or `..`";
        self.header(&IDEMPOTENCY_KEY, "Idempotency-Key", expects, |text| {
            IdempotencyKey::parse(text).ok()
        })
    }

    /// The event after which a stream resumes.
    pub(crate) fn last_event_id(&self) -> Result<Option<EventId>, Problem> {
        self.header(&LAST_EVENT_ID, "Last-Event-ID", "the `id` of an event", EventId::parse)
    }

    /// Whatever `parse` makes of a header, which is given at most once.
    fn header<T>(
        &self,
        header: &HeaderName,
        name: &str,
        expects: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let mut given = self.head.headers.get_all(header).iter();
        let Some(value) = given.next() else { return Ok(None) };
        if given.next().is_some() {
            let reason = format!("the header `{name}` is given twice");
            return Err(Problem::new(ErrorCode::DuplicateParameter, &reason));
        }
        let parsed = std::str::from_utf8(value.as_bytes()).ok().and_then(parse);
        parsed.map(Some).ok_or_else(|| {
            let reason = format!("the header `{name}` must be {expects}");
            Problem::new(ErrorCode::InvalidParameter, &reason)
        })
    }

    /// How much the caller wants to see.
    pub(crate) fn detail(&self) -> Detail {
        if prefers_minimal(&self.head.headers) { Detail::Own } else { Detail::Full }
    }

    /// The segment of the path that stands where the template has `placeholder`, decoded and checked.
    pub(crate) fn path_id<T>(
        &self,
        placeholder: &str,
        parse: impl Fn(&str) -> Result<T, IdError>,
    ) -> Result<T, Problem> {
        let refuse = |what: &str| {
            let name = placeholder.trim_matches(['{', '}']);
            Problem::new(ErrorCode::InvalidId, &format!("the `{name}` in the path {what}"))
        };
        let path = self.head.uri.path();
        let encoded = self
            .endpoint
            .path
            .split('/')
            .zip(path.split('/'))
            .find(|(template, _)| *template == placeholder)
            .map_or("", |(_, encoded)| encoded);
        if !has_whole_escapes(encoded) {
            return Err(refuse("has a `%` that does not begin an escape; write it `%25`"));
        }
        let decoded = percent_decode_str(encoded)
            .decode_utf8()
            .map_err(|_| refuse("is not UTF-8 after percent-decoding"))?;
        parse(&decoded).map_err(|error| refuse(&error.to_string()))
    }
}

/// The reply to a call that honours `Prefer`.
pub(crate) fn preferred(body: &impl Serialize, detail: Detail) -> Response {
    let mut response = reply::json(StatusCode::OK, body);
    match detail {
        Detail::Full => {}
        Detail::Own => {
            let applied = HeaderValue::from_static(RETURN_MINIMAL);
            response.headers_mut().insert(PREFERENCE_APPLIED, applied);
        }
    }
    response
}

/// RFC 7240: preferences are separated by commas, in one header or several; case does not matter.
fn prefers_minimal(headers: &HeaderMap) -> bool {
    headers
        .get_all(PREFER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|preference| preference.split(';').next().unwrap_or_default())
        .map(|preference| preference.replace([' ', '"'], ""))
        .any(|preference| preference.eq_ignore_ascii_case(RETURN_MINIMAL))
}
