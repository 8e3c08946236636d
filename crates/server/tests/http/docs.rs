//! The documentation: complete, true, and in need of no network.

use std::fs;
use std::path::PathBuf;

use leasehold_server::{ErrorCode, openapi};
use serde_json::Value;

use crate::support::Service;

fn document() -> Value {
    serde_json::to_value(openapi()).unwrap()
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

/// Whoever changes the API sees here what changes for clients. `UPDATE_SNAPSHOTS=1` accepts it.
#[test]
fn the_openapi_document_is_the_committed_one() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &now).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == now,
        "docs/openapi.json is not what the code says; run this test with UPDATE_SNAPSHOTS=1 and look at the difference"
    );
}

#[test]
fn the_service_serves_the_same_document() {
    let service = Service::start_with_keys();
    let served = service.call("GET", "/v1/openapi.json").ok(200);
    assert_eq!(served, document());
    assert_eq!(served["openapi"], "3.1.0");
}

#[test]
fn every_documented_call_exists_and_wants_a_key_where_it_says_so() {
    let service = Service::start_with_keys();
    let document = document();
    let operations = operations(&document);
    assert_eq!(operations.len(), 32);
    for (method, path, operation) in operations {
        let target = path.replace(['{', '}'], "");
        let reply = service.call(&method, &target);
        let wants_key = operation["security"].as_array().is_some_and(|list| !list.is_empty());
        assert_eq!(reply.status == 401, wants_key, "{method} {path}: {}", reply.text());
        assert!(!matches!(reply.status, 404 | 405 | 500), "{method} {path}");
        assert!(operation["responses"].get(reply.status.to_string()).is_some(), "{method} {path}");
    }
}

#[test]
fn every_code_is_documented_with_its_status() {
    let service = Service::start();
    let document = document();
    let page = service.call("GET", "/v1/docs/errors");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    // The router's own refusals belong to no call.
    let of_no_call = [ErrorCode::NoSuchRoute, ErrorCode::MethodNotAllowed];
    for code in ErrorCode::ALL {
        let anchor = format!("<section id=\"{}\">", code.word());
        assert!(page.text().contains(&anchor), "{code:?} is not on the page of refusals");
        let pointer = |operation: &Value| {
            let response = &operation["responses"][code.status().as_str()];
            let examples = &response["content"]["application/problem+json"]["examples"];
            examples.get(code.word()).is_some()
        };
        let documented = operations(&document).iter().any(|(_, _, operation)| pointer(operation));
        assert_eq!(documented, !of_no_call.contains(&code), "{code:?} in the OpenAPI document");
    }
}

#[test]
fn words_of_codes_are_unique() {
    let mut words = ErrorCode::ALL.map(ErrorCode::word).to_vec();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), ErrorCode::ALL.len());
}

