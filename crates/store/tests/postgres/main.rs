//! The PostgreSQL store against a real server: connections that end at the worst moment, a server that
//! crashes, tables that were tampered with, TLS, and what a commit costs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod doubt;
mod loading;
mod measure;
mod moved;
mod opening;
mod proxy;
mod server;
mod support;
mod tables;
