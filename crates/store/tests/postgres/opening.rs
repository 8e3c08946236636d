//! Opening: servers that are away, that do not suit, or that are not who they say.

use leasehold_store::{PostgresOpenError, PostgresStore, Store};

use crate::server::{Server, fresh_schema};
use crate::support::{batch_of, block_on, candidate, hold, open, person};

async fn refusal(url: &str) -> PostgresOpenError {
    match PostgresStore::open(url, candidate()).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => error,
    }
}

#[test]
fn a_server_that_is_away_or_refuses_is_named_without_the_password() {
    block_on(async {
        let server = Server::shared();
        let url = server.url("unused");
        let wrong = url.replace("open-sesame", "wrong-secret");
        let error = refusal(&wrong).await;
        assert!(matches!(error, PostgresOpenError::Unreachable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!("127.0.0.1:{}", server.port)), "{text}");
        assert!(text.contains("password authentication failed"), "{text}");
        assert!(!format!("{text}{error:?}").contains("wrong-secret"), "{text}");
        let away = refusal(&url.replace(&server.port.to_string(), "1")).await.to_string();
        assert!(away.contains("127.0.0.1:1") && away.contains("refused"), "{away}");
    });
}

/// Names are Unicode. A database in another encoding would refuse some of them, much later.
#[test]
fn a_database_in_another_encoding_does_not_suit() {
    block_on(async {
        let server = Server::shared();
        let name = fresh_schema();
        let person = person(&server, "public").await;
        let sql = format!("CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0");
        person.batch_execute(&sql).await.unwrap();
        let error = refusal(&server.url("x").replace("/postgres?", &format!("/{name}?"))).await;
        assert!(matches!(error, PostgresOpenError::Unfit { .. }), "{error:?}");
        assert!(error.to_string().contains("UTF8"), "{error}");
    });
}

#[test]
fn tls_is_as_the_url_says() {
    block_on(async {
        let (server, schema) = (Server::shared(), fresh_schema());
        let person = person(&server, "public").await;
        let root = server.certificate().to_str().unwrap().replace('/', "%2F");
        let url = server.url(&schema);
        let by_name = url.replace("127.0.0.1", "localhost");
        for (url, is_encrypted) in [
            (format!("{url}&sslmode=disable"), false),
            (url.clone(), true),
            (format!("{url}&sslmode=require"), true),
            (format!("{by_name}&sslmode=verify-full&sslrootcert={root}"), true),
        ] {
            let url = format!("{url}&application_name={schema}");
            let mut store = open(&url).await;
            let epoch = store.claim().await.unwrap();
            let sql = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                       WHERE application_name = $1 AND state = 'idle' ORDER BY backend_start DESC LIMIT 1";
            let row = person.query_one(sql, &[&schema]).await.unwrap();
            assert_eq!(row.get::<_, bool>(0), is_encrypted, "{url}");
            store.resign(epoch).await.unwrap();
        }
        // The certificate is for `localhost`, and no authority of this system has signed it.
        for url in [
            format!("{url}&sslmode=verify-full&sslrootcert={root}"),
            format!("{by_name}&sslmode=verify-full"),
        ] {
            let error = refusal(&url).await.to_string();
            assert!(error.contains("certificate"), "{error}");
        }
    });
}

/// With synchronous_commit off, PostgreSQL acknowledges what a power cut takes away.
#[test]
fn i2_commits_are_synchronous_whatever_the_database_says() {
    block_on(async {
        let (server, schema) = (Server::shared(), fresh_schema());
        let person = person(&server, "public").await;
        let database = fresh_schema();
        person
            .batch_execute(&format!(
                "CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0"
            ))
            .await
            .unwrap();
        let set = format!("ALTER DATABASE {database} SET synchronous_commit = off");
        person.batch_execute(&set).await.unwrap();
        let url = server.url(&schema).replace("/postgres?", &format!("/{database}?"));
        let mut store = open(&url).await;
        let epoch = store.claim().await.unwrap();
        let (client, connection) =
            tokio_postgres::connect(url.split_once('?').unwrap().0, tokio_postgres::NoTls)
                .await
                .unwrap();
        tokio::spawn(connection);
        let note = format!(
            "CREATE TABLE {schema}.seen (setting text); \
             CREATE FUNCTION {schema}.note() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN INSERT INTO {schema}.seen VALUES (current_setting('synchronous_commit')); \
             RETURN NULL; END$$; \
             CREATE TRIGGER note AFTER UPDATE ON {schema}.meta EXECUTE FUNCTION {schema}.note()"
        );
        client.batch_execute(&note).await.unwrap();
        store.commit(epoch, &batch_of(&[hold("first", 1)])).await.unwrap();
        let seen =
            client.query_one(&format!("SELECT setting FROM {schema}.seen"), &[]).await.unwrap();
        assert_eq!(seen.get::<_, &str>(0), "on");
        let own = client.query_one("SHOW synchronous_commit", &[]).await.unwrap();
        assert_eq!(own.get::<_, &str>(0), "off", "the test would see nothing");
    });
}
