//! Test support: the laws that every store keeps. Each law is a function that panics where a store
//! breaks it; [`store_conformance!`](crate::store_conformance) makes one test of each.
//!
//! ```ignore
//! struct Memory(MemoryStore);
//! #[async_trait]
//! impl Harness for Memory { /* … */ }
//! leasehold_store::store_conformance!(memory, block_on, Memory(MemoryStore::new()));
//! ```
#![expect(clippy::panic, clippy::expect_used, reason = "laws fail like tests do: by a panic")]

mod leases;

use std::collections::BTreeMap;
use std::pin::Pin;

use async_trait::async_trait;
use leasehold_core::{
    ApiKey, Batch, EndCause, FencingToken, HoldKey, IdempotencyKey, KeyHash, KeyId, KeyLimits,
    LockId, LockKind, LockUid, MAX_ID_BYTES, Mode, Namespace, Note, PastHold, ProcessId, Quotas,
    Rate, Role, Row, RowKey, TimeoutSecs, Wall,
};

pub use self::leases::*;
use crate::store::{Epoch, Store, StoreError};

/// Rows of the batch that [`a_large_batch_is_one_batch`] commits.
const LARGE_BATCH_ROWS: u64 = 5_000;

/// A store's data, empty at first, and how to get at it.
#[async_trait]
pub trait Harness: Sync {
    /// A handle on the data, as after a start. Earlier handles are gone, unless the law is one for
    /// [`Harness::allows_rivals`].
    async fn open(&self) -> Box<dyn Store>;

    /// Whether two handles may be open at a time, as two replicas would have them.
    fn allows_rivals(&self) -> bool;

    /// A handle whose leases are of zero length, beside others; `None` where leadership is no lease that a
    /// candidate may choose so.
    async fn open_on_demand(&self) -> Option<Box<dyn Store>> {
        None
    }

    /// Waits until every lease has run out that was claimed or renewed before. Stores whose leadership
    /// is a lease of theirs say how; it should be as short as the engine allows.
    async fn outwait_leases(&self) {}

    /// Removes the record of the present leader as an engine or an operator might, without the leader's doing.
    /// False where only the leader can.
    async fn lose_leader(&self) -> bool {
        false
    }
}

/// Makes a module with one `#[test]` for each law.
///
/// `$module` names it, `$block_on` runs a future to its end, `$harness` makes a fresh [`Harness`].
#[macro_export]
macro_rules! store_conformance {
    ($module:ident, $block_on:path, $harness:expr) => {
        $crate::store_conformance! { @each tests($module, $block_on, $harness) }
    };
    (@each $what:ident($($with:tt)*)) => {
        $crate::store_conformance! {
            @$what($($with)*)
            a_new_store_is_empty,
            every_kind_of_row_is_read_back,
            what_a_row_may_say_is_read_back,
            puts_replace_and_deletes_remove,
            deleting_what_is_not_there_is_fine,
            an_empty_batch_is_fine,
            a_large_batch_is_one_batch,
            awkward_ids_stay_apart,
            i2_a_reopened_store_has_exactly_what_was_committed,
            i3_epochs_only_grow,
            i1_an_earlier_epoch_writes_nothing,
            i1_an_epoch_never_claimed_writes_nothing,
            i1_a_resigned_epoch_writes_nothing,
            i1_a_rivals_claim_fences_the_first_leader,
            a_lease_that_lasts_keeps_rivals_out,
            a_load_that_outlasts_the_lease_keeps_rivals_out,
            a_lease_that_ran_out_lets_rivals_in,
            i4_no_other_leads_within_a_lease_of_the_last_renewal,
            i4_a_removed_leader_is_waited_for,
            a_lease_of_zero_lets_rivals_in_at_once,
            a_lease_of_zero_waits_for_one_that_lasts,
        }
    };
    (@named() $($law:ident,)+) => {
        vec![$((stringify!($law), |harness| Box::pin($crate::conformance::$law(harness)))),+]
    };
    (@tests($module:ident, $block_on:path, $harness:expr) $($law:ident,)+) => {
        mod $module {
            use super::*;
            $(
                #[test]
                fn $law() {
                    $block_on($crate::conformance::$law(&$harness));
                }
            )+
        }
    };
}

