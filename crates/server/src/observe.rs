//! The one layer around all routes: the request id, the counts, the log line, and the document of
//! a refusal. Nothing here reads the query string, where a key may stand.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{Counter, Histogram, counter, histogram};

use crate::error_code::ErrorCode;
use crate::metrics::{REFUSALS, REQUEST_SECONDS, REQUESTS};
use crate::problem::Problem;
use crate::request_id::{RequestIds, X_REQUEST_ID};

/// What the layer keeps between requests.
pub(crate) struct Observer {
    max_body_bytes: usize,
    request_ids: RequestIds,
    routes: HashMap<&'static str, RouteMetrics>,
    unmatched: RouteMetrics,
    refusals: [Counter; ErrorCode::ALL.len()],
}

impl Observer {
    /// Looks the metrics of these routes up, once.
    pub(crate) fn new(routes: &[&'static str], max_body_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            max_body_bytes,
            request_ids: RequestIds::new(),
            routes: routes.iter().map(|route| (*route, RouteMetrics::new(route))).collect(),
            unmatched: RouteMetrics::new("unmatched"),
            refusals: ErrorCode::ALL.map(|code| counter!(REFUSALS, "code" => code.word())),
        })
    }

    fn route(&self, request: &Request) -> &RouteMetrics {
        let matched = request.extensions().get::<MatchedPath>();
        matched.and_then(|path| self.routes.get(path.as_str())).unwrap_or(&self.unmatched)
    }
}

/// Runs one request.
pub(crate) async fn observe(
    State(observer): State<Arc<Observer>>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let route = observer.route(&request);
    let method = request.method().clone();
    let request_id = observer.request_ids.choose(request.headers());

    let mut response = match refuse_body(request.headers(), observer.max_body_bytes) {
        Ok(()) => or_internal_problem(next.run(request)).await,
        Err(problem) => problem.into_response(),
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        observer.refusals[problem.code as usize].increment(1);
        problem.write(&mut response, &request_id);
    }

    let (status, took) = (response.status().as_u16(), started.elapsed());
    route.count(&method, status, took);
    tracing::debug!(
        %method,
        route = route.template,
        status,
        ms = took.as_secs_f64() * 1_000.0,
        request_id = request_id.to_str().unwrap_or_default(),
        "request"
    );
    response.headers_mut().insert(X_REQUEST_ID, request_id);
    response
}

/// A body that announces itself as too long is refused before anything is looked at.
fn refuse_body(headers: &HeaderMap, max_bytes: usize) -> Result<(), Problem> {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else { return Ok(()) };
    let bytes = length.to_str().ok().and_then(|text| text.parse::<usize>().ok());
    if bytes.is_some_and(|bytes| bytes <= max_bytes) {
        return Ok(());
    }
    let reason = format!("the body is longer than {max_bytes} bytes");
    Err(Problem::new(ErrorCode::BodyTooLarge, &reason))
}

/// A handler that panics, which none should, costs its caller a 500 and nobody else anything.
async fn or_internal_problem(response: impl Future<Output = Response>) -> Response {
    let mut response = pin!(response);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| response.as_mut().poll(context))).unwrap_or_else(|_| {
            let problem = Problem::new(ErrorCode::Internal, "the service failed on this request");
            Poll::Ready(problem.into_response())
        })
    })
    .await
}

const METHODS: [Method; 5] = [Method::GET, Method::PUT, Method::DELETE, Method::POST, Method::HEAD];

/// Statuses that a route answers with, the frequent ones first.
const STATUSES: [u16; 17] =
    [200, 201, 409, 406, 404, 400, 503, 429, 401, 403, 405, 413, 415, 307, 500, 507, 422];

/// Handles to the metrics of one route; those of requests are looked up when first needed.
struct RouteMetrics {
    template: &'static str,
    seconds: Histogram,
    requests: [[OnceLock<Counter>; STATUSES.len()]; METHODS.len()],
}

impl RouteMetrics {
    fn new(template: &'static str) -> Self {
        Self {
            template,
            seconds: histogram!(REQUEST_SECONDS, "route" => template),
            requests: Default::default(),
        }
    }

    fn count(&self, method: &Method, status: u16, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        let method_at = METHODS.iter().position(|known| known == method);
        let status_at = STATUSES.iter().position(|known| *known == status);
        let look_up = || {
            // Any other method would let callers make as many series as they like.
            let method = method_at.map_or("other".to_owned(), |at| METHODS[at].to_string());
            let status = status.to_string();
            counter!(REQUESTS, "method" => method, "route" => self.template, "status" => status)
        };
        match method_at.zip(status_at) {
            Some((method, status)) => {
                self.requests[method][status].get_or_init(look_up).increment(1);
            }
            None => look_up().increment(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;
    use serde_json::Value;

    use super::*;

    async fn run_into_a_fault() -> &'static str {
        panic!("a fault that a test put here")
    }

    #[tokio::test]
    async fn a_panic_costs_its_caller_a_500_and_nobody_else_anything() {
        let observer = Observer::new(&["/fault", "/fine"], 0);
        let router: Router = Router::new()
            .route("/fault", get(run_into_a_fault))
            .route("/fine", get(async || "fine"))
            .layer(from_fn_with_state(observer, observe));
        let service = TowerToHyperService::new(router);
        let ask = async |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            service.call(request).await.unwrap()
        };
        let response: Response = ask("/fault").await;
        assert_eq!(response.status(), 500);
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], "internal");
        assert_eq!(problem["outcome"], "unknown");
        assert_eq!(ask("/fine").await.status(), 200);
    }
}
