//! Logins, TLS, and clusters of which a member is away.

use std::fs;
use std::path::Path;
use std::time::Duration;

use leasehold_store::{Store, StoreError};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use crate::gateway::must_post;
use crate::server::Etcd;
use crate::support::{batch, block_on, numbers, open_for_long, recovered, set};

/// A user who may read and write below `leasehold/`, and nothing else.
fn lock_up(port: u16) {
    for (path, body) in [
        ("/v3/auth/user/add", r#"{"name":"root","password":"root's"}"#),
        ("/v3/auth/user/grant", r#"{"user":"root","role":"root"}"#),
        ("/v3/auth/role/add", r#"{"name":"locks"}"#),
        (
            "/v3/auth/role/grant",
            r#"{"name":"locks","perm":{"permType":"READWRITE","key":"bGVhc2Vob2xkLw==","range_end":"bGVhc2Vob2xkMA=="}}"#,
        ),
        ("/v3/auth/user/add", r#"{"name":"lease@hold","password":"p:/ word"}"#),
        ("/v3/auth/user/grant", r#"{"user":"lease@hold","role":"locks"}"#),
        ("/v3/auth/enable", "{}"),
    ] {
        if body.contains(r#""root","role""#) {
            // Newer versions of etcd make this role themselves.
            crate::gateway::post(port, "/v3/auth/role/add", r#"{"name":"root"}"#);
        }
        must_post(port, path, body);
    }
}

/// Tokens of etcd end after a while, and are all gone when it starts again.
#[test]
fn a_user_logs_in_again_whenever_the_token_has_ended() {
    let mut etcd = Etcd::start_with("http", &["--auth-token-ttl=1"]);
    lock_up(etcd.client_port);
    let at = format!("127.0.0.1:{}/leasehold", etcd.client_port);
    block_on(async {
        let mut store = open_for_long(&format!("etcd://lease%40hold:p%3A%2F%20word@{at}"));
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([1])).await.unwrap();
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(store.commit(epoch, &batch([2])).await, Ok(()));
        etcd.kill();
        etcd.restart();
        assert_eq!(store.renew(epoch).await, Ok(()));
        assert_eq!(store.commit(epoch, &batch([3])).await, Ok(()));
        assert_eq!(numbers(&mut store, epoch).await, set(1..=3));
        store.resign(epoch).await.unwrap();
        let mut stranger = open_for_long(&format!("etcd://lease%40hold:secret@{at}"));
        let Err(StoreError::Unavailable(reason)) = stranger.claim().await else { panic!() };
        assert!(reason.contains("127.0.0.1") && reason.contains("password"), "{reason}");
        assert!(!reason.contains("secret"), "{reason}");
        let mut nobody = open_for_long(&format!("etcd://{at}"));
        assert!(matches!(nobody.claim().await, Err(StoreError::Unavailable(_))));
        assert_eq!(recovered(&mut store).await, set(1..=3));
    });
}

/// Writes `ca.pem`, and `{name}.pem` and `{name}.key` for a server and a client that it vouches for.
fn write_certificates(dir: &Path) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap();
    fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    for name in ["server", "client"] {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        fs::write(dir.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

#[test]
fn tls_checks_both_sides() {
    let dir = tempfile::tempdir().unwrap();
    write_certificates(dir.path());
    let file = |name: &str| dir.path().join(name).display().to_string();
    let etcd = Etcd::start_with(
        "https",
        &[
            &format!("--cert-file={}", file("server.pem")),
            &format!("--key-file={}", file("server.key")),
            &format!("--trusted-ca-file={}", file("ca.pem")),
            "--client-cert-auth",
        ],
    );
    let at = format!("etcds://127.0.0.1:{}/leasehold", etcd.client_port);
    let own = format!("cert={}&key={}", file("client.pem"), file("client.key"));
    block_on(async {
        let mut store = open_for_long(&format!("{at}?ca={}&{own}", file("ca.pem")));
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([1])).await.unwrap();
        assert_eq!(store.renew(epoch).await, Ok(()));
        assert_eq!(numbers(&mut store, epoch).await, set([1]));
        let mut nameless = open_for_long(&format!("{at}?ca={}", file("ca.pem")));
        assert!(matches!(nameless.leader().await, Err(StoreError::Unavailable(_))));
        let mut wary = open_for_long(&format!("{at}?ca={}&{own}", file("server.pem")));
        let Err(StoreError::Unavailable(reason)) = wary.leader().await else { panic!() };
        assert!(reason.contains("certificate"), "{reason}");
    });
}

#[test]
fn a_member_that_is_away_is_passed_over() {
    let etcd = Etcd::start();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    block_on(async {
        let url = format!("etcd://{gone},127.0.0.1:{}/leasehold", etcd.client_port);
        let mut store = open_for_long(&url);
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch([1])).await.unwrap();
        assert_eq!(recovered(&mut store).await, set([1]));
        let mut lost = open_for_long(&format!("etcd://{gone}/leasehold"));
        let Err(StoreError::Unavailable(reason)) = lost.claim().await else { panic!() };
        assert!(reason.contains(&gone.to_string()), "{reason}");
    });
}
