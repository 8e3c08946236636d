//! Rows as entities: one each, named by its key; but for those on pages, which are in `pages.rs`.

use std::fmt::Write;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use tokio::task::{JoinError, JoinSet};

use super::pages::{self, PAGE_KIND};
use super::service::{Names, PAGE_ENTITIES, Service, Trouble};
use super::wire::{Entity, Found, Mutation, Properties, QueryBatch, Value};
use crate::store::StoreError;

const ROW_KIND: &str = "LeaseholdRow";
/// Longest name that Datastore takes.
const MAX_NAME_BYTES: usize = 1_500;
/// Begins the names of rows whose key is longer. No row's own key begins so.
const LONG: &str = "long/";
/// What is read side by side: the pages, and the rows, divided by their names.
const RANGES: [(&str, Names); 3] = [
    (PAGE_KIND, Names { from: None, to: None }),
    (ROW_KIND, Names { from: None, to: Some("lock/") }),
    (ROW_KIND, Names { from: Some("lock/"), to: None }),
];
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

/// A row as it is stored.
pub(super) struct Stored {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    /// Whether it has an entity of its own.
    pub(super) is_single: bool,
}

/// The row that an entity is.
fn row_of(entity: &Entity) -> Result<Stored, StoreError> {
    let name = entity.key.name();
    let damaged = |what: &str| StoreError::Corrupt(format!("the entity {name:?}: {what}"));
    let key = entity.properties.get(KEY).and_then(Value::as_str).unwrap_or(name);
    if name_of(key) != name {
        return Err(damaged("its name does not belong to its key"));
    }
    let value = entity.properties.get(VALUE).and_then(Value::to_blob);
    let value = value.ok_or_else(|| damaged("it has no value"))?;
    Ok(Stored { key: key.as_bytes().to_vec(), value, is_single: true })
}

/// The rows that an entity has.
fn rows_of(kind: &str, entity: &Entity) -> Result<Vec<Stored>, StoreError> {
    if kind == ROW_KIND {
        return Ok(vec![row_of(entity)?]);
    }
    let stored = |(key, value)| Stored { key, value, is_single: false };
    Ok(pages::rows_of(entity)?.into_iter().map(stored).collect())
}

/// A reading of all rows, page by page, several ranges of names side by side.
pub(super) struct Scan {
    service: Arc<Service>,
    pages: JoinSet<Result<Page, Trouble>>,
}

struct Page {
    of: (&'static str, Names),
    after: String,
    batch: QueryBatch,
}

impl Scan {
    pub(super) fn begin(service: &Arc<Service>) -> Self {
        let mut scan = Self { service: Arc::clone(service), pages: JoinSet::new() };
        for range in RANGES {
            scan.ask(range, String::new());
        }
        scan
    }

    fn ask(&mut self, of: (&'static str, Names), after: String) {
        let service = Arc::clone(&self.service);
        self.pages.spawn(async move {
            let batch = service.page(of.0, of.1, &after).await?;
            Ok(Page { of, after, batch })
        });
    }

    /// The rows of the page that comes next; `None` once all have been read. The pages are not of one
    /// moment: the caller checks that nobody else has written meanwhile.
    pub(super) async fn next(&mut self) -> Option<Result<Vec<Stored>, StoreError>> {
        let page = self.pages.join_next().await?;
        Some(self.take(page))
    }

    fn take(
        &mut self,
        page: Result<Result<Page, Trouble>, JoinError>,
    ) -> Result<Vec<Stored>, StoreError> {
        let unavailable = |why: String| StoreError::Unavailable(why);
        let Page { of, after, batch } = page
            .map_err(|error| unavailable(error.to_string()))?
            .map_err(|trouble| unavailable(trouble.into_reason()))?;
        if batch.is_followed(PAGE_ENTITIES) {
            if batch.end_cursor.is_empty() || batch.end_cursor == after {
                return Err(unavailable(
                    "a page of rows does not say where the next begins".to_owned(),
                ));
            }
            self.ask(of, batch.end_cursor);
        }
        let mut all = Vec::new();
        for Found { entity, .. } in &batch.entity_results {
            all.extend(rows_of(of.0, entity)?);
        }
        Ok(all)
    }
}

/// Whether there is any row.
pub(super) async fn any(service: &Service) -> Result<bool, StoreError> {
    let page = service.page(ROW_KIND, Names::default(), "").await;
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
