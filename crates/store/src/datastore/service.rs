//! The service's methods, and what a failure of each says about what was done.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::address::{DatastoreEnvironment, DatastoreOpenError};
use super::http::{Answer, Http, NoAnswer};
use super::sign_in::{SignIn, Source};
use super::wire::{
    CommitRequest, CommitResponse, ErrorResponse, ErrorStatus, Filter, Found, Key, KindName,
    LookupRequest, LookupResponse, Mutation, PartitionId, PathElement, Query, QueryBatch,
    QueryRequest, QueryResponse, ReadWrite, STRONG,
};

const GOOGLE: &str = "https://datastore.googleapis.com";
/// How long one commit or lookup may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long one page of rows may take.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Entities that are asked for at a time. The service may give fewer, and says so.
pub(super) const PAGE_ENTITIES: usize = 1_000;

/// How often a call that got no answer is made at most. Each time may take as long as a call may.
pub(super) const LOST_TRIES: u32 = 2;
/// How often a call that others were in the way of is made at most.
pub(super) const CONTENDED_TRIES: u32 = 6;
/// Pause before a call is made again; doubled each time.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Why a call failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    /// It was refused because what is stored is not as the call expected it. Nothing was written.
    Unmet(String),
    /// Other writes were in the way. Nothing was written; trying again may work at once.
    Contention(String),
    /// It was refused, or never left. Nothing was written.
    Refused(String),
    /// It may have been done.
    Lost(String),
}

impl Trouble {
    pub(super) fn into_reason(self) -> String {
        match self {
            Self::Unmet(why) | Self::Contention(why) | Self::Refused(why) | Self::Lost(why) => why,
        }
    }
}

/// Names from the first on, up to but without the second; no end where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names {
    pub(super) from: Option<&'static str>,
    pub(super) to: Option<&'static str>,
}

pub(super) struct Service {
    http: Http,
    origin: String,
    /// Calls that are made side by side wait for one sign-in.
    sign_in: Option<Mutex<SignIn>>,
    partition: PartitionId,
}

impl Service {
    pub(super) fn new(
        partition: PartitionId,
        environment: &DatastoreEnvironment,
    ) -> Result<Self, DatastoreOpenError> {
        match &environment.emulator_host {
            Some(host) => {
                let host = host.strip_prefix("http://").unwrap_or(host);
                let origin = format!("http://{}", host.trim_end_matches('/'));
                Ok(Self::at(origin, Http::new(false)?, None, partition))
            }
            None => {
                let source = Source::find(environment)?;
                let http = Http::new(true)?;
                let sign_in = Some(SignIn::new(source, http.clone()));
                Ok(Self::at(GOOGLE.to_owned(), http, sign_in, partition))
            }
        }
    }

    pub(super) fn at(
        origin: String,
        http: Http,
        sign_in: Option<SignIn>,
        partition: PartitionId,
    ) -> Self {
        Self { http, origin, sign_in: sign_in.map(Mutex::new), partition }
    }

    pub(super) fn key(&self, kind: &str, name: String) -> Key {
        let path = vec![PathElement { kind: kind.to_owned(), name }];
        Key { partition_id: self.partition.clone(), path }
    }

    /// All the mutations or none. The result is that of the first.
    pub(super) async fn commit(&self, mutations: Vec<&Mutation>) -> Result<String, Trouble> {
        let request = CommitRequest {
            database_id: &self.partition.database_id,
            mode: "TRANSACTIONAL",
            single_use_transaction: ReadWrite::default(),
            mutations,
        };
        let response: CommitResponse = self.call("commit", &request, TIMEOUT).await?;
        match response.mutation_results.into_iter().next() {
            Some(first) if !first.conflict_detected && !first.version.is_empty() => {
                Ok(first.version)
            }
            other => Err(Trouble::Lost(format!("the commit was answered with {other:?}"))),
        }
    }

    pub(super) async fn lookup(&self, key: Key) -> Result<Option<Found>, Trouble> {
        let database_id = &self.partition.database_id;
        let request = LookupRequest { database_id, read_options: STRONG, keys: [key] };
        let response: LookupResponse = self.read("lookup", &request, TIMEOUT).await?;
        match (response.found.into_iter().next(), response.missing.is_empty()) {
            (Some(found), _) => Ok(Some(found)),
            (None, false) => Ok(None),
            (None, true) => Err(Trouble::Refused("the lookup was put off".to_owned())),
        }
    }

    /// A page of the entities of a kind with these names, in the order of their names, after those
    /// before the cursor.
    pub(super) async fn page(
        &self,
        kind: &'static str,
        names: Names,
        start_cursor: &str,
    ) -> Result<QueryBatch, Trouble> {
        let bound = |name: &str| self.key(kind, name.to_owned());
        let request = QueryRequest {
            database_id: &self.partition.database_id,
            partition_id: &self.partition,
            read_options: STRONG,
            query: Query {
                kind: [KindName { name: kind }],
                filter: Filter::between(names.from.map(bound), names.to.map(bound)),
                start_cursor,
                limit: PAGE_ENTITIES,
            },
        };
        let response: QueryResponse = self.read("runQuery", &request, PAGE_TIMEOUT).await?;
        Ok(response.batch)
    }

