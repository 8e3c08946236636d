//! Signing in, against a double of Google's token server: the real one cannot be asked from a test.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::super::DatastoreEnvironment;
use super::super::http::Http;
use super::super::service::{Service, Trouble};
use super::super::sign_in::{SignIn, Source};
use super::super::wire::PartitionId;
use super::proxy::read_message;

/// Made for this test and used nowhere else.
const KEY: &str = include_str!("service_account_key.pem");

/// Answers each request with the next answer, and keeps the requests.
struct TokenServer {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TokenServer {
    async fn start(answers: Vec<(u16, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let keep = Arc::clone(&asked);
        tokio::spawn(async move {
            for (status, answer) in answers {
                let (mut client, _) = listener.accept().await.unwrap();
                let request = read_message(&mut client).await.unwrap();
                keep.lock().unwrap().push(String::from_utf8(request).unwrap());
                let (body, head) = (answer.to_string(), "content-type: application/json");
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} X\r\n{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                client.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { host, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn token(name: &str, expires_in: u64) -> (u16, Value) {
    (200, json!({ "access_token": name, "expires_in": expires_in, "token_type": "Bearer" }))
}

fn sign_in(environment: &DatastoreEnvironment) -> SignIn {
    SignIn::new(Source::find(environment).unwrap(), Http::new(false).unwrap())
}

fn on_google(host: &str) -> DatastoreEnvironment {
    DatastoreEnvironment { metadata_host: Some(host.to_owned()), ..DatastoreEnvironment::default() }
}

fn with_file(content: &Value) -> (tempfile::TempDir, DatastoreEnvironment) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("application_default_credentials.json");
    fs::write(&file, content.to_string()).unwrap();
    let credentials_file = Some(file);
    (dir, DatastoreEnvironment { credentials_file, ..DatastoreEnvironment::default() })
}

/// The fields of a form that was posted.
fn form(request: &str) -> Vec<(String, String)> {
    let body = request.split("\r\n\r\n").nth(1).unwrap();
    form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn the_metadata_server_is_asked_once_for_as_long_as_its_token_lasts() {
    let server = TokenServer::start(vec![token("one", 3_600)]).await;
    let mut sign_in = sign_in(&on_google(&server.host));
    for _ in 0..3 {
        assert_eq!(sign_in.authorization().await.unwrap(), "Bearer one");
    }
    let [asked] = &server.asked()[..] else { panic!("asked more than once") };
    let path = "GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1";
    assert!(asked.starts_with(path), "{asked}");
    assert!(asked.to_ascii_lowercase().contains("metadata-flavor: google"), "{asked}");
}

/// `expires_in: 0` is a token whose end has come.
#[tokio::test]
async fn a_token_is_renewed_at_its_end_and_after_a_refusal() {
    let server =
        TokenServer::start(vec![token("one", 0), token("two", 3_600), token("three", 60)]).await;
    let mut sign_in = sign_in(&on_google(&server.host));
    assert_eq!(sign_in.authorization().await.unwrap(), "Bearer one");
    assert_eq!(sign_in.authorization().await.unwrap(), "Bearer two");
    assert_eq!(sign_in.authorization().await.unwrap(), "Bearer two");
    sign_in.forget();
    assert_eq!(sign_in.authorization().await.unwrap(), "Bearer three");
}

/// The service says so when a token was taken back before its end.
#[tokio::test]
async fn a_call_with_a_token_that_is_not_taken_is_made_again_with_another() {
    let metadata = TokenServer::start(vec![token("one", 3_600), token("two", 3_600)]).await;
    let refusal = json!({ "error": { "code": 401, "status": "UNAUTHENTICATED", "message": "" } });
    let nothing =
        json!({ "missing": [{ "entity": { "key": { "partitionId": {}, "path": [] } } }] });
    let google =
        TokenServer::start(vec![(401, refusal.clone()), (200, nothing), (401, refusal)]).await;
    let partition = PartitionId {
        project_id: "p".to_owned(),
        database_id: "d".to_owned(),
        ..PartitionId::default()
    };
    let sign_in = Some(sign_in(&on_google(&metadata.host)));
    let http = Http::new(false).unwrap();
    let service = Service::at(format!("http://{}", google.host), http, sign_in, partition);
    let key = service.key("Kind", "name".to_owned());
    assert!(service.lookup(key.clone()).await.unwrap().is_none());
    let asked = google.asked();
    assert!(asked[0].starts_with("POST /v1/projects/p:lookup HTTP/1.1"), "{}", asked[0]);
    assert!(asked[0].contains("x-goog-request-params: project_id=p&database_id=d"), "{}", asked[0]);
    assert!(asked[0].contains("authorization: Bearer one"), "{}", asked[0]);
    assert!(asked[1].contains("authorization: Bearer two"), "{}", asked[1]);
    let refused = service.lookup(key).await.map(|_| ());
    assert!(matches!(refused, Err(Trouble::Refused(_))), "nobody gives a third token: {refused:?}");
}

#[tokio::test]
async fn without_a_token_the_reason_is_told() {
    let refusal = (403, json!({ "error": "no service account here" }));
    let server = TokenServer::start(vec![refusal]).await;
    let mut sign_in = sign_in(&on_google(&server.host));
    let why = sign_in.authorization().await.unwrap_err();
    assert!(why.contains("403") && why.contains("no service account here"), "{why}");
}

#[tokio::test]
async fn a_service_account_signs_a_statement_about_itself() {
    let server = TokenServer::start(vec![token("one", 3_600)]).await;
    let token_uri = format!("http://{}/token", server.host);
    let (_dir, environment) = with_file(&json!({
        "type": "service_account", "project_id": "p", "client_email": "robot@p.example",
        "private_key_id": "7", "private_key": KEY, "token_uri": token_uri,
    }));
    assert_eq!(sign_in(&environment).authorization().await.unwrap(), "Bearer one");
    let fields = form(&server.asked()[0]);
    assert_eq!(fields[0].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let (signed, signature) = fields[1].1.rsplit_once('.').unwrap();
    let der = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
    let part = |text: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    };
    let (header, claims) = signed.split_once('.').unwrap();
    assert_eq!(part(header), json!({ "alg": "RS256", "typ": "JWT", "kid": "7" }));
    let claims = part(claims);
    assert_eq!(claims["iss"], "robot@p.example");
    assert_eq!(claims["aud"], token_uri);
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/datastore");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3_600);
}

#[tokio::test]
async fn a_user_shows_the_refresh_token() {
    let server = TokenServer::start(vec![token("one", 3_600)]).await;
    let (dir, _) = with_file(&json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
        "token_uri": format!("http://{}/token", server.host),
    }));
    let gcloud_folder = Some(dir.path().to_owned());
    let environment = DatastoreEnvironment { gcloud_folder, ..DatastoreEnvironment::default() };
    assert_eq!(sign_in(&environment).authorization().await.unwrap(), "Bearer one");
    let fields = form(&server.asked()[0]);
    let expected = [
        ("grant_type", "refresh_token"),
        ("client_id", "c"),
        ("client_secret", "s"),
        ("refresh_token", "r"),
    ];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn a_credentials_file_that_is_of_no_use_is_named_and_not_shown() {
    let nowhere = DatastoreEnvironment {
        credentials_file: Some(PathBuf::from("/nowhere/key.json")),
        ..DatastoreEnvironment::default()
    };
    let refusal = |environment: &DatastoreEnvironment| match Source::find(environment) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    };
    assert!(refusal(&nowhere).contains("/nowhere/key.json"));
    for content in [
        json!({ "type": "external_account", "secret": "s3cret" }),
        json!({ "type": "service_account", "client_email": "e", "private_key": "s3cret" }),
    ] {
        let (_dir, environment) = with_file(&content);
        let text = refusal(&environment);
        assert!(text.contains("application_default_credentials.json"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}
