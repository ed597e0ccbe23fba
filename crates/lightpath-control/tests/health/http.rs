//! HTTP, of servers that are well and of those that are not.

use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::servers::{self, response};
use super::{outcome, words};

const HTTP: &str = "type = \"http\"";

#[test]
fn a_request_says_what_the_configuration_says() {
    let (tell, told) = mpsc::channel();
    let server = servers::http(move |head| {
        let _ = tell.send(head.to_owned());
        response(204, "")
    });
    assert_eq!(words(&[HTTP], server), "");
    let head = told.recv().unwrap();
    assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {server}\r\n")), "{head}");
    assert!(head.contains("user-agent: lightpath/"), "{head}");
    assert!(head.contains("connection: close\r\n"), "{head}");

    let lines = [HTTP, "method = \"HEAD\"", "path = \"/live?full=1\"", "host = \"www.example.com\""];
    assert_eq!(words(&lines, server), "");
    let head = told.iter().find(|head| head.starts_with("HEAD")).unwrap();
    assert!(head.starts_with("HEAD /live?full=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("host: www.example.com\r\n"), "{head}");
}

#[test]
fn a_status_is_good_or_named() {
    for (status, lines, expected) in [
        (200, &[][..], ""),
        (302, &[], ""),
        (404, &[], "status 404, want 200-399"),
        (503, &["status = 200"], "status 503, want 200"),
        (201, &["status = [200, \"202-299\"]"], "status 201, want 200, 202-299"),
        (404, &["status = 404"], ""),
    ] {
        let server = servers::http(move |_| response(status, ""));
        assert_eq!(words(&[&[HTTP], lines].concat(), server), expected, "{status} {lines:?}");
    }
}

#[test]
fn a_body_contains_what_it_must() {
    let server = servers::http(|_| response(200, "status: fine, really"));
    assert_eq!(words(&[HTTP, "body = \"fine\""], server), "");
    assert_eq!(words(&[HTTP, "body = \"well\""], server), "20 bytes of the answer do not contain \"well\"");
}

#[test]
fn a_word_that_comes_in_two_pieces_is_found() {
    let server = servers::tcp(|mut connection| {
        servers::head(&connection);
        for piece in ["HTTP/1.1 200 OK\r\n\r\nit is fi", "ne, all of it"] {
            let _ = connection.write_all(piece.as_bytes());
            thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(words(&[HTTP, "body = \"is fine\""], server), "");
}

/// Sends a head and then zeros, for as long as anybody reads; how many it got rid of.
fn flood(head: &'static str, length: usize) -> (std::net::SocketAddr, mpsc::Receiver<usize>) {
    let (tell, told) = mpsc::channel();
    let server = servers::tcp(move |mut connection| {
        servers::head(&connection);
        let mut sent = 0;
        if connection.write_all(head.as_bytes()).is_ok() {
            let zeros = vec![b'0'; 64 << 10];
            while sent < length && connection.write_all(&zeros).is_ok() {
                sent += zeros.len();
            }
        }
        let _ = tell.send(sent);
    });
    (server, told)
}

#[test]
fn a_server_that_sends_a_gigabyte_is_not_read_to_the_end() {
    const GIGABYTE: usize = 1 << 30;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n";
    let (server, sent) = flood(head, GIGABYTE);
    let lines = [HTTP, "body = \"fine\"", "interval = \"1h\"", "timeout = \"20s\""];
    assert_eq!(words(&lines, server), "the answer is longer than 65536 bytes, which do not contain \"fine\"");
    // What the kernels' buffers hold is on the way by then.
    let sent = sent.recv().unwrap();
    assert!(sent < GIGABYTE / 10, "{sent} bytes were taken");

    // Nobody looks at it where the status is all that matters.
    let (server, _) = flood(head, GIGABYTE);
    assert_eq!(words(&[HTTP, "interval = \"1h\"", "timeout = \"20s\""], server), "");
}

#[test]
fn headers_without_an_end_are_not_read_to_the_end() {
    let (server, sent) = flood("HTTP/1.1 200 OK\r\nx: ", 1 << 30);
    let words = words(&[HTTP, "interval = \"1h\"", "timeout = \"20s\""], server);
    assert!(words.starts_with("the answer is not HTTP: "), "{words}");
    assert!(sent.recv().unwrap() < 100 << 20);
}

#[test]
fn a_server_that_accepts_and_never_answers_is_a_timeout() {
    let server = servers::tcp(|connection| {
        thread::sleep(Duration::from_mins(1));
        drop(connection);
    });
    let begun = Instant::now();
    assert_eq!(words(&[HTTP, "timeout = \"150ms\""], server), "timed out after 150 ms");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_timeout_is_for_all_of_a_check() {
    // Each byte comes in time, and the answer does not.
    let server = servers::tcp(|mut connection| {
        servers::head(&connection);
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" {
            thread::sleep(Duration::from_millis(50));
            if connection.write_all(&[*byte]).is_err() {
                return;
            }
        }
    });
    assert_eq!(words(&[HTTP, "timeout = \"200ms\""], server), "timed out after 200 ms");
}

#[test]
fn what_breaks_off_or_is_no_http_is_named() {
    let closes = servers::tcp(|connection| drop(servers::head(&connection)));
    assert_eq!(words(&[HTTP], closes), "connection closed without an answer");
    let half = servers::http(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfi".to_vec());
    assert_eq!(words(&[HTTP, "body = \"fine\""], half), "connection closed without an answer");
    let other = servers::http(|_| b"SSH-2.0-OpenSSH_9.2\r\n".to_vec());
    let words = words(&[HTTP], other);
    assert!(words.starts_with("the answer is not HTTP: "), "{words}");
    assert_eq!(outcome(&[HTTP], servers::closed()).unwrap_err().name(), "refused");
}
