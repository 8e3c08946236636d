//! The JSON that crosses the wire. Types here only borrow and word; they decide nothing.

mod health;
mod key;
mod lock;
mod problem;
mod text;

pub(crate) use health::{Health, Readiness};
pub(crate) use key::{Key, KeyRequest, Keys, NewKey};
pub(crate) use lock::Lock;
pub(crate) use problem::ProblemDocument;
pub(crate) use text::{Rfc3339, Uuid};