/// Field names of every object in a value, with the paths that lead to them.
fn fields(value: &Value, at: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                into.push(format!("{at}.{name}"));
                fields(inner, &format!("{at}.{name}"), into);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| fields(inner, &format!("{at}[]"), into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fields_of(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    fields(value, "", &mut all);
    all.sort_unstable();
    all
}

#[test]
fn the_examples_have_the_fields_of_real_replies() {
    let service = Service::start();
    let document = document();
    let lock_path = "/v1/distributed_lock/{lock_id}";
    let write_path = "/v1/distributed_lock/{lock_id}/write-process/{process_id}";
    let success = |path: &str, method: &str, status: &str| {
        let response = &document["paths"][path][method]["responses"][status];
        response["content"]["application/json"]["example"].clone()
    };
    let refusal = |path: &str, method: &str, status: &str, code: &str| {
        let response = &document["paths"][path][method]["responses"][status];
        response["content"]["application/problem+json"]["examples"][code]["value"].clone()
    };
    let created = service.call("POST", "/v1/distributed_lock/a").ok(201);
    assert_eq!(fields_of(&created), fields_of(&success(lock_path, "post", "201")));
    let held = service.call("PUT", "/v1/distributed_lock/a/write-process/p").ok(200);
    assert_eq!(fields_of(&held), fields_of(&success(write_path, "put", "200")));
    let again = service.call("PUT", "/v1/distributed_lock/a/write-process/p");
    let shown = refusal(write_path, "put", "406", "already_held");
    assert_eq!(fields_of(&again.refusal(406, "already_held")), fields_of(&shown));
    let missing = service.call("GET", "/v1/distributed_lock/b").refusal(404, "no_such_lock");
    let shown = refusal(lock_path, "get", "404", "no_such_lock");
    assert_eq!(fields_of(&missing), fields_of(&shown));
    let key = service.post_as("", "/v1/keys", r#"{"role": "read"}"#).ok(201);
    assert_eq!(fields_of(&key), fields_of(&success("/v1/keys", "post", "201")));
    let keys = service.call("GET", "/v1/keys").ok(200);
    assert_eq!(fields_of(&keys), fields_of(&success("/v1/keys", "get", "200")));
    let target = format!("/v1/keys/{}", key["key_id"].as_str().unwrap());
    let limited = service.patch_as("", &target, "{}").ok(200);
    assert_eq!(fields_of(&limited), fields_of(&success("/v1/keys/{key_id}", "patch", "200")));
    let revoked = service.call("DELETE", &target).ok(200);
    assert_eq!(fields_of(&revoked), fields_of(&success("/v1/keys/{key_id}", "delete", "200")));
    let health = service.call("GET", "/v1/healthcheck").ok(200);
    assert_eq!(fields_of(&health), fields_of(&success("/v1/healthcheck", "get", "200")));
    let ready = service.call("GET", "/readyz").ok(200);
    assert_eq!(fields_of(&ready), fields_of(&success("/readyz", "get", "200")));
}

#[test]
fn references_in_the_document_lead_somewhere() {
    fn references(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    into.push(reference.clone());
                }
                object.values().for_each(|inner| references(inner, into));
            }
            Value::Array(list) => list.iter().for_each(|inner| references(inner, into)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    let mut all = Vec::new();
    references(&document, &mut all);
    assert!(!all.is_empty());
    for reference in all {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn both_spellings_of_a_parameter_are_documented_and_the_alias_says_so() {
    let document = document();
    for (path, method, name, alias) in [
        ("/v1/distributed_lock/{lock_id}", "post", "is_exclusive", "is_write_exclusive"),
        (
            "/v1/distributed_lock/{lock_id}/read-process/{process_id}",
            "put",
            "timeout_seconds",
            "timeout",
        ),
    ] {
        let parameters = document["paths"][path][method]["parameters"].as_array().unwrap();
        let find = |wanted: &str| parameters.iter().find(|p| p["name"] == wanted).unwrap();
        assert_eq!(find(name)["in"], "query");
        // The page sends defaults along when a call is tried: one here would be the parameter given twice.
        assert_eq!(find(alias)["schema"].get("default"), None);
        let description = find(alias)["description"].as_str().unwrap();
        assert!(description.starts_with(&format!("Alias of `{name}`")), "{description}");
    }
}

#[test]
fn the_page_loads_all_it_needs_from_the_service_itself() {
    let service = Service::start_with_keys();
    let page = service.call("GET", "/v1/docs");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'self'"));
    let html = page.text();
    assert!(!html.contains("//"), "an address elsewhere in\n{html}");
    let loaded: Vec<&str> = html.split(['"']).filter(|part| part.starts_with("docs/")).collect();
    assert_eq!(loaded.len(), 4, "{loaded:?}");
    for (file, media_type, least_bytes) in [
        ("docs/favicon-32x32.png", "image/png", 100),
        ("docs/swagger-ui.css", "text/css; charset=utf-8", 50_000),
        ("docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8", 500_000),
        ("docs/start.js", "text/javascript; charset=utf-8", 50),
    ] {
        assert!(loaded.contains(&file), "{file}");
        let reply = service.call("GET", &format!("/v1/{file}"));
        assert_eq!(reply.status, 200, "{file}");
        assert_eq!(reply.header("content-type"), Some(media_type));
        assert!(reply.body.len() >= least_bytes, "{file} has {} bytes", reply.body.len());
    }
    let start = service.call("GET", "/v1/docs/start.js");
    assert!(start.text().contains("\"openapi.json\"") && !start.text().contains("//"));
    service.call("GET", "/v1/docs/package.json").refusal(404, "no_such_route");
    service.call("GET", "/v1/docs/%ff").refusal(404, "no_such_route");
}

#[test]
fn people_are_led_to_the_page() {
    let service = Service::start();
    for target in ["/", "/docs"] {
        let reply = service.call("GET", target);
        assert_eq!((reply.status, reply.header("location")), (307, Some("/v1/docs")));
    }
}
