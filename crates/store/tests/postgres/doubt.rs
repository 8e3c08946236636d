//! Commits whose connection ends or falls silent. The store may answer that they happened, that they did
//! not, or that it does not know; each only where it is true, now and later.

use std::time::Duration;

use leasehold_store::{Epoch, PostgresStore, Store, StoreError};
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::proxy::Proxy;
use crate::server::{Server, fresh_schema};
use crate::support::{
    LEASE, batch_of, block_on, blocked_by, by_key, hold, last_batch, open, person, rows,
};

/// A leader whose connections go by way of a proxy, with one row committed.
struct Scene {
    store: PostgresStore,
    epoch: Epoch,
    proxy: Proxy,
    person: Client,
    server: Server,
    schema: String,
    batches: i64,
}

async fn scene() -> Scene {
    let (server, schema) = (Server::shared(), fresh_schema());
    let proxy = Proxy::to(server.port).await;
    let mut store = open(&Server::url_at(proxy.port, &schema)).await;
    let epoch = store.claim().await.unwrap();
    store.commit(epoch, &batch_of(&[hold("first", 1)])).await.unwrap();
    let person = person(&server, &schema).await;
    let batches = last_batch(&person).await;
    Scene { store, epoch, proxy, person, server, schema, batches }
}

impl Scene {
    /// Commits the second row while `meanwhile` happens to a statement that is half done: it has passed the
    /// fence, and waits for a person who is writing the same row.
    async fn commit_blocked(
        &mut self,
        meanwhile: impl AsyncFnOnce(&Client, &Proxy, i32),
    ) -> Result<(), StoreError> {
        let locker = person(&self.server, &self.schema).await;
        let theirs = "BEGIN; INSERT INTO holds (namespace, lock_id, mode, process_id, token, timeout_secs, acquired_at, \
             renewed_at) VALUES ('default', 'a', 'read', 'second', 9, 9, now(), now())";
        locker.batch_execute(theirs).await.unwrap();
        let batch = batch_of(&[hold("second", 2)]);
        let (outcome, ()) = tokio::join!(self.store.commit(self.epoch, &batch), async {
            let backend = blocked_by(&self.person, &locker).await;
            meanwhile(&self.person, &self.proxy, backend).await;
            locker.batch_execute("ROLLBACK").await.unwrap();
        });
        outcome
    }

    /// The store works, and has these rows after so many more batches.
    async fn assert_at(&mut self, processes: &[(&str, u64)], batches: i64) {
        assert_eq!(last_batch(&self.person).await, self.batches + batches);
        let expected: Vec<_> = processes.iter().map(|(name, token)| hold(name, *token)).collect();
        assert_eq!(rows(&mut self.store, self.epoch).await, by_key(&expected));
        self.store.commit(self.epoch, &batch_of(&[])).await.unwrap();
        assert_eq!(last_batch(&self.person).await, self.batches + batches + 1);
    }
}

#[test]
fn i2_a_backend_killed_in_mid_commit_did_nothing_and_the_batch_is_written_once() {
    block_on(async {
        let mut scene = scene().await;
        let outcome = scene
            .commit_blocked(async |person, _, backend| {
                person.execute("SELECT pg_terminate_backend($1)", &[&backend]).await.unwrap();
            })
            .await;
        assert_eq!(outcome, Ok(()));
        scene.assert_at(&[("first", 1), ("second", 2)], 1).await;
    });
}

#[test]
fn i2_a_commit_whose_reply_is_lost_has_happened() {
    block_on(async {
        let mut scene = scene().await;
        scene.proxy.lose_replies();
        let outcome = scene.store.commit(scene.epoch, &batch_of(&[hold("second", 2)])).await;
        assert_eq!(outcome, Ok(()));
        scene.assert_at(&[("first", 1), ("second", 2)], 1).await;
    });
}

/// The server goes on with a commit whose client is gone. A look past it would see nothing written yet.
#[test]
fn i2_the_look_waits_for_a_commit_that_still_runs() {
    block_on(async {
        let mut scene = scene().await;
        let outcome = scene
            .commit_blocked(async |_, proxy, _| {
                proxy.cut();
                sleep(Duration::from_millis(300)).await;
            })
            .await;
        assert_eq!(outcome, Ok(()));
        scene.assert_at(&[("first", 1), ("second", 2)], 1).await;
    });
}

