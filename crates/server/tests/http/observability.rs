//! Probes, metrics, request ids and logs; and that a key is in none of them.

use std::io;
use std::sync::{Arc, Mutex};

use leasehold_server::MetricsAccess;
use serde_json::json;

use crate::support::service::ADMIN_KEY;
use crate::support::{Service, Setup, client};

#[test]
fn the_health_check_is_that_of_the_old_service() {
    let service = Service::start_with_keys();
    let health = service.call("GET", "/v1/healthcheck").ok(200);
    assert_eq!(health["message"], "healthy");
    assert_eq!(health["service_version"], "1.2.3");
    assert_eq!(health["commit_id"], "abc1234");
    let time: jiff::Timestamp = health["time"].as_str().unwrap().parse().unwrap();
    let off = (jiff::Timestamp::now().as_second() - time.as_second()).abs();
    assert!(off <= 5, "{off} s off");
}

#[test]
fn probes_answer_on_an_address_of_their_own() {
    let service = Setup { probes_alone: true, ..Setup::default() }.start().ready();
    assert_eq!(service.call("GET", "/livez").text(), "live\n");
    assert_eq!(service.call("GET", "/readyz").ok(200), json!({ "ready": true }));
    assert_eq!(service.call("GET", "/metrics").status, 200);
    service.call("GET", "/v1/distributed_lock/report").refusal(404, "no_such_route");
}

#[test]
fn metrics_count_requests_by_route_and_refusals_by_code() {
    let service = Service::start();
    service.create("metrics-test", true);
    service.acquire("metrics-test", "write", "p");
    let target = "/v1/distributed_lock/metrics-test/write-process/q";
    service.call("PUT", target).refusal(409, "held");
    service.call("GET", "/no/such/route").refusal(404, "no_such_route");
    service.call("BREW", "/livez").refusal(405, "method_not_allowed");
    let reply = service.call("GET", "/metrics");
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = reply.text();
    let route = "/v1/distributed_lock/{lock_id}/write-process/{process_id}";
    for series in [
        format!("leasehold_http_requests_total{{method=\"PUT\",route=\"{route}\",status=\"200\"}}"),
        format!("leasehold_http_requests_total{{method=\"PUT\",route=\"{route}\",status=\"409\"}}"),
        format!("leasehold_http_request_seconds_bucket{{route=\"{route}\",le=\"0.001\"}}"),
        "leasehold_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"}".into(),
        "leasehold_http_requests_total{method=\"other\",route=\"/livez\",status=\"405\"}".into(),
        "leasehold_refusals_total{code=\"held\"}".into(),
        "leasehold_grants_total".into(),
        "leasehold_batch_rows_bucket{le=\"1\"}".into(),
        "leasehold_commit_seconds_count".into(),
        "leasehold_queue_depth".into(),
    ] {
        assert!(text.contains(&series), "{series} is not in\n{text}");
    }
    assert!(!text.contains("metrics-test"), "ids of callers make no series");
}

#[test]
fn every_reply_names_its_request() {
    let service = Service::start();
    let mut seen = Vec::new();
    for (method, target) in [
        ("GET", "/v1/healthcheck"),
        ("GET", "/v1/docs"),
        ("GET", "/nothing"),
        ("PATCH", "/v1/healthcheck"),
        ("POST", "/v1/distributed_lock/report"),
        ("POST", "/v1/distributed_lock/report"),
    ] {
        let reply = service.call(method, target);
        seen.push(reply.header("x-request-id").unwrap().to_owned());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 6, "{seen:?}");
}

