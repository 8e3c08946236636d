//! Which keys there are, and what stands in those that are no rows.
//!
//! Their values are JSON, so that `etcdctl get` shows a person who leads and how far it got.

use leasehold_core::Wall;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::wire::KeyValue;
use crate::store::{Epoch, Leader, StoreError};

/// Version of the layout: which keys there are and what they mean. Format 1 had no log and is otherwise
/// the same; a claim turns it into format 2.
pub(super) const FORMAT: u32 = 2;
pub(super) const OLDEST_FORMAT: u32 = 1;

/// The names of the keys.
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: format!("{prefix}/") }
    }

    pub(super) fn epoch(&self) -> Vec<u8> {
        self.named("epoch")
    }

    pub(super) fn fence(&self) -> Vec<u8> {
        self.named("fence")
    }

    pub(super) fn format(&self) -> Vec<u8> {
        self.named("format")
    }

    pub(super) fn leader(&self) -> Vec<u8> {
        self.named("leader")
    }

    /// First key and end of a range that has these four and nothing else.
    pub(super) fn state(&self) -> (Vec<u8>, Vec<u8>) {
        let mut end = self.leader();
        end.push(0);
        (self.epoch(), end)
    }

    pub(super) fn row(&self, key: &[u8]) -> Vec<u8> {
        let mut row = self.rows().0;
        row.extend_from_slice(key);
        row
    }

    pub(super) fn rows(&self) -> (Vec<u8>, Vec<u8>) {
        self.below("rows")
    }

    /// A batch in the log.
    pub(super) fn entry(&self, fence: &Fence) -> Vec<u8> {
        let Fence { epoch, batch, .. } = fence;
        self.named(&format!("log/{epoch:020}/{batch:020}"))
    }

    /// The whole log, in the order of the batches.
    pub(super) fn log(&self) -> (Vec<u8>, Vec<u8>) {
        self.below("log")
    }

    /// One piece of a batch that is written in pieces.
    pub(super) fn piece(&self, fence: &Fence, number: u32) -> Vec<u8> {
        let Fence { epoch, batch, .. } = fence;
        self.named(&format!("pending/{epoch:020}/{batch:020}/{number:010}"))
    }

    /// All pieces of one batch.
    pub(super) fn pieces(&self, fence: &Fence) -> (Vec<u8>, Vec<u8>) {
        self.below(&format!("pending/{:020}/{:020}", fence.epoch, fence.batch))
    }

    /// All pieces of all batches.
    pub(super) fn pending(&self) -> (Vec<u8>, Vec<u8>) {
        self.below("pending")
    }

    fn named(&self, name: &str) -> Vec<u8> {
        format!("{}{name}", self.prefix).into_bytes()
    }

    /// `0` is what follows `/`.
    fn below(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        (self.named(&format!("{name}/")), self.named(&format!("{name}0")))
    }
}

/// Where the committed history stands: the batch that was written last.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Fence {
    pub(super) epoch: u64,
    /// Counts what was begun in the epoch. Nothing that was begun has the number of another.
    pub(super) batch: u64,
    /// In how many pieces the batch stands below `pending/`, if its rows are not all in their places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pieces: Option<u32>,
}

/// Who leads. Hangs on a lease of etcd, which removes it when the lease has run out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct LeaderValue {
    pub(super) epoch: u64,
    pub(super) address: String,
    pub(super) link_token: String,
    /// Milliseconds since 1970.
    pub(super) since: i64,
    /// Which handle claimed it.
    pub(super) holder: u64,
}

impl LeaderValue {
    pub(super) fn into_leader(self) -> Leader {
        Leader {
            epoch: Epoch(self.epoch),
            address: self.address,
            link_token: self.link_token,
            since: Wall(self.since),
        }
    }
}

/// A value and the revision in which it was written; the revision of what is not there is 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen<T> {
    pub(super) value: T,
    pub(super) revision: i64,
}

/// What stood in the keys that are no rows, all at one moment.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) leader: Seen<Option<LeaderValue>>,
    /// The lease that the leader key hangs on.
    pub(super) lease: i64,
    pub(super) epoch: Seen<u64>,
    pub(super) fence: Seen<Fence>,
    pub(super) format: Option<u32>,
    /// The revision of the moment.
    pub(super) revision: i64,
    /// Which member answered, in which term of etcd's own leader.
    pub(super) answered_by: (u64, u64),
}

impl State {
    pub(super) fn read(keys: &Keys, kvs: &[KeyValue]) -> Result<Self, StoreError> {
        let mut state = Self::default();
        for kv in kvs {
            if kv.key == keys.leader() {
                state.leader = seen(kv)?;
                state.lease = kv.lease;
            } else if kv.key == keys.fence() {
                state.fence = seen(kv)?;
            } else if kv.key == keys.epoch() {
                state.epoch = seen(kv)?;
            } else if kv.key == keys.format() {
                state.format = seen(kv)?.value;
            }
        }
        Ok(state)
    }
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError::Unavailable(error.to_string()))
}

fn seen<T: DeserializeOwned>(kv: &KeyValue) -> Result<Seen<T>, StoreError> {
    let key = String::from_utf8_lossy(&kv.key);
    let value = serde_json::from_slice(&kv.value)
        .map_err(|error| StoreError::Corrupt(format!("the key {key} cannot be read: {error}")))?;
    Ok(Seen { value, revision: kv.mod_revision })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_values_of_format_2() {
        let text = |value: Vec<u8>| String::from_utf8(value).unwrap();
        let fence = Fence { epoch: 2, batch: 3, pieces: None };
        assert_eq!(text(encode(&fence).unwrap()), r#"{"epoch":2,"batch":3}"#);
        let fence = Fence { pieces: Some(4), ..fence };
        assert_eq!(text(encode(&fence).unwrap()), r#"{"epoch":2,"batch":3,"pieces":4}"#);
        let leader = LeaderValue {
            epoch: 2,
            address: "host:1".to_owned(),
            link_token: "token".to_owned(),
            since: 5,
            holder: 6,
        };
        assert_eq!(
            text(encode(&leader).unwrap()),
            r#"{"epoch":2,"address":"host:1","link_token":"token","since":5,"holder":6}"#
        );
        assert_eq!(text(encode(&7_u64).unwrap()), "7");
    }

    #[test]
    fn the_ranges_hold_what_they_should() {
        let keys = Keys::new("p");
        let fence = Fence { epoch: 1, batch: 2, pieces: None };
        let text = |(from, end): (Vec<u8>, Vec<u8>)| {
            (String::from_utf8(from).unwrap(), String::from_utf8(end).unwrap())
        };
        let (from, end) = keys.state();
        for key in [keys.epoch(), keys.fence(), keys.format(), keys.leader()] {
            assert!(from <= key && key < end);
        }
        assert!(end < keys.pending().0 && end < keys.rows().0);
        let (from, log_end) = keys.log();
        assert!(from < keys.entry(&fence) && keys.entry(&fence) < log_end && end < from);
        let later = Fence { epoch: 2, batch: 1, pieces: None };
        assert!(keys.entry(&fence) < keys.entry(&later));
        assert_eq!(text(keys.rows()), ("p/rows/".to_owned(), "p/rows0".to_owned()));
        let (from, end) = keys.pieces(&fence);
        assert!(from < keys.piece(&fence, 0) && keys.piece(&fence, u32::MAX) < end);
        assert_eq!(text((keys.row(b"lock/a/b"), Vec::new())).0, "p/rows/lock/a/b");
    }
}
