//! `GET /v1/distributed_lock`: finding locks, a page at a time.

use serde_json::Value;

use crate::support::service::ADMIN_KEY;
use crate::support::{Service, Setup};

const LIST: &str = "/v1/distributed_lock";

fn names(page: &Value) -> Vec<String> {
    let locks = page["locks"].as_array().unwrap();
    locks.iter().map(|lock| lock["lock_id"].as_str().unwrap().to_owned()).collect()
}

/// All pages of a list.
fn walk(service: &Service, query: &str) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service.call("GET", &format!("{LIST}?{query}{cursor}")).ok(200);
        pages.push(names(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => {
                assert!(page["next_cursor"].is_null() && page.get("next_cursor").is_some());
                return pages;
            }
        }
        assert!(pages.len() < 100, "no end: {pages:?}");
    }
}

fn filled() -> Service {
    let service = Service::start();
    for lock_id in ["job-2", "job-10", "a%2Fb", "job-1", "other", "Schlo%C3%9F"] {
        service.create(lock_id, true);
    }
    service.acquire("job-1", "read", "reader");
    service.acquire("job-10", "write", "writer");
    service.acquire("other", "write", "writer");
    service
}

#[test]
fn locks_are_listed_by_name_a_page_at_a_time() {
    let service = filled();
    let all = ["Schloß", "a/b", "job-1", "job-10", "job-2", "other"];
    assert_eq!(walk(&service, ""), [all.to_vec()]);
    for limit in 1..=7 {
        let pages = walk(&service, &format!("limit={limit}"));
        assert!(pages.iter().all(|page| page.len() <= limit), "{pages:?}");
        assert_eq!(pages.concat(), all, "limit {limit}");
    }
}

#[test]
fn a_page_goes_on_after_its_last_lock_even_if_that_is_gone() {
    let service = filled();
    let page = service.call("GET", &format!("{LIST}?limit=2")).ok(200);
    assert_eq!(names(&page), ["Schloß", "a/b"]);
    service.call("DELETE", "/v1/distributed_lock/a%2Fb").ok(200);
    service.create("aa", false);
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = service.call("GET", &format!("{LIST}?limit=2&cursor={cursor}")).ok(200);
    assert_eq!(names(&page), ["aa", "job-1"]);
}

#[test]
fn a_list_can_be_narrowed() {
    let service = filled();
    for (query, expected) in [
        ("prefix=job-", vec!["job-1", "job-10", "job-2"]),
        ("prefix=job-1", vec!["job-1", "job-10"]),
        ("prefix=nothing", vec![]),
        ("prefix=Schlo%C3%9F", vec!["Schloß"]),
        ("state=READ", vec!["job-1"]),
        ("state=WRITE", vec!["job-10", "other"]),
        ("state=FREE", vec!["Schloß", "a/b", "job-2"]),
        ("process_id=writer", vec!["job-10", "other"]),
        ("process_id=writer&prefix=o", vec!["other"]),
        ("process_id=writer&state=READ", vec![]),
        ("process_id=nobody", vec![]),
    ] {
        for limit in [1, 100] {
            let pages = walk(&service, &format!("{query}&limit={limit}"));
            assert_eq!(pages.concat(), expected, "{query} limit {limit}");
        }
    }
    let page = service.call("GET", &format!("{LIST}?state=READ")).ok(200);
    assert_eq!(page["locks"][0]["read_process_list"][0]["process_id"], "reader");
}

#[test]
fn i7_a_page_has_a_hundred_locks_unless_it_is_told_otherwise() {
    let service = Service::start();
    for number in 0..101 {
        service.create(&format!("lock-{number:03}"), false);
    }
    let page = service.call("GET", LIST).ok(200);
    assert_eq!(names(&page).len(), 100);
    assert!(page["next_cursor"].is_string());
    let page = service.call("GET", &format!("{LIST}?limit=1000")).ok(200);
    assert_eq!(names(&page).len(), 101);
    assert!(page["next_cursor"].is_null());
}

#[test]
fn a_list_shows_notes_and_how_many_wait() {
    let service = Service::start();
    service.create("report", true);
    let hold = "/v1/distributed_lock/report/write-process";
    service.call("PUT", &format!("{hold}/ci?note=deploy+4711+by+CI")).ok(200);
    let waiter = service.begin("PUT", &format!("{hold}/next?wait_seconds=15"));
    service.waits(1);
    let lock = service.call("GET", LIST).ok(200)["locks"][0].clone();
    assert_eq!(lock["write_process_list"][0]["note"], "deploy 4711 by CI");
    assert_eq!(lock["waiter_count"], 1);
    service.call("DELETE", &format!("{hold}/ci")).ok(200);
    waiter.join().unwrap().ok(200);
}

#[test]
fn a_list_refuses_what_it_does_not_understand() {
    let service = filled();
    for (query, says) in [
        ("limit=0", "1 to 1000"),
        ("limit=1001", "1 to 1000"),
        ("limit=all", "1 to 1000"),
        ("state=free", "FREE, READ or WRITE"),
        ("state=", "FREE, READ or WRITE"),
        ("process_id=", "1 to 255 bytes"),
        ("process_id=..", "1 to 255 bytes"),
        ("cursor=", "`next_cursor`"),
        ("cursor=job-1", "`next_cursor`"),
        ("cursor=1zz", "`next_cursor`"),
        ("cursor=1ff", "`next_cursor`"),
        ("cursor=26162", "`next_cursor`"),
    ] {
        let problem =
            service.call("GET", &format!("{LIST}?{query}")).refusal(400, "invalid_parameter");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
    service.call("GET", &format!("{LIST}?prefixx=a")).refusal(400, "unknown_parameter");
}

#[test]
fn a_list_shows_the_locks_of_the_callers_namespace_alone() {
    let service = Setup::with_keys().start().ready();
    let key = |namespace: &str| {
        let body = format!(r#"{{"namespace": "{namespace}", "role": "write"}}"#);
        let made = service.post_as(ADMIN_KEY, "/v1/keys", &body).ok(201);
        made["key"].as_str().unwrap().to_owned()
    };
    let (red, blue) = (key("red"), key("blue"));
    service.call_as(&red, "POST", "/v1/distributed_lock/of-red").ok(201);
    service.call_as(&blue, "POST", "/v1/distributed_lock/of-blue").ok(201);
    assert_eq!(names(&service.call_as(&red, "GET", LIST).ok(200)), ["of-red"]);
    assert_eq!(names(&service.call_as(&blue, "GET", LIST).ok(200)), ["of-blue"]);
}
