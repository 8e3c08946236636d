//! Batches that are too large for one commit.
//!
//! 1. The batch is written aside, as entities of the kind `LeaseholdPart`: as many commits as it
//!    takes. Nobody reads them yet. The last of these commits makes the fence say how many parts
//!    there are, and with that the whole batch is committed.
//! 2. The parts' rows are written to their places, in as many commits as it takes, and the last one
//!    removes the parts and makes the fence say so.
//!
//! A leader that ends during the first step leaves parts that the fence does not speak of, which mean
//! nothing and are written over by the next large batch. One that ends during the second leaves the
//! rest of that step to the next claim. Each commit writes the fence, so only the leader does either.

use serde::{Deserialize, Serialize};

use super::wire::{Entity, Key, Mutation, Properties, Value};
use super::{DatastoreStore, Sizes};
use crate::encoded::{EncodedBatch, Write, packed};
use crate::record::{seal, unseal};
use crate::store::{Epoch, StoreError};

const PART_KIND: &str = "LeaseholdPart";
const VALUE: &str = "value";

#[derive(Serialize, Deserialize)]
struct Part(EncodedBatch);

impl Sizes {
    /// Mutations, each with its bytes, as commits that are each small enough beside the fence.
    pub(super) fn commits(&self, mutations: Vec<(Mutation, usize)>) -> Vec<Vec<Mutation>> {
        let bounds = (self.commit_entities - 1, self.commit_bytes);
        let commits = packed(mutations, bounds, |(_, bytes)| *bytes).into_iter();
        commits.map(|commit| commit.into_iter().map(|(mutation, _)| mutation).collect()).collect()
    }
}

pub(super) fn weight((key, value): &Write) -> usize {
    key.len() + value.as_ref().map_or(0, Vec::len)
}

impl DatastoreStore {
    pub(super) async fn commit_large(
        &mut self,
        epoch: Epoch,
        batch: EncodedBatch,
    ) -> Result<(), StoreError> {
        let parts = self.pack(batch)?;
        let count = i64::try_from(parts.len()).unwrap_or(i64::MAX);
        let (mut together, mut bytes) = (Vec::new(), 0);
        for (number, part) in (0..count).zip(parts) {
            if !together.is_empty() && bytes + part.len() > self.sizes.commit_bytes {
                // Whatever becomes of this write, nobody will read the parts in it.
                self.advance(epoch, &together, |_| {})
                    .await
                    .map_err(|unwritten| self.harmless(epoch, unwritten))?;
                (together, bytes) = (Vec::new(), 0);
            }
            bytes += part.len();
            let properties = Properties::from([(VALUE.to_owned(), Value::blob(&part))]);
            together.push(Mutation::upsert(Entity { key: self.part_key(number), properties }));
        }
        let committed = self.advance(epoch, &together, |fence| fence.parts = count).await;
        committed.map_err(|unwritten| self.given_up(epoch, unwritten))?;
        self.put_in_place(epoch).await.map_err(|error| {
            self.end(epoch);
            StoreError::OutcomeUnknown(format!(
                "a large batch is committed but not yet in place: {error}"
            ))
        })
    }

    /// Writes the rows of a large batch to their places, if there is one.
    pub(super) async fn put_in_place(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        let count = self.term.as_ref().map_or(0, |term| term.fence.parts);
        if count == 0 {
            return Ok(());
        }
        for number in 0..count {
            let Part(batch) = self.read_part(number).await?;
            self.know_pages(epoch).await?;
            let (mutations, rewritten) = self.mutations(&batch)?;
            for mutations in self.sizes.commits(mutations) {
                let written = self.advance(epoch, &mutations, |_| {}).await;
                written.map_err(|unwritten| self.given_up(epoch, unwritten))?;
            }
            self.pages.get_or_insert_default().wrote(rewritten);
        }
        let gone: Vec<_> =
            (0..count).map(|number| Mutation::delete(self.part_key(number))).collect();
        let written = self.advance(epoch, &gone, |fence| fence.parts = 0).await;
        written.map_err(|unwritten| self.given_up(epoch, unwritten))
    }

    fn pack(&self, batch: EncodedBatch) -> Result<Vec<Vec<u8>>, StoreError> {
        let refusal = |why: String| StoreError::Unavailable(why);
        let parts = packed(batch, (usize::MAX, self.sizes.part_bytes), weight);
        let parts: Vec<Part> = parts.into_iter().map(Part).collect();
        // The commit that removes them is one.
        if parts.len() >= self.sizes.commit_entities {
            return Err(refusal(format!("a batch of {} parts is too large", parts.len())));
        }
        let mut sealed = Vec::with_capacity(parts.len());
        for (number, part) in parts.iter().enumerate() {
            let mut bytes =
                postcard::to_stdvec(part).map_err(|error| refusal(error.to_string()))?;
            seal(part_name(number).as_bytes(), &mut bytes);
            sealed.push(bytes);
        }
        Ok(sealed)
    }

    async fn read_part(&mut self, number: i64) -> Result<Part, StoreError> {
        let key = self.part_key(number);
        let name = key.name().to_owned();
        let damaged = |what: String| StoreError::Corrupt(format!("{PART_KIND} {name:?}: {what}"));
        let found = self.service.lookup(key).await;
        let found = found
            .map_err(|trouble| StoreError::Unavailable(trouble.into_reason()))?
            .ok_or_else(|| damaged("it is missing".to_owned()))?;
        let value = found.entity.properties.get(VALUE).and_then(Value::to_blob);
        let value = value.ok_or_else(|| damaged("it has no value".to_owned()))?;
        let body = unseal(name.as_bytes(), &value).map_err(|error| damaged(error.to_string()))?;
        postcard::from_bytes(body).map_err(|error| damaged(error.to_string()))
    }

    fn part_key(&self, number: i64) -> Key {
        self.service.key(PART_KIND, part_name(number))
    }
}

fn part_name(number: impl std::fmt::Display) -> String {
    format!("part-{number:0>6}")
}
