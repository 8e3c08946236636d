//! The HTTP face as clients meet it: real requests over a real socket, against a real engine.

#![expect(clippy::panic, clippy::unwrap_used, reason = "test helpers are tests too")]

mod bodies;
mod connections;
mod conversions;
mod disconnects;
mod docs;
mod edges;
mod events;
mod history;
mod holds;
mod http2;
mod json;
mod key_limits;
mod key_revocation;
mod keys;
mod kinds;
mod lists;
mod locks;
mod malformed;
mod observability;
mod on_demand;
mod processes;
mod refusals;
mod replicas;
mod retries;
mod several;
mod support;
mod tls;
mod waiting;
