//! The bench of Leasehold: a closed-loop load generator, the no-op server that gives its ceiling,
//! the same load on what engines offer themselves, and what fills a store before a measurement. Four
//! binaries, driven together by `bench/run`.
//!
//! - `load` ([`load::run`]): clients that acquire and release, as fast as the replies come.
//! - `noop` ([`noop::router`]): the same HTTP stack and paths, a fixed reply, no state.
//! - `native` ([`native::run`]): clients that lock with etcd or PostgreSQL alone.
//! - `fill` ([`bulk::send`], [`rows::write`]): locks by the million, over HTTP or straight into a store.

pub mod bulk;
mod client;
mod connection;
mod cpu;
pub mod load;
mod locks;
pub mod native;
pub mod noop;
pub mod report;
mod request;
mod response;
pub mod rows;

pub use connection::ExchangeError;
pub use cpu::CpuError;
pub use locks::{Locks, LocksError, lock_name};
pub use request::{Hold, Mode, Target};
pub use response::ResponseError;
