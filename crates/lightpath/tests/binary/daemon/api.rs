//! The API as programs meet it: what its document promises is what it answers, and nothing that is sent to it does harm.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Value, json};

use crate::common::{Bed, Family, PATIENCE, file};

use super::{is_served, serve_pages, web};

/// An answer.
struct Answer {
    status: u16,
    media_type: String,
    body: Value,
}

/// Sends a request, whatever it is worth.
fn send(socket: &Path, head: &str, body: &[u8]) -> Answer {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request =
        format!("{head}\r\nHost: lightpath\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(request.as_bytes()).unwrap();
    // A body that is too large is answered before its end has been read.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let media_type = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        media_type: media_type.to_owned(),
        body: serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")),
    }
}

fn ask(socket: &Path, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let kind = if body.is_some() { "\r\nContent-Type: application/json" } else { "" };
    let body = body.map_or_else(String::new, Value::to_string);
    send(socket, &format!("{method} {path} HTTP/1.1{kind}"), body.as_bytes())
}

fn bed() -> (Bed, PathBuf) {
    let mut bed = Bed::one_armed(3);
    bed.balancer.start_with(&file(bed.interfaces, "", &web(&bed)));
    let socket = bed.scratch.join("run/default.sock");
    (bed, socket)
}

#[test]
fn every_answer_is_as_the_document_says() {
    let (mut bed, socket) = bed();
    let document = ask(&socket, "GET", "/v1/openapi.json", None).body;
    let requests = requests(&bed);
    let mut tried = BTreeSet::new();
    for ((method, template), path, body, expected) in &requests {
        let body = (!body.is_null()).then_some(body);
        let answer = ask(&socket, &method.to_uppercase(), path, body);
        assert_eq!(answer.status, *expected, "{method} {path}: {}", answer.body);
        let promised =
            &document["paths"][template][method]["responses"][answer.status.to_string()]["content"];
        let schema = &promised[&answer.media_type]["schema"];
        assert!(
            schema.is_object(),
            "{method} {template} does not promise {} as {}",
            answer.status,
            answer.media_type
        );
        fits(&document, schema, &answer.body, path);
        tried.insert(((*method).to_owned(), (*template).to_owned()));
    }
    let promised: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(|method| (method.clone(), path.clone()))
        })
        .collect();
    assert_eq!(tried, promised);
    bed.balancer.stop();
    bed.balancer.detach();
}

/// An operation: its method, and its path with names in braces.
type Operation = (&'static str, &'static str);

