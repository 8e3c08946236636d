//! The HTTP face of Leasehold: parses requests, asks the engine, words the replies.
//!
//! [`api_router`] is the whole service, [`probe_router`] its probes alone, and [`listen::serve`]
//! puts either on a socket. Every call is described once, in the file of its handler, by an
//! `Endpoint`: authorization, parameter checks and the OpenAPI document all read that description.

mod admission;
mod asked_kind;
mod auth;
mod body;
mod browser_safety;
mod call;
mod cluster;
pub mod credentials;
mod cursor;
mod endpoint;
mod error_code;
mod event_stream;
mod exchange;
mod failed_keys;
mod handlers;
mod json_object;
pub mod listen;
mod metrics;
mod observe;
mod openapi;
mod parameter;
mod problem;
mod query;
mod rate;
mod reply;
mod request_id;
mod router;
mod settings;
mod state;
pub mod tls;
mod vanished_peer;
mod wire;

pub use cluster::{Cluster, Link};
pub use error_code::{ErrorCode, Retry};
pub use metrics::{MetricsError, MetricsHandle, install_metrics, log_lines_dropped};
pub use openapi::openapi;
pub use router::{Router, api_router, probe_router};
pub use settings::{MetricsAccess, ServerSettings};
