//! An HTTP/1.1 server that says who it is.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::error::Error;
use crate::namespace::Namespace;
use crate::server::Worker;

/// Connections waiting to be accepted; a burst from the load generator must not overflow it.
const BACKLOG: u32 = 4096;

/// A running HTTP server; dropping it stops it and closes its connections.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    counters: Arc<Counters>,
    _worker: Worker,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    requests: AtomicU64,
}

impl HttpServer {
    /// The address it listens on; the port is real where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counters.connections.load(Ordering::Relaxed)
    }

    /// Requests answered so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.counters.requests.load(Ordering::Relaxed)
    }
}

/// Serves HTTP/1.1 with keep-alive on `address` inside `namespace`.
///
/// Every answer has the headers `X-Backend` (`name`) and `X-Peer` (the client's address and port as seen here), and both
/// in its body; `GET /bytes/N` gets a body of N bytes instead.
pub fn serve_http(namespace: &Namespace, address: SocketAddr, name: &str) -> Result<HttpServer, Error> {
    let identity = HeaderValue::from_str(name).map_err(|error| {
        let error = io::Error::new(io::ErrorKind::InvalidInput, error);
        namespace.error(format!("serve under the name {name:?}"), error)
    })?;
    let counters = Arc::new(Counters::default());
    let (worker, address) = Worker::start(namespace, name, address, async move || bind(address), {
        let counters = Arc::clone(&counters);
        async move |listener| accept(listener, identity, counters).await
    })?;
    Ok(HttpServer { address, counters, _worker: worker })
}

fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that is stopped and started again must not wait for its old connections to time out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn accept(listener: TcpListener, name: HeaderValue, counters: Arc<Counters>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                counters.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(converse(stream, peer, name.clone(), Arc::clone(&counters)));
            }
            // Out of file descriptors, or a connection that is gone already: the next may work.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, name: HeaderValue, counters: Arc<Counters>) {
    // An IPv4 client of a socket bound to [::] is still an IPv4 client.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let service = service_fn(async |request: Request<Incoming>| {
        counters.requests.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(answer(request.uri().path(), peer, &name))
    });
    // A connection that the client or the test breaks off is its own affair, and it sees so itself.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn answer(path: &str, peer: SocketAddr, name: &HeaderValue) -> Response<String> {
    let peer = peer.to_string();
    let body = match path.strip_prefix("/bytes/").and_then(|count| count.parse().ok()) {
        Some(count) => "x".repeat(count),
        None => format!("{} {peer}\n", String::from_utf8_lossy(name.as_bytes())),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert("x-backend", name.clone());
    if let Ok(peer) = HeaderValue::from_str(&peer) {
        response.headers_mut().insert("x-peer", peer);
    }
    response
}
