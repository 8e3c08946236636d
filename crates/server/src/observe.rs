//! The one layer around all routes: the request id, the counts, the log line, and the document of
//! a refusal. Nothing here reads the query string, where a key may stand.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::header::HeaderValue;
use hyper::{Method, Request};
use metrics::{Counter, Histogram, counter, histogram};

use crate::admission::Admission;
use crate::browser_safety;
use crate::error_code::ErrorCode;
use crate::exchange::Response;
use crate::metrics::{REFUSALS, REQUEST_SECONDS, REQUESTS};
use crate::problem::Problem;
use crate::rate;
use crate::request_id::{RequestIds, X_REQUEST_ID};

/// What the layer keeps between requests.
pub(crate) struct Observer {
    request_ids: RequestIds,
    routes: Vec<RouteMetrics>,
    unmatched: RouteMetrics,
    refusals: [Counter; ErrorCode::ALL.len()],
}

impl Observer {
    /// Looks the metrics of these routes up, once.
    pub(crate) fn new(routes: impl Iterator<Item = &'static str>) -> Arc<Self> {
        Arc::new(Self {
            request_ids: RequestIds::new(),
            routes: routes.map(RouteMetrics::new).collect(),
            unmatched: RouteMetrics::new("unmatched"),
            refusals: ErrorCode::ALL.map(|code| counter!(REFUSALS, "code" => code.word())),
        })
    }

    /// Has a request answered that takes the route of this number, if any.
    pub(crate) fn watch<B>(
        self: &Arc<Self>,
        route: Option<usize>,
        request: Request<B>,
        admit: impl FnOnce(Request<B>, &HeaderValue) -> Admission,
    ) -> Observed {
        let request_id = self.request_ids.choose(request.headers());
        Observed {
            observer: Arc::clone(self),
            route,
            method: request.method().clone(),
            started: Instant::now(),
            admission: admit(request, &request_id),
            request_id,
        }
    }
}

/// A request that is being answered.
pub struct Observed {
    observer: Arc<Observer>,
    route: Option<usize>,
    method: Method,
    request_id: HeaderValue,
    started: Instant,
    admission: Admission,
}

impl Future for Observed {
    type Output = Result<Response, Infallible>;

    /// A handler that panics, which none should, costs its caller a 500 and nobody else anything.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let admission = &mut self.admission;
        let answer =
            catch_unwind(AssertUnwindSafe(|| admission.poll(context))).unwrap_or_else(|_| {
                let reason = "the service failed on this request";
                Poll::Ready(Err(Problem::new(ErrorCode::Internal, reason)))
            });
        answer.map(|answer| Ok(self.finish(answer)))
    }
}

impl Observed {
    fn finish(&self, answer: Result<Response, Problem>) -> Response {
        let mut response = answer.unwrap_or_else(|problem| {
            self.observer.refusals[problem.code as usize].increment(1);
            problem.response(&self.request_id)
        });
        let (status, took) = (response.status().as_u16(), self.started.elapsed());
        let route = self.route.map_or(&self.observer.unmatched, |at| &self.observer.routes[at]);
        route.count(&self.method, status, took);
        tracing::debug!(
            method = %self.method,
            route = route.template,
            status,
            ms = took.as_secs_f64() * 1_000.0,
            request_id = self.request_id.to_str().unwrap_or_default(),
            "request"
        );
        response.headers_mut().insert(X_REQUEST_ID, self.request_id.clone());
        browser_safety::harden(response.headers_mut());
        if let Some(tally) = self.admission.tally() {
            rate::tell(tally, response.headers_mut());
        }
        response
    }
}

const METHODS: [Method; 6] =
    [Method::GET, Method::PUT, Method::DELETE, Method::POST, Method::HEAD, Method::PATCH];

/// Statuses that a route answers with, the frequent ones first.
const STATUSES: [u16; 18] =
    [200, 201, 409, 406, 404, 400, 503, 429, 401, 403, 405, 413, 415, 307, 500, 507, 422, 408];

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
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;
    use crate::exchange::Answering;

    async fn run_into_a_fault() -> Result<Response, Problem> {
        panic!("a fault that a test put here")
    }

    #[tokio::test]
    async fn a_panic_costs_its_caller_a_500_and_nobody_else_anything() {
        let observer = Observer::new(["/fault", "/fine"].into_iter());
        let ask = async |route, answering: Answering| {
            let Ok(response) =
                observer.watch(Some(route), Request::new(()), |_, _| answering.into()).await;
            response
        };
        let response = ask(0, Box::pin(run_into_a_fault())).await;
        assert_eq!(response.status(), 500);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], "internal");
        assert_eq!(problem["outcome"], "unknown");
        assert_eq!(ask(1, Box::pin(async { Ok(Response::default()) })).await.status(), 200);
    }
}
