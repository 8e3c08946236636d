//! Where a page of a list goes on: opaque to callers, who hand it back as they got it.

use leasehold_core::LockId;

/// Marks the format, so that a later one can tell it apart.
const VERSION: char = '1';

/// The cursor of the page after this lock: the version, then the name's bytes in hex.
pub(crate) fn after_lock(last: &LockId) -> String {
    let hex = last.as_str().bytes().map(|byte| format!("{byte:02x}"));
    std::iter::once(VERSION.to_string()).chain(hex).collect()
}

/// The lock after which the page begins; `None` if the text is not from [`after_lock`].
pub(crate) fn lock_before(cursor: &str) -> Option<LockId> {
    let hex = cursor.strip_prefix(VERSION)?.as_bytes();
    let (pairs, rest) = hex.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let bytes: Vec<u8> = pairs.iter().map(|pair| byte_of(*pair)).collect::<Option<_>>()?;
    LockId::parse_stored(std::str::from_utf8(&bytes).ok()?).ok()
}

/// The cursor of the page after the past hold with this number: the version, then the number in hex.
pub(crate) fn after_past(number: u64) -> String {
    format!("{VERSION}{number:016x}")
}

/// The past hold after which the page begins; `None` if the text is not from [`after_past`].
pub(crate) fn past_before(cursor: &str) -> Option<u64> {
    let number = u64::from_str_radix(cursor.strip_prefix(VERSION)?, 16).ok()?;
    (after_past(number) == cursor).then_some(number)
}

fn byte_of(pair: [u8; 2]) -> Option<u8> {
    let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_name() {
        for name in ["a", "deploy/prod 1", "Schloß", "鍵", &"x".repeat(255)] {
            let lock_id = LockId::parse_stored(name).unwrap();
            let cursor = after_lock(&lock_id);
            assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{cursor}");
            assert_eq!(lock_before(&cursor), Some(lock_id));
        }
        // What is on its way to clients must be understood by the next version too.
        assert_eq!(after_lock(&LockId::parse_stored("ab").unwrap()), "16162");
    }

    #[test]
    fn a_cursor_leads_back_to_its_past_hold() {
        for number in [0, 1, 4711, u64::MAX] {
            assert_eq!(past_before(&after_past(number)), Some(number));
        }
        assert_eq!(after_past(4711), "10000000000001267");
        for bad in ["", "1", "1267", "20000000000001267", "1000000000000126G", "1+000000000001267"]
        {
            assert_eq!(past_before(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let too_long = format!("1{}", "61".repeat(256));
        for bad in ["", "1", "deploy", "26162", "1616", "16g", "1+1", "1ff", "12e", &too_long] {
            assert_eq!(lock_before(bad), None, "{bad}");
        }
    }
}
