//! Shut an API key out.

use super::{Answer, Decision, find_key};
use crate::change::Change;
use crate::id::{KeyId, Namespace};
use crate::reply::{Refusal, Reply};
use crate::table::Table;

pub(super) fn revoke_key(
    table: &Table,
    key_id: &KeyId,
    namespace: Option<&Namespace>,
) -> Result<Decision, Refusal> {
    let key = find_key(table, key_id, namespace)?;
    let reply = Box::new(Reply::Key(key.clone()));
    Ok(Decision::change(vec![Change::KeyRevoked(key_id.clone())], Answer::Ready(reply)))
}
