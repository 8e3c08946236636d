//! List the API keys of one namespace, or of all.

use super::Decision;
use crate::id::Namespace;
use crate::reply::Reply;
use crate::table::Table;

pub(super) fn list_keys(table: &Table, namespace: Option<&Namespace>) -> Decision {
    let asked_for =
        table.keys().values().filter(|key| namespace.is_none_or(|n| *n == key.namespace));
    Decision::read(Reply::Keys(asked_for.cloned().collect()))
}
