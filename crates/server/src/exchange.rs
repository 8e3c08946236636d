//! The two halves of an exchange, as handlers see them.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;

use crate::problem::Problem;
use crate::state::ApiState;

/// A request whose body may still be on its way.
pub(crate) type Request = hyper::Request<Incoming>;

/// A reply, which is always known in full before it is sent.
pub(crate) type Response = hyper::Response<Full<Bytes>>;

/// Answers requests of one call.
pub(crate) type Answer = fn(ApiState, Request) -> Answering;

/// An answer under way. Boxed, so that the answers of all calls fit into one table.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;
