//! One folder a noun, one file a verb. Each file describes its call and says how it is read and answered;
//! what several calls about a noun answer alike stands in the folder's `mod.rs`.

pub(crate) mod cluster;
pub(crate) mod docs;
pub(crate) mod event;
pub(crate) mod fallback;
pub(crate) mod hold;
pub(crate) mod key;
pub(crate) mod lock;
pub(crate) mod process;
pub(crate) mod service;
pub(crate) mod wait;

use leasehold_core::Reply;

use crate::error_code::ErrorCode;
use crate::problem::Problem;

/// The engine answers each command with its own kind of reply; this is what a handler says of any
/// other kind.
fn mismatched(reply: &Reply) -> Problem {
    let kind = match reply {
        Reply::Lock(_) => "a lock",
        Reply::Granted(_) => "a grant",
        Reply::Locks { .. } => "a page of locks",
        Reply::Process { .. } => "a process",
        Reply::History { .. } => "a history",
        Reply::Waits(_) => "waits",
        Reply::Key(_) => "a key",
        Reply::Keys(_) => "keys",
    };
    Problem::new(ErrorCode::Internal, &format!("the engine answered with {kind} instead"))
}
