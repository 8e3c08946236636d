//! A service on a port of its own, and a client that sends exactly the bytes it is told to.

pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod http2;
pub(crate) mod service;
pub(crate) mod store;
pub(crate) mod stream;

pub(crate) use service::{Service, Setup};