/// A law as a value.
pub type Law = for<'h> fn(&'h dyn Harness) -> Pin<Box<dyn Future<Output = ()> + Send + 'h>>;

/// All laws by name, for a harness that starts an engine and wants it to serve them all.
#[must_use]
pub fn laws() -> Vec<(&'static str, Law)> {
    crate::store_conformance!(@each named())
}

type Rows = BTreeMap<RowKey, Row>;

async fn claim(store: &mut dyn Store) -> Epoch {
    store.claim().await.unwrap_or_else(|error| panic!("cannot claim: {error}"))
}

/// Claims once nobody else leads.
async fn claim_in_turn(harness: &dyn Harness, store: &mut dyn Store) -> Epoch {
    match store.claim().await {
        Err(StoreError::Led(_)) => {
            harness.outwait_leases().await;
            claim(store).await
        }
        Ok(epoch) => epoch,
        Err(error) => panic!("cannot claim: {error}"),
    }
}

/// A handle that leads, as after a crash of the one before.
async fn open_and_claim(harness: &dyn Harness) -> (Box<dyn Store>, Epoch) {
    let mut store = harness.open().await;
    let epoch = claim_in_turn(harness, &mut *store).await;
    (store, epoch)
}

async fn commit(store: &mut dyn Store, epoch: Epoch, batch: &Batch) {
    store.commit(epoch, batch).await.unwrap_or_else(|error| panic!("cannot commit: {error}"));
}

async fn rows(store: &mut dyn Store, epoch: Epoch) -> Rows {
    let mut rows = Rows::new();
    let mut visit = |row: Row| {
        let twice = rows.insert(row.key(), row);
        assert_eq!(twice, None, "a row was loaded twice");
    };
    store.load(epoch, &mut visit).await.unwrap_or_else(|error| panic!("cannot load: {error}"));
    rows
}

fn namespace() -> Namespace {
    Namespace::parse("default").expect("a namespace")
}

fn lock(lock_id: &str, updated_at: i64) -> Row {
    Row::Lock {
        namespace: namespace(),
        lock_id: LockId::parse(lock_id).expect("a lock id"),
        uid: LockUid([1; 16]),
        kind: LockKind { max_writers: Some(1), ..LockKind::default() },
        created_at: Wall(-1),
        updated_at: Wall(updated_at),
    }
}

fn hold(lock_id: &str, mode: Mode, process_id: &str, token: u64) -> Row {
    Row::Hold {
        hold: HoldKey {
            namespace: namespace(),
            lock_id: LockId::parse(lock_id).expect("a lock id"),
            mode,
            process_id: ProcessId::parse(process_id).expect("a process id"),
        },
        token: FencingToken::new(token).expect("a token"),
        timeout: TimeoutSecs::new(60).expect("a timeout"),
        acquired_at: Wall(1_700_000_000_000),
        renewed_at: Wall(1_700_000_000_500),
        note: None,
        idempotency_key: None,
        acquired_by: None,
    }
}

fn api_key(key_id: &str) -> Row {
    Row::Key(ApiKey {
        key_id: KeyId::parse(key_id).expect("a key id"),
        namespace: namespace(),
        role: Role::Write,
        label: "a label / with % signs".to_owned(),
        hash: KeyHash([2; 32]),
        created_at: Wall(3),
        limits: KeyLimits {
            rate: Some(Rate::new(50, None).expect("a rate")),
            quotas: Quotas { max_holds: Some(u32::MAX), ..Quotas::default() },
        },
    })
}

fn release(lock_id: &str, process_id: &str) -> Row {
    Row::Release {
        hold: HoldKey {
            namespace: namespace(),
            lock_id: LockId::parse(lock_id).expect("a lock id"),
            mode: Mode::Write,
            process_id: ProcessId::parse(process_id).expect("a process id"),
        },
        idempotency_key: IdempotencyKey::parse("once").expect("an idempotency key"),
        number: 1,
    }
}

fn past(slot: u64, number: u64, lock_id: &str) -> Row {
    Row::Past {
        slot,
        namespace: namespace(),
        lock_id: LockId::parse(lock_id).expect("a lock id"),
        past: PastHold {
            number,
            process_id: ProcessId::parse("p").expect("a process id"),
            mode: Mode::Write,
            token: FencingToken::new(number).expect("a token"),
            acquired_at: Wall(1_700_000_000_000),
            ended_at: Wall(-1),
            cause: EndCause::Forced,
            by: Some(KeyId::parse("k").expect("a key id")),
            note: Some(Note::parse("a note / with % signs").expect("a note")),
            idempotency_key: Some(IdempotencyKey::parse("'; --").expect("an idempotency key")),
        },
    }
}

