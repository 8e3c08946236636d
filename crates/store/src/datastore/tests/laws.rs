//! What this store has to keep beyond the laws of all stores: the fence, lost answers, large batches.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use leasehold_core::{
    Batch, EndCause, FencingToken, HoldKey, IdempotencyKey, LockId, Mode, Namespace, PastHold,
    ProcessId, Row, RowKey, TimeoutSecs, Wall,
};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::service::Trouble;
use super::super::wire::{Entity, Mutation, Properties, Value};
use super::super::{DatastoreStore, SIZES, Sizes, Term};
use super::proxy::{Act, Proxy};
use super::{LEASE, OwnLaw, Site};
use crate::conformance::Harness;
use crate::record;
use crate::store::{Epoch, Store, StoreError};

macro_rules! own_laws {
    ($($law:ident,)+) => {
        pub(super) fn own_laws() -> Vec<(&'static str, OwnLaw)> {
            vec![$((stringify!($law), |site| Box::pin($law(site)))),+]
        }
    };
}

own_laws! {
    i1_a_commit_over_a_stale_version_writes_nothing,
    i1_of_many_claims_at_a_time_one_leads,
    a_commit_whose_answer_is_lost_is_found_by_looking,
    i2_a_commit_that_is_said_to_be_cancelled_is_found_by_looking,
    a_commit_that_does_not_arrive_is_sent_again,
    i1_a_commit_that_arrives_twice_is_done_once,
    i1_a_commit_that_arrives_after_a_takeover_writes_nothing,
    a_renewal_that_arrives_late_does_not_end_its_own_term,
    i2_a_large_batch_is_whole_or_not_there_wherever_its_leader_ends,
    rows_without_a_fence_are_not_trusted,
    the_lease_of_the_leader_counts_and_not_that_of_the_rival,
    every_row_is_loaded_once_wherever_its_name_stands,
    rows_of_format_1_count_until_their_page_is_written,
    a_page_that_takes_longer_than_a_lease_is_waited_for_and_keeps_rivals_out,
}

fn row(process_id: &str, token: u64) -> Row {
    Row::Hold {
        hold: HoldKey {
            namespace: Namespace::parse("default").unwrap(),
            lock_id: LockId::parse("lock").unwrap(),
            mode: Mode::Read,
            process_id: ProcessId::parse(process_id).unwrap(),
        },
        token: FencingToken::new(token).unwrap(),
        timeout: TimeoutSecs::new(60).unwrap(),
        acquired_at: Wall(1_700_000_000_000),
        renewed_at: Wall(1_700_000_000_000),
        note: None,
        idempotency_key: None,
        acquired_by: None,
    }
}

fn past(slot: u64) -> Row {
    Row::Past {
        slot,
        namespace: Namespace::parse("default").unwrap(),
        lock_id: LockId::parse("lock").unwrap(),
        past: PastHold {
            number: slot,
            process_id: ProcessId::parse("p").unwrap(),
            mode: Mode::Write,
            token: FencingToken::new(slot).unwrap(),
            acquired_at: Wall(1_700_000_000_000),
            ended_at: Wall(1_700_000_000_000),
            cause: EndCause::Released,
            by: None,
            note: None,
            idempotency_key: None,
        },
    }
}

fn release(process_id: &str, number: u64) -> Row {
    let Row::Hold { hold, .. } = row(process_id, 1) else { panic!("it is a hold") };
    Row::Release { hold, idempotency_key: IdempotencyKey::parse("key").unwrap(), number }
}

fn batch(rows: &[Row]) -> Batch {
    let mut batch = Batch::default();
    for row in rows {
        batch.put(row.clone());
    }
    batch
}

type Rows = BTreeMap<RowKey, Row>;

async fn rows(store: &mut DatastoreStore, epoch: Epoch) -> Rows {
    let mut rows = Rows::new();
    store.load(epoch, &mut |row| drop(rows.insert(row.key(), row))).await.unwrap();
    rows
}

/// Claims and loads, so that what it sends next is what it is asked to.
async fn lead(store: &mut DatastoreStore) -> Epoch {
    let epoch = store.claim().await.unwrap();
    rows(store, epoch).await;
    epoch
}

