//! What the last batches wrote, before each row goes to its own place.
//!
//! To put a row in its place costs more than all else, and most rows do not stay as they are for
//! long: a hold is given back, a lock is dated anew. So an entry in the log makes a batch durable,
//! and only what some batches together come to is written row by row, in one piece.

use std::collections::BTreeMap;

use crate::encoded::Write;

/// The writes that are in a log alone.
#[derive(Default)]
pub(super) struct Pending {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    batches: usize,
}

impl Pending {
    /// Takes the writes of a batch.
    pub(super) fn add(&mut self, writes: impl IntoIterator<Item = Write>) {
        self.rows.extend(writes);
        self.batches += 1;
    }

    /// How many batches it is made of.
    pub(super) fn batches(&self) -> usize {
        self.batches
    }

    /// How many rows they wrote.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches == 0
    }

    /// What it all comes to.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Write> + use<> {
        std::mem::take(self).rows.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i2_of_two_writes_of_a_row_the_later_counts() {
        let mut pending = Pending::default();
        pending.add([(b"a".to_vec(), Some(b"xyz".to_vec())), (b"bc".to_vec(), None)]);
        pending.add([(b"a".to_vec(), None)]);
        assert_eq!((pending.batches(), pending.rows()), (2, 2));
        let all: Vec<Write> = pending.take().collect();
        assert_eq!(all, [(b"a".to_vec(), None), (b"bc".to_vec(), None)]);
        assert!(pending.is_empty());
    }
}
