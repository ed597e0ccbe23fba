//! The API's client side: HTTP over the daemon's Unix socket, or HTTPS to another host's.

mod remote;

use std::io;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use crate::problem::Problem;
pub(crate) use remote::{Remote, Url};

/// Hardly an answer of the daemon takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a daemon is asked.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// On this host.
    Socket(PathBuf),
    /// On another.
    Remote(Remote),
}

impl From<&Self> for Place {
    fn from(place: &Self) -> Self {
        place.clone()
    }
}

impl From<&PathBuf> for Place {
    fn from(socket: &PathBuf) -> Self {
        Self::Socket(socket.clone())
    }
}

/// Whether a daemon listens on `socket`.
pub(crate) fn is_served(socket: &Path) -> bool {
    BlockingUnixStream::connect(socket).is_ok()
}

/// The body of a successful answer to GET `path`.
pub(crate) fn get(place: impl Into<Place>, path: &str) -> Result<String> {
    send(place, Method::GET, path, None)
}

/// The body of a successful answer to a request with this JSON. A refusal is a [`Problem`].
pub(crate) fn send(
    place: impl Into<Place>,
    method: Method,
    path: &str,
    json: Option<String>,
) -> Result<String> {
    send_within(place, method, path, json, TIMEOUT)
}

/// The same, for an answer that may take longer.
pub(crate) fn send_within(
    place: impl Into<Place>,
    method: Method,
    path: &str,
    json: Option<String>,
    patience: Duration,
) -> Result<String> {
    let place = place.into();
    let mut request = Request::builder().method(method).uri(path);
    if json.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(json.map_or_else(Full::default, Full::from))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(patience, ask(&place, request)).await.context("the daemon does not answer")?
    })
}

/// Trailers of a capture: how many packets it has, and how many copies were lost.
pub(crate) const CAPTURED: &str = "lightpath-captured";
pub(crate) const LOST: &str = "lightpath-lost";

/// How a capture ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    /// Packets it has.
    pub(crate) captured: u64,
    /// Packets it should have.
    pub(crate) lost: u64,
}

/// Takes a long answer to POST `path` piece by piece.
pub(crate) fn stream(
    place: impl Into<Place>,
    path: &str,
    json: String,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Ended> {
    let place = place.into();
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::TE, "trailers")
        .body(Full::from(json))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut body = open(&place, request).await?;
        let mut ended = Ended::default();
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            if let Some(piece) = frame.data_ref() {
                take(piece)?;
            } else if let Some(trailers) = frame.trailers_ref() {
                let number = |name| trailers.get(name)?.to_str().ok()?.parse().ok();
                let (captured, lost) = (number(CAPTURED), number(LOST));
                ended = Ended { captured: captured.unwrap_or(0), lost: lost.unwrap_or(0) };
            }
        }
        Ok(ended)
    })
}

async fn ask(place: &Place, request: Request<Full<Bytes>>) -> Result<String> {
    Ok(String::from_utf8(open(place, request).await?.collect().await?.to_bytes().into())?)
}

/// The body of an answer, once it is known to be no refusal.
async fn open(place: &Place, mut request: Request<Full<Bytes>>) -> Result<Incoming> {
    match place {
        Place::Socket(socket) => {
            let stream = UnixStream::connect(socket).await.with_context(|| socket.display().to_string())?;
            request.headers_mut().insert(header::HOST, HeaderValue::from_static("lightpath"));
            exchange(stream, request).await
        }
        Place::Remote(remote) => {
            request.headers_mut().insert(header::HOST, remote.host()?);
            request.headers_mut().insert(header::AUTHORIZATION, remote.authorization()?);
            exchange(remote.connect().await?, request).await
        }
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Incoming>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer.into_body());
    }
    let body = String::from_utf8(answer.into_body().collect().await?.to_bytes().into())?;
    Err(serde_json::from_str::<Problem>(&body)
        .map_or_else(|_| anyhow!("the daemon answers {status}: {body}"), Error::from))
}
