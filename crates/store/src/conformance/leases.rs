//! The laws of leadership by lease.

use std::thread;
use std::time::{Duration, Instant};

use leasehold_core::{Mode, Row};
use tokio::runtime;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::sleep;

use super::{
    Harness, LARGE_BATCH_ROWS, Rows, assert_fenced, batch_of, by_key, claim, claim_in_turn, commit,
    hold, lock, open_and_claim, rows,
};
use crate::store::{Epoch, Store, StoreError};

/// Rows of [`a_load_that_outlasts_the_lease_keeps_rivals_out`]: ten pages of those stores that renew
/// between two pages, each of which then takes less than a fourth of a lease.
const SLOW_LOAD_ROWS: u64 = 10_000;
/// Rows between two pauses of its visitor.
const SLOW_LOAD_STEP: u64 = 100;

/// What a claim may take beyond two leases, on a machine that others use too.
const SLACK: Duration = Duration::from_secs(1);

/// Renewals keep the lease alive past its first length; everybody sees who leads; resigning ends it at once.
pub async fn a_lease_that_lasts_keeps_rivals_out(harness: &dyn Harness) {
    let (mut leading, epoch) = open_and_claim(harness).await;
    let Some(lease) = leading.lease() else {
        assert_eq!(leading.leader().await, Ok(None), "nobody else needs to know");
        eprintln!("skipped: leadership of this store is no lease");
        return;
    };
    let mut rival = harness.open().await;
    let began = Instant::now();
    while began.elapsed() < lease * 2 {
        assert_eq!(leading.renew(epoch).await, Ok(()));
        let leader = rival.leader().await.expect("readable").expect("somebody leads");
        assert_eq!(leader.epoch, epoch);
        assert!(!leader.address.is_empty() && !leader.link_token.expose().is_empty(), "{leader:?}");
        assert_eq!(rival.claim().await, Err(StoreError::Led(Box::new(leader))));
        sleep(lease / 4).await;
    }
    commit(&mut *leading, epoch, &batch_of(&[lock("a", 1)])).await;
    assert_eq!(leading.resign(epoch).await, Ok(()));
    assert_eq!(rival.leader().await, Ok(None));
    let next = claim(&mut *rival).await;
    assert!(next > epoch);
    assert_fenced(&mut *leading, epoch).await;
    assert_eq!(rows(&mut *rival, next).await, by_key(&[lock("a", 1)]));
}

/// Nobody renewed the lease of a leader while it loaded. What took longer than a lease to load was taken
/// over meanwhile by another, which then met the same, for ever.
pub async fn a_load_that_outlasts_the_lease_keeps_rivals_out(harness: &dyn Harness) {
    let (mut leading, epoch) = open_and_claim(harness).await;
    let Some(lease) = leading.lease() else {
        eprintln!("skipped: leadership of this store is no lease");
        return;
    };
    let mut expected = Rows::new();
    for part in 0..SLOW_LOAD_ROWS / LARGE_BATCH_ROWS {
        let written: Vec<Row> = (0..LARGE_BATCH_ROWS)
            .map(|number| hold("a", Mode::Read, &format!("process-{part}-{number}"), number))
            .collect();
        commit(&mut *leading, epoch, &batch_of(&written)).await;
        assert_eq!(leading.renew(epoch).await, Ok(()));
        expected.append(&mut by_key(&written));
    }
    let rival = Rival::start(harness.open().await);
    let (mut rows, began) = (Rows::new(), Instant::now());
    let mut visit = |row: Row| {
        rows.insert(row.key(), row);
        if (rows.len() as u64).is_multiple_of(SLOW_LOAD_STEP) {
            thread::sleep(lease * 9 / 4 / (SLOW_LOAD_ROWS / SLOW_LOAD_STEP) as u32);
        }
    };
    assert_eq!(leading.load(epoch, &mut visit).await, Ok(()));
    assert!(began.elapsed() > lease * 2, "too quick to tell: {:?}", began.elapsed());
    rival.assert_was_kept_out_by(epoch).await;
    assert!(rows == expected, "{} rows instead of {}", rows.len(), expected.len());
    commit(&mut *leading, epoch, &batch_of(&[lock("a", 1)])).await;
}

/// A handle that tries to lead all the while, whatever the thread of its leader does.
struct Rival {
    /// It stops when this is gone.
    stop: oneshot::Sender<()>,
    met: oneshot::Receiver<Vec<Result<Epoch, StoreError>>>,
}

impl Rival {
    /// It gets a thread and a runtime of its own: the visitor of a slow load blocks those of the law.
    fn start(mut store: Box<dyn Store>) -> Self {
        let (tell, met) = oneshot::channel();
        let (stop, mut stopped) = oneshot::channel();
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let outcomes = runtime.expect("a runtime").block_on(async {
                let mut outcomes = Vec::new();
                while stopped.try_recv() == Err(TryRecvError::Empty) {
                    outcomes.push(store.claim().await);
                    sleep(Duration::from_millis(20)).await;
                }
                outcomes
            });
            // Nobody listens any more where the law has failed.
            drop(tell.send(outcomes));
        });
        Self { stop, met }
    }

    async fn assert_was_kept_out_by(self, epoch: Epoch) {
        drop(self.stop);
        let met = self.met.await.expect("the rival panicked");
        assert!(!met.is_empty(), "it never tried");
        for outcome in met {
            let Err(StoreError::Led(leader)) = outcome else {
                panic!("{outcome:?} while another was loading");
            };
            assert_eq!(leader.epoch, epoch);
        }
    }
}

