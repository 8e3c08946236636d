//! TLS from outside: what is refused at start, who is let in, renewals without a restart, and replicas.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Connection, Ended, Launch, Server, assert_refused, eventually, run};
use crate::transfer::engines::etcd::Etcd;
use certificates::{Ca, Pair};

#[path = "../../server/tests/http/support/certificates.rs"]
mod certificates;

const KEY: &str = "the-operators-own-key-0123456789";
const PATIENCE: Duration = Duration::from_secs(20);

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A server with this pair.
fn launch(dir: &TempDir, pair: &Pair) -> Launch {
    with_pair(Launch::new(&dir.path().join("data")), pair)
}

fn with_pair(launch: Launch, pair: &Pair) -> Launch {
    launch
        .env("LEASEHOLD_API_KEY", KEY)
        .env("LEASEHOLD_TLS_CERT", text(&pair.certificate))
        .env("LEASEHOLD_TLS_KEY", text(&pair.key))
}

/// `leasehold key list` at this address, believing this CA, with more flags.
fn list(server: &Server, ca: &Path, flags: &[&str]) -> Ended {
    let url = format!("https://{}", server.address);
    let flags = [&["key", "list", "--server", &url, "--ca", text(ca)], flags].concat();
    run(&flags, &[("LEASEHOLD_API_KEY", KEY)])
}

#[test]
fn half_of_tls_and_files_that_cannot_be_used_are_refused_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let (good, other) = (ca.issue("good"), ca.issue("other"));
    let expired = ca.issue_until("expired", 2021);
    let (certificate, key) = (text(&good.certificate), text(&good.key));
    let data = dir.path().join("data");
    for (flags, words) in [
        (
            &["--tls-cert", certificate][..],
            &["`tls-cert` (flag --tls-cert)", "Give --tls-key FILE"][..],
        ),
        (&["--tls-key", key], &["`tls-key` (flag --tls-key)", "Give --tls-cert FILE"]),
        (&["--tls-ca", certificate], &["`tls-ca`", "not on", "--tls-cert FILE"]),
        (&["--tls-client-ca", certificate], &["`tls-client-ca`", "not on", "--tls-cert FILE"]),
        (&["--tls-cert", "/nowhere", "--tls-key", key], &["cannot read /nowhere: No such file"]),
        (
            &["--tls-cert", certificate, "--tls-key", text(&other.key)],
            &[text(&other.key), certificate, "is not that of the first certificate"],
        ),
        (
            &["--tls-cert", text(&expired.certificate), "--tls-key", text(&expired.key)],
            &[text(&expired.certificate), "expired at 2021-01-01T00:00:00Z: renew it"],
        ),
    ] {
        let ended = run(
            &[&["serve", "--data-dir", text(&data), "--listen", "127.0.0.1:0"], flags].concat(),
            &[],
        );
        assert_refused(&ended, words);
        assert!(!data.exists(), "it is refused before anything is opened");
    }
}

#[test]
fn a_client_believes_only_the_ca_that_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, other) = (Ca::new(dir.path(), "ca"), Ca::new(dir.path(), "other"));
    let server = launch(&dir, &ca.issue("server")).start();
    let shown = server.stdout();
    assert!(shown.contains(&format!(" on https://{} (docs: https://", server.address)), "{shown}");
    let listed = list(&server, &ca.certificate, &[]);
    assert_eq!((listed.code, listed.stdout.starts_with("KEY ID")), (Some(0), true), "{listed:?}");
    let words = ["is not believed", "UnknownIssuer", "--ca FILE"];
    assert_refused(&list(&server, &other.certificate, &[]), &words);
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("TLS has a certificate expires_at=2100-01-01"), "{ended:?}");
}

