//! The load generator against servers that do nothing, or something that it must not count.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::future::Future;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hyper_util::service::TowerToHyperService;
use leasehold_bench::load::{self, LoadError, Settings};
use leasehold_bench::report::Report;
use leasehold_bench::{Locks, Mode, Target, noop};
use leasehold_server::listen::{self, ListenSettings};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Serves a router on a port of its own, as long as the runtime lives.
fn serve(router: Router) -> (Runtime, SocketAddr) {
    serve_with(move |listener| async move {
        let never = std::future::pending();
        let service = TowerToHyperService::new(router);
        listen::serve(listener, |_| service.clone(), ListenSettings::default(), never)
            .await
            .unwrap();
    })
}

fn serve_with<F>(server: impl FnOnce(TcpListener) -> F) -> (Runtime, SocketAddr)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = {
        let _entered = runtime.enter();
        server(listener)
    };
    runtime.spawn(serving);
    (runtime, address)
}

fn settings(address: SocketAddr) -> Settings {
    Settings {
        target: Target { address, api_key: None, minimal: false },
        clients: 8,
        threads: 2,
        warmup: Duration::from_millis(50),
        measured: Duration::from_millis(200),
        locks: Locks::Own,
        mode: Mode::Write,
        wait_secs: 0,
        standing_readers: 0,
        server_pid: Some(std::process::id()),
    }
}

#[test]
fn a_run_against_the_ceiling_counts_cycles_and_meets_no_error() {
    let (_runtime, address) = serve(noop::router());
    let Report { cycles, refusals, request, cycle, errors, first_error, .. } =
        load::run(&settings(address)).unwrap();
    assert_eq!((errors, first_error, refusals), (0, None, 0));
    assert!(cycles > 8, "{cycles} cycles of 8 clients");
    assert!(0.0 < request.p50_ms && request.p50_ms <= cycle.p50_ms && cycle.p50_ms <= cycle.max_ms);
}

#[test]
fn what_is_not_a_grant_is_an_error_and_not_a_fast_cycle() {
    let (_runtime, address) = serve(Router::new().fallback(async || StatusCode::NOT_FOUND));
    let roaming = Settings { locks: Locks::Roam(100), ..settings(address) };
    let report = load::run(&roaming).unwrap();
    assert_eq!((report.cycles, report.errors), (0, 8));
    assert!(report.first_error.unwrap().contains("unexpected status 404"));
}

#[test]
fn a_refusal_is_tried_again_on_shared_locks_and_an_error_on_own_ones() {
    let refusing = || {
        Router::new().fallback(async |method: axum::http::Method| match method.as_str() {
            "POST" => StatusCode::CREATED,
            _ => StatusCode::CONFLICT,
        })
    };
    let (_runtime, address) = serve(refusing());
    let shared = load::run(&Settings { locks: Locks::Shared(2), ..settings(address) }).unwrap();
    assert_eq!((shared.cycles, shared.errors), (0, 0));
    assert!(shared.refusals > 8, "{} refusals", shared.refusals);
    let own = load::run(&settings(address)).unwrap();
    assert_eq!((own.refusals, own.errors), (0, 8));
}

#[test]
fn a_client_stands_in_line_if_it_is_told_to() {
    let waiting_only = Router::new().fallback(async |request: axum::extract::Request| {
        match (request.method().as_str(), request.uri().query()) {
            ("PUT", Some("timeout_seconds=60&wait_seconds=7")) | ("POST" | "DELETE", _) => {
                StatusCode::OK
            }
            _ => StatusCode::BAD_REQUEST,
        }
    });
    let (_runtime, address) = serve(waiting_only);
    let roaming = Settings { locks: Locks::Roam(100), ..settings(address) };
    assert_eq!(load::run(&roaming).unwrap().errors, 8);
    let report = load::run(&Settings { wait_secs: 7, ..roaming }).unwrap();
    assert_eq!((report.errors, report.first_error), (0, None));
    assert!(report.cycles > 8, "{} cycles", report.cycles);
}

#[test]
fn locks_that_cannot_be_made_end_the_run() {
    let (_runtime, address) = serve(Router::new());
    let refused = load::run(&settings(address));
    assert!(matches!(refused, Err(LoadError::Prepare(_))), "{refused:?}");
}

#[test]
fn a_server_that_hangs_up_is_an_error() {
    let (_runtime, address) = serve_with(|listener| async move {
        while let Ok((connection, _)) = listener.accept().await {
            drop(connection);
        }
    });
    let report = load::run(&Settings { locks: Locks::Roam(100), ..settings(address) }).unwrap();
    assert_eq!((report.cycles, report.errors), (0, 8));
}

#[test]
fn a_server_that_is_not_there_ends_the_run() {
    let nowhere = {
        let (runtime, address) = serve(Router::new());
        drop(runtime);
        thread::sleep(Duration::from_millis(20));
        address
    };
    let refused = load::run(&settings(nowhere));
    assert!(matches!(refused, Err(LoadError::Prepare(_))), "{refused:?}");
}