/// Requests that succeed, and such that do not, for each operation: the path, the body or null, the status of the answer.
fn requests(bed: &Bed) -> Vec<(Operation, String, Value, u16)> {
    const STATUS: Operation = ("get", "/v1/status");
    const DROPS: [Operation; 2] = [("get", "/v1/drops"), ("post", "/v1/drops")];
    const RELOAD: Operation = ("post", "/v1/reload");
    const ROLL_BACK: Operation = ("post", "/v1/rollback");
    const UPGRADE: Operation = ("post", "/v1/upgrade");
    // Those that do not end have a test of their own (events.rs).
    const EVENTS: Operation = ("get", "/v1/events");
    const WATCH: Operation = ("get", "/v1/watch");
    // What it answers is no JSON, and has a test of its own (capture.rs).
    const CAPTURE: Operation = ("post", "/v1/capture");
    const EXPLAIN: [Operation; 2] = [("get", "/v1/explain"), ("post", "/v1/explain")];
    const ADD_SERVICE: Operation = ("post", "/v1/services");
    const REMOVE_SERVICE: Operation = ("delete", "/v1/services/{service}");
    const ADD: Operation = ("post", "/v1/services/{service}/backends");
    const DRAIN: Operation = ("post", "/v1/services/{service}/backends/{backend}/drain");
    const ENABLE: Operation = ("post", "/v1/services/{service}/backends/{backend}/enable");
    const WEIGHT: Operation = ("put", "/v1/services/{service}/backends/{backend}/weight");
    const REMOVE: Operation = ("delete", "/v1/services/{service}/backends/{backend}");

    let [first, second] = [0, 1].map(|index: usize| bed.addresses(Family::V4)[index].to_string());
    let flow = "src=198.51.100.1:1&dst=203.0.113.10:80&proto=tcp";
    let sample = json!([{ "bytes": "00", "length": 60, "has_link": true }]);
    let dns = json!({ "name": "dns", "vip": Family::V4.vip(53).to_string(), "port": 53, "protocol": "udp" });
    let of_dns = |name: &str| format!("/v1/services/dns{name}");
    let of_web = |name: &str| format!("/v1/services/webV4/backends/{name}");
    let is_first = json!({ "address": first });
    vec![
        (STATUS, "/v1/status".to_owned(), Value::Null, 200),
        (DROPS[0], "/v1/drops".to_owned(), Value::Null, 200),
        (DROPS[1], "/v1/drops".to_owned(), Value::Null, 200),
        (DROPS[1], "/v1/drops?seconds=11".to_owned(), Value::Null, 400),
        (EVENTS, "/v1/events?after=x".to_owned(), Value::Null, 400),
        (WATCH, "/v1/watch?after=x".to_owned(), Value::Null, 400),
        (CAPTURE, "/v1/capture".to_owned(), json!({ "service": "nobody" }), 404),
        (CAPTURE, "/v1/capture".to_owned(), json!({ "client": "nobody" }), 422),
        (RELOAD, "/v1/reload?discard=true".to_owned(), Value::Null, 200),
        (ROLL_BACK, "/v1/rollback".to_owned(), Value::Null, 409),
        (UPGRADE, "/v1/upgrade".to_owned(), json!({ "binary": "lightpath" }), 422),
        (UPGRADE, "/v1/upgrade".to_owned(), json!({ "binary": "/bin/false" }), 409),
        (EXPLAIN[0], format!("/v1/explain?{flow}"), Value::Null, 200),
        (EXPLAIN[0], "/v1/explain?src=1".to_owned(), Value::Null, 400),
        (EXPLAIN[1], "/v1/explain".to_owned(), sample, 200),
        (EXPLAIN[1], "/v1/explain".to_owned(), json!([1]), 422),
        (ADD_SERVICE, "/v1/services".to_owned(), dns.clone(), 200),
        (ADD_SERVICE, "/v1/services".to_owned(), dns, 409),
        (ADD_SERVICE, "/v1/services".to_owned(), json!({ "name": "x" }), 422),
        (ADD, of_dns("/backends"), is_first.clone(), 200),
        (ADD, of_dns("/backends"), is_first.clone(), 409),
        (ADD, of_dns("/backends"), json!({ "address": "x" }), 422),
        (ADD, "/v1/services/mail/backends".to_owned(), is_first, 404),
        (REMOVE_SERVICE, of_dns(""), Value::Null, 200),
        (REMOVE_SERVICE, of_dns(""), Value::Null, 404),
        (DRAIN, of_web(&format!("{first}/drain")), Value::Null, 200),
        (DRAIN, of_web("192.0.2.1/drain"), Value::Null, 404),
        (ENABLE, of_web(&format!("{first}/enable")), Value::Null, 200),
        (ENABLE, of_web("192.0.2.1/enable"), Value::Null, 404),
        (WEIGHT, of_web(&format!("{first}%3A80/weight")), json!({ "weight": 7 }), 200),
        (WEIGHT, of_web(&format!("{first}/weight")), json!({ "weight": -1 }), 422),
        (REMOVE, of_web(&format!("{second}?now=true")), Value::Null, 200),
        (REMOVE, of_web(&second), Value::Null, 404),
    ]
}

