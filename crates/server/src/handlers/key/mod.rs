//! API keys. An admin manages the keys of its namespace; an admin of `default` those of all.

pub(crate) mod create;
pub(crate) mod limit;
pub(crate) mod list;
mod own_limits;
pub(crate) mod revoke;

use leasehold_core::Namespace;

use crate::auth::Caller;

/// The namespace whose keys the caller manages; `None` for all of them.
fn managed_namespace(caller: &Caller) -> Option<Namespace> {
    (!caller.is_operator()).then(|| caller.namespace.clone())
}
