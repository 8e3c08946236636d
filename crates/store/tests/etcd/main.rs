//! The etcd store against the world: a real etcd that is killed, paused, cut off, locked and busy.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod access;
mod earlier;
mod gateway;
mod late;
mod leadership;
mod log;
mod outages;
mod proxy;
mod server;
mod speed;
mod support;