/// A leader that stops renewing makes room by itself, and learns of it when it is back.
pub async fn a_lease_that_ran_out_lets_rivals_in(harness: &dyn Harness) {
    let (mut paused, epoch) = open_and_claim(harness).await;
    if paused.lease().is_none() {
        eprintln!("skipped: leadership of this store is no lease");
        return;
    }
    let mut rival = harness.open().await;
    harness.outwait_leases().await;
    assert_eq!(rival.leader().await, Ok(None));
    let next = claim(&mut *rival).await;
    assert!(next > epoch);
    assert_fenced(&mut *paused, epoch).await;
    let seen = paused.leader().await.expect("readable").expect("somebody leads");
    assert_eq!(seen.epoch, next);
}

/// Tries to claim as followers do, until it leads: no sooner than a lease after the leader sent its last renewal,
/// and soon after that.
async fn assert_leads_in_time(rival: &mut dyn Store, renewed: Instant, lease: Duration) -> Epoch {
    loop {
        match rival.claim().await {
            Ok(epoch) => {
                let waited = renewed.elapsed();
                assert!(waited >= lease, "led {waited:?} after a renewal for {lease:?}");
                assert!(waited < lease * 2 + SLACK, "led after {waited:?} only");
                return epoch;
            }
            Err(StoreError::Led(_) | StoreError::Unavailable(_)) => sleep(lease / 40).await,
            Err(error) => panic!("cannot claim: {error}"),
        }
    }
}

/// A leader may answer from memory for a whole lease after each renewal, whatever happens to the store. No other
/// handle leads before that, whether it has watched since before the renewal or begins after it.
pub async fn i4_no_other_leads_within_a_lease_of_the_last_renewal(harness: &dyn Harness) {
    let (mut leading, epoch) = open_and_claim(harness).await;
    let Some(lease) = leading.lease() else {
        eprintln!("skipped: leadership of this store is no lease");
        return;
    };
    let mut watching = harness.open().await;
    for _ in 0..2 {
        sleep(lease / 4).await;
        assert!(matches!(watching.claim().await, Err(StoreError::Led(_))));
    }
    let sent = Instant::now();
    assert_eq!(leading.renew(epoch).await, Ok(()), "no other has claimed");
    let next = assert_leads_in_time(&mut *watching, sent, lease).await;
    assert_fenced(&mut *leading, epoch).await;
    sleep(lease / 2).await;
    let sent = Instant::now();
    assert_eq!(watching.renew(next).await, Ok(()));
    let mut late = harness.open().await;
    assert_leads_in_time(&mut *late, sent, lease).await;
}

/// The record of the leader is gone, and the leader does not know. It may still answer from memory, so the next
/// leader waits for its lease all the same.
pub async fn i4_a_removed_leader_is_waited_for(harness: &dyn Harness) {
    let (mut leading, epoch) = open_and_claim(harness).await;
    let Some(lease) = leading.lease() else {
        eprintln!("skipped: leadership of this store is no lease");
        return;
    };
    let mut watching = harness.open().await;
    assert!(matches!(watching.claim().await, Err(StoreError::Led(_))));
    let sent = Instant::now();
    assert_eq!(leading.renew(epoch).await, Ok(()));
    if !harness.lose_leader().await {
        eprintln!("skipped: only the leader can remove the record of itself");
        return;
    }
    assert_leads_in_time(&mut *watching, sent, lease).await;
    assert_fenced(&mut *leading, epoch).await;
}

/// Two handles take turns as they please; each finds what the other committed, and whoever is out of turn
/// learns so from everything that it tries.
pub async fn a_lease_of_zero_lets_rivals_in_at_once(harness: &dyn Harness) {
    let (Some(mut first), Some(mut second)) =
        (harness.open_on_demand().await, harness.open_on_demand().await)
    else {
        eprintln!("skipped: this store has no leases of zero");
        return;
    };
    assert_eq!(first.lease(), Some(Duration::ZERO));
    let mut last = Epoch::default();
    for turn in 0..3 {
        let earlier = claim(&mut *first).await;
        assert!(earlier > last, "{earlier:?} after {last:?}");
        assert_eq!(first.leader().await, Ok(None), "there is nobody to hand requests on to");
        assert_eq!(first.renew(earlier).await, Ok(()));
        commit(&mut *first, earlier, &batch_of(&[lock("a", turn)])).await;
        assert_eq!(first.renew(earlier).await, Ok(()), "a commit goes on with the term");
        last = claim(&mut *second).await;
        assert!(last > earlier, "{last:?} after {earlier:?}");
        assert_fenced(&mut *first, earlier).await;
        assert_eq!(rows(&mut *second, last).await, by_key(&[lock("a", turn)]));
        assert_eq!(second.renew(last).await, Ok(()));
    }
    assert_eq!(second.resign(last).await, Ok(()));
    assert_fenced(&mut *second, last).await;
    assert!(claim(&mut *first).await > last);
}

/// Where handles of both kinds share a store, a lease that lasts is respected, and one of zero is not.
pub async fn a_lease_of_zero_waits_for_one_that_lasts(harness: &dyn Harness) {
    let Some(mut on_demand) = harness.open_on_demand().await else {
        eprintln!("skipped: this store has no leases of zero");
        return;
    };
    let (mut leading, epoch) = open_and_claim(harness).await;
    let Err(StoreError::Led(leader)) = on_demand.claim().await else {
        panic!("claimed while a lease lasted");
    };
    assert_eq!(leader.epoch, epoch);
    commit(&mut *leading, epoch, &batch_of(&[lock("a", 1)])).await;
    let later = claim_in_turn(harness, &mut *on_demand).await;
    assert!(later > epoch);
    assert_fenced(&mut *leading, epoch).await;
    assert_eq!(rows(&mut *on_demand, later).await, by_key(&[lock("a", 1)]));
    let last = claim(&mut *leading).await;
    assert!(last > later);
    assert_fenced(&mut *on_demand, later).await;
}