    /// A call that changes nothing, and so may be made again.
    async fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        request: &impl Serialize,
        within: Duration,
    ) -> Result<T, Trouble> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.call(method, request, within).await {
                Err(Trouble::Contention(_)) if tries < CONTENDED_TRIES => {}
                Err(Trouble::Lost(_)) if tries < LOST_TRIES => {}
                done => return done,
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        request: &impl Serialize,
        within: Duration,
    ) -> Result<T, Trouble> {
        let body =
            serde_json::to_vec(request).map_err(|error| Trouble::Refused(error.to_string()))?;
        let body = Bytes::from(body);
        let mut answer = self.send(method, body.clone(), within).await?;
        if answer.status == StatusCode::UNAUTHORIZED
            && let Some(sign_in) = &self.sign_in
        {
            sign_in.lock().await.forget();
            answer = self.send(method, body, within).await?;
        }
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body)
                .map_err(|error| Trouble::Lost(format!("cannot read the answer: {error}")));
        }
        Err(trouble_of(&answer))
    }

    async fn send(&self, method: &str, body: Bytes, within: Duration) -> Result<Answer, Trouble> {
        let PartitionId { project_id, database_id, .. } = &self.partition;
        let mut request =
            Request::post(format!("{}/v1/projects/{project_id}:{method}", self.origin))
                .header(CONTENT_TYPE, "application/json");
        if !database_id.is_empty() {
            let route = format!("project_id={project_id}&database_id={database_id}");
            request = request.header("x-goog-request-params", route);
        }
        if let Some(sign_in) = &self.sign_in {
            let authorization =
                sign_in.lock().await.authorization().await.map_err(Trouble::Refused)?;
            request = request.header(AUTHORIZATION, authorization);
        }
        let request =
            request.body(Full::new(body)).map_err(|error| Trouble::Refused(error.to_string()))?;
        self.http.call(request, within).await.map_err(|none| match none {
            NoAnswer::Unsent(why) => Trouble::Refused(why),
            NoAnswer::Lost(why) => Trouble::Lost(why),
        })
    }
}

/// By Google's list of codes: <https://cloud.google.com/datastore/docs/concepts/errors>. Only these are
/// refusals; after any other answer the call may have been done. An answer without a code is not Datastore's
/// own: something on the way made it.
fn trouble_of(answer: &Answer) -> Trouble {
    let ErrorStatus { status, message } = serde_json::from_slice(&answer.body)
        .map(|ErrorResponse { error }| error)
        .unwrap_or_else(|_| ErrorStatus { status: String::new(), message: String::new() });
    let why = format!("{} {status} {message}", answer.status);
    match status.as_str() {
        "FAILED_PRECONDITION" | "ALREADY_EXISTS" | "NOT_FOUND" => Trouble::Unmet(why),
        "ABORTED" => Trouble::Contention(why),
        "INVALID_ARGUMENT" | "PERMISSION_DENIED" | "UNAUTHENTICATED" | "RESOURCE_EXHAUSTED" => {
            Trouble::Refused(why)
        }
        _ => Trouble::Lost(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(http: u16, body: &str) -> Trouble {
        let status = StatusCode::from_u16(http).unwrap();
        trouble_of(&Answer { status, body: Bytes::from(body.to_owned()) })
    }

    /// Every 4xx counted as a refusal, whatever its code. A commit that was answered with 499 CANCELLED had been
    /// applied all the same.
    #[test]
    fn i2_only_codes_that_are_known_to_be_refusals_mean_that_nothing_was_written() {
        type Kind = fn(String) -> Trouble;
        let (unmet, refused, lost): (Kind, Kind, Kind) =
            (Trouble::Unmet, Trouble::Refused, Trouble::Lost);
        let cases: [(u16, &str, Kind); 23] = [
            (400, "FAILED_PRECONDITION", unmet),
            (409, "ALREADY_EXISTS", unmet),
            (404, "NOT_FOUND", unmet),
            (409, "ABORTED", Trouble::Contention),
            (400, "INVALID_ARGUMENT", refused),
            (403, "PERMISSION_DENIED", refused),
            (401, "UNAUTHENTICATED", refused),
            (429, "RESOURCE_EXHAUSTED", refused),
            (499, "CANCELLED", lost),
            (400, "OUT_OF_RANGE", lost),
            (400, "A_CODE_OF_TOMORROW", lost),
            (408, "", lost),
            (413, "", lost),
            (404, "", lost),
            (403, "", lost),
            (400, "", lost),
            (500, "INTERNAL", lost),
            (500, "UNKNOWN", lost),
            (500, "DATA_LOSS", lost),
            (501, "UNIMPLEMENTED", lost),
            (503, "UNAVAILABLE", lost),
            (504, "DEADLINE_EXCEEDED", lost),
            (302, "", lost),
        ];
        for (http, code, kind) in cases {
            let body = format!(r#"{{"error": {{"status": "{code}", "message": "why"}}}}"#);
            let found = trouble(http, &body);
            let expected = kind(found.clone().into_reason());
            assert_eq!(found, expected, "{http} {code}");
        }
        for body in ["", "<html>403 Forbidden</html>", "{}", r#"{"error": 4}"#] {
            for http in [400, 403, 404, 429, 499, 502] {
                assert!(matches!(trouble(http, body), Trouble::Lost(_)), "{http} {body:?}");
            }
        }
    }
}
