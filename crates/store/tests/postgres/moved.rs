//! An endpoint that moves from one server to another, as after a failover.

use leasehold_store::{Store, StoreError};

use crate::proxy::Proxy;
use crate::server::{Server, fresh_schema};
use crate::support::{batch_of, block_on, by_key, hold, open, person, rows};

/// The address of a database moved to another server, and the old one became read-only. The replica kept its
/// connection to the old one, got "cannot execute UPDATE in a read-only transaction" for every claim, and stayed
/// out until it was restarted.
#[test]
fn a_session_on_a_server_that_became_read_only_is_left() {
    block_on(async {
        let (old, new, schema) = (Server::own(), Server::own(), fresh_schema());
        let mut earlier = open(&old.url(&schema)).await;
        let epoch = earlier.claim().await.unwrap();
        earlier.resign(epoch).await.unwrap();
        let proxy = Proxy::to(old.port).await;
        let mut store = open(&Server::url_at(proxy.port, &schema)).await;
        assert_eq!(store.leader().await, Ok(None), "it is connected");
        let operator = person(&old, "public").await;
        operator
            .batch_execute("ALTER SYSTEM SET default_transaction_read_only = on")
            .await
            .unwrap();
        operator.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let sql = "SHOW default_transaction_read_only";
        while operator.query_one(sql, &[]).await.unwrap().get::<_, &str>(0) != "on" {}
        proxy.move_to(new.port);
        let refused = store.claim().await;
        let Err(StoreError::Unavailable(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains("25006"), "{why}");
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch_of(&[hold("first", 1)])).await.unwrap();
        assert_eq!(rows(&mut store, epoch).await, by_key(&[hold("first", 1)]));
        let there = person(&new, &schema).await;
        assert_eq!(
            there.query_one("SELECT epoch FROM meta", &[]).await.unwrap().get::<_, i64>(0),
            1
        );
    });
}