fn by_key(rows: &[Row]) -> Rows {
    rows.iter().map(|row| (row.key(), row.clone())).collect()
}

/// What a replica finds that takes over once the lease is over.
async fn rows_after_takeover(site: &Site) -> (DatastoreStore, Epoch, Rows) {
    let mut store = site.store().await;
    site.outwait_leases().await;
    let epoch = store.claim().await.unwrap();
    let found = rows(&mut store, epoch).await;
    (store, epoch, found)
}

/// The emulators (and the service) keep a stale write out only when told to FAIL; this is the fence.
async fn i1_a_commit_over_a_stale_version_writes_nothing(site: Site) {
    let mut store = site.store().await;
    let epoch = store.claim().await.unwrap();
    let Some(Term { fence, version: stale, .. }) = store.term.take() else { panic!("it leads") };
    let epoch = Epoch(epoch.0 + 1);
    assert_eq!(store.claim().await.unwrap(), epoch);
    let current = store.look().await.unwrap().unwrap();
    let key = store.service.key("LeaseholdFence", "fence".to_owned());
    let guard = Mutation::update_of(&stale, Entity { key, properties: fence.to_properties() });
    let key = store.service.key("LeaseholdRow", "stale".to_owned());
    let properties = Properties::from([("value".to_owned(), Value::blob(b"x"))]);
    let upsert = Mutation::upsert(Entity { key: key.clone(), properties });
    for mutations in [vec![&guard, &upsert], vec![&upsert, &guard]] {
        let refused = store.service.commit(mutations).await;
        assert!(matches!(refused, Err(Trouble::Unmet(_))), "{refused:?}");
    }
    assert!(store.service.lookup(key).await.unwrap().is_none(), "the row was written");
    let seen = store.look().await.unwrap().unwrap();
    assert_eq!((seen.fence, seen.version), (current.fence, current.version));
    let key = store.service.key("LeaseholdFence", "fence".to_owned());
    let insert = Mutation::insert(Entity { key, properties: Properties::new() });
    let refused = store.service.commit(vec![&insert, &upsert]).await;
    assert!(matches!(refused, Err(Trouble::Unmet(_))), "{refused:?}");
    assert_eq!(rows(&mut store, epoch).await, Rows::new());
}

async fn i1_of_many_claims_at_a_time_one_leads(site: Site) {
    let site = Site { lease: Duration::from_secs(30), ..site };
    let mut claims = JoinSet::new();
    for _ in 0..6 {
        let mut store = site.store().await;
        claims.spawn(async move { (store.claim().await, store) });
    }
    let mut leading = Vec::new();
    for (claimed, store) in claims.join_all().await {
        match claimed {
            Ok(epoch) => leading.push((epoch, store)),
            Err(StoreError::Led(leader)) => assert_eq!(leader.epoch, Epoch(1)),
            Err(error) => panic!("{error}"),
        }
    }
    let [(epoch, store)] = &mut leading[..] else { panic!("{} lead", leading.len()) };
    assert_eq!(*epoch, Epoch(1));
    assert_eq!(store.commit(*epoch, &batch(&[row("a", 1)])).await, Ok(()));
}

async fn a_commit_whose_answer_is_lost_is_found_by_looking(site: Site) {
    let proxy = Proxy::start(&site.host).await;
    let mut store = site.store_by_way_of(&proxy.host).await;
    let epoch = lead(&mut store).await;
    let before = proxy.commits();
    proxy.next(&[Act::LoseAnswer]);
    assert_eq!(store.commit(epoch, &batch(&[row("a", 1)])).await, Ok(()));
    assert_eq!(proxy.commits() - before, 1, "it was sent again");
    assert_eq!(store.commit(epoch, &batch(&[row("b", 2)])).await, Ok(()));
    assert_eq!(rows(&mut store, epoch).await, by_key(&[row("a", 1), row("b", 2)]));
}

/// 499 CANCELLED, like every 4xx that was not listed, counted as "nothing was written". But the commit had been
/// applied: callers were told that their locks had not been granted, and the holds were there.
async fn i2_a_commit_that_is_said_to_be_cancelled_is_found_by_looking(site: Site) {
    let proxy = Proxy::start(&site.host).await;
    let mut store = site.store_by_way_of(&proxy.host).await;
    let epoch = lead(&mut store).await;
    proxy.next(&[Act::AnswerCancelled]);
    assert_eq!(store.commit(epoch, &batch(&[row("a", 1)])).await, Ok(()));
    assert_eq!(store.commit(epoch, &batch(&[row("b", 2)])).await, Ok(()));
    assert_eq!(rows(&mut store, epoch).await, by_key(&[row("a", 1), row("b", 2)]));
}

