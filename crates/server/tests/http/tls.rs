//! TLS: who is believed and who is let in, both versions of HTTP, slow clients, renewed certificates, and
//! replicas that hand requests on to each other.

use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use leasehold_server::tls::{self, Tls, TlsError, TlsFiles, Trust};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::certificates::{Ca, Pair};
use crate::support::http2::Http2;
use crate::support::service::{ADMIN_KEY, Replica};
use crate::support::store::{Mood, MoodyStore};
use crate::support::{Service, Setup, client};

const LOCK: &str = "/v1/distributed_lock/report";
const PATIENCE: Duration = Duration::from_secs(10);

fn files(pair: &Pair) -> TlsFiles {
    let Pair { certificate, key } = pair.clone();
    TlsFiles { certificate, key, client_ca: None, link: None }
}

/// A setup with TLS by these files, and what renews it.
fn with_tls(files: &TlsFiles) -> (Setup, watch::Sender<Tls>) {
    let (renew, tls) = watch::channel(files.load().unwrap());
    let mut setup = Setup::with_keys();
    setup.listen.tls = Some(tls);
    (setup, renew)
}

/// Who believes the certificates of a CA, and shows a certificate if it has one.
fn believer(ca: &Path, shown: Option<&Pair>, protocols: &[&str]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(tls::certificates(ca).unwrap());
    let builder = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shown {
        Some(pair) => {
            let key = PrivateKeyDer::from_pem_file(&pair.key).unwrap();
            let chain = tls::certificates(&pair.certificate).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

async fn shake_hands(
    address: SocketAddr,
    connector: &TlsConnector,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    timeout(PATIENCE, connector.connect(name, stream)).await.unwrap()
}

/// One request over HTTP/1.1 with the operator's key; `None` if the connection breaks.
async fn ask(
    address: SocketAddr,
    connector: &TlsConnector,
    method: &str,
    target: &str,
) -> Option<(StatusCode, Value)> {
    let stream = shake_hands(address, connector).await.ok()?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "test")
        .header("x-api-key", ADMIN_KEY)
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = requests.send_request(request).await.ok()?;
    let status = response.status();
    let body = response.into_body().collect().await.ok()?.to_bytes();
    Some((status, serde_json::from_slice(&body).unwrap()))
}

#[test]
fn both_versions_of_http_are_agreed_on_and_keys_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let (setup, _renew) = with_tls(&files(&ca.issue("server")));
    let service = setup.start().ready();
    let address = service.address;
    service.runtime.block_on(async {
        for (offered, agreed) in
            [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)]
        {
            let connector = believer(&ca.certificate, None, offered);
            let stream = shake_hands(address, &connector).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes));
            if agreed == Some("h2") {
                let client = Http2::on(stream, format!("https://{address}")).await;
                let (status, problem) = client.ask("GET", LOCK).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{problem}");
            } else {
                let answer = ask(address, &connector, "GET", LOCK).await.unwrap();
                assert_eq!(answer.0, StatusCode::NOT_FOUND);
            }
        }
    });
}

#[test]
fn a_stranger_is_not_believed_and_plain_http_is_not_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, other) = (Ca::new(dir.path(), "ca"), Ca::new(dir.path(), "other"));
    let (setup, _renew) = with_tls(&files(&ca.issue("server")));
    let service = setup.start().ready();
    service.runtime.block_on(async {
        let connector = believer(&other.certificate, None, &[]);
        let error = shake_hands(service.address, &connector).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    });
    let mut stream = client::connect(service.address);
    std::io::Write::write_all(&mut stream, client::head("GET", LOCK, &[], 0).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[test]
fn where_clients_need_a_certificate_none_and_a_strangers_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, clients) = (Ca::new(dir.path(), "ca"), Ca::new(dir.path(), "clients"));
    let files =
        TlsFiles { client_ca: Some(clients.certificate.clone()), ..files(&ca.issue("server")) };
    let (setup, _renew) = with_tls(&files);
    let service = setup.start().ready();
    let (friend, stranger) = (clients.issue("friend"), ca.issue("stranger"));
    service.runtime.block_on(async {
        let with = async |shown| {
            let connector = believer(&ca.certificate, shown, &[]);
            ask(service.address, &connector, "GET", LOCK).await.map(|answer| answer.0)
        };
        assert_eq!(with(Some(&friend)).await, Some(StatusCode::NOT_FOUND));
        assert_eq!(with(None).await, None);
        assert_eq!(with(Some(&stranger)).await, None);
    });
}

