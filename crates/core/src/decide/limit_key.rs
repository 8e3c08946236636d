//! Change what bounds the calls that are made with an API key.

use super::{Answer, Decision, find_key};
use crate::change::Change;
use crate::id::{KeyId, Namespace};
use crate::key::{ApiKey, LimitsPatch};
use crate::reply::{Refusal, Reply};
use crate::table::Table;

pub(super) fn limit_key(
    table: &Table,
    key_id: &KeyId,
    namespace: Option<&Namespace>,
    patch: &LimitsPatch,
) -> Result<Decision, Refusal> {
    let key = find_key(table, key_id, namespace)?;
    let limits = key.limits.patched(patch)?;
    let changes = if limits == key.limits {
        Vec::new()
    } else {
        vec![Change::KeyLimited { key_id: key_id.clone(), limits }]
    };
    let reply = Box::new(Reply::Key(ApiKey { limits, ..key.clone() }));
    Ok(Decision::change(changes, Answer::Ready(reply)))
}
