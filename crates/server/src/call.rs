//! One authenticated request, taken apart.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use leasehold_core::{Detail, HoldKey, IdError, LockId, LockView, Mode, ProcessId};
use percent_encoding::percent_decode_str;

use crate::auth::{Caller, authenticate};
use crate::endpoint::Endpoint;
use crate::error_code::ErrorCode;
use crate::problem::Problem;
use crate::query::Query;
use crate::reply;
use crate::state::Api;
use crate::wire::Lock;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const RETURN_MINIMAL: &str = "return=minimal";

/// A request whose caller may make it and whose parameters the call knows.
pub(crate) struct Call<'r> {
    pub(crate) caller: Caller,
    pub(crate) query: Query<'r>,
    endpoint: &'static Endpoint,
    request: &'r Request,
}

impl<'r> Call<'r> {
    /// Checks in this order: the key, its role, the names of the parameters.
    pub(crate) fn open(
        api: &Api,
        endpoint: &'static Endpoint,
        request: &'r Request,
    ) -> Result<Self, Problem> {
        let query = Query::parse(request.uri().query());
        let caller = authenticate(api, request.headers(), &query)?;
        if let Some(needed) = endpoint.needs {
            caller.must_have(needed)?;
        }
        query.check(endpoint.parameters)?;
        Ok(Self { caller, query, endpoint, request })
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
            process_id: self.path_id("{process_id}", ProcessId::parse)?,
        })
    }

    /// How much the caller wants to see.
    pub(crate) fn detail(&self) -> Detail {
        if prefers_minimal(self.request.headers()) { Detail::Own } else { Detail::Full }
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
        let path = self.request.uri().path();
        let encoded = self
            .endpoint
            .path
            .split('/')
            .zip(path.split('/'))
            .find(|(template, _)| *template == placeholder)
            .map_or("", |(_, encoded)| encoded);
        let decoded = percent_decode_str(encoded)
            .decode_utf8()
            .map_err(|_| refuse("is not UTF-8 after percent-decoding"))?;
        parse(&decoded).map_err(|error| refuse(&error.to_string()))
    }
}

/// A lock as the reply to a call that honours `Prefer`.
pub(crate) fn lock_reply(lock: &LockView, detail: Detail) -> Response {
    let mut response = reply::json(StatusCode::OK, &Lock::from(lock));
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
