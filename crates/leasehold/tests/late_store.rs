//! An engine that is away, or does not let the service in, when the service starts.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::support::{Launch, eventually};
use crate::transfer::engines::postgres::{Server, fresh_schema};

const KEY: &str = "the-operators-own-key-0123456789";

fn free_address() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A service that started before its PostgreSQL ended with status 1, and systemd gave up after five tries.
#[test]
fn a_service_that_starts_before_its_database_waits_for_it_and_says_so() {
    let database = Server::shared();
    let door = free_address();
    let (service, schema) = (free_address(), fresh_schema());
    let mut server = Launch::anywhere()
        .env("LEASEHOLD_STORE", &Server::url_at(door.port(), &schema))
        .env("LEASEHOLD_LISTEN", &service.to_string())
        .env("LEASEHOLD_LEASE_SECONDS", "1")
        .env("LEASEHOLD_API_KEY", KEY)
        .start_unready(service);
    let ready = eventually(Duration::from_secs(10), "a word of the probe", || {
        let reply = server.try_ask("GET", "/readyz")?;
        reply.text.contains("PostgreSQL at").then_some(reply)
    });
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.text.contains(&door.to_string()), "{ready:?}");
    assert!(server.is_running(), "{}", server.stderr());
    // The database comes: what connects to the door is led there.
    let listener = TcpListener::bind(door).unwrap();
    let port = database.port;
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let engine = TcpStream::connect(("127.0.0.1", port)).unwrap();
            for (mut from, mut to) in
                [(client.try_clone().unwrap(), engine.try_clone().unwrap()), (engine, client)]
            {
                thread::spawn(move || std::io::copy(&mut from, &mut to).ok());
            }
        }
    });
    eventually(Duration::from_secs(20), "readiness", || {
        (server.try_ask("GET", "/readyz")?.status == 200).then_some(())
    });
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("the store cannot be used yet"), "{ended:?}");
}

/// A wrong password is told where an operator looks, and needs no restart once the database takes it.
#[test]
fn a_wrong_password_is_told_in_the_log_and_by_the_probe() {
    let database = Server::shared();
    let service = free_address();
    let url = database.url(&fresh_schema()).replace("open-sesame", "close-sesame");
    let server = Launch::anywhere()
        .env("LEASEHOLD_STORE", &url)
        .env("LEASEHOLD_LISTEN", &service.to_string())
        .env("LEASEHOLD_API_KEY", KEY)
        .start_unready(service);
    let ready = eventually(Duration::from_secs(10), "a word of the probe", || {
        let reply = server.try_ask("GET", "/readyz")?;
        reply.text.contains("password authentication failed").then_some(reply)
    });
    assert_eq!(ready.status, 503, "{ready:?}");
    let ended = server.terminate();
    assert!(ended.stderr.contains("password authentication failed"), "{ended:?}");
    assert!(!ended.stderr.contains("close-sesame"), "{ended:?}");
}