/// Fails unless a value is as its schema says, and has nothing that the schema does not know.
fn fits(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).unwrap();
        return fits(document, schema, value, place);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let any = choices.iter().any(|choice| has_type(document, choice, value));
        assert!(any, "{place} is {value}, and not one of {choices:?}");
        return;
    }
    assert!(has_type(document, schema, value), "{place} is {value}, and not of {schema}");
    if let (Some(values), items) = (value.as_array(), &schema["items"]) {
        for value in values {
            fits(document, items, value, &format!("{place}[]"));
        }
    }
    let (Some(members), Some(properties)) = (value.as_object(), schema["properties"].as_object()) else {
        return;
    };
    for (name, value) in members {
        let known =
            properties.get(name).unwrap_or_else(|| panic!("{place} has {name}, which is not promised"));
        fits(document, known, value, &format!("{place}.{name}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(members.contains_key(name.as_str().unwrap()), "{place} has no {name}");
    }
}

fn has_type(document: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        return has_type(document, document.pointer(reference.trim_start_matches('#')).unwrap(), value);
    }
    let is = |kind: &Value| match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    };
    match &schema["type"] {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(is),
        kind => is(kind),
    }
}

#[test]
fn what_makes_no_sense_is_answered_with_a_problem_and_does_no_harm() {
    let (mut bed, socket) = bed();
    let _servers = serve_pages(&bed);
    let json = "\r\nContent-Type: application/json";
    for (head, body, expected) in [
        ("GET /nothing HTTP/1.1".to_owned(), vec![], 404),
        ("GET /v1/status/more HTTP/1.1".to_owned(), vec![], 404),
        ("DELETE /v1/status HTTP/1.1".to_owned(), vec![], 405),
        (format!("POST /v1/explain HTTP/1.1{json}"), b"[{".to_vec(), 400),
        (format!("POST /v1/explain HTTP/1.1{json}"), vec![b'['; 100_000], 422),
        (format!("POST /v1/explain HTTP/1.1{json}"), vec![b' '; 9 << 20], 413),
        ("POST /v1/services HTTP/1.1".to_owned(), b"{}".to_vec(), 415),
        (format!("POST /v1/services HTTP/1.1{json}"), b"\xff\xfe".to_vec(), 400),
        (format!("POST /v1/services HTTP/1.1{json}"), b"[]".to_vec(), 422),
        ("POST /v1/services/web%ff/backends/1/drain HTTP/1.1".to_owned(), vec![], 400),
        ("POST /v1/services/webV4/backends/nonsense/drain HTTP/1.1".to_owned(), vec![], 400),
        ("POST /v1/reload?discard=perhaps HTTP/1.1".to_owned(), vec![], 400),
    ] {
        let answer = send(&socket, &head, &body);
        assert_eq!(
            (answer.status, answer.media_type.as_str()),
            (expected, "application/problem+json"),
            "{head}"
        );
        let told = &answer.body;
        assert_eq!(told["status"], expected, "{head}");
        assert!(told["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{head}: {told}");
        assert_eq!(told["type"], "about:blank");
    }
    assert!(is_served(&bed.client.ns, Family::V4.vip(10)));
    bed.balancer.stop();
    bed.balancer.detach();
}

#[test]
fn a_thousand_requests_at_once_are_all_answered() {
    const AT_ONCE: usize = 1000;
    let (mut bed, socket) = bed();
    let first = bed.addresses(Family::V4)[0].to_string();
    let asking: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            let socket = socket.clone();
            let path = format!("/v1/services/webV4/backends/{first}/weight");
            thread::Builder::new()
                .stack_size(128 << 10)
                .spawn(move || match number % 50 {
                    0 => ask(&socket, "PUT", &path, Some(&json!({ "weight": 1 + number }))).status,
                    1 => ask(&socket, "GET", "/v1/nothing", None).status,
                    _ => ask(&socket, "GET", "/v1/status", None).status,
                })
                .unwrap()
        })
        .collect();
    let answers: Vec<u16> = asking.into_iter().map(|asking| asking.join().unwrap()).collect();
    let expected: Vec<u16> = (0..AT_ONCE).map(|number| if number % 50 == 1 { 404 } else { 200 }).collect();
    assert_eq!(answers, expected);
    bed.balancer.stop();
    bed.balancer.detach();
}
