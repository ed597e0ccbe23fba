//! The API's client side: HTTP over the daemon's Unix socket.

use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// No answer of the daemon takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a daemon listens on `socket`.
pub(crate) fn is_served(socket: &Path) -> bool {
    BlockingUnixStream::connect(socket).is_ok()
}

/// The body of a successful answer to GET `path`.
pub(crate) fn get(socket: &Path, path: &str) -> Result<String> {
    send(socket, Request::get(path).body(Full::default())?)
}

/// The body of a successful answer to POST `path` with this JSON.
pub(crate) fn post(socket: &Path, path: &str, json: String) -> Result<String> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    send(socket, request.body(Full::from(json))?)
}

fn send(socket: &Path, request: Request<Full<Bytes>>) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(TIMEOUT, ask(socket, request)).await.context("the daemon does not answer")?
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
    if !status.is_success() {
        bail!("the daemon answers {status}: {body}");
    }
    Ok(body)
}
