//! Rows as entities: one each, named by its key.

use std::fmt::Write;

use leasehold_core::Row;
use ring::digest::{SHA256, digest};

use super::service::Service;
use super::wire::{Entity, Found, Mutation, PageEnd, Properties, Value};
use crate::record;
use crate::store::StoreError;

const ROW_KIND: &str = "LeaseholdRow";
/// Longest name that Datastore takes.
const MAX_NAME_BYTES: usize = 1_500;
/// Begins the names of rows whose key is longer. No row's own key begins so.
const LONG: &str = "long/";
const VALUE: &str = "value";
const KEY: &str = "key";

/// The write that makes a row what it is to be; `None` for gone.
pub(super) fn mutation(service: &Service, key: &[u8], value: Option<&[u8]>) -> Mutation {
    let text = String::from_utf8_lossy(key);
    let name = name_of(&text);
    match value {
        None => Mutation::delete(service.key(ROW_KIND, name)),
        Some(value) => {
            let mut properties = Properties::from([(VALUE.to_owned(), Value::blob(value))]);
            if name != text {
                properties.insert(KEY.to_owned(), Value::string(&text));
            }
            Mutation::upsert(Entity { key: service.key(ROW_KIND, name), properties })
        }
    }
}

/// An entity's name: the row's key, or its SHA-256 where the key is too long for a name.
fn name_of(key: &str) -> String {
    if key.len() <= MAX_NAME_BYTES {
        return key.to_owned();
    }
    let mut name = LONG.to_owned();
    for byte in digest(&SHA256, key.as_bytes()).as_ref() {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// The row that an entity is.
fn row_of(entity: &Entity) -> Result<Row, StoreError> {
    let name = entity.key.name();
    let damaged = |what: &str| StoreError::Corrupt(format!("the entity {name:?}: {what}"));
    let key = entity.properties.get(KEY).and_then(Value::as_str).unwrap_or(name);
    if name_of(key) != name {
        return Err(damaged("its name does not belong to its key"));
    }
    let value = entity.properties.get(VALUE).and_then(Value::to_blob);
    let value = value.ok_or_else(|| damaged("it has no value"))?;
    record::decode(key.as_bytes(), &value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads every row, page by page. The pages are not of one moment: the caller checks that nobody else
/// has written meanwhile.
pub(super) async fn scan(
    service: &mut Service,
    visit: &mut (dyn FnMut(Row) + Send),
) -> Result<(), StoreError> {
    let unavailable = StoreError::Unavailable;
    let mut cursor = String::new();
    loop {
        let page = service
            .page(ROW_KIND, &cursor)
            .await
            .map_err(|trouble| unavailable(trouble.into_reason()))?;
        for Found { entity, .. } in &page.entity_results {
            visit(row_of(entity)?);
        }
        match page.more_results {
            PageEnd::AtTheEnd => return Ok(()),
            // A query that is done although it reached no limit: there is nothing after the cursor.
            PageEnd::AtLimit | PageEnd::AtCursor if page.entity_results.is_empty() => {
                return Ok(());
            }
            PageEnd::Early | PageEnd::AtLimit | PageEnd::AtCursor => {}
        }
        if page.end_cursor.is_empty() || page.end_cursor == cursor {
            return Err(unavailable(
                "a page of rows does not say where the next begins".to_owned(),
            ));
        }
        cursor = page.end_cursor;
    }
}

/// Whether there is any row.
pub(super) async fn any(service: &mut Service) -> Result<bool, StoreError> {
    let page = service.page(ROW_KIND, "").await;
    let page = page.map_err(|trouble| StoreError::Unavailable(trouble.into_reason()))?;
    Ok(!page.entity_results.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_too_long_for_a_name_is_named_by_its_digest() {
        let longest = "k".repeat(MAX_NAME_BYTES);
        assert_eq!(name_of(&longest), longest);
        assert_eq!(
            name_of(&"k".repeat(MAX_NAME_BYTES + 1)),
            "long/d4f4d7bfe2feeb9a89c38f182e6c244bd77da1d8729a7514233e1f6843cef917"
        );
    }
}
