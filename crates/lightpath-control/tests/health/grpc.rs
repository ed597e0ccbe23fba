//! gRPC, of servers that serve, do not, and have no health service.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::thread;

use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use super::{servers, words};

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

/// A server that answers a call for a service with what `answer` says: a serving status, or a gRPC error.
fn serve(answer: fn(&str) -> Result<u8, u32>) -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let service = service_fn(move |request| respond(request, answer));
                let serve =
                    http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
                // Whoever checks breaks the connection off.
                tokio::spawn(async { drop(serve.await) });
            }
        });
    });
    told.recv().unwrap()
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
