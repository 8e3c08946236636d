//! Values that JSON carries as text or as plain numbers.

use std::time::Duration;

use jiff::Timestamp;
use leasehold_core::{LockUid, Wall};
use serde::{Serialize, Serializer};

/// A point in time as RFC 3339 in UTC with milliseconds: `2026-01-02T03:04:05.678Z`.
#[derive(Clone, Copy)]
pub(crate) struct Rfc3339(pub(crate) Wall);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Past the year 9999 only a broken clock can point; it is shown as the end of that year.
        let time = Timestamp::from_millisecond(self.0.0).unwrap_or(Timestamp::MAX);
        serializer.collect_str(&format_args!("{time:.3}"))
    }
}

/// A span in whole milliseconds, rounded down.
pub(crate) fn whole_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A UUID in its hyphenated form.
#[derive(Clone, Copy)]
pub(crate) struct Uuid(pub(crate) LockUid);

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = uuid::Uuid::encode_buffer();
        let uuid = uuid::Uuid::from_bytes(self.0.0);
        serializer.serialize_str(uuid.hyphenated().encode_lower(&mut text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: impl Serialize) -> String {
        serde_json::to_string(&value).unwrap()
    }

    #[test]
    fn times_are_utc_with_exactly_three_digits() {
        assert_eq!(json(Rfc3339(Wall(1_767_323_045_678))), "\"2026-01-02T03:04:05.678Z\"");
        assert_eq!(json(Rfc3339(Wall(1_767_323_045_000))), "\"2026-01-02T03:04:05.000Z\"");
        assert_eq!(json(Rfc3339(Wall(0))), "\"1970-01-01T00:00:00.000Z\"");
        assert_eq!(json(Rfc3339(Wall(i64::MAX))), "\"9999-12-30T22:00:00.999Z\"");
    }

    #[test]
    fn uuids_are_hyphenated() {
        let uid = LockUid([0x12; 16]);
        assert_eq!(json(Uuid(uid)), "\"12121212-1212-1212-1212-121212121212\"");
    }
}
