//! How a member proves that it answers at the address that it gave: the leader calls it there, and the
//! reply carries what only a reader of the store can compute.

use std::fmt::Write as _;

use leasehold_store::LinkToken;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The proof of the member at `address` to the leader with this link token.
pub(super) fn of(leader: &LinkToken, address: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["leasehold member", leader.expose(), address] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether this is the proof of the member at `address`.
pub(super) fn is_valid(given: &[u8], leader: &LinkToken, address: &str) -> bool {
    given.ct_eq(of(leader, address).as_bytes()).into()
}
