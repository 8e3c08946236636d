//! From the local store to each engine that replicas share and back, on the real programs.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::runtime::Runtime;

use super::{Desk, Place, acquire, ask, assert_refused, filled};
use crate::support::{Server, eventually};

#[path = "../../../store/src/datastore/tests/emulator.rs"]
mod emulator;
#[path = "../../../store/tests/etcd/server.rs"]
#[expect(dead_code, reason = "the tests of the store use more of it")]
pub(crate) mod etcd;
#[path = "../../../store/tests/postgres/server.rs"]
pub(crate) mod postgres;

/// What a client knows of the service, wherever its rows live.
#[derive(Default)]
struct Client {
    /// The highest token that it was given.
    highest: u64,
    /// Locks that it holds, and the tokens.
    held: Vec<(String, u64)>,
}

impl Client {
    /// Finds all that it holds, with the same tokens; then takes one more lock.
    #[track_caller]
    fn visit(&mut self, server: &Server, lock: &str) {
        for (lock, token) in &self.held {
            let found = ask(server, "GET", &format!("/v1/distributed_lock/{lock}"));
            assert_eq!(found["write_process_list"][0]["fencing_token"], *token, "{found}");
        }
        let token = acquire(server, lock, "client");
        assert!(token > self.highest, "I3: {token} after {}", self.highest);
        self.highest = token;
        self.held.push((lock.to_owned(), token));
        // A token that is used up leaves no hold behind.
        self.highest = acquire(server, "over", "client");
        ask(server, "DELETE", "/v1/distributed_lock/over/write-process/client");
    }
}

/// I3 and I2 across the whole way: local, etcd, PostgreSQL, both emulators of Datastore, local.
#[test]
fn i3_tokens_grow_and_holds_stay_from_store_to_store() {
    let desk = Desk::new();
    let etcd = etcd::Etcd::start();
    let server = postgres::Server::shared();
    let emulators = [emulator::DATASTORE, emulator::FIRESTORE];
    let emulators: Vec<_> = emulators.iter().filter_map(emulator::Emulator::start).collect();
    let mut places = vec![
        Place::local(&desk.path("first")),
        Place::shared(etcd.url()),
        Place::shared(server.url(&postgres::fresh_schema())),
    ];
    places.extend(emulators.iter().map(|emulator| {
        Place::shared("datastore://moving".to_owned())
            .with("DATASTORE_EMULATOR_HOST", emulator.host.clone())
    }));
    places.push(Place::local(&desk.path("last")));

    let mut client = Client::default();
    for (number, place) in places.iter().enumerate() {
        let file = |number: usize| desk.name(&format!("export-{number}"));
        if number > 0 {
            place.import(&file(number - 1));
        }
        let server = place.launch().start();
        client.visit(&server, &format!("lock-{number}"));
        assert_eq!(server.terminate().code, Some(0), "{place:?}");
        place.export(&file(number));
    }
    assert_eq!(client.held.len(), places.len());
}

/// A replica that leads goes on leading: nothing of it is fenced, and nothing is written.
#[test]
fn a_leader_is_never_fenced_by_an_export_or_an_import() {
    let desk = Desk::new();
    let etcd = etcd::Etcd::start();
    let place = Place::shared(etcd.url());
    let server = place.launch().start();
    acquire(&server, "a", "p");
    let before = ask(&server, "GET", "/v1/cluster");
    let named = server.address.to_string();
    let ended = place.run(&["export", "--output", &desk.name("file")]);
    assert_refused(&ended, &["leads (epoch", &named, "stop every replica"]);
    assert!(!desk.path("file").exists());
    filled(&desk.path("other"));
    Place::local(&desk.path("other")).export(&desk.name("other-file"));
    let ended = place.run(&["import", "--input", &desk.name("other-file")]);
    assert_refused(&ended, &["leads (epoch", &named, "stop every replica"]);
    assert_eq!(ask(&server, "GET", "/v1/cluster")["leader"], before["leader"]);
    acquire(&server, "b", "p");
}

/// A leader that crashed holds its lease for a while; an export waits for its end by itself.
#[test]
fn after_a_crash_an_export_waits_for_the_end_of_the_lease() {
    let desk = Desk::new();
    let server = postgres::Server::shared();
    let place = Place::shared(server.url(&postgres::fresh_schema()));
    let replica = place.launch().start();
    acquire(&replica, "a", "p");
    replica.kill9();
    let ended = place.export(&desk.name("file"));
    assert!(ended.stderr.contains("waiting up to 4 s"), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 lock, 1 hold"), "{}", ended.stderr);
    // The lead was given back: a replica leads at once, not after the lease of the export.
    let began = Instant::now();
    let replica = place.launch().start();
    ask(&replica, "GET", "/v1/distributed_lock/a");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// Somebody who keeps the table of holds to themselves, so that others stand still in the middle of
/// reading all rows.
struct Person {
    runtime: Runtime,
    client: tokio_postgres::Client,
}

impl Person {
    fn who_keeps_holds(server: &postgres::Server, schema: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let url = server.url(schema).replace(&format!("?schema={schema}"), "");
        let client = runtime.block_on(async {
            let connecting = tokio_postgres::connect(&url, tokio_postgres::NoTls);
            let (client, connection) = connecting.await.unwrap();
            tokio::spawn(connection);
            client
        });
        let person = Self { runtime, client };
        person.says(&format!("BEGIN; LOCK TABLE {schema}.holds"));
        person
    }

    fn says(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).unwrap();
    }

    fn lets_go(&self) {
        self.says("COMMIT");
    }
}

/// An export that stands still in the middle, because of that person.
struct HalfDone {
    desk: Desk,
    place: Place,
    person: Person,
    export: Server,
    /// It runs for as long as somebody has it.
    _server: postgres::Server,
    schema: String,
}

impl HalfDone {
    fn new() -> Self {
        let desk = Desk::new();
        let server = postgres::Server::shared();
        let schema = postgres::fresh_schema();
        let place = Place::shared(server.url(&schema));
        let replica = place.launch().start();
        acquire(&replica, "a", "p");
        assert_eq!(replica.terminate().code, Some(0));
        let person = Person::who_keeps_holds(&server, &schema);
        let export = place.spawn(&["export", "--output", &desk.name("file")]);
        let exists = || desk.path("file").exists().then_some(());
        eventually(Duration::from_secs(20), "the file", exists);
        Self { desk, place, person, export, _server: server, schema }
    }
}

/// Who led meanwhile may have granted what is not in the file: it must not pass for the whole.
#[test]
fn i3_an_export_that_lost_the_lead_is_none() {
    let scene = HalfDone::new();
    // As if its lease had run out and another replica had claimed.
    scene.person.says(&format!("UPDATE {}.meta SET epoch = epoch + 1", scene.schema));
    scene.person.lets_go();
    assert_refused(&scene.export.ended(), &["the lead was lost meanwhile"]);
    assert!(!scene.desk.path("file").exists());
}

/// A signal gives the lead back and leaves no file.
#[test]
fn an_export_that_is_interrupted_gives_the_lead_back() {
    let scene = HalfDone::new();
    scene.export.signal(Signal::INT);
    eventually(Duration::from_secs(20), "the end of the file", || {
        (!scene.desk.path("file").exists()).then_some(())
    });
    scene.person.lets_go();
    assert_refused(&scene.export.ended(), &["stopped by SIGINT"]);
    scene.place.export(&scene.desk.name("file"));
}