async fn a_commit_that_does_not_arrive_is_sent_again(site: Site) {
    let proxy = Proxy::start(&site.host).await;
    let mut store = site.store_by_way_of(&proxy.host).await;
    proxy.next(&[Act::LoseRequest, Act::Pass]);
    assert_eq!(lead(&mut store).await, Epoch(1));
    let epoch = Epoch(1);
    proxy.next(&[Act::LoseRequest, Act::LoseAnswer]);
    assert_eq!(store.commit(epoch, &batch(&[row("a", 1)])).await, Ok(()));
    assert_eq!(rows(&mut store, epoch).await, by_key(&[row("a", 1)]));
}

/// The first sending arrives after the second: it finds another version and is refused.
async fn i1_a_commit_that_arrives_twice_is_done_once(site: Site) {
    let proxy = Proxy::start(&site.host).await;
    let mut store = site.store_by_way_of(&proxy.host).await;
    let epoch = lead(&mut store).await;
    proxy.next(&[Act::Delay]);
    assert_eq!(store.commit(epoch, &batch(&[row("a", 1)])).await, Ok(()));
    let mut undone = Batch::default();
    undone.delete(row("a", 1).key());
    assert_eq!(store.commit(epoch, &undone).await, Ok(()));
    let answers = proxy.deliver().await;
    assert!(answers.len() == 1 && answers[0].contains("FAILED_PRECONDITION"), "{answers:?}");
    assert_eq!(store.renew(epoch).await, Ok(()));
    assert_eq!(rows(&mut store, epoch).await, Rows::new());
}

async fn i1_a_commit_that_arrives_after_a_takeover_writes_nothing(site: Site) {
    let proxy = Proxy::start(&site.host).await;
    let mut store = site.store_by_way_of(&proxy.host).await;
    let epoch = lead(&mut store).await;
    proxy.next(&[Act::Delay, Act::Delay]);
    let committed = store.commit(epoch, &batch(&[row("a", 1)])).await;
    assert!(matches!(committed, Err(StoreError::OutcomeUnknown(_))), "{committed:?}");
    assert_eq!(store.renew(epoch).await, Err(StoreError::Fenced(epoch)), "its end is not certain");
    let (mut rival, later, found) = rows_after_takeover(&site).await;
    assert_eq!(found, Rows::new());
    let answers = proxy.deliver().await;
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|answer| answer.contains("FAILED_PRECONDITION")), "{answers:?}");
    assert_eq!(rival.renew(later).await, Ok(()));
    assert_eq!(rows(&mut rival, later).await, Rows::new());
}

async fn a_renewal_that_arrives_late_does_not_end_its_own_term(site: Site) {
    let proxy = Proxy::start(&site.host).await;
    let mut store = site.store_by_way_of(&proxy.host).await;
    let epoch = lead(&mut store).await;
    proxy.next(&[Act::Delay, Act::Delay]);
    let renewed = store.renew(epoch).await;
    assert!(matches!(renewed, Err(StoreError::Unavailable(_))), "{renewed:?}");
    let answers = proxy.deliver().await;
    assert!(answers[0].contains("200 OK"), "{answers:?}");
    assert!(answers[1].contains("FAILED_PRECONDITION"), "{answers:?}");
    assert_eq!(store.commit(epoch, &batch(&[row("a", 1)])).await, Ok(()));
    assert_eq!(rows(&mut store, epoch).await, by_key(&[row("a", 1)]));
}