/// Connections in the middle of a handshake count as connections, are cut off, and hold nobody up.
#[test]
fn i7_a_slow_handshake_blocks_nobody_and_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let (mut setup, _renew) = with_tls(&files(&ca.issue("server")));
    setup.listen.handshake_timeout = Duration::from_secs(1);
    setup.listen.max_connections = 3;
    let service = setup.start().ready();
    let connector = believer(&ca.certificate, None, &[]);
    let ask_once = || {
        let asked = Instant::now();
        let answer =
            service.runtime.block_on(ask(service.address, &connector, "GET", "/v1/healthcheck"));
        assert_eq!(answer.unwrap().0, StatusCode::OK);
        asked.elapsed()
    };
    let began = Instant::now();
    let mut slow = client::connect(service.address);
    let _slow_too = client::connect(service.address);
    assert!(ask_once() < Duration::from_millis(500));
    let _slow_as_well = client::connect(service.address);
    std::thread::sleep(Duration::from_millis(100));
    assert!(ask_once() > Duration::from_millis(300), "all connections were taken");
    client::wait_for_end(&mut slow);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let metrics = service.runtime.block_on(async {
        let stream = shake_hands(service.address, &connector).await.unwrap();
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::builder().uri("/metrics").header("host", "test");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let response = requests.send_request(request).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec())
            .unwrap()
    });
    let failed = metrics.lines().find(|l| l.starts_with("leasehold_tls_failed_handshakes_total "));
    assert!(failed.is_some_and(|line| !line.ends_with(" 0")), "{failed:?}");
}

#[test]
fn a_stop_does_not_wait_for_handshakes() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let (setup, _renew) = with_tls(&files(&ca.issue("server")));
    let service = setup.start().ready();
    let _slow = client::connect(service.address);
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    service.stop.send(()).unwrap();
    service.runtime.block_on(service.serving).unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_renewed_certificate_is_shown_to_new_connections_and_a_broken_one_to_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, next_ca) = (Ca::new(dir.path(), "ca"), Ca::new(dir.path(), "next"));
    let pair = ca.issue("server");
    let files = files(&pair);
    let (setup, renew) = with_tls(&files);
    let service = setup.start().ready();
    let is_believed_by = |ca: &Ca| {
        let connector = believer(&ca.certificate, None, &[]);
        service.runtime.block_on(shake_hands(service.address, &connector)).is_ok()
    };
    let current = || renew.borrow().clone();
    assert!(is_believed_by(&ca) && !is_believed_by(&next_ca));
    assert!(files.load_if_changed(&current()).unwrap().is_none(), "nothing has changed");

    // Half of a renewal: the certificate is there, its key is not.
    let old_key = fs::read(&pair.key).unwrap();
    next_ca.issue("server");
    let new_key = fs::read(&pair.key).unwrap();
    fs::write(&pair.key, old_key).unwrap();
    let half = files.load_if_changed(&current());
    assert!(matches!(half, Err(TlsError::Mismatch { .. })), "{half:?}");
    assert!(is_believed_by(&ca));

    fs::write(&pair.key, new_key).unwrap();
    let renewed = files.load_if_changed(&current()).unwrap().unwrap();
    assert_eq!(renewed.expires_at().to_string(), "2100-01-01T00:00:00Z");
    renew.send_replace(renewed);
    assert!(is_believed_by(&next_ca) && !is_believed_by(&ca));
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let (good, other) = (ca.issue("good"), ca.issue("other"));
    let expired = ca.issue_until("expired", 2021);
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (nonsense, large) = (write("nonsense", "no PEM"), write("large", &"x".repeat(5 << 20)));
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let encrypted = write("encrypted", encrypted);
    let (missing, base) = (dir.path().join("missing"), files(&good));
    for (files, named, words) in [
        (TlsFiles { certificate: missing.clone(), ..base.clone() }, "missing", "No such file"),
        (TlsFiles { key: missing, ..base.clone() }, "missing", "No such file"),
        (TlsFiles { certificate: nonsense.clone(), ..base.clone() }, "nonsense", "certificates"),
        (TlsFiles { certificate: large, ..base.clone() }, "large", "bytes"),
        (TlsFiles { key: nonsense.clone(), ..base.clone() }, "nonsense", "private key"),
        (TlsFiles { key: encrypted, ..base.clone() }, "encrypted", "not encrypted"),
        (TlsFiles { key: other.key, ..base.clone() }, "other.key", "is not that of"),
        (files(&expired), "expired.pem", "expired at 2021-01-01T00:00:00Z"),
        (
            TlsFiles { client_ca: Some(nonsense.clone()), ..base.clone() },
            "nonsense",
            "certificates",
        ),
        (TlsFiles { link: Some(Trust::File(nonsense)), ..base }, "nonsense", "certificates"),
    ] {
        let error = files.load().unwrap_err().to_string();
        assert!(error.contains(named) && error.contains(words), "{error}");
    }
}

