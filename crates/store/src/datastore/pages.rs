//! Past holds and remembered releases as pages, 16 of them to an entity.
//!
//! A new leader answers nobody before it has read every entity, and Google bills each. Most rows are of
//! these two kinds, which are only kept. Their numbers grow or are used in turn, so that those of one batch
//! mostly stand on one page: it takes fewer writes as well. The leader knows all pages, and writes a page
//! as a whole.
//!
//! Format 1 had an entity for each of them, as for any other row. Such a one counts until its page is
//! written for the first time, and is removed by that commit.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use leasehold_core::Row;

use super::rows;
use super::service::Service;
use super::wire::{Entity, Mutation, Properties, Value};
use crate::encoded::{EncodedBatch, Write};
use crate::listed::{list_writes, read_writes};
use crate::record::{seal, unseal};
use crate::store::StoreError;

pub(super) const PAGE_KIND: &str = "LeaseholdPage";
const VALUE: &str = "value";

/// Rows of a page. None has more than 2 KiB, so that a page is far from what an entity may be.
const PAGE_ROWS: u64 = 16;

/// The rows of a page, by their keys.
pub(super) type Page = BTreeMap<Vec<u8>, Vec<u8>>;

/// Every page that is stored, by its name.
#[derive(Default)]
pub(super) struct Pages {
    pages: BTreeMap<String, Page>,
    /// On which page each row stands. On two where a large batch was broken off while it was put in place,
    /// until that is done again.
    places: HashMap<Vec<u8>, Vec<String>>,
    /// The rows of a page that have entities of their own.
    singles: HashMap<String, Vec<Vec<u8>>>,
}

/// Pages as a commit is to leave them.
pub(super) struct Rewritten(BTreeMap<String, Page>);

/// The page that a row belongs on, if it is of a kind that has pages.
pub(super) fn page_of(row: &Row) -> Option<String> {
    match row {
        Row::Past { slot, .. } => Some(format!("history/{}", slot / PAGE_ROWS)),
        Row::Release { number, .. } => Some(format!("release/{}", number / PAGE_ROWS)),
        Row::Lock { .. }
        | Row::Hold { .. }
        | Row::Key(_)
        | Row::Sequence(_)
        | Row::Import { .. }
        | Row::StoredDeadlines { .. } => None,
    }
}

/// Whether a row with this key is of such a kind.
pub(super) fn has_page(key: &[u8]) -> bool {
    key.starts_with(b"history/") || key.starts_with(b"release/")
}

impl Pages {
    /// Learns of a row that is stored on a page, or as an entity of its own.
    pub(super) fn found(&mut self, page: String, (key, value): (&[u8], &[u8]), is_single: bool) {
        if is_single {
            self.singles.entry(page.clone()).or_default().push(key.to_vec());
        }
        self.places.entry(key.to_vec()).or_default().push(page.clone());
        self.pages.entry(page).or_default().insert(key.to_vec(), value.to_vec());
    }

    /// What the pages come to by these writes, each with the page that it belongs on.
    pub(super) fn rewritten(&self, writes: Vec<(Option<String>, Write)>) -> Rewritten {
        let mut rewritten = Rewritten(BTreeMap::new());
        for (name, (key, value)) in writes {
            // A row that is written anew may have got another number.
            for before in self.places.get(&key).into_iter().flatten() {
                rewritten.page(self, before).remove(&key);
            }
            if let (Some(name), Some(value)) = (name, value) {
                rewritten.page(self, &name).insert(key, value);
            }
        }
        rewritten
    }

    /// The mutations that make them so, each with its bytes.
    pub(super) fn mutations(
        &self,
        service: &Service,
        Rewritten(pages): &Rewritten,
    ) -> Vec<(Mutation, usize)> {
        let mut mutations = Vec::new();
        for (name, page) in pages {
            let key = service.key(PAGE_KIND, name.clone());
            let value = encode(name, page);
            let bytes = value.len();
            mutations.push(if page.is_empty() {
                (Mutation::delete(key), bytes)
            } else {
                let properties = Properties::from([(VALUE.to_owned(), Value::blob(&value))]);
                (Mutation::upsert(Entity { key, properties }), bytes)
            });
            for single in self.singles.get(name).into_iter().flatten() {
                mutations.push((rows::mutation(service, single, None), single.len()));
            }
        }
        mutations
    }

