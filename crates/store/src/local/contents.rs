//! What the rows add up to, so that a load can tell whether it saw every row as it was committed.
//!
//! The database checks its blocks and batches one by one. It does not notice when a journal that was
//! put aside is missing or ends early while later ones are whole, when a table file drops out of its
//! manifest, or when the order of two batches is damaged: rows are then gone, back, or old, and each
//! of them is well-formed. The sum over all rows, committed with each batch, notices.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// The sum over all rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Summary {
    /// How many rows there are.
    pub(super) rows: u64,
    /// Their checksums added up.
    pub(super) digest: u64,
}

/// 96 bits of keyed hash stand for a key: two keys of a store will not meet in a lifetime of use,
/// nobody can make them meet, and a million rows take 36 MB here instead of 100.
type Fingerprint = [u32; 3];

/// A map that doubles moves all its entries at once. Many small ones do so one by one, so that no
/// commit waits for the move of a million rows.
const SHARDS: u32 = 256;

/// Every row's checksum, because a sum can only be kept up if one knows what a write replaces.
pub(super) struct Contents {
    shards: Vec<HashMap<Fingerprint, u32>>,
    summary: Summary,
    hashers: [RandomState; 2],
}

impl Contents {
    /// No rows yet, with room for so many.
    pub(super) fn with_capacity(rows: u64) -> Self {
        let room = usize::try_from(rows / u64::from(SHARDS)).unwrap_or(0);
        Self {
            shards: (0..SHARDS).map(|_| HashMap::with_capacity(room)).collect(),
            summary: Summary::default(),
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    pub(super) fn put(&mut self, key: &[u8], checksum: u32) {
        let fingerprint = self.fingerprint(key);
        let before = self.shard(fingerprint).insert(fingerprint, checksum);
        self.forget(before);
        self.summary.rows += 1;
        self.summary.digest = self.summary.digest.wrapping_add(u64::from(checksum));
    }

    pub(super) fn delete(&mut self, key: &[u8]) {
        let fingerprint = self.fingerprint(key);
        let before = self.shard(fingerprint).remove(&fingerprint);
        self.forget(before);
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary
    }

    fn forget(&mut self, before: Option<u32>) {
        if let Some(checksum) = before {
            self.summary.rows -= 1;
            self.summary.digest = self.summary.digest.wrapping_sub(u64::from(checksum));
        }
    }

    fn shard(&mut self, [part, _, _]: Fingerprint) -> &mut HashMap<Fingerprint, u32> {
        &mut self.shards[(part % SHARDS) as usize]
    }

    fn fingerprint(&self, key: &[u8]) -> Fingerprint {
        let [one, two] = &self.hashers;
        let [a, b] = halves(one.hash_one(key));
        let [c, _] = halves(two.hash_one(key));
        [a, b, c]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
fn halves(hash: u64) -> [u32; 2] {
    [(hash >> 32) as u32, hash as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i2_the_sum_depends_on_the_rows_and_not_on_how_they_came_about() {
        let mut long_way = Contents::with_capacity(0);
        for checksum in [5, 7, u32::MAX] {
            long_way.put(b"a", checksum);
        }
        long_way.put(b"b", 9);
        long_way.put(b"c", 11);
        long_way.delete(b"b");
        long_way.delete(b"never there");
        let mut short_way = Contents::with_capacity(0);
        short_way.put(b"c", 11);
        short_way.put(b"a", u32::MAX);
        assert_eq!(long_way.summary(), short_way.summary());
        assert_eq!(long_way.summary().rows, 2);
        short_way.put(b"a", 5);
        assert_ne!(long_way.summary(), short_way.summary());
    }
}
