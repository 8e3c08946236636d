//! The fence: the one entity that every commit writes, and that no commit passes at another version.

use std::time::Duration;

use leasehold_core::Wall;

use super::wire::{Properties, Value};
use crate::store::{Epoch, Leader, LinkToken};

/// Version of what is stored: which kinds there are and what their properties mean. Format 1 had no pages
/// (`pages.rs`), and is otherwise the same; a claim turns it into format 2.
const FORMAT: i64 = 2;
const OLDEST_FORMAT: i64 = 1;

/// Who leads, and where the committed history stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fence {
    /// The latest epoch that was claimed.
    pub(super) epoch: Epoch,
    /// Names this write of the fence among all of this claimant. Never used twice: so a look at the
    /// fence tells which write was the last, and every write changes the entity. (A write that
    /// changes nothing would not move the version, and the next stale write would pass.)
    pub(super) write: i64,
    /// Which handle claimed the epoch.
    pub(super) claimant: String,
    /// False once it has resigned.
    pub(super) leads: bool,
    pub(super) address: String,
    pub(super) link_token: LinkToken,
    pub(super) since: Wall,
    pub(super) lease: Duration,
    /// How many parts of a large batch are committed but not yet in their rows.
    pub(super) parts: i64,
}

impl Fence {
    pub(super) fn leader(&self) -> Leader {
        Leader {
            epoch: self.epoch,
            address: self.address.clone(),
            link_token: self.link_token.clone(),
            since: self.since,
        }
    }

    /// Whether both belong to one term of one handle.
    pub(super) fn is_of_term(&self, other: &Self) -> bool {
        self.epoch == other.epoch && self.claimant == other.claimant
    }

    pub(super) fn to_properties(&self) -> Properties {
        let number = |number: u64| Value::integer(i64::try_from(number).unwrap_or(i64::MAX));
        let millis = u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX);
        [
            ("format", Value::integer(FORMAT)),
            ("epoch", number(self.epoch.0)),
            ("write", Value::integer(self.write)),
            ("claimant", Value::string(&self.claimant)),
            ("leads", Value::boolean(self.leads)),
            ("address", Value::string(&self.address)),
            ("link_token", Value::string(self.link_token.expose())),
            ("since_ms", Value::integer(self.since.0)),
            ("lease_ms", number(millis)),
            ("parts", Value::integer(self.parts)),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// # Errors
    /// What is wrong, in words.
    pub(super) fn from_properties(properties: &Properties) -> Result<Self, String> {
        let value = |name| properties.get(name);
        let misfit = |name| format!("its property {name:?} is missing or of another type");
        let integer = |name| value(name).and_then(Value::as_integer).ok_or_else(|| misfit(name));
        let number = |name| u64::try_from(integer(name)?).map_err(|_| misfit(name));
        let text = |name| {
            value(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| misfit(name))
        };
        let format = integer("format")?;
        if !(OLDEST_FORMAT..=FORMAT).contains(&format) {
            return Err(format!(
                "it has format {format}, and this version of Leasehold knows formats up to {FORMAT}"
            ));
        }
        Ok(Self {
            epoch: Epoch(number("epoch")?),
            write: integer("write")?,
            claimant: text("claimant")?,
            leads: value("leads").and_then(Value::as_boolean).ok_or_else(|| misfit("leads"))?,
            address: text("address")?,
            link_token: text("link_token")?.into(),
            since: Wall(integer("since_ms")?),
            lease: Duration::from_millis(number("lease_ms")?),
            parts: integer("parts")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> Fence {
        Fence {
            epoch: Epoch(3),
            write: 4,
            claimant: "c".to_owned(),
            leads: true,
            address: "a:1".to_owned(),
            link_token: "t".to_owned().into(),
            since: Wall(5),
            lease: Duration::from_secs(6),
            parts: 7,
        }
    }

    #[test]
    fn golden_text_of_format_2() {
        let text = serde_json::to_string(&golden().to_properties()).unwrap();
        let unindexed = ",\"excludeFromIndexes\":true}";
        assert_eq!(
            text.replace(unindexed, "}"),
            r#"{"address":{"stringValue":"a:1"},"claimant":{"stringValue":"c"},"epoch":{"integerValue":"3"},"format":{"integerValue":"2"},"leads":{"booleanValue":true},"lease_ms":{"integerValue":"6000"},"link_token":{"stringValue":"t"},"parts":{"integerValue":"7"},"since_ms":{"integerValue":"5"},"write":{"integerValue":"4"}}"#
        );
        for format in ["1", "2"] {
            let text = text.replace(r#":"2"}"#, &format!(r#":"{format}"}}"#));
            let read = serde_json::from_str(&text).unwrap();
            assert_eq!(Fence::from_properties(&read), Ok(golden()));
        }
    }

    #[test]
    fn a_fence_that_is_not_whole_or_of_another_format_is_refused() {
        let mut properties = golden().to_properties();
        properties.remove("parts");
        assert!(Fence::from_properties(&properties).unwrap_err().contains("\"parts\""));
        properties.insert("format".to_owned(), Value::integer(3));
        assert!(Fence::from_properties(&properties).unwrap_err().contains("format 3"));
    }
}
