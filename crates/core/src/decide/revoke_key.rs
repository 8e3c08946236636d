//! Shut an API key out.

use super::{Answer, Decision};
use crate::change::Change;
use crate::id::{KeyId, Namespace};
use crate::reply::{Refusal, Reply};
use crate::table::Table;

pub(super) fn revoke_key(
    table: &Table,
    key_id: &KeyId,
    namespace: Option<&Namespace>,
) -> Result<Decision, Refusal> {
    let key = table
        .keys()
        .get(key_id)
        .filter(|key| namespace.is_none_or(|n| *n == key.namespace))
        .ok_or_else(|| Refusal::NoSuchKey(key_id.to_string()))?;
    let reply = Box::new(Reply::Key(key.clone()));
    Ok(Decision::change(vec![Change::KeyRevoked(key_id.clone())], Answer::Ready(reply)))
}
