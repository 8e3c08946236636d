//! Admit a new API key.

use super::{Answer, Decision};
use crate::change::Change;
use crate::key::ApiKey;
use crate::reply::Refusal;
use crate::table::Table;

pub(super) fn create_key(table: &Table, key: &ApiKey) -> Result<Decision, Refusal> {
    if table.keys().contains_key(&key.key_id) {
        return Err(Refusal::KeyExists(key.key_id.to_string()));
    }
    let max = table.limits().max_keys;
    if table.keys().len() >= max {
        return Err(Refusal::TooManyKeys { max });
    }
    Ok(Decision::change(Change::KeyCreated(key.clone()), Answer::Key(key.clone())))
}