fn rows_that_say_much() -> [Row; 5] {
    let lock_id = LockId::parse("b").expect("a lock id");
    let process_id = ProcessId::parse("p").expect("a process id");
    let idempotency_key = IdempotencyKey::parse("'; --").expect("an idempotency key");
    let mode = Mode::Write;
    let hold = HoldKey { namespace: namespace(), lock_id: lock_id.clone(), mode, process_id };
    [
        Row::Lock {
            namespace: namespace(),
            lock_id,
            uid: LockUid([0xff; 16]),
            kind: LockKind { max_readers: Some(u32::MAX), max_writers: None, is_ephemeral: true },
            created_at: Wall(1_700_000_000_001),
            updated_at: Wall(1_700_000_000_999),
        },
        Row::Hold {
            hold: hold.clone(),
            token: FencingToken::MAX,
            timeout: TimeoutSecs::new(u32::MAX).expect("a timeout"),
            acquired_at: Wall(-1_999),
            renewed_at: Wall(1_700_000_000_001),
            note: Some(Note::parse("").expect("a note")),
            idempotency_key: Some(idempotency_key.clone()),
            acquired_by: Some(KeyId::parse("k").expect("a key id")),
        },
        Row::Release { hold, idempotency_key, number: 7 },
        Row::Sequence(FencingToken::MAX),
        Row::StoredDeadlines { since: Wall(1_700_000_000_002) },
    ]
}

fn batch_of(rows: &[Row]) -> Batch {
    let mut batch = Batch::default();
    for row in rows {
        batch.put(row.clone());
    }
    batch
}

fn by_key(rows: &[Row]) -> Rows {
    rows.iter().map(|row| (row.key(), row.clone())).collect()
}

/// Tries everything that needs an epoch under one that is over, and finds all of it refused.
async fn assert_fenced(store: &mut dyn Store, epoch: Epoch) {
    let fenced = Err(StoreError::Fenced(epoch));
    let batch = batch_of(&[lock("never-written", 0)]);
    assert_eq!(store.commit(epoch, &batch).await, fenced, "commit under {epoch:?}");
    let empty = Batch::default();
    assert_eq!(store.commit(epoch, &empty).await, fenced, "empty commit under {epoch:?}");
    assert_eq!(store.renew(epoch).await, fenced, "renew of {epoch:?}");
    assert_eq!(store.resign(epoch).await, fenced, "resignation of {epoch:?}");
    let mut visit = |row| panic!("{row:?} was loaded under {epoch:?}, which is over");
    assert_eq!(store.load(epoch, &mut visit).await, fenced, "load under {epoch:?}");
}

/// A store that nothing was written to has no rows.
pub async fn a_new_store_is_empty(harness: &dyn Harness) {
    let (mut store, epoch) = open_and_claim(harness).await;
    assert_eq!(rows(&mut *store, epoch).await, Rows::new());
}

/// Locks, holds in both modes, releases, past holds, keys and the sequence come back as they were
/// committed.
pub async fn every_kind_of_row_is_read_back(harness: &dyn Harness) {
    let written = [
        lock("a", 5),
        hold("a", Mode::Read, "p", 1),
        hold("a", Mode::Write, "p", 2),
        release("a", "p"),
        past(1, 1, "a"),
        past(u64::MAX >> 11, u64::MAX >> 11, "b"),
        api_key("k"),
        Row::Sequence(FencingToken::MAX),
        Row::Import { begun_at: Wall(7) },
    ];
    let (mut store, epoch) = open_and_claim(harness).await;
    commit(&mut *store, epoch, &batch_of(&written)).await;
    assert_eq!(rows(&mut *store, epoch).await, by_key(&written));
}