/// A replica on this store with TLS by these files.
fn replica(store: &MoodyStore, files: &TlsFiles, token: &str) -> (Service, watch::Sender<Tls>) {
    let (setup, renew) = with_tls(files);
    let replica = Some(Replica { token: token.to_owned() });
    (Setup { store: store.clone(), replica, ..setup }.start(), renew)
}

#[test]
fn replicas_hand_requests_on_over_tls_and_believe_only_their_ca() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, other) = (Ca::new(dir.path(), "ca"), Ca::new(dir.path(), "other"));
    let files = TlsFiles {
        client_ca: Some(ca.certificate.clone()),
        link: Some(Trust::File(ca.certificate.clone())),
        ..files(&ca.issue("server"))
    };
    let store = MoodyStore::new(Mood::Works);
    let (leader, _renew) = replica(&store, &files, "leader");
    let leader = leader.ready();
    let (follower, renew) = replica(&store, &files, "follower");
    let follower = follower.following();
    let friend = ca.issue("friend");
    let connector = believer(&ca.certificate, Some(&friend), &[]);
    let through_follower = |method: &str, target: &str| {
        let answer = ask(follower.address, &connector, method, target);
        follower.runtime.block_on(answer).unwrap()
    };
    assert_eq!(through_follower("POST", LOCK).0, StatusCode::CREATED);
    let (status, cluster) = through_follower("GET", "/v1/cluster");
    assert_eq!(status, StatusCode::OK);
    assert_eq!(cluster["leader"]["address"], leader.address.to_string());

    // With HTTP/2 in front, as well.
    let (status, lock) = follower.runtime.block_on(async {
        let connector = believer(&ca.certificate, Some(&friend), &["h2"]);
        let stream = shake_hands(follower.address, &connector).await.unwrap();
        let origin = format!("https://{}", follower.address);
        Http2::on(stream, origin)
            .await
            .ask("GET", &format!("{LOCK}?key={ADMIN_KEY_IN_QUERY}"))
            .await
    });
    assert_eq!((status, &lock["lock_id"]), (StatusCode::OK, &"report".into()));

    // One that believes another CA does not reach the leader, nor send it what it was asked.
    let doubtful = TlsFiles { link: Some(Trust::File(other.certificate)), ..files };
    renew.send_replace(doubtful.load().unwrap());
    let (doubter, _renew) = replica(&store, &doubtful, "doubter");
    let doubter = doubter.following();
    let answer = ask(doubter.address, &connector, "GET", LOCK);
    let (status, problem) = doubter.runtime.block_on(answer).unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((&problem["code"], &problem["outcome"]), (&"not_ready".into(), &"none".into()));
}

/// [`ADMIN_KEY`] as a query has it.
const ADMIN_KEY_IN_QUERY: &str = "the%20operator's%20key";