/// What was sent on a connection that fell silent can arrive after the store has said "not written".
#[test]
fn i2_a_commit_that_arrives_after_the_look_writes_nothing() {
    block_on(async {
        let mut scene = scene().await;
        scene.proxy.hold_requests();
        let outcome = scene.store.commit(scene.epoch, &batch_of(&[hold("second", 2)])).await;
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
        assert_eq!(last_batch(&scene.person).await, scene.batches);
        scene.proxy.deliver();
        sleep(Duration::from_millis(300)).await;
        scene.assert_at(&[("first", 1)], 0).await;
    });
}

#[test]
fn i2_without_a_look_the_outcome_is_unknown_and_the_term_ends() {
    block_on(async {
        let mut scene = scene().await;
        scene.proxy.set_closed(true);
        scene.proxy.lose_replies();
        let outcome = scene.store.commit(scene.epoch, &batch_of(&[hold("second", 2)])).await;
        assert!(matches!(outcome, Err(StoreError::OutcomeUnknown(_))), "{outcome:?}");
        scene.proxy.set_closed(false);
        let ended = scene.store.commit(scene.epoch, &batch_of(&[])).await;
        assert_eq!(ended, Err(StoreError::Fenced(scene.epoch)));
        scene.epoch = scene.store.claim().await.unwrap();
        scene.assert_at(&[("first", 1), ("second", 2)], 1).await;
    });
}

/// A rival has taken over and written meanwhile: its batch number says nothing about ours.
#[test]
fn i2_after_a_takeover_in_doubt_the_outcome_is_unknown() {
    block_on(async {
        let mut scene = scene().await;
        let mut rival = open(&scene.server.url(&scene.schema)).await;
        sleep(LEASE).await;
        scene.proxy.hold_requests();
        let batch = batch_of(&[hold("second", 2)]);
        let (outcome, theirs) = tokio::join!(scene.store.commit(scene.epoch, &batch), async {
            let epoch = rival.claim().await.unwrap();
            rival.commit(epoch, &batch_of(&[hold("third", 3)])).await.unwrap();
            epoch
        });
        assert!(matches!(outcome, Err(StoreError::OutcomeUnknown(_))), "{outcome:?}");
        scene.proxy.deliver();
        sleep(Duration::from_millis(300)).await;
        let expected = by_key(&[hold("first", 1), hold("third", 3)]);
        assert_eq!(rows(&mut rival, theirs).await, expected);
    });
}

/// Firewalls and administrators end idle connections. That is no reason to fail a commit or a renewal.
#[test]
fn connections_that_ended_while_idle_are_replaced_unseen() {
    block_on(async {
        let mut scene = scene().await;
        scene.proxy.cut();
        scene.store.renew(scene.epoch).await.unwrap();
        scene.proxy.cut();
        scene.store.commit(scene.epoch, &batch_of(&[hold("second", 2)])).await.unwrap();
        scene.proxy.cut();
        scene.assert_at(&[("first", 1), ("second", 2)], 1).await;
        scene.proxy.cut();
        scene.store.resign(scene.epoch).await.unwrap();
        assert_eq!(scene.store.leader().await, Ok(None));
    });
}

#[test]
fn i2_a_server_that_crashes_and_starts_again_has_all_that_was_acknowledged() {
    block_on(async {
        let (server, schema) = (Server::own(), fresh_schema());
        let mut store = open(&server.url(&schema)).await;
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch_of(&[hold("first", 1)])).await.unwrap();
        server.crash();
        let refused = store.commit(epoch, &batch_of(&[hold("second", 2)])).await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_) | StoreError::OutcomeUnknown(_))),
            "{refused:?}"
        );
        let away = store.leader().await;
        assert!(matches!(away, Err(StoreError::Unavailable(_))), "{away:?}");
        server.start();
        let epoch = store.claim().await.unwrap();
        assert_eq!(rows(&mut store, epoch).await, by_key(&[hold("first", 1)]));
        store.commit(epoch, &batch_of(&[hold("third", 3)])).await.unwrap();
        let expected = by_key(&[hold("first", 1), hold("third", 3)]);
        assert_eq!(rows(&mut store, epoch).await, expected);
    });
}