/// Optional facts, highest numbers and all that is free text come back, and such rows can be deleted.
pub async fn what_a_row_may_say_is_read_back(harness: &dyn Harness) {
    let written = rows_that_say_much();
    let (mut store, epoch) = open_and_claim(harness).await;
    commit(&mut *store, epoch, &batch_of(&written)).await;
    assert_eq!(rows(&mut *store, epoch).await, by_key(&written));
    let mut batch = Batch::default();
    for row in &written {
        batch.delete(row.key());
    }
    commit(&mut *store, epoch, &batch).await;
    assert_eq!(rows(&mut *store, epoch).await, Rows::new());
}

/// A row has the value of its last put, and none after its delete.
pub async fn puts_replace_and_deletes_remove(harness: &dyn Harness) {
    let (mut store, epoch) = open_and_claim(harness).await;
    commit(&mut *store, epoch, &batch_of(&[lock("a", 1), lock("b", 1), lock("c", 1)])).await;
    let mut batch = batch_of(&[lock("a", 2), lock("d", 2)]);
    batch.delete(lock("b", 1).key());
    commit(&mut *store, epoch, &batch).await;
    let now = [lock("a", 2), lock("c", 1), lock("d", 2)];
    assert_eq!(rows(&mut *store, epoch).await, by_key(&now));
    // A row of history is written anew for another lock.
    commit(&mut *store, epoch, &batch_of(&[lock("b", 3), past(1, 1, "a")])).await;
    commit(&mut *store, epoch, &batch_of(&[past(1, 2, "b")])).await;
    let mut now = by_key(&now);
    now.insert(past(1, 2, "b").key(), past(1, 2, "b"));
    now.insert(lock("b", 3).key(), lock("b", 3));
    assert_eq!(rows(&mut *store, epoch).await, now);
}

/// A delete of a row that does not exist changes nothing, neither now nor for a later load.
pub async fn deleting_what_is_not_there_is_fine(harness: &dyn Harness) {
    let (mut store, epoch) = open_and_claim(harness).await;
    let mut batch = batch_of(&[lock("a", 1)]);
    batch.delete(lock("never-there", 1).key());
    commit(&mut *store, epoch, &batch).await;
    assert_eq!(rows(&mut *store, epoch).await, by_key(&[lock("a", 1)]));
}

/// Committing nothing succeeds and changes nothing.
pub async fn an_empty_batch_is_fine(harness: &dyn Harness) {
    let (mut store, epoch) = open_and_claim(harness).await;
    commit(&mut *store, epoch, &Batch::default()).await;
    assert_eq!(rows(&mut *store, epoch).await, Rows::new());
}

/// A batch of thousands of rows is written like a small one, and undone by one as large.
pub async fn a_large_batch_is_one_batch(harness: &dyn Harness) {
    let written: Vec<Row> = (0..LARGE_BATCH_ROWS)
        .map(|number| hold("a", Mode::Read, &format!("process-{number}"), number))
        .collect();
    let (mut store, epoch) = open_and_claim(harness).await;
    commit(&mut *store, epoch, &batch_of(&written)).await;
    assert_eq!(rows(&mut *store, epoch).await, by_key(&written));
    let mut batch = Batch::default();
    for row in &written {
        batch.delete(row.key());
    }
    commit(&mut *store, epoch, &batch).await;
    assert_eq!(rows(&mut *store, epoch).await, Rows::new());
}

/// Ids are free text: separators, escapes, other scripts and full length keep rows apart.
pub async fn awkward_ids_stay_apart(harness: &dyn Harness) {
    let longest = "%".repeat(MAX_ID_BYTES);
    let longest_other = "/".repeat(MAX_ID_BYTES);
    let ids =
        ["a/b", "a%2Fb", "a%b", "%", "/", "a/w/b", "鍵", "ä b", &longest, &longest_other, "..."];
    let mut written = Vec::new();
    for lock_id in ids {
        written.push(lock(lock_id, 1));
        for process_id in ids {
            written.push(hold(lock_id, Mode::Read, process_id, 1));
            written.push(hold(lock_id, Mode::Write, process_id, 2));
        }
    }
    let (mut store, epoch) = open_and_claim(harness).await;
    commit(&mut *store, epoch, &batch_of(&written)).await;
    drop(store);
    let (mut store, epoch) = open_and_claim(harness).await;
    assert_eq!(rows(&mut *store, epoch).await, by_key(&written));
}

