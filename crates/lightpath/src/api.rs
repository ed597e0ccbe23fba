//! The API's client side: HTTP over the daemon's Unix socket.

use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::problem::Problem;

/// Hardly an answer of the daemon takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a daemon listens on `socket`.
pub(crate) fn is_served(socket: &Path) -> bool {
    BlockingUnixStream::connect(socket).is_ok()
}

/// The body of a successful answer to GET `path`.
pub(crate) fn get(socket: &Path, path: &str) -> Result<String> {
    send(socket, Method::GET, path, None)
}

/// The body of a successful answer to a request with this JSON. A refusal is a [`Problem`].
pub(crate) fn send(socket: &Path, method: Method, path: &str, json: Option<String>) -> Result<String> {
    send_within(socket, method, path, json, TIMEOUT)
}

/// The same, for an answer that may take longer.
pub(crate) fn send_within(
    socket: &Path,
    method: Method,
    path: &str,
    json: Option<String>,
    patience: Duration,
) -> Result<String> {
    let mut request = Request::builder().method(method).uri(path);
    if json.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(json.map_or_else(Full::default, Full::from))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(patience, ask(socket, request)).await.context("the daemon does not answer")?
    })
}

async fn ask(socket: &Path, mut request: Request<Full<Bytes>>) -> Result<String> {
    let stream = UnixStream::connect(socket).await.with_context(|| socket.display().to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("lightpath"));
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = String::from_utf8(answer.into_body().collect().await?.to_bytes().into())?;
    if status.is_success() {
        return Ok(body);
    }
    Err(serde_json::from_str::<Problem>(&body)
        .map_or_else(|_| anyhow!("the daemon answers {status}: {body}"), Error::from))
}
