//! Signing in: an access token from Google, kept and renewed before it ends.
//!
//! Where it comes from is found as Google's own libraries find it ("application-default credentials"):
//! a file that the user names, else the one that `gcloud auth application-default login` made, else
//! the metadata server that Google's platforms have.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::CONTENT_TYPE;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;

use super::address::{DatastoreEnvironment, DatastoreOpenError};
use super::http::{Http, NoAnswer};

/// What the token is to allow.
const SCOPE: &str = "https://www.googleapis.com/auth/datastore";
const GRANT_BY_JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const METADATA_HOST: &str = "metadata.google.internal";
const METADATA_PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const GOOGLE_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// File in gcloud's folder.
const WELL_KNOWN: &str = "application_default_credentials.json";
/// How long before its end a token is renewed: there is time to try more than once.
const RENEWAL_AHEAD: Duration = Duration::from_secs(240);
const TIMEOUT: Duration = Duration::from_secs(5);
/// What a service account's own statement about itself is good for. Google allows an hour.
const STATEMENT_SECS: u64 = 3_600;

/// Where tokens come from.
pub(super) enum Source {
    MetadataServer {
        host: String,
    },
    ServiceAccount {
        email: String,
        key_id: String,
        key: Box<RsaKeyPair>,
        token_uri: String,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: String,
        refresh_token: String,
        token_uri: String,
    },
}

/// A credentials file, as far as it is understood.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum CredentialsFile {
    ServiceAccount {
        client_email: String,
        #[serde(default)]
        private_key_id: String,
        private_key: String,
        #[serde(default = "google_token_uri")]
        token_uri: String,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: String,
        refresh_token: String,
        #[serde(default = "google_token_uri")]
        token_uri: String,
    },
}

fn google_token_uri() -> String {
    GOOGLE_TOKEN_URI.to_owned()
}

impl Source {
    /// # Errors
    /// [`DatastoreOpenError::SignIn`] names the file and what is wrong with it.
    pub(super) fn find(environment: &DatastoreEnvironment) -> Result<Self, DatastoreOpenError> {
        if let Some(file) = &environment.credentials_file {
            return Self::read(file);
        }
        let well_known = environment.gcloud_folder.as_ref().map(|folder| folder.join(WELL_KNOWN));
        match well_known {
            Some(file) if file.exists() => Self::read(&file),
            Some(_) | None => {
                let host = environment.metadata_host.as_deref().unwrap_or(METADATA_HOST);
                Ok(Self::MetadataServer { host: host.to_owned() })
            }
        }
    }

    fn read(file: &Path) -> Result<Self, DatastoreOpenError> {
        let refusal = |what: String| DatastoreOpenError::SignIn {
            what: format!("the credentials file {}: {what}", file.display()),
        };
        let text = fs::read(file).map_err(|error| refusal(error.to_string()))?;
        // The error's text would show what the file holds.
        let understood = serde_json::from_slice(&text).map_err(|_| {
            refusal(
                "it holds neither a service account's key nor a user's refresh token".to_owned(),
            )
        })?;
        match understood {
            CredentialsFile::ServiceAccount {
                client_email,
                private_key_id,
                private_key,
                token_uri,
            } => {
                let key = PrivatePkcs8KeyDer::from_pem_slice(private_key.as_bytes())
                    .ok()
                    .and_then(|der| RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok())
                    .ok_or_else(|| {
                        refusal("its private key is not an RSA key in PKCS #8".to_owned())
                    })?;
                let key = Box::new(key);
                Ok(Self::ServiceAccount {
                    email: client_email,
                    key_id: private_key_id,
                    key,
                    token_uri,
                })
            }
            CredentialsFile::AuthorizedUser {
                client_id,
                client_secret,
                refresh_token,
                token_uri,
            } => Ok(Self::AuthorizedUser { client_id, client_secret, refresh_token, token_uri }),
        }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, String> {
        match self {
            Self::MetadataServer { host } => Request::get(format!("http://{host}{METADATA_PATH}"))
                .header("metadata-flavor", "Google")
                .body(Full::default())
                .map_err(|error| error.to_string()),
            Self::ServiceAccount { email, key_id, key, token_uri } => {
                let statement = statement(email, key_id, key, token_uri)?;
                post(token_uri, &[("grant_type", GRANT_BY_JWT), ("assertion", &statement)])
            }
            Self::AuthorizedUser { client_id, client_secret, refresh_token, token_uri } => post(
                token_uri,
                &[
                    ("grant_type", "refresh_token"),
                    ("client_id", client_id),
                    ("client_secret", client_secret),
                    ("refresh_token", refresh_token),
                ],
            ),
        }
    }
}

fn post(uri: &str, fields: &[(&str, &str)]) -> Result<Request<Full<Bytes>>, String> {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Request::post(uri)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::from(form))
        .map_err(|error| error.to_string())
}

/// A JSON web token by which a service account says who it is (RFC 7523), signed with RS256.
fn statement(
    email: &str,
    key_id: &str,
    key: &RsaKeyPair,
    audience: &str,
) -> Result<String, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    let now = now.as_secs();
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": key_id });
    let claims = json!({
        "iss": email, "scope": SCOPE, "aud": audience, "iat": now, "exp": now + STATEMENT_SECS,
    });
    let encode = |part: String| URL_SAFE_NO_PAD.encode(part);
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| "the statement cannot be signed".to_owned())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

struct Token {
    bearer: String,
    renew_at: Instant,
    ends_at: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

/// A source and the token that it gave last.
pub(super) struct SignIn {
    source: Source,
    http: Http,
    token: Option<Token>,
}

impl SignIn {
    pub(super) fn new(source: Source, http: Http) -> Self {
        Self { source, http, token: None }
    }

    /// The value for the header `authorization`. A token that is near its end is used while it lasts
    /// if no other is to be had.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub(super) async fn authorization(&mut self) -> Result<String, String> {
        let asked = Instant::now();
        let is_due = self.token.as_ref().is_none_or(|token| token.renew_at <= asked);
        if is_due {
            match self.fetch(asked).await {
                Ok(token) => self.token = Some(token),
                Err(why) => {
                    let lasts = self.token.as_ref().is_some_and(|token| asked < token.ends_at);
                    if !lasts {
                        return Err(format!("cannot sign in: {why}"));
                    }
                    tracing::warn!(why, "the access token could not be renewed yet");
                }
            }
        }
        self.token.as_ref().map(|token| token.bearer.clone()).ok_or_else(|| "no token".to_owned())
    }

    /// Drops a token that the service did not take.
    pub(super) fn forget(&mut self) {
        self.token = None;
    }

    async fn fetch(&self, asked: Instant) -> Result<Token, String> {
        let answer =
            self.http.call(self.source.request()?, TIMEOUT).await.map_err(|none| match none {
                NoAnswer::Unsent(why) | NoAnswer::Lost(why) => why,
            })?;
        if !answer.status.is_success() {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(format!("{}: {body}", answer.status));
        }
        let TokenAnswer { access_token, expires_in } = serde_json::from_slice(&answer.body)
            .map_err(|_| "the answer holds no token".to_owned())?;
        let lasts = Duration::from_secs(expires_in);
        Ok(Token {
            bearer: format!("Bearer {access_token}"),
            renew_at: asked + lasts.saturating_sub(RENEWAL_AHEAD).max(lasts / 2),
            ends_at: asked + lasts,
        })
    }
}