#[test]
fn a_callers_request_id_is_kept_if_it_is_fit_for_a_log() {
    let service = Service::start();
    let longest = "x".repeat(128);
    for own in ["checkout-4711", "with some spaces", "~!@", longest.as_str()] {
        let reply = service.call_with("GET", "/v1/healthcheck", &[("x-request-id", own)]);
        assert_eq!(reply.header("x-request-id"), Some(own));
        let reply = service.call_with("GET", "/nothing", &[("x-request-id", own)]);
        assert_eq!(reply.refusal(404, "no_such_route")["request_id"], own);
    }
    let too_long = "x".repeat(129);
    for own in ["", "tab\there", "naïve", too_long.as_str()] {
        let reply = service.call_with("GET", "/v1/healthcheck", &[("x-request-id", own)]);
        let id = reply.header("x-request-id").unwrap();
        assert!(id != own && id.len() == 25, "{own:?} became {id:?}");
    }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_key_is_never_in_a_log_a_metric_or_a_refusal() {
    let captured = Captured::default();
    let writer = captured.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let service = Service::start_with_keys();
    let made = service.post_as(ADMIN_KEY, "/v1/keys", r#"{"role": "write"}"#).ok(201);
    let key = made["key"].as_str().unwrap();
    let secret = &key[16..];
    let bearer = format!("Bearer {key}");
    let lock = "/v1/distributed_lock/report";
    let replies = [
        service.call("POST", &format!("{lock}?key={key}")),
        service.call("GET", &format!("{lock}?key={key}")),
        service.call("POST", &format!("{lock}?key={key}")),
        service.call("GET", &format!("{lock}?key={key}&key={key}")),
        service.call("GET", &format!("{lock}?key={key}0")),
        service.call("GET", &format!("/nothing?key={key}")),
        service.call("BREW", &format!("{lock}?key={key}")),
        service.call_with("GET", lock, &[("authorization", &bearer)]),
        service.call_with("GET", lock, &[("authorization", &bearer), ("x-api-key", "wrong")]),
        service.call_as(key, "GET", &format!("{lock}?colour={key}")),
        service.call_as(key, "GET", &format!("{lock}?{key}")),
        service.call_as(key, "PUT", &format!("{lock}/write-process/p?timeout={key}")),
        client::send(service.address, "POST", "/v1/keys", &[("x-api-key", ADMIN_KEY)], key),
        service.call_as(ADMIN_KEY, "GET", "/v1/keys"),
        service.call("GET", "/metrics"),
    ];
    for reply in &replies {
        assert!(!reply.text().contains(secret), "{reply:?}");
        assert!(!reply.text().contains(ADMIN_KEY), "{reply:?}");
    }
    let log = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("route=\"/v1/distributed_lock/{lock_id}\""), "one line a request\n{log}");
    for never in [secret, ADMIN_KEY, "colour"] {
        assert!(!log.contains(never), "{never} is in\n{log}");
    }
}

/// With an address of their own, the probes and the metrics stayed on that of the API as well.
#[test]
fn probes_with_an_address_of_their_own_leave_that_of_the_api() {
    let mut setup = Setup::default();
    setup.server.probes_elsewhere = true;
    let service = setup.start().ready();
    for path in ["/livez", "/readyz", "/metrics"] {
        service.call("GET", path).refusal(404, "no_such_route");
    }
    service.call("GET", "/v1/healthcheck").ok(200);
}

/// Any client could read which namespaces there are, and how busy each is.
#[test]
fn metrics_can_be_closed_or_asked_for_a_key_of_the_operator() {
    let start = |access| {
        let mut setup = Setup::with_keys();
        setup.server.metrics_access = access;
        setup.start().ready()
    };
    let service = start(MetricsAccess::Key);
    service.call("GET", "/metrics").refusal(401, "unauthorized");
    assert_eq!(service.call_as(ADMIN_KEY, "GET", "/metrics").status, 200);
    for (namespace, role) in [("default", "read"), ("tenant", "admin")] {
        let body = json!({ "namespace": namespace, "role": role }).to_string();
        let made = service.post_as(ADMIN_KEY, "/v1/keys", &body).ok(201);
        let reply = service.call_as(made["key"].as_str().unwrap(), "GET", "/metrics");
        if namespace == "default" {
            assert_eq!(reply.status, 200, "a scraper needs no more than to read");
        } else {
            reply.refusal(403, "forbidden");
        }
    }
    let service = start(MetricsAccess::Off);
    service.call_as(ADMIN_KEY, "GET", "/metrics").refusal(404, "no_such_route");
    service.call("GET", "/readyz").ok(200);
}
