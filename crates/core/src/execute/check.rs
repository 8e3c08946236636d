//! Whether the table keeps its promises once everything is carried out: for tests and simulations.

use crate::decide::next_in_line;
use crate::table::{Inconsistency, Table, agree};
use crate::token::FencingToken;

impl Table {
    /// Looks through the whole table, which costs as much as there is.
    ///
    /// # Errors
    /// [`Inconsistency`] names the first thing that does not agree, or a promise that is broken (I1, I6).
    pub fn check(&self) -> Result<(), Inconsistency> {
        self.check_indexes()?;
        let can_grant = self.last_token() < FencingToken::MAX;
        for (namespace, lock_id, lock) in self.locks() {
            agree(lock.keeps_exclusion(), || format!("I1: {lock_id} is held by both sides"))?;
            let is_left = can_grant && next_in_line(self, namespace, lock_id).is_some();
            let is_left = is_left && !self.is_unserved(namespace, lock_id);
            agree(!is_left, || format!("I6: {lock_id} has room for the first in {:?}", lock.line))?;
        }
        Ok(())
    }
}