/// A start finds every committed batch, whole, and nothing else.
pub async fn i2_a_reopened_store_has_exactly_what_was_committed(harness: &dyn Harness) {
    let mut expected = Rows::new();
    for round in 0..5_u64 {
        let (mut store, epoch) = open_and_claim(harness).await;
        assert_eq!(rows(&mut *store, epoch).await, expected, "before round {round}");
        for number in 0..20 {
            let token = round * 20 + number;
            let new = hold("a", Mode::Read, &format!("process-{token}"), token);
            let mut batch =
                batch_of(&[new.clone(), Row::Sequence(FencingToken::new(token).expect("a token"))]);
            expected.insert(new.key(), new);
            let sequence = Row::Sequence(FencingToken::new(token).expect("a token"));
            expected.insert(sequence.key(), sequence);
            if token >= 30 {
                let old = hold("a", Mode::Read, &format!("process-{}", token - 30), 0).key();
                expected.remove(&old);
                batch.delete(old);
            }
            commit(&mut *store, epoch, &batch).await;
        }
    }
}

/// No epoch is given out twice, within a handle or across starts.
pub async fn i3_epochs_only_grow(harness: &dyn Harness) {
    let mut last = Epoch::default();
    for _ in 0..4 {
        let (mut store, epoch) = open_and_claim(harness).await;
        assert!(epoch > last, "{epoch:?} after {last:?}");
        last = epoch;
        for _ in 0..2 {
            let epoch = claim(&mut *store).await;
            assert!(epoch > last, "{epoch:?} after {last:?}");
            last = epoch;
        }
    }
}

/// Once a later epoch is claimed, the earlier ones can neither write nor read.
pub async fn i1_an_earlier_epoch_writes_nothing(harness: &dyn Harness) {
    let (mut store, first) = open_and_claim(harness).await;
    commit(&mut *store, first, &batch_of(&[lock("a", 1)])).await;
    let second = claim(&mut *store).await;
    assert_fenced(&mut *store, first).await;
    drop(store);
    let (mut store, third) = open_and_claim(harness).await;
    assert_fenced(&mut *store, first).await;
    assert_fenced(&mut *store, second).await;
    assert_eq!(store.renew(third).await, Ok(()));
    assert_eq!(rows(&mut *store, third).await, by_key(&[lock("a", 1)]));
}

/// An epoch that this handle never claimed is no epoch, not even one from before a restart.
pub async fn i1_an_epoch_never_claimed_writes_nothing(harness: &dyn Harness) {
    let (store, epoch) = open_and_claim(harness).await;
    drop(store);
    let (mut store, next) = open_and_claim(harness).await;
    assert_fenced(&mut *store, epoch).await;
    assert_fenced(&mut *store, Epoch(next.0 + 1)).await;
    assert_eq!(rows(&mut *store, next).await, Rows::new());
}

/// A leader that has resigned writes nothing more, and the next claim sees all that it committed.
pub async fn i1_a_resigned_epoch_writes_nothing(harness: &dyn Harness) {
    let (mut store, epoch) = open_and_claim(harness).await;
    commit(&mut *store, epoch, &batch_of(&[lock("a", 1)])).await;
    assert_eq!(store.renew(epoch).await, Ok(()));
    assert_eq!(store.resign(epoch).await, Ok(()));
    assert_fenced(&mut *store, epoch).await;
    let next = claim(&mut *store).await;
    assert!(next > epoch);
    assert_eq!(rows(&mut *store, next).await, by_key(&[lock("a", 1)]));
}

/// Where two handles can be open, the claim of one ends the epoch of the other.
pub async fn i1_a_rivals_claim_fences_the_first_leader(harness: &dyn Harness) {
    if !harness.allows_rivals() {
        eprintln!("skipped: this store has one handle at a time");
        return;
    }
    let (mut first, epoch) = open_and_claim(harness).await;
    let mut rival = harness.open().await;
    commit(&mut *first, epoch, &batch_of(&[lock("a", 1)])).await;
    let later = claim_in_turn(harness, &mut *rival).await;
    assert!(later > epoch);
    assert_fenced(&mut *first, epoch).await;
    commit(&mut *rival, later, &batch_of(&[lock("b", 1)])).await;
    assert_eq!(rows(&mut *rival, later).await, by_key(&[lock("a", 1), lock("b", 1)]));
    let last = claim_in_turn(harness, &mut *first).await;
    assert!(last > later);
    assert_fenced(&mut *rival, later).await;
}
