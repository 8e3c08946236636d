//! An id for every request, so that a reply and a log line can be matched.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// The header that carries it, both ways.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken over from a caller, in bytes.
const MAX_BYTES: usize = 128;

/// Hex digits of a number.
const fn hex_digits<T>() -> usize {
    size_of::<T>() * 2
}

/// Where the counter begins in a generated id.
const COUNTER_AT: usize = hex_digits::<u32>() + 1;

/// Source of ids: a prefix drawn once a process, and a counter.
pub(crate) struct RequestIds {
    template: [u8; COUNTER_AT + hex_digits::<u64>()],
    next: AtomicU64,
}

impl RequestIds {
    /// Without randomness the ids are still unique within the process.
    pub(crate) fn new() -> Self {
        let mut template = [b'-'; COUNTER_AT + hex_digits::<u64>()];
        write_hex(u64::from(getrandom::u32().unwrap_or_default()), &mut template[..COUNTER_AT - 1]);
        Self { template, next: AtomicU64::new(1) }
    }

    /// The caller's own id if it is 1 to 128 bytes of printable ASCII, else a new one.
    pub(crate) fn choose(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(X_REQUEST_ID) {
            Some(given) if is_printable(given.as_bytes()) => given.clone(),
            Some(_) | None => self.generate(),
        }
    }

    fn generate(&self) -> HeaderValue {
        let mut id = self.template;
        write_hex(self.next.fetch_add(1, Ordering::Relaxed), &mut id[COUNTER_AT..]);
        HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("unknown"))
    }
}

fn is_printable(id: &[u8]) -> bool {
    (1..=MAX_BYTES).contains(&id.len()) && id.iter().all(|byte| (0x20..=0x7e).contains(byte))
}

fn write_hex(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_are_printable_and_differ() {
        let ids = RequestIds::new();
        let (first, second) = (ids.generate(), ids.generate());
        assert!(is_printable(first.as_bytes()), "{first:?}");
        assert_ne!(first, second);
        assert!(second.to_str().unwrap().ends_with("-0000000000000002"), "{second:?}");
    }
}