#[test]
fn clients_show_a_certificate_where_it_is_asked_for_and_probes_stay_plain() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let probes = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = launch(&dir, &ca.issue("server"))
        .env("LEASEHOLD_TLS_CLIENT_CA", text(&ca.certificate))
        .env("LEASEHOLD_PROBES_LISTEN", &probes.to_string())
        .start();
    let friend = ca.issue("friend");
    let (certificate, key) = (text(&friend.certificate), text(&friend.key));
    let listed = list(&server, &ca.certificate, &["--cert", certificate, "--cert-key", key]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert_refused(&list(&server, &ca.certificate, &[]), &["cannot reach https://"]);
    let half = list(&server, &ca.certificate, &["--cert", certificate]);
    assert_refused(&half, &["--cert FILE and --cert-key FILE"]);
    let metrics = plain(probes, "/metrics");
    let expires = "leasehold_tls_certificate_expires_seconds 4102444800";
    assert!(metrics.lines().any(|line| line == expires), "{metrics}");
}

fn plain(address: SocketAddr, path: &str) -> String {
    let reply = Connection::open(address).unwrap().ask("GET", path).unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.text
}

#[test]
fn a_renewal_is_picked_up_on_sighup_and_a_broken_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, next) = (Ca::new(dir.path(), "ca"), Ca::new(dir.path(), "next"));
    let pair = ca.issue("server");
    let mut server = launch(&dir, &pair).start();
    fs::write(&pair.certificate, "half of a cert").unwrap();
    server.signal(Signal::HUP);
    eventually(PATIENCE, "the complaint", || {
        let complaint = "TLS goes on with the certificate that it has";
        server.stderr().contains(complaint).then_some(())
    });
    assert!(server.stderr().contains("is no PEM file with certificates"), "{}", server.stderr());
    assert_eq!(list(&server, &ca.certificate, &[]).code, Some(0));
    next.issue("server");
    server.signal(Signal::HUP);
    eventually(PATIENCE, "the renewed certificate", || {
        (list(&server, &next.certificate, &[]).code == Some(0)).then_some(())
    });
    assert_refused(&list(&server, &ca.certificate, &[]), &["is not believed"]);
    assert!(server.is_running());
}

/// As certbot and Kubernetes renew: nobody tells the process.
#[test]
fn a_renewal_is_picked_up_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, next) = (Ca::new(dir.path(), "ca"), Ca::new(dir.path(), "next"));
    let server = launch(&dir, &ca.issue("server")).start();
    next.issue("server");
    eventually(PATIENCE, "the renewed certificate", || {
        (list(&server, &next.certificate, &[]).code == Some(0)).then_some(())
    });
}

#[test]
fn replicas_with_tls_hand_requests_on() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let pair = ca.issue("server");
    let etcd = Etcd::start();
    let replica = || {
        with_pair(Launch::anywhere(), &pair)
            .env("LEASEHOLD_STORE", &etcd.url())
            .env("LEASEHOLD_TLS_CA", text(&ca.certificate))
            .env("LEASEHOLD_TLS_CLIENT_CA", text(&ca.certificate))
            .start()
    };
    let (leader, follower) = (replica(), replica());
    let (certificate, key) = (text(&pair.certificate), text(&pair.key));
    let call = |server: &Server, arguments: &[&str]| {
        let url = format!("https://{}", server.address);
        let tls = ["--ca", text(&ca.certificate), "--cert", certificate, "--cert-key", key];
        let flags = [&["key"], arguments, &["--server", &url], &tls].concat();
        run(&flags, &[("LEASEHOLD_API_KEY", KEY)])
    };
    let label = "through the follower";
    let made = call(&follower, &["create", "--role", "read", "--label", label]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(call(&leader, &["list"]).stdout.contains(label));
    // The next one leads once it is called on, over TLS as well: long before a lease has run out.
    assert_eq!(leader.terminate().code, Some(0));
    eventually(Duration::from_secs(4), "the next leader", || {
        call(&follower, &["list"]).stdout.contains(label).then_some(())
    });
}

/// The key was read in silence, whoever else on the machine could read it.
#[test]
fn a_tls_key_that_everybody_can_read_is_warned_about() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::new(dir.path(), "ca");
    let pair = ca.issue("localhost");
    for (mode, is_warned) in [(0o644, true), (0o640, false)] {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&pair.key, permissions).unwrap();
        let stderr = launch(&dir, &pair).start().terminate().stderr;
        assert_eq!(stderr.contains("can read the TLS key"), is_warned, "{mode:o}: {stderr}");
    }
}
