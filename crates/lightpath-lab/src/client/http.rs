//! HTTP/1.1 requests: one, many at a time, or one after another on a connection kept open.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::runtime::{self, Runtime};

use crate::error::Error;
use crate::namespace::Namespace;

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The server's name, from the header `X-Backend`.
    pub backend: String,
    /// The client's address and port as the server saw it, from the header `X-Peer`.
    pub peer: Option<SocketAddr>,
    /// The body.
    pub body: Vec<u8>,
    /// From before the request (and the connection, where it was a fresh one) to the end of the body.
    pub elapsed: Duration,
}

/// Gets `/` from `to` on a fresh connection, from `from` or an address of the kernel's choice, all within `timeout`.
///
/// A timeout is an error of kind [`io::ErrorKind::TimedOut`]; a refused connection, of
/// [`io::ErrorKind::ConnectionRefused`].
pub fn http_get(
    namespace: &Namespace,
    from: Option<IpAddr>,
    to: SocketAddr,
    timeout: Duration,
) -> Result<Answer, Error> {
    namespace
        .run(|| runtime()?.block_on(within(timeout, get_once(from, to))))?
        .map_err(|error| failed(namespace.name(), from, to, error))
}

/// Many requests, each on a fresh connection.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where they go.
    pub to: SocketAddr,
    /// Where they come from, in turn; empty for an address of the kernel's choice.
    pub sources: Vec<IpAddr>,
    /// How many.
    pub requests: usize,
    /// How many at a time, at least 1.
    pub concurrency: usize,
    /// How long each may take.
    pub timeout: Duration,
}

impl Load {
    /// Sends all requests from inside `namespace`; one result each, in the order in which they ended.
    pub fn run(&self, namespace: &Namespace) -> Result<Vec<Result<Answer, Error>>, Error> {
        namespace
            .run(|| {
                let requests = stream::iter(0..self.requests).map(async |number| {
                    let from = self.source(number);
                    within(self.timeout, get_once(from, self.to))
                        .await
                        .map_err(|error| failed(namespace.name(), from, self.to, error))
                });
                Ok(runtime()?.block_on(requests.buffer_unordered(self.concurrency.max(1)).collect()))
            })?
            .map_err(|error| namespace.error("start the load", error))
    }

    fn source(&self, number: usize) -> Option<IpAddr> {
        let turn = number.checked_rem(self.sources.len())?;
        self.sources.get(turn).copied()
    }
}

/// A connection that stays open between requests, as a browser's does.
///
/// It has an async runtime of its own and blocks the caller, so it cannot be used from inside another.
#[derive(Debug)]
pub struct HttpConnection {
    runtime: Runtime,
    sender: SendRequest<String>,
    place: String,
    from: Option<IpAddr>,
    to: SocketAddr,
}

impl HttpConnection {
    /// Connects to `to` from `from` or an address of the kernel's choice.
    pub fn open(
        namespace: &Namespace,
        from: Option<IpAddr>,
        to: SocketAddr,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let (runtime, sender) = namespace
            .run(|| {
                let runtime = runtime()?;
                let sender = runtime.block_on(within(timeout, connect(from, to)))?;
                Ok((runtime, sender))
            })?
            .map_err(|error| failed(namespace.name(), from, to, error))?;
        Ok(Self { runtime, sender, place: namespace.name().to_owned(), from, to })
    }

    /// Gets `path` on this connection.
    pub fn get(&mut self, path: &str, timeout: Duration) -> Result<Answer, Error> {
        self.runtime
            .block_on(within(timeout, request(&mut self.sender, self.to, path, "keep-alive")))
            .map_err(|error| failed(&self.place, self.from, self.to, error))
    }
}

async fn get_once(from: Option<IpAddr>, to: SocketAddr) -> io::Result<Answer> {
    let start = Instant::now();
    let mut sender = connect(from, to).await?;
    // The server closes first, and keeps the TIME-WAIT: the client's ports do not run out.
    let answer = request(&mut sender, to, "/", "close").await?;
    Ok(Answer { elapsed: start.elapsed(), ..answer })
}

async fn connect(from: Option<IpAddr>, to: SocketAddr) -> io::Result<SendRequest<String>> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(as_io)?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn request(
    sender: &mut SendRequest<String>,
    to: SocketAddr,
    path: &str,
    connection: &'static str,
) -> io::Result<Answer> {
    let start = Instant::now();
    let request = Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(HOST, to.to_string())
        .header(CONNECTION, HeaderValue::from_static(connection))
        .body(String::new())
        .map_err(io::Error::other)?;
    sender.ready().await.map_err(as_io)?;
    let response = sender.send_request(request).await.map_err(as_io)?;
    let status = response.status().as_u16();
    let backend = header(response.headers(), "x-backend")
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer has no X-Backend header"))?
        .to_owned();
    let peer = header(response.headers(), "x-peer").and_then(|peer| peer.parse().ok());
    let body = response.into_body().collect().await.map_err(as_io)?.to_bytes().to_vec();
    Ok(Answer { status, backend, peer, body, elapsed: start.elapsed() })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

async fn within<T>(timeout: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {timeout:?}"))),
    }
}

fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// The system's error below hyper's, where there is one: a reset must be recognised as one.
fn as_io(error: hyper::Error) -> io::Error {
    let kind = std::error::Error::source(&error)
        .and_then(|source| source.downcast_ref::<io::Error>())
        .map_or(io::ErrorKind::Other, io::Error::kind);
    io::Error::new(kind, error)
}

fn failed(place: &str, from: Option<IpAddr>, to: SocketAddr, error: io::Error) -> Error {
    let action = match from {
        Some(from) => format!("get http://{to}/ from {from}"),
        None => format!("get http://{to}/"),
    };
    Error::new(place, action, error)
}
