//! Writing a batch that no transaction holds.
//!
//! It is first written down in pieces, below `pending/`. The transaction with the last piece moves the
//! fence, which names the pieces: that moment decides, and what is left to do, putting the rows into
//! their places, anybody can do again who leads.

use tracing::warn;

use super::commit::row_ops;
use super::keys::Fence;
use super::term::Term;
use super::wire::{delete_range, put};
use super::{Etcd, load};
use crate::encoded::EncodedBatch;
use crate::record::{seal, unseal};
use crate::store::StoreError;

impl Term {
    pub(super) async fn commit_in_pieces(
        &mut self,
        etcd: &mut Etcd,
        parts: Vec<EncodedBatch>,
        mut fence: Fence,
    ) -> Result<(), StoreError> {
        let mut pieces = Vec::with_capacity(parts.len());
        for (part, number) in parts.iter().zip(0..) {
            let key = etcd.keys.piece(&fence, number);
            let value = encode_part(&key, part)?;
            pieces.push(put(key, value));
        }
        fence.pieces = Some(u32::try_from(parts.len()).unwrap_or(u32::MAX));
        let decisive = pieces.pop();
        for piece in pieces {
            self.prepare(etcd, vec![piece]).await?;
        }
        self.advance(etcd, decisive.into_iter().collect(), fence).await?;
        // It is decided. What may go wrong from here on is made good before the next batch.
        if let Err(error) = self.place(etcd, parts).await {
            warn!(%error, "the rows of a committed batch are not all in their places yet");
        }
        Ok(())
    }

    /// Makes good what the batches before left to do: puts the rows of one that was written in pieces into
    /// their places, and learns what is in the log.
    pub(super) async fn finish(&mut self, etcd: &mut Etcd) -> Result<(), StoreError> {
        self.finish_pieces(etcd).await?;
        self.read_log(etcd).await
    }

    /// Puts the rows of a batch that was written in pieces into their places, if they are not there.
    async fn finish_pieces(&mut self, etcd: &mut Etcd) -> Result<(), StoreError> {
        let Some(count) = self.fence.pieces else { return Ok(()) };
        let (from, end) = etcd.keys.pieces(&self.fence);
        let mut pieces = Vec::new();
        load::range(etcd, from, end, (load::PAGE_PARTS, 0), |kv| {
            pieces.push(decode_part(&kv.key, &kv.value)?);
            Ok(())
        })
        .await?;
        if pieces.len() != count as usize {
            return Err(self.missing_pieces(etcd, pieces.len()).await?);
        }
        // Who wrote the pieces may have had other bounds.
        let (bounds, keys) = (etcd.bounds, &etcd.keys);
        let parts = pieces.into_iter().flat_map(|piece| bounds.parts(keys, piece)).collect();
        self.place(etcd, parts).await
    }

    /// What it means that only so many pieces were found.
    async fn missing_pieces(
        &self,
        etcd: &mut Etcd,
        found: usize,
    ) -> Result<StoreError, StoreError> {
        let state = etcd.state().await?;
        let Fence { epoch, batch, pieces } = &self.fence;
        Ok(if self.agrees(&state) {
            StoreError::Corrupt(format!(
                "batch {batch} of epoch {epoch} was written in {} pieces, but there are {found}",
                pieces.unwrap_or_default()
            ))
        } else {
            StoreError::Fenced(self.epoch)
        })
    }

    async fn place(&mut self, etcd: &mut Etcd, parts: Vec<EncodedBatch>) -> Result<(), StoreError> {
        for part in parts {
            let ops = etcd.bounds.grouped(row_ops(&etcd.keys, part));
            self.prepare(etcd, ops).await?;
        }
        let placed = Fence { pieces: None, ..self.fence.clone() };
        // Whoever wrote the pieces has put what was in the log into them.
        let gone = [etcd.keys.pending(), etcd.keys.log()];
        let gone = gone.into_iter().map(|(from, end)| delete_range(from, end)).collect();
        self.advance(etcd, gone, placed).await
    }
}

/// The value of a key that has several rows.
pub(super) fn encode_part(key: &[u8], part: &EncodedBatch) -> Result<Vec<u8>, StoreError> {
    let mut value =
        postcard::to_stdvec(part).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    seal(key, &mut value);
    Ok(value)
}

pub(super) fn decode_part(key: &[u8], value: &[u8]) -> Result<EncodedBatch, StoreError> {
    let body = unseal(key, value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    postcard::from_bytes(body).map_err(|error| StoreError::Corrupt(error.to_string()))
}
