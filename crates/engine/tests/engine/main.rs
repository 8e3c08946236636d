//! The commit loop on a store that fails to order and a clock that moves when told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may give up")]

mod commit_loop;
mod events;
mod on_demand;
mod readings;
mod replicas;
mod support;
mod waiting;
