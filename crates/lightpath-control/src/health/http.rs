//! HTTP/1.1: a request is answered with a good status, and with what the answer must contain.

use std::error::Error;
use std::io;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::cause::Cause;
use super::peer::Peer;
use super::tcp;
use crate::model::{HttpCheck, Method};

/// How much is read of an answer that must contain something, and of the headers of any.
const LIMIT: usize = 64 << 10;

/// What requests and gRPC calls say of who sends them.
pub(super) const AGENT: &str = concat!("lightpath/", env!("CARGO_PKG_VERSION"), " (health check)");

/// Asks over a connection of its own.
pub(super) async fn check(check: &HttpCheck, to: &Peer) -> Result<(), Cause> {
    ask(check, to, tcp::connect(to).await?).await
}

/// Asks over this connection.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    check: &HttpCheck,
    to: &Peer,
    stream: S,
) -> Result<(), Cause> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(LIMIT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| cause(&error))?;
    let exchange = async {
        let response = sender.send_request(request(check, to)?).await.map_err(|error| cause(&error))?;
        judge(check, response).await
    };
    // The connection does the reading and writing while it is polled; what went wrong with it, the exchange learns.
    tokio::pin!(exchange, connection);
    tokio::select! {
        outcome = &mut exchange => outcome,
        _ = &mut connection => exchange.await,
    }
}

fn request(check: &HttpCheck, to: &Peer) -> Result<Request<Empty<Bytes>>, Cause> {
    let host = check.host.clone().unwrap_or_else(|| to.address.to_string());
    let method = match check.method {
        Method::Get => hyper::Method::GET,
        Method::Head => hyper::Method::HEAD,
    };
    // The configuration takes only what can be sent.
    Request::builder()
        .method(method)
        .uri(&check.path)
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, HeaderValue::from_static("close"))
        .body(Empty::new())
        .map_err(|error| Cause::Local(error.to_string()))
}

async fn judge(check: &HttpCheck, response: Response<Incoming>) -> Result<(), Cause> {
    let got = response.status().as_u16();
    if !check.status.contain(got) {
        return Err(Cause::Status { got, want: check.status.clone() });
    }
    match &check.body {
        Some(want) => look_for(want, response.into_body()).await,
        None => Ok(()),
    }
}

/// Reads until it has found what it looks for, or has read enough.
async fn look_for(want: &str, mut body: Incoming) -> Result<(), Cause> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| cause(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        // It may have begun at the end of what was read before.
        let from = read.len().saturating_sub(want.len());
        let room = LIMIT - read.len();
        read.extend_from_slice(&data[..data.len().min(room)]);
        if contains(&read[from..], want.as_bytes()) {
            return Ok(());
        }
        if data.len() >= room {
            return Err(Cause::TooLong { limit: LIMIT, want: want.to_owned() });
        }
    }
    Err(Cause::Missing { read: read.len(), want: want.to_owned() })
}

/// Whether `what` is somewhere in `data`.
pub(super) fn contains(data: &[u8], what: &[u8]) -> bool {
    data.windows(what.len()).any(|window| window == what)
}

/// What an error of hyper says of the backend.
pub(super) fn cause(error: &hyper::Error) -> Cause {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            let copy = inner.raw_os_error().map_or_else(
                || io::Error::new(inner.kind(), inner.to_string()),
                io::Error::from_raw_os_error,
            );
            return copy.into();
        }
        source = inner.source();
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Cause::Closed;
    }
    Cause::Malformed { protocol: "HTTP", problem: error.to_string() }
}
