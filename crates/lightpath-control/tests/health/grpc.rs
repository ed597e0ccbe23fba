//! gRPC, of servers that serve, do not, and have no health service, with TLS and without.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::https::server_config;
use super::{servers, words};

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

/// A server that answers a call for a service with what `answer` says: a serving status, or a gRPC error.
fn serve(answer: fn(&str) -> Result<u8, u32>) -> SocketAddr {
    serve_over(None, answer)
}

fn serve_over(tls: Option<TlsAcceptor>, answer: fn(&str) -> Result<u8, u32>) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                match &tls {
                    None => drop(tokio::spawn(speak(stream, answer))),
                    Some(tls) => {
                        let tls = tls.accept(stream);
                        tokio::spawn(async move {
                            let Ok(stream) = tls.await else { return };
                            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                            speak(stream, answer).await;
                        });
                    }
                }
            }
        });
    });
    told.recv().unwrap()
}

/// Whoever checks breaks the connection off.
async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin, answer: fn(&str) -> Result<u8, u32>) {
    let service = service_fn(move |request| respond(request, answer));
    let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    request: Request<Incoming>,
    answer: fn(&str) -> Result<u8, u32>,
) -> Result<Response<Body>, Infallible> {
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    // Prefix, tag and length come before the name.
    let name = String::from_utf8(body.get(7..).unwrap_or_default().to_vec()).unwrap();
    let response = Response::builder().header("content-type", "application/grpc");
    Ok(match answer(&name) {
        Ok(status) => {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            let frames =
                [Frame::data(Bytes::from(vec![0, 0, 0, 0, 2, 0x08, status])), Frame::trailers(trailers)];
            let frames = futures_util::stream::iter(frames.map(Ok));
            response.body(StreamBody::new(frames).boxed()).unwrap()
        }
        Err(code) => response.header("grpc-status", code.to_string()).body(Full::default().boxed()).unwrap(),
    })
}

const GRPC: [&str; 2] = ["type = \"grpc\"", "timeout = \"2s\""];

#[test]
fn a_service_must_be_serving() {
    let server = serve(|name| match name {
        "" | "a.Good" => Ok(1),
        "a.Bad" => Ok(2),
        _ => Err(5),
    });
    for (service, expected) in [
        ("a.Good", ""),
        ("a.Bad", "the gRPC health service says NOT_SERVING"),
        ("a.Unknown", "gRPC status 5: it does not know the service"),
    ] {
        let service = format!("service = {service:?}");
        assert_eq!(words(&[&GRPC[..], &[&service]].concat(), server), expected);
    }
    assert_eq!(words(&GRPC, server), "", "the server as a whole");
    assert_eq!(words(&GRPC, serve(|_| Err(12))), "gRPC status 12: it has no health service");
}

#[test]
fn over_tls_the_certificate_counts_too() {
    let names = ["grpc.example.com".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let ca = tempfile::NamedTempFile::new().unwrap();
    fs::write(ca.path(), cert.pem()).unwrap();
    let mut config = server_config(cert.der().clone(), &signing_key);
    // As servers that speak several protocols have it, and those of gRPC insist on it.
    Arc::get_mut(&mut config).unwrap().alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let server = serve_over(Some(config.into()), |name| if name == "a.Good" { Ok(1) } else { Ok(2) });

    let ca = format!("ca = {:?}", ca.path());
    let grpcs = ["type = \"grpcs\"", "timeout = \"2s\"", &ca, "server_name = \"grpc.example.com\""];
    let good = [&grpcs[..], &["service = \"a.Good\""]].concat();
    assert_eq!(words(&good, server), "");
    assert_eq!(words(&grpcs, server), "the gRPC health service says NOT_SERVING");
    let unnamed = words(&grpcs[..3], server);
    assert!(unnamed.starts_with("TLS: ") && unnamed.contains("127.0.0.1"), "{unnamed}");
    let plain = words(&["type = \"grpcs\"", "verify = false", "timeout = \"500ms\""], serve(|_| Ok(1)));
    assert!(plain.starts_with("TLS: "), "{plain}");
}

#[test]
fn what_is_no_grpc_is_named() {
    let plain = servers::http(|_| servers::response(200, "fine"));
    let said = words(&GRPC, plain);
    assert!(said.starts_with("the answer is not HTTP: ") || said.starts_with("connection "), "{said}");
    let silent = servers::tcp(|connection| {
        thread::sleep(std::time::Duration::from_mins(1));
        drop(connection);
    });
    assert_eq!(words(&["type = \"grpc\"", "timeout = \"200ms\""], silent), "timed out after 200 ms");
}
