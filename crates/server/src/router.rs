//! Which path leads to which handler.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::Service;
use hyper::{HeaderMap, Method, Version, header};
use leasehold_core::Role;
use leasehold_engine::Engine;

use crate::admission::{Admission, Admitted};
use crate::auth;
use crate::cluster::{Cluster, ELECTION_PATH, GREETING_PATH, PROOF_PATH, Place};
use crate::endpoint::{Endpoint, HttpMethod};
use crate::error_code::ErrorCode;
use crate::exchange::{Answer, Answering, Handler, KeyedAnswer, Request, Response};
use crate::handlers::{cluster, docs, event, fallback, hold, key, lock, process, service, wait};
use crate::metrics::MetricsHandle;
use crate::observe::{Observed, Observer};
use crate::problem::Problem;
use crate::settings::ServerSettings;
use crate::state::{Api, ApiState};

/// Every call, in the order of the documentation.
pub(crate) static ENDPOINTS: [&Endpoint; 32] = [
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
    &cluster::get::ENDPOINT,
    &key::create::ENDPOINT,
    &key::list::ENDPOINT,
    &key::limit::ENDPOINT,
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

/// What there is beside the documented calls.
static UNLISTED: [(HttpMethod, &str, Answer); 6] = [
    (HttpMethod::Get, "/", docs::page::lead_here),
    (HttpMethod::Get, "/docs", docs::page::lead_here),
    (HttpMethod::Get, docs::asset::PATH, docs::asset::answer),
    (HttpMethod::Post, GREETING_PATH, cluster::greeting::answer),
    (HttpMethod::Post, PROOF_PATH, cluster::proof::answer),
    (HttpMethod::Post, ELECTION_PATH, cluster::election::answer),
];

/// The whole service: the API, its documentation, and the probes if they have no address of their own.
pub fn api_router(
    engine: Engine,
    settings: ServerSettings,
    metrics: MetricsHandle,
    cluster: Option<Arc<Cluster>>,
) -> Router {
    let is_probe = |call: &&Endpoint| PROBES.iter().any(|probe| probe.path == call.path);
    let calls = ENDPOINTS.into_iter().filter(|call| !(settings.probes_elsewhere && is_probe(call)));
    let calls: Vec<_> = calls.collect();
    Router::new(Api::new(engine, settings, metrics, cluster), &calls, &UNLISTED)
}

/// The probes alone, for an address of their own.
pub fn probe_router(engine: Engine, metrics: MetricsHandle) -> Router {
    let settings = ServerSettings { max_body_bytes: 0, ..ServerSettings::default() };
    Router::new(Api::new(engine, settings, metrics, None), &PROBES, &[])
}

/// Answers requests, each by the handler of its path and method. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    api: ApiState,
    routes: Arc<[Route]>,
    observer: Arc<Observer>,
    /// Who sends what comes over this connection.
    caller: Option<IpAddr>,
}

/// A path, and who answers there.
struct Route {
    template: &'static str,
    segments: Vec<&'static str>,
    offers: Vec<Offer>,
}

/// What a method finds at a path.
struct Offer {
    method: Method,
    handler: Handler,
}

