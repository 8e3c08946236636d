//! What replicas say to each other, and what must never be seen of it.

use std::time::Duration;

use crate::support::{Launch, eventually};
use crate::transfer::engines::postgres::{Server, fresh_schema};

const KEY: &str = "the-operators-own-key-0123456789";

/// A follower logged the leader's link token at INFO, in the `Debug` of its state. The token lets its reader
/// forward requests and greet as a replica.
#[test]
fn link_tokens_stand_in_no_log_at_any_level() {
    let database = Server::shared();
    let schema = fresh_schema();
    let start = || {
        Launch::anywhere()
            .env("LEASEHOLD_STORE", &database.url(&schema))
            .env("LEASEHOLD_LEASE_SECONDS", "1")
            .env("LEASEHOLD_API_KEY", KEY)
            .env("LEASEHOLD_LOG_LEVEL", "trace")
            .start()
    };
    let first = start();
    let mut tokens = vec![link_token(&database, &schema)];
    let second = start();
    let members = |server: &crate::support::Server| {
        let head = format!("GET /v1/cluster HTTP/1.1\r\nhost: test\r\nx-api-key: {KEY}\r\n\r\n");
        let mut connection = server.connect();
        connection.send(&head).ok()?;
        let members = connection.receive().ok()?.json()["members"].as_array()?.len();
        (members == 1).then_some(())
    };
    // Asked through the follower, so that a call is forwarded.
    eventually(Duration::from_secs(10), "the follower is listed", || members(&second));
    let mut logs = first.terminate().stderr;
    eventually(Duration::from_secs(10), "the other replica leads", || {
        let token = link_token(&database, &schema);
        (!token.is_empty() && token != tokens[0]).then(|| tokens.push(token))
    });
    logs.push_str(&second.terminate().stderr);
    assert!(logs.contains("another replica leads"), "{logs}");
    assert!(logs.contains("TRACE"), "the levels below INFO are missing");
    for token in tokens {
        assert_eq!(token.len(), 32);
        let line = logs.lines().find(|line| line.contains(&token));
        assert_eq!(line, None);
    }
}

/// The token of the replica that leads, as the store has it; empty if no replica leads.
fn link_token(database: &Server, schema: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = database.url(schema);
        let url = url.split('?').next().unwrap();
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let query = format!("SELECT coalesce(leader_link_token, '') FROM {schema}.meta");
        client.query_one(&query, &[]).await.unwrap().get(0)
    })
}
