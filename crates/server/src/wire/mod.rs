//! The JSON that crosses the wire. Types here only borrow and word; they decide nothing.

mod acquire;
mod cluster;
mod event;
mod grant;
mod health;
mod history;
mod key;
mod lock;
mod locks;
mod member;
mod mode;
mod problem;
mod process;
mod text;
mod wait;

pub(crate) use acquire::{AcquireRequest, DEFAULT_TIMEOUT_SECS, WantedLock};
pub(crate) use cluster::Cluster;
pub(crate) use event::{EventGap, LockEvent};
pub(crate) use grant::{GrantedLock, Grants};
pub(crate) use health::{Health, Readiness};
pub(crate) use history::History;
pub(crate) use key::{Key, KeyChange, KeyRequest, Keys, NewKey};
pub(crate) use lock::Lock;
pub(crate) use locks::Locks;
pub(crate) use mode::HoldMode;
pub(crate) use problem::ProblemDocument;
pub(crate) use process::ProcessHolds;
pub(crate) use text::{Rfc3339, Uuid, whole_ms};
pub(crate) use wait::{Blocker, Step, Waits};
