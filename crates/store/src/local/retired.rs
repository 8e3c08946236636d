//! Frees the database's full memtables on a thread of their own.
//!
//! The database would free a memtable, some hundred thousand small pieces, when it forgets the last
//! version that names it: under the lock that every write takes, so that a commit now and then would
//! wait 50 ms for it. Whoever holds a memtable a little longer gets to free it in peace.

use std::any::Any;
use std::sync::Arc;
use std::thread;

type Memtable = Arc<dyn Any + Send + Sync>;

/// The memtable that is written to, and full ones that the database has not let go of yet.
#[derive(Default)]
pub(super) struct Retired {
    current: Option<Memtable>,
    full: Vec<Memtable>,
}

impl Retired {
    /// Notes which memtable is written to now.
    pub(super) fn follow(&mut self, active: Memtable) {
        if self.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &active)) {
            return;
        }
        self.full.extend(self.current.replace(active));
    }

    /// Frees what nobody else holds any more.
    pub(super) fn free(&mut self) {
        let is_free = |memtable: &mut Memtable| Arc::strong_count(memtable) == 1;
        for memtable in self.full.extract_if(.., is_free) {
            let freeing = thread::Builder::new().name("free-memtable".to_owned());
            // Without a thread it is freed here and now, which is slow but right.
            drop(freeing.spawn(move || drop(memtable)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_memtable_is_freed_once_the_database_has_let_go_of_it() {
        let mut retired = Retired::default();
        let [first, second]: [Memtable; 2] = [Arc::new(1), Arc::new(2)];
        let weak = Arc::downgrade(&first);
        retired.follow(Arc::clone(&first));
        retired.follow(Arc::clone(&first));
        retired.follow(second);
        retired.free();
        assert_eq!(retired.full.len(), 1, "the database holds it still");
        drop(first);
        retired.free();
        assert!(retired.full.is_empty());
        let is_gone = (0..1_000).any(|_| {
            thread::sleep(Duration::from_millis(1));
            weak.upgrade().is_none()
        });
        assert!(is_gone);
    }
}
