//! What has happened, for those who follow: published once it is durable, kept for those who come back.

mod filter;
mod follower;
mod id;
mod log;
mod ring;

pub use filter::{Filter, Locks};
pub use follower::{Follower, Gap, GapReason, Told};
pub use id::EventId;
pub(crate) use log::EventLog;