impl Router {
    fn new(api: Api, calls: &[&Endpoint], unlisted: &[(HttpMethod, &'static str, Answer)]) -> Self {
        let mut routes: Vec<Route> = Vec::new();
        let calls = calls
            .iter()
            .map(|call| (call.path, Offer { method: method(&call.method), handler: call.handler }));
        let unlisted = unlisted.iter().map(|(asked, path, answer)| {
            (*path, Offer { method: method(asked), handler: Handler::Open(*answer) })
        });
        for (template, offer) in calls.chain(unlisted) {
            match routes.iter_mut().find(|route| route.template == template) {
                Some(route) => route.offers.push(offer),
                None => routes.push(Route {
                    template,
                    segments: template.split('/').collect(),
                    offers: vec![offer],
                }),
            }
        }
        let observer = Observer::new(routes.iter().map(|route| route.template));
        Self { api: Arc::new(api), routes: routes.into(), observer, caller: None }
    }

    /// The same for a connection from this address.
    #[must_use]
    pub fn for_caller(&self, caller: IpAddr) -> Self {
        Self { caller: Some(caller), ..self.clone() }
    }

    /// The number of the route that a path takes: the first one that fits. An empty segment in the
    /// place of an id is an empty id, to be refused as such; anywhere else it is a slash too much.
    fn route(&self, path: &str) -> Option<usize> {
        let count = 1 + path.bytes().filter(|byte| *byte == b'/').count();
        self.routes.iter().position(|route| route.segments.len() == count && route.fits(path))
    }

    fn offer(&self, route: Option<usize>, request: &Request) -> Result<&Offer, Problem> {
        check_host(request)?;
        refuse_body(request.headers(), self.api.settings.max_body_bytes)?;
        match route {
            Some(at) => self.routes[at].offer(request.method()),
            None => Err(fallback::no_such_route()),
        }
    }

    fn admit(&self, handler: Handler, request: Request, request_id: &HeaderValue) -> Admission {
        match handler {
            Handler::Open(answer) => answer(Arc::clone(&self.api), request).into(),
            Handler::Keyed(needed, answer) if self.api.engine.is_on_demand() => {
                self.admit_on_demand(needed, answer, request)
            }
            Handler::Keyed(needed, answer) => {
                Admission::Done(self.admit_or_hand_on(needed, answer, request, request_id))
            }
        }
    }

    /// Has what only the leader knows answered here, or by the leader if that is another replica.
    fn admit_or_hand_on(
        &self,
        needed: Role,
        answer: KeyedAnswer,
        request: Request,
        request_id: &HeaderValue,
    ) -> Admitted {
        let place = self.api.cluster.as_ref().map(|cluster| {
            let place = cluster.place(&self.api.engine, request.headers());
            place.map(|place| (Arc::clone(cluster), place))
        });
        match place.transpose() {
            Ok(Some((cluster, Place::There(leader)))) => {
                let (api, caller) = (Arc::clone(&self.api), self.caller);
                let request_id = request_id.clone();
                let answering: Answering = Box::pin(async move {
                    cluster.hand_on(&api.engine, request, &leader, caller, &request_id).await
                });
                answering.into()
            }
            Ok(None | Some((_, Place::Here))) => {
                Admitted::by_key(Arc::clone(&self.api), needed, answer, request, self.caller)
            }
            Err(problem) => problem.into(),
        }
    }

    /// Has it answered by keys that are up to date, or turn out to be before anything is done.
    fn admit_on_demand(&self, needed: Role, answer: KeyedAnswer, request: Request) -> Admission {
        let (api, source) = (Arc::clone(&self.api), self.caller);
        let must_attend = auth::must_attend(&api, request.headers(), request.uri().query());
        Admission::Pending(Box::pin(async move {
            let attended = if must_attend { api.engine.attend().await } else { Ok(()) };
            match attended {
                Ok(()) => Admitted::by_key(api.pinned(), needed, answer, request, source),
                Err(failure) => Problem::from(failure).into(),
            }
        }))
    }
}

impl Service<Request> for Router {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = Observed;

    fn call(&self, request: hyper::Request<Incoming>) -> Observed {
        let route = self.route(request.uri().path());
        Observer::watch(&self.observer, route, request, |request, request_id| {
            match self.offer(route, &request) {
                Ok(offer) => self.admit(offer.handler, request, request_id),
                Err(problem) => Admission::Done(problem.into()),
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
    fn offer(&self, asked: &Method) -> Result<&Offer, Problem> {
        let method = if asked == Method::HEAD { &Method::GET } else { asked };
        self.offers.iter().find(|offer| offer.method == method).ok_or_else(|| {
            let known = self.offers.iter().map(|offer| &offer.method);
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

/// HTTP/1.1 needs the header exactly once (RFC 9112, 3.2), so that all on the way mean the same host.
fn check_host(request: &Request) -> Result<(), Problem> {
    let count = request.headers().get_all(header::HOST).iter().count();
    let reason = match (count, request.version()) {
        (0, Version::HTTP_11) => "the header `Host` is missing",
        (0 | 1, _) => return Ok(()),
        (_, _) => "the header `Host` is given twice",
    };
    Err(Problem::new(ErrorCode::InvalidHost, reason))
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
