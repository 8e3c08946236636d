//! Every refusal that a caller can meet: its word, its status and what to do about it.

use hyper::StatusCode;

/// Whether the same request may succeed later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// Not without changing the request.
    Never,
    /// Yes, once others have moved; only they know when.
    Later,
    /// Yes, after so many seconds (`Retry-After`).
    AfterSecs(u32),
}

macro_rules! error_codes {
    ($($name:ident = $word:literal, $status:ident, $retry:expr, $title:literal, $advice:literal;)+) => {
        /// A stable name for each refusal, on the wire as `code`.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum ErrorCode {
            $(#[doc = $title] $name,)+
        }

        impl ErrorCode {
            /// All codes, in the order of the documentation.
            pub const ALL: [Self; [$(Self::$name),+].len()] = [$(Self::$name),+];

            /// The word on the wire.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The HTTP status that it comes with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// Whether to try again.
            #[must_use]
            pub fn retry(self) -> Retry {
                match self { $(Self::$name => $retry,)+ }
            }

            /// A short title, the same for every occurrence.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// What the caller does next, in whole sentences.
            #[must_use]
            pub fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

error_codes! {
    LockExists = "lock_exists", BAD_REQUEST, Retry::Never, "The lock exists already",
        "Use it as it is, or choose another name.";
    NoSuchLock = "no_such_lock", NOT_FOUND, Retry::Never, "No such lock",
        "Create it first with `POST /v1/distributed_lock/{lock_id}`.";
    Held = "held", CONFLICT, Retry::Later, "The lock is held",
        "Try again when it has been released; a hold that is not refreshed ends at its `expires_at`.";
    WaitTimedOut = "wait_timed_out", CONFLICT, Retry::Later, "The wait has timed out",
        "Send the same request again within 2 seconds to keep your order in the queue, or give up: nothing is kept for you.";
    Deadlock = "deadlock", CONFLICT, Retry::Never, "The wait would never end",
        "Release what the others in the `cycle` wait for, then acquire it all anew, best with one `POST /v1/acquire`.";
    AlreadyWaiting = "already_waiting", CONFLICT, Retry::Later, "The process stands in line already",
        "Wait for the answer to the other request, or give each of the two a process id of its own.";
    Superseded = "superseded", CONFLICT, Retry::Never, "A newer request has the place in line",
        "Wait for the answer to the newer request.";
    TooManyWaiters = "too_many_waiters", TOO_MANY_REQUESTS, Retry::AfterSecs(1), "Too many requests stand in line",
        "Nothing has changed; try again after a pause.";
    TooManyStreams = "too_many_streams", TOO_MANY_REQUESTS, Retry::AfterSecs(5), "Too many event streams are open",
        "Close one that is not needed, follow several locks with one stream and a `prefix`, or raise the limit of event streams.";
    LockBeingDeleted = "lock_being_deleted", CONFLICT, Retry::Later, "The lock is being deleted",
        "Nothing has changed; try again in a moment, with `create_if_missing=true` if the lock is to exist again.";
    LockDiffers = "lock_differs", CONFLICT, Retry::Never, "The lock is of another kind",
        "Leave the properties out to take the lock as it is, or agree with its other users on one kind; to change it, delete the lock and create it again.";
    LockDeleted = "lock_deleted", CONFLICT, Retry::Later, "The lock was deleted during the wait",
        "Nothing was granted; try again, with `create_if_missing=true` if the lock is to exist again.";
    RequestOver = "request_over", CONFLICT, Retry::Never, "What this request acquired is over",
        "Stop using what the lock protects. To acquire the lock again, send a new request with another `Idempotency-Key`.";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, Retry::Never, "The idempotency key belongs to another request",
        "Nothing has changed; draw a new `Idempotency-Key` for each request, and repeat a request as it was.";
    AlreadyHeld = "already_held", NOT_ACCEPTABLE, Retry::Never, "The process holds the lock already",
        "Refresh the hold, or release it first.";
    NotHeld = "not_held", CONFLICT, Retry::Never, "The process does not hold the lock",
        "Stop using what the lock protects, then acquire the lock anew: a lost hold is never given back by a refresh.";
    StaleToken = "stale_token", CONFLICT, Retry::Never, "The hold with this token is over",
        "Stop using what the lock protects: the hold that the process has now is another one.";
    NotFree = "not_free", CONFLICT, Retry::Later, "The lock is in use",
        "Try again when nobody holds it or waits for it, or break it with `force=true`, which needs an admin.";
    ProcessHoldsNothing = "process_holds_nothing", NOT_FOUND, Retry::Never, "The process holds nothing",
        "If it was still working, stop it: what it held expired, was released, or never was.";
    NothingToRelease = "nothing_to_release", BAD_REQUEST, Retry::Never, "The process has nothing to release",
        "There is nothing to do; if the process was still working, another may have taken the lock meanwhile.";
    TimeoutTooLong = "timeout_too_long", BAD_REQUEST, Retry::Never, "The timeout is too long",
        "Ask for a shorter timeout and refresh the hold while it is needed.";
    TooManyLocks = "too_many_locks", TOO_MANY_REQUESTS, Retry::AfterSecs(60), "The namespace is full",
        "Reuse locks that exist, or raise the limit of locks per namespace.";
    TooManyHolders = "too_many_holders", TOO_MANY_REQUESTS, Retry::AfterSecs(1), "The lock is full",
        "Try again when a holder has released it, or raise the limit of holders per lock.";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, Retry::AfterSecs(1), "The key makes too many requests",
        "Nothing has changed; send fewer, or ask an admin for a higher rate (`PATCH /v1/keys/{key_id}`).";
    TooManyFailedKeys = "too_many_failed_keys", TOO_MANY_REQUESTS, Retry::AfterSecs(2), "Too many keys were not valid",
        "Nothing has changed; correct the key that is sent, then try again after a pause.";
    QuotaExceeded = "quota_exceeded", TOO_MANY_REQUESTS, Retry::AfterSecs(5), "The key's quota is used up",
        "Nothing has changed; try again when there is less in the namespace, or ask an admin for a higher quota (`PATCH /v1/keys/{key_id}`).";
    TooManyKeys = "too_many_keys", TOO_MANY_REQUESTS, Retry::AfterSecs(60), "There are too many API keys",
        "Revoke keys that are not used any more, or raise the limit of keys.";
    TokensExhausted = "tokens_exhausted", INSUFFICIENT_STORAGE, Retry::Never, "The fencing tokens are used up",
        "Move to a new installation of the service, and to new locks on the resources that check tokens.";
    KeyShownBefore = "key_shown_before", CONFLICT, Retry::Never, "The API key was made and shown before",
        "Nothing has changed; a secret is shown once and stored nowhere.";
    KeyExists = "key_exists", CONFLICT, Retry::Later, "The API key exists already",
        "Try again: the service draws a new id.";
    NoSuchKey = "no_such_key", NOT_FOUND, Retry::Never, "No such API key",
        "List the keys with `GET /v1/keys`; it shows those that you may manage.";
    InvalidId = "invalid_id", BAD_REQUEST, Retry::Never, "An id in the path is not valid",
        "Percent-encode it as UTF-8 (a `%` is written `%25`), and choose 1 to 255 bytes without control or invisible characters, not `.` or `..`.";
    InvalidParameter = "invalid_parameter", BAD_REQUEST, Retry::Never, "A parameter is not valid",
        "Correct the parameter, or leave it out for its default.";
    UnknownParameter = "unknown_parameter", BAD_REQUEST, Retry::Never, "A parameter is unknown",
        "Correct its name or leave it out; nothing is ignored, so that a typo does not become a default.";
    DuplicateParameter = "duplicate_parameter", BAD_REQUEST, Retry::Never, "A parameter is given twice",
        "Give it once, under one of its names, in the query or in the body.";
    InvalidBody = "invalid_body", BAD_REQUEST, Retry::Never, "The request body is not valid",
        "Send the JSON object that the documentation of this call shows.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, Retry::Never, "The body is not JSON",
        "Put the parameters into the query, or send one JSON object with the header `Content-Type: application/json`.";
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, Retry::Later, "The request body did not arrive in time",
        "Nothing has changed; send the request again, with all of its body.";
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, Retry::Never, "The request body is too large",
        "Send a smaller body; most calls need none at all.";
    Unauthorized = "unauthorized", UNAUTHORIZED, Retry::Never, "A valid API key is needed",
        "Send a valid key as header `x-api-key`, or as `Authorization: Bearer`.";
    Forbidden = "forbidden", FORBIDDEN, Retry::Never, "The API key may not do this",
        "Use a key that may, or ask an admin for one.";
    InvalidHost = "invalid_host", BAD_REQUEST, Retry::Never, "The host of the request is not clear",
        "Send the header `Host` once, with the name and port that the request goes to.";
    NoSuchRoute = "no_such_route", NOT_FOUND, Retry::Never, "There is no such call",
        "Look at `/v1/docs` for the calls that exist; a `/` in an id is written `%2F`.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, Retry::Never, "The method is not allowed here",
        "Use one of the methods in the header `Allow`.";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, Retry::AfterSecs(1), "The service is overloaded",
        "Nothing has changed; try again after a pause.";
    NotReady = "not_ready", SERVICE_UNAVAILABLE, Retry::AfterSecs(1), "The service is not ready",
        "Nothing has changed; try again after a pause.";
    Draining = "draining", SERVICE_UNAVAILABLE, Retry::AfterSecs(1), "The service is shutting down",
        "Nothing has changed; try again when it has restarted, or elsewhere.";
    OutcomeUnknown = "outcome_unknown", SERVICE_UNAVAILABLE, Retry::AfterSecs(1), "The outcome is unknown",
        "The call may or may not have taken effect: look at the lock, then try again.";
    Internal = "internal", INTERNAL_SERVER_ERROR, Retry::Never, "The service has a fault",
        "The call may or may not have taken effect: look at the lock. Please report this with the request id.";
}

impl ErrorCode {
    /// Whether the same request may succeed later.
    #[must_use]
    pub fn retryable(self) -> bool {
        self.retry() != Retry::Never
    }

    /// `unknown` if the call may have taken effect, else `none`.
    #[must_use]
    pub fn outcome(self) -> &'static str {
        if matches!(self, Self::OutcomeUnknown | Self::Internal) { "unknown" } else { "none" }
    }

    /// Where the service documents it: a URI reference that resolves on the service itself.
    #[must_use]
    pub fn type_uri(self) -> String {
        format!("/v1/docs/errors#{}", self.word())
    }
}
