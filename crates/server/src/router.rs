//! Which path leads to which handler.

use std::future::ready;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{HeaderMap, Method, header};
use leasehold_engine::Engine;

use crate::endpoint::{Endpoint, HttpMethod};
use crate::error_code::ErrorCode;
use crate::exchange::{Answer, Request, Response};
use crate::handlers::{docs, event, fallback, hold, key, lock, process, service, wait};
use crate::metrics::MetricsHandle;
use crate::observe::{Observed, Observer};
use crate::problem::Problem;
use crate::settings::ServerSettings;
use crate::state::{Api, ApiState};

/// Every call, in the order of the documentation.
pub(crate) static ENDPOINTS: [&Endpoint; 30] = [
    &lock::create::ENDPOINT,
    &lock::get::ENDPOINT,
    &lock::list::ENDPOINT,
    &lock::delete::ENDPOINT,
    &lock::history::ENDPOINT,
    &hold::acquire::READ,
    &hold::refresh::READ,
    &hold::release::READ,
    &hold::acquire::WRITE,
    &hold::refresh::WRITE,
    &hold::release::WRITE,
    &hold::upgrade::ENDPOINT,
    &hold::downgrade::ENDPOINT,
    &hold::acquire_several::ENDPOINT,
    &process::get::ENDPOINT,
    &process::refresh::ENDPOINT,
    &process::release::ENDPOINT,
    &wait::list::ENDPOINT,
    &event::follow::OF_LOCK,
    &event::follow::OF_ALL,
    &key::create::ENDPOINT,
    &key::list::ENDPOINT,
    &key::revoke::ENDPOINT,
    &service::healthcheck::ENDPOINT,
    &service::livez::ENDPOINT,
    &service::readyz::ENDPOINT,
    &service::metrics::ENDPOINT,
    &docs::page::ENDPOINT,
    &docs::errors::ENDPOINT,
    &docs::openapi::ENDPOINT,
];

/// The calls that may have an address of their own.
static PROBES: [&Endpoint; 3] =
    [&service::livez::ENDPOINT, &service::readyz::ENDPOINT, &service::metrics::ENDPOINT];

/// What a GET finds beside the documented calls.
static UNLISTED: [(&str, Answer); 3] = [
    ("/", docs::page::lead_here),
    ("/docs", docs::page::lead_here),
    (docs::asset::PATH, docs::asset::answer),
];

/// The whole service: the API, its documentation and the probes.
pub fn api_router(engine: Engine, settings: ServerSettings, metrics: MetricsHandle) -> Router {
    Router::new(Api::new(engine, settings, metrics), &ENDPOINTS, &UNLISTED)
}

/// The probes alone, for an address of their own.
pub fn probe_router(engine: Engine, metrics: MetricsHandle) -> Router {
    let settings = ServerSettings { max_body_bytes: 0, ..ServerSettings::default() };
    Router::new(Api::new(engine, settings, metrics), &PROBES, &[])
}

/// Answers requests, each by the handler of its path and method. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    api: ApiState,
    routes: Arc<[Route]>,
    observer: Arc<Observer>,
}

/// A path, and who answers there.
struct Route {
    template: &'static str,
    segments: Vec<&'static str>,
    answers: Vec<(Method, Answer)>,
}

impl Router {
    fn new(api: Api, calls: &[&Endpoint], unlisted: &[(&'static str, Answer)]) -> Self {
        let mut routes: Vec<Route> = Vec::new();
        let calls = calls.iter().map(|call| (call.path, method(&call.method), call.answer));
        let unlisted = unlisted.iter().map(|(path, answer)| (*path, Method::GET, *answer));
        for (template, method, answer) in calls.chain(unlisted) {
            match routes.iter_mut().find(|route| route.template == template) {
                Some(route) => route.answers.push((method, answer)),
                None => routes.push(Route {
                    template,
                    segments: template.split('/').collect(),
                    answers: vec![(method, answer)],
                }),
            }
        }
        let observer = Observer::new(routes.iter().map(|route| route.template));
        Self { api: Arc::new(api), routes: routes.into(), observer }
    }

    /// The number of the route that a path takes: the first one that fits. An empty segment in the
    /// middle is an empty name, to be refused as such; one at the end is a slash too much.
    fn route(&self, path: &str) -> Option<usize> {
        if path.len() > 1 && path.ends_with('/') {
            return None;
        }
        let count = 1 + path.bytes().filter(|byte| *byte == b'/').count();
        self.routes.iter().position(|route| route.segments.len() == count && route.fits(path))
    }

    fn answer(&self, route: Option<usize>, request: &Request) -> Result<Answer, Problem> {
        refuse_body(request.headers(), self.api.settings.max_body_bytes)?;
        match route {
            Some(at) => self.routes[at].answer(request.method()),
            None => Err(fallback::no_such_route()),
        }
    }
}

impl Service<Request> for Router {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Observed;

    fn call(&self, request: hyper::Request<Incoming>) -> Observed {
        let route = self.route(request.uri().path());
        Observer::watch(&self.observer, route, request, |request| {
            match self.answer(route, &request) {
                Ok(answer) => answer(Arc::clone(&self.api), request),
                Err(problem) => Box::pin(ready(Err(problem))),
            }
        })
    }
}

impl Route {
    /// Whether a path with as many segments is of this template; a placeholder stands for any text.
    fn fits(&self, path: &str) -> bool {
        let mut pairs = self.segments.iter().zip(path.split('/'));
        pairs.all(|(wanted, given)| *wanted == given || wanted.starts_with('{'))
    }

    /// Whoever answers this method; a HEAD is a GET whose reply is sent without its body.
    fn answer(&self, asked: &Method) -> Result<Answer, Problem> {
        let method = if asked == Method::HEAD { &Method::GET } else { asked };
        let found = self.answers.iter().find(|(known, _)| known == method);
        found.map(|(_, answer)| *answer).ok_or_else(|| {
            let known = self.answers.iter().map(|(method, _)| method);
            fallback::method_not_allowed(asked, known)
        })
    }
}

fn method(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
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