/// Cuts the leader off after each of the commits that a large batch takes.
async fn i2_a_large_batch_is_whole_or_not_there_wherever_its_leader_ends(site: Site) {
    let mut kept: Vec<Row> = (0..10).map(|n| row(&format!("kept-{n}"), n)).collect();
    kept.extend((12..15).map(past));
    kept.push(release("kept", 1));
    let mut taken: Vec<Row> = (0..20).map(|n| row(&format!("taken-{n}"), n)).collect();
    taken.extend((15..20).map(past));
    taken.push(release("taken", 2));
    let mut change = batch(&taken);
    for row in &kept {
        change.delete(row.key());
    }
    let (mut before, mut after) = (0, 0);
    for commits in 0.. {
        let site = Site { namespace: format!("{}-{commits}", site.namespace), ..site.clone() };
        let proxy = Proxy::start(&site.host).await;
        let mut store = site.store_by_way_of(&proxy.host).await;
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch(&kept)).await.unwrap();
        store.sizes = Sizes { commit_entities: 8, commit_bytes: 1_200, part_bytes: 500 };
        let sent = proxy.commits();
        proxy.cut_after(commits);
        let committed = store.commit(epoch, &change).await;
        let (_, _, found) = rows_after_takeover(&site).await;
        match &committed {
            Ok(()) => assert_eq!(found, by_key(&taken)),
            Err(StoreError::Unavailable(_)) => assert_eq!(found, by_key(&kept)),
            Err(StoreError::OutcomeUnknown(_)) if found == by_key(&kept) => before += 1,
            Err(StoreError::OutcomeUnknown(_)) => {
                assert_eq!(found, by_key(&taken), "half of it, after {commits} commits");
                after += 1;
            }
            Err(error) => panic!("{error}"),
        }
        if committed.is_ok() {
            assert_eq!(proxy.commits() - sent, commits);
            assert!(before >= 1 && after >= 3, "{before} before, {after} after");
            return;
        }
    }
}

async fn rows_without_a_fence_are_not_trusted(site: Site) {
    let mut store = site.store().await;
    let epoch = store.claim().await.unwrap();
    store.commit(epoch, &batch(&[row("a", 1)])).await.unwrap();
    let gone = Mutation::delete(store.service.key("LeaseholdFence", "fence".to_owned()));
    store.service.commit(vec![&gone]).await.unwrap();
    assert_eq!(store.commit(epoch, &Batch::default()).await, Err(StoreError::Fenced(epoch)));
    assert!(matches!(store.claim().await, Err(StoreError::Corrupt(_))));
}

async fn the_lease_of_the_leader_counts_and_not_that_of_the_rival(site: Site) {
    let long = Site { lease: Duration::from_secs(60), ..site.clone() };
    let mut leading = long.store().await;
    let epoch = leading.claim().await.unwrap();
    let mut rival = site.store().await;
    site.outwait_leases().await;
    assert!(matches!(rival.claim().await, Err(StoreError::Led(leader)) if leader.epoch == epoch));
    assert_eq!(leading.resign(epoch).await, Ok(()));
    assert_eq!(rival.claim().await, Ok(Epoch(epoch.0 + 1)));
}

/// Rows were read one page after the other, and then once more to find that there is no more: the emulators
/// never say so. Ranges of names that are read side by side must neither overlap nor leave a gap, and
/// each go on for as many pages as it takes.
async fn every_row_is_loaded_once_wherever_its_name_stands(site: Site) {
    let proxy = Proxy::start(&site.host).await;
    let mut store = site.store_by_way_of(&proxy.host).await;
    let epoch = store.claim().await.unwrap();
    let few = [past(1), past(9), row("a", 1), Row::Sequence(FencingToken::new(1).unwrap())];
    store.commit(epoch, &batch(&few)).await.unwrap();
    let before = proxy.queries();
    assert_eq!(rows(&mut store, epoch).await, by_key(&few));
    assert_eq!(proxy.queries() - before, 3, "one for each range");
    // More than the 300 that the Datastore emulator gives at a time are pages of history, or holds.
    let mut many: Vec<Row> = (1..=5_000).map(past).collect();
    many.extend((0..350).map(|n| row(&format!("p-{n}"), n)));
    many.extend(few);
    for some in many.chunks(400) {
        store.commit(epoch, &batch(some)).await.unwrap();
    }
    let mut found = Vec::new();
    store.load(epoch, &mut |row| found.push(row)).await.unwrap();
    assert_eq!(found.len(), by_key(&many).len(), "a row twice, or not at all");
    assert_eq!(by_key(&found), by_key(&many));
}

