//! Which keys there are, and what stands in those that are no rows.
//!
//! Their values are JSON, so that `etcdctl get` shows a person who leads and how far it got.

use leasehold_core::Wall;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::wire::KeyValue;
use crate::store::{Epoch, Leader, LinkToken, StoreError};

/// Version of the layout: which keys there are and what they mean. `upgrade.rs` knows the formats before.
pub(super) const FORMAT: u32 = 4;
pub(super) const OLDEST_FORMAT: u32 = 1;
/// Those before have a log of another kind, or none.
pub(super) const FIRST_FORMAT_WITH_LOG_SLOTS: u32 = 3;

/// Places in the log. Each of them is used again and again, because a key that is written anew costs etcd
/// less than one that is made and another that is deleted.
pub(super) const LOG_SLOTS: u64 = 1_024;

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

    pub(super) fn lease(&self) -> Vec<u8> {
        self.named("lease")
    }

    /// First key and end of a range that has these five and nothing else.
    pub(super) fn state(&self) -> (Vec<u8>, Vec<u8>) {
        let mut end = self.lease();
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

    /// Where the entry of a position in the log stands.
    pub(super) fn entry(&self, position: u64) -> Vec<u8> {
        self.named(&format!("log/{:04}", position % LOG_SLOTS))
    }

    /// All places in the log.
    pub(super) fn log(&self) -> (Vec<u8>, Vec<u8>) {
        self.below("log")
    }

    fn named(&self, name: &str) -> Vec<u8> {
        format!("{}{name}", self.prefix).into_bytes()
    }

    /// First key and end of a range that has the rows and all logs, those of earlier formats too.
    pub(super) fn contents(&self) -> (Vec<u8>, Vec<u8>) {
        (self.log().0, self.rows().1)
    }

    /// All keys below a name; `0` is what follows `/`.
    pub(super) fn below(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        (self.named(&format!("{name}/")), self.named(&format!("{name}0")))
    }
}

/// Where the committed history stands: the batch that was written last, and which entries of the log
/// count. Before format 3 none did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Fence {
    pub(super) epoch: u64,
    /// Counts what was begun in the epoch. Nothing that was begun has the number of another.
    pub(super) batch: u64,
    /// Position of the oldest entry of the log whose rows may not be in their places.
    #[serde(default)]
    pub(super) from: u64,
    /// Position of the entry that is written next.
    #[serde(default)]
    pub(super) to: u64,
    /// Of formats before 3: in how many pieces the batch stands below `pending/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pieces: Option<u32>,
}

/// A term and its leader. The key `leader` has it while the term lasts, the key `lease` until the next claim.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct LeaderValue {
    pub(super) epoch: u64,
    pub(super) address: String,
    pub(super) link_token: LinkToken,
    /// Milliseconds since 1970.
    pub(super) since: i64,
    /// Which handle claimed it.
    pub(super) holder: u64,
    /// How long it may answer from memory after a renewal. Formats before 4 did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lease_ms: Option<u64>,
    /// Its leader has said that it does not answer any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) has_resigned: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(flag: &bool) -> bool {
    !flag
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
    /// Before format 4 the leader key hung on this lease of etcd, which removed it.
    pub(super) etcd_lease: i64,
    pub(super) lease: Seen<Option<LeaderValue>>,
    pub(super) epoch: Seen<u64>,
    pub(super) fence: Seen<Fence>,
    pub(super) format: Option<u32>,
    /// The revision of the moment.
    pub(super) revision: i64,
}

impl State {
    pub(super) fn read(keys: &Keys, kvs: &[KeyValue]) -> Result<Self, StoreError> {
        let mut state = Self::default();
        for kv in kvs {
            if kv.key == keys.leader() {
                state.leader = seen(kv)?;
                state.etcd_lease = kv.lease;
            } else if kv.key == keys.lease() {
                state.lease = seen(kv)?;
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
    fn golden_values_of_format_4() {
        let text = |value: Vec<u8>| String::from_utf8(value).unwrap();
        let fence = Fence { epoch: 2, batch: 3, from: 4, to: 1030, pieces: None };
        assert_eq!(text(encode(&fence).unwrap()), r#"{"epoch":2,"batch":3,"from":4,"to":1030}"#);
        let mut leader = LeaderValue {
            epoch: 2,
            address: "host:1".to_owned(),
            link_token: "token".to_owned().into(),
            since: 5,
            holder: 6,
            lease_ms: Some(7),
            has_resigned: false,
        };
        let format_3 =
            r#"{"epoch":2,"address":"host:1","link_token":"token","since":5,"holder":6}"#;
        let leads = format_3.replace('}', r#","lease_ms":7}"#);
        assert_eq!(text(encode(&leader).unwrap()), leads);
        leader.has_resigned = true;
        let resigned = leads.replace('}', r#","has_resigned":true}"#);
        assert_eq!(text(encode(&leader).unwrap()), resigned);
        assert_eq!(serde_json::from_str::<LeaderValue>(&resigned).unwrap(), leader);
        let earlier = LeaderValue { lease_ms: None, has_resigned: false, ..leader };
        assert_eq!(serde_json::from_str::<LeaderValue>(format_3).unwrap(), earlier);
        assert_eq!(text(encode(&7_u64).unwrap()), "7");
        assert_eq!(text(Keys::new("p").entry(1030)), "p/log/0006");
    }

    #[test]
    fn the_ranges_hold_what_they_should() {
        let keys = Keys::new("p");
        let (from, end) = keys.state();
        for key in [keys.epoch(), keys.fence(), keys.format(), keys.leader(), keys.lease()] {
            assert!(from <= key && key < end);
        }
        assert!(end < keys.log().0 && end < keys.rows().0);
        let (from, end) = keys.contents();
        assert!(from == keys.log().0 && end == keys.rows().1);
        assert!(from < keys.below("pending").0 && keys.below("pending").1 < end);
        let (from, end) = keys.log();
        assert!(from < keys.entry(0) && keys.entry(LOG_SLOTS - 1) < end);
        assert_eq!(keys.rows(), (b"p/rows/".to_vec(), b"p/rows0".to_vec()));
        assert_eq!(keys.row(b"lock/a/b"), b"p/rows/lock/a/b");
    }
}
