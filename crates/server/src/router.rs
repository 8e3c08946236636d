//! Which path leads to which handler.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};
use leasehold_engine::Engine;

use crate::endpoint::Endpoint;
use crate::handlers::{docs, fallback, hold, key, lock, process, service, wait};
use crate::metrics::MetricsHandle;
use crate::observe::{Observer, observe};
use crate::settings::ServerSettings;
use crate::state::{Api, Probes};

/// Every call, in the order of the documentation.
pub(crate) static ENDPOINTS: [&Endpoint; 27] = [
    &lock::create::ENDPOINT,
    &lock::get::ENDPOINT,
    &lock::list::ENDPOINT,
    &lock::delete::ENDPOINT,
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

/// The whole service: the API, its documentation and the probes.
pub fn api_router(engine: Engine, settings: ServerSettings, metrics: MetricsHandle) -> Router {
    let max_body_bytes = settings.max_body_bytes;
    let probes = probes(engine.clone(), metrics);
    let lock = post(lock::create::handle).get(lock::get::handle).delete(lock::delete::handle);
    let process = get(process::get::handle).delete(process::release::handle);
    let api = Router::new()
        .route(lock::create::ENDPOINT.path, lock)
        .route(lock::list::ENDPOINT.path, get(lock::list::handle))
        .route(hold::acquire::READ.path, put(hold::acquire::read).delete(hold::release::read))
        .route(hold::refresh::READ.path, put(hold::refresh::read))
        .route(hold::acquire::WRITE.path, put(hold::acquire::write).delete(hold::release::write))
        .route(hold::refresh::WRITE.path, put(hold::refresh::write))
        .route(hold::upgrade::ENDPOINT.path, put(hold::upgrade::handle))
        .route(hold::downgrade::ENDPOINT.path, put(hold::downgrade::handle))
        .route(hold::acquire_several::ENDPOINT.path, post(hold::acquire_several::handle))
        .route(process::get::ENDPOINT.path, process)
        .route(process::refresh::ENDPOINT.path, put(process::refresh::handle))
        .route(wait::list::ENDPOINT.path, get(wait::list::handle))
        .route(key::create::ENDPOINT.path, post(key::create::handle).get(key::list::handle))
        .route(key::revoke::ENDPOINT.path, delete(key::revoke::handle))
        .route(service::healthcheck::ENDPOINT.path, get(service::healthcheck::handle))
        .with_state(Arc::new(Api { engine, settings }));
    let docs = Router::new()
        .route("/", get(docs::page::lead_here))
        .route("/docs", get(docs::page::lead_here))
        .route(docs::page::ENDPOINT.path, get(docs::page::handle))
        .route(docs::errors::ENDPOINT.path, get(docs::errors::handle))
        .route(docs::openapi::ENDPOINT.path, get(docs::openapi::handle))
        .route(docs::asset::PATH, get(docs::asset::handle));
    observed(api.merge(docs).merge(probes), max_body_bytes)
}

/// The probes alone, for an address of their own.
pub fn probe_router(engine: Engine, metrics: MetricsHandle) -> Router {
    observed(probes(engine, metrics), 0)
}

fn probes(engine: Engine, metrics: MetricsHandle) -> Router {
    Router::new()
        .route(service::livez::ENDPOINT.path, get(service::livez::handle))
        .route(service::readyz::ENDPOINT.path, get(service::readyz::handle))
        .route(service::metrics::ENDPOINT.path, get(service::metrics::handle))
        .with_state(Arc::new(Probes { engine, metrics }))
}

fn observed(router: Router, max_body_bytes: usize) -> Router {
    let others = ["/", "/docs", docs::asset::PATH];
    let routes: Vec<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.path).chain(others).collect();
    router
        .fallback(fallback::no_such_route)
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .layer(from_fn_with_state(Observer::new(&routes, max_body_bytes), observe))
}