    /// Takes over what has been written.
    pub(super) fn wrote(&mut self, Rewritten(pages): Rewritten) {
        for name in pages.keys() {
            self.singles.remove(name);
            for key in self.pages.remove(name).unwrap_or_default().into_keys() {
                if let Entry::Occupied(mut places) = self.places.entry(key) {
                    places.get_mut().retain(|place| place != name);
                    if places.get().is_empty() {
                        places.remove();
                    }
                }
            }
        }
        for (name, page) in pages {
            for key in page.keys() {
                self.places.entry(key.clone()).or_default().push(name.clone());
            }
            if !page.is_empty() {
                self.pages.insert(name, page);
            }
        }
    }
}

impl Rewritten {
    /// A page, which begins as it is now.
    fn page(&mut self, pages: &Pages, name: &str) -> &mut Page {
        let now = || pages.pages.get(name).cloned().unwrap_or_default();
        self.0.entry(name.to_owned()).or_insert_with(now)
    }
}

fn encode(name: &str, page: &Page) -> Vec<u8> {
    let writes: EncodedBatch =
        page.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect();
    let mut bytes = Vec::new();
    list_writes(&writes, &mut bytes);
    seal(name.as_bytes(), &mut bytes);
    bytes
}

/// The rows that are on a page, with what is stored of each.
pub(super) fn rows_of(entity: &Entity) -> Result<Page, StoreError> {
    let name = entity.key.name();
    let damaged = |what: String| StoreError::Corrupt(format!("{PAGE_KIND} {name:?}: {what}"));
    let value = entity.properties.get(VALUE).and_then(Value::to_blob);
    let value = value.ok_or_else(|| damaged("it has no value".to_owned()))?;
    let list = unseal(name.as_bytes(), &value).map_err(|error| damaged(error.to_string()))?;
    let writes = read_writes(name.as_bytes(), list).map_err(|error| damaged(error.to_string()))?;
    let row = |(key, value): Write| Some((key, value?));
    let rows: Option<Page> = writes.into_iter().map(row).collect();
    rows.ok_or_else(|| damaged("a row on it is gone".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(name: &str, key: &str, value: &str) -> (Option<String>, Write) {
        (Some(name.to_owned()), (key.into(), Some(value.into())))
    }

    fn page<const N: usize>(rows: [(&str, &str); N]) -> Page {
        rows.map(|(key, value)| (key.into(), value.into())).into()
    }

    #[test]
    fn golden_bytes_of_a_page() {
        let bytes = encode("history/1", &page([("history/17", "xy")]));
        assert_eq!(bytes[..18], *b"\x0a\0history/17\x02\0\0\0xy");
        assert_eq!(bytes.len(), 18 + 4, "and a checksum");
    }

    #[test]
    fn a_row_stands_on_one_page_and_the_others_on_it_stay() {
        let mut pages = Pages::default();
        let writes = vec![put("p/0", "a", "1"), put("p/0", "b", "2"), put("p/1", "c", "3")];
        pages.wrote(pages.rewritten(writes));
        let gone = (None, (b"b".to_vec(), None));
        let rewritten = pages.rewritten(vec![put("p/2", "a", "4"), put("p/0", "d", "5"), gone]);
        assert_eq!(rewritten.0["p/0"], page([("d", "5")]));
        assert_eq!(rewritten.0["p/2"], page([("a", "4")]));
        assert_eq!(rewritten.0.len(), 2, "the other page is left alone");
        // Nothing has changed before it is written.
        assert_eq!(pages.pages["p/0"], page([("a", "1"), ("b", "2")]));
        pages.wrote(rewritten);
        assert_eq!(pages.pages["p/0"], page([("d", "5")]));
        let moved = pages.rewritten(vec![(None, (b"a".to_vec(), None))]);
        assert_eq!(moved.0["p/2"], Page::default());
        pages.wrote(moved);
        assert!(!pages.pages.contains_key("p/2") && !pages.places.contains_key("a".as_bytes()));
    }

    /// A large batch gave a row another number, and its leader ended between the commit that wrote the new
    /// page and the one that takes the row off the page before.
    #[test]
    fn a_row_that_stands_on_two_pages_stands_on_one_once_that_is_done_again() {
        for order in [["p/0", "p/1"], ["p/1", "p/0"]] {
            let mut pages = Pages::default();
            for name in order {
                pages.found(name.to_owned(), (b"a", name.as_bytes()), false);
            }
            pages.found("p/1".to_owned(), (b"b", b""), false);
            pages.wrote(pages.rewritten(vec![put("p/1", "b", "2")]));
            pages.wrote(pages.rewritten(vec![put("p/1", "a", "3")]));
            assert!(!pages.pages.contains_key("p/0"), "{order:?}");
            assert_eq!(pages.pages["p/1"], page([("a", "3"), ("b", "2")]));
            assert_eq!(pages.places[b"a".as_slice()], ["p/1"]);
        }
    }
}
