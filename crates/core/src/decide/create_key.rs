//! Admit a new API key.

use super::{Answer, Decision};
use crate::change::Change;
use crate::key::ApiKey;
use crate::reply::{Refusal, Reply};
use crate::table::Table;

pub(super) fn create_key(table: &Table, key: &ApiKey) -> Result<Decision, Refusal> {
    if table.keys().contains_key(&key.key_id) {
        return Err(Refusal::KeyExists(key.key_id.to_string()));
    }
    let max = table.limits().max_keys;
    if table.keys().len() >= max {
        return Err(Refusal::TooManyKeys { max });
    }
    let reply = Box::new(Reply::Key(key.clone()));
    Ok(Decision::change(vec![Change::KeyCreated(key.clone())], Answer::Ready(reply)))
}