/// Format 1 had an entity for each past hold and each release.
async fn rows_of_format_1_count_until_their_page_is_written(site: Site) {
    let mut store = site.store().await;
    let epoch = store.claim().await.unwrap();
    let mut earlier: Vec<Row> = [3, 4, 15, 16].map(past).into();
    earlier.extend([release("p", 15), release("q", 16)]);
    let single = |row: &Row| {
        let (key, value) = record::encode(row).unwrap();
        super::super::rows::mutation(&store.service, &key, Some(&value))
    };
    let singles: Vec<Mutation> = earlier.iter().map(single).collect();
    store.service.commit(singles.iter().collect()).await.unwrap();
    assert_eq!(rows(&mut store, epoch).await, by_key(&earlier));
    assert_eq!(store.resign(epoch).await, Ok(()));
    // One that has not loaded reads what it needs for its commit.
    let mut next = site.store().await;
    let epoch = next.claim().await.unwrap();
    let mut change = batch(&[past(5), release("p", 17)]);
    change.delete(past(4).key());
    assert_eq!(next.commit(epoch, &change).await, Ok(()));
    let mut stored: Vec<Row> = [3, 5, 15, 16].map(past).into();
    stored.extend([release("p", 17), release("q", 16)]);
    let left = ["history/3", "history/4", "history/15", "history/16"];
    for (name, is_left) in left.into_iter().zip([false, false, false, true]) {
        let key = next.service.key("LeaseholdRow", name.to_owned());
        assert_eq!(next.service.lookup(key).await.unwrap().is_some(), is_left, "{name}");
    }
    assert_eq!(rows(&mut next, epoch).await, by_key(&stored));
    let (_, _, found) = rows_after_takeover(&site).await;
    assert_eq!(found, by_key(&stored));
}

/// A page may take six times as long as the usual lease. Nobody renewed while it was waited for, so that a
/// rival took over, and met the same.
async fn a_page_that_takes_longer_than_a_lease_is_waited_for_and_keeps_rivals_out(site: Site) {
    let site = Site { lease: LEASE, ..site };
    let proxy = Proxy::start(&site.host).await;
    let mut store = site.store_by_way_of(&proxy.host).await;
    let epoch = store.claim().await.unwrap();
    store.commit(epoch, &batch(&[row("a", 1)])).await.unwrap();
    proxy.delay_pages(LEASE * 9 / 4);
    let mut rival = site.store().await;
    let mut claims = 0;
    let (found, ()) = tokio::join!(rows(&mut store, epoch), async {
        let began = Instant::now();
        while began.elapsed() < LEASE * 2 {
            let claimed = rival.claim().await;
            assert!(
                matches!(&claimed, Err(StoreError::Led(leader)) if leader.epoch == epoch),
                "{claimed:?}"
            );
            claims += 1;
            sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(found, by_key(&[row("a", 1)]));
    assert!(claims > 2, "it hardly tried");
    assert_eq!(store.commit(epoch, &batch(&[row("b", 2)])).await, Ok(()));
}

/// Batches of several sizes: half new rows, half gone ones, one after the other.
pub(super) async fn measure(site: &Site) {
    const WARM_UP: u64 = 40;
    const ROUNDS: u64 = 60;
    let mut store = site.store().await;
    let epoch = store.claim().await.unwrap();
    assert_eq!(store.sizes.commit_entities, SIZES.commit_entities);
    for size in [16, 64, 256] {
        let mut took = Vec::new();
        for round in 0..WARM_UP + ROUNDS {
            let mut change = Batch::default();
            for number in round * size / 2..(round + 1) * size / 2 {
                change.put(row(&format!("p-{number}"), number));
                if round > 0 {
                    change.delete(row(&format!("p-{}", number - size / 2), 0).key());
                }
            }
            let began = Instant::now();
            store.commit(epoch, &change).await.unwrap();
            if round >= WARM_UP {
                took.push(began.elapsed());
            }
        }
        took.sort();
        let all: Duration = took.iter().sum();
        println!(
            "{size} rows a batch: {:.0} rows/s; half of the commits within {:?}, 9 of 10 within {:?}",
            (size * ROUNDS) as f64 / all.as_secs_f64(),
            took[took.len() / 2],
            took[took.len() * 9 / 10],
        );
    }
}
