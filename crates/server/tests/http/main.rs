//! The HTTP face as clients meet it: real requests over a real socket, against a real engine.

#![expect(clippy::panic, clippy::unwrap_used, reason = "test helpers are tests too")]

mod connections;
mod docs;
mod holds;
mod keys;
mod locks;
mod malformed;
mod observability;
mod refusals;
mod support;
