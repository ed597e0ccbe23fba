//! gRPC: the health service says that a service is serving (grpc/doc/health-checking.md), over HTTP/2.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, HeaderMap, TE, USER_AGENT};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::cause::Cause;
use super::http::{AGENT, cause};
use super::peer::Peer;
use super::tcp;

/// An answer holds one number.
const LARGEST_ANSWER: usize = 4096;
/// Bytes before a message: whether it is compressed, and its length (grpc/doc/PROTOCOL-HTTP2.md).
const PREFIX: usize = 5;

/// Calls `grpc.health.v1.Health/Check` for a service; an empty name is the server as a whole.
pub(super) async fn check(service: &str, to: &Peer) -> Result<(), Cause> {
    ask(service, "http", to, tcp::connect(to).await?).await
}

/// The same over this connection, which is secure or not as the scheme says.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    service: &str,
    scheme: &str,
    to: &Peer,
    stream: S,
) -> Result<(), Cause> {
    let handshake = http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(16 << 10)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(|error| cause(&error))?;
    let exchange = async {
        let response =
            sender.send_request(request(service, scheme, to)?).await.map_err(|error| cause(&error))?;
        judge(response).await
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        outcome = &mut exchange => outcome,
        _ = &mut connection => exchange.await,
    }
}

fn request(service: &str, scheme: &str, to: &Peer) -> Result<Request<Full<Bytes>>, Cause> {
    Request::post(format!("{scheme}://{}/grpc.health.v1.Health/Check", to.address))
        .version(Version::HTTP_2)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, AGENT)
        .body(Full::from(framed(&message(service))))
        .map_err(|error| Cause::Local(error.to_string()))
}

/// `HealthCheckRequest { string service = 1; }`; an empty string is left out, as everywhere in proto3.
fn message(service: &str) -> Vec<u8> {
    if service.is_empty() {
        return Vec::new();
    }
    let mut message = vec![0x0a];
    let mut length = service.len();
    while length > 0 {
        // Seven bits a byte, and one that says whether there are more.
        let more = if length > 0x7f { 0x80 } else { 0 };
        message.extend(u8::try_from(length & 0x7f | more));
        length >>= 7;
    }
    message.extend(service.as_bytes());
    message
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], &length.to_be_bytes()[..], message].concat()
}

async fn judge(response: Response<Incoming>) -> Result<(), Cause> {
    if response.status() != StatusCode::OK {
        return Err(malformed(format!("it has HTTP status {}", response.status().as_u16())));
    }
    // A call that failed at once has its status here.
    refused(response.headers())?;
    let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
    let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
        Ok(error) => cause(&error),
        Err(_) => malformed(format!("it is longer than {LARGEST_ANSWER} bytes")),
    })?;
    if let Some(trailers) = body.trailers() {
        refused(trailers)?;
    }
    let bytes = body.to_bytes();
    match status(&bytes) {
        Some(1) => Ok(()),
        Some(2) => Err(Cause::NotServing("NOT_SERVING")),
        Some(3) => Err(Cause::NotServing("SERVICE_UNKNOWN")),
        Some(_) => Err(Cause::NotServing("UNKNOWN")),
        None => Err(malformed(format!("{} bytes hold no status", bytes.len()))),
    }
}

fn malformed(problem: String) -> Cause {
    Cause::Malformed { protocol: "gRPC", problem }
}

fn refused(headers: &HeaderMap) -> Result<(), Cause> {
    let Some(status) = headers.get("grpc-status") else { return Ok(()) };
    match status.to_str().ok().and_then(|status| status.parse().ok()) {
        Some(0) => Ok(()),
        Some(code) => Err(Cause::Grpc { code }),
        None => Err(malformed("its grpc-status is no number".to_owned())),
    }
}

/// The status in a framed `HealthCheckResponse { ServingStatus status = 1; }`: 0 if it is left out.
fn status(framed: &[u8]) -> Option<u64> {
    let (prefix, message) = framed.split_at_checked(PREFIX)?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    if prefix[0] != 0 || usize::try_from(length).ok()? != message.len() {
        return None;
    }
    let mut rest = message;
    let mut status = 0;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        match (tag >> 3, tag & 7) {
            (1, 0) => status = varint(&mut rest)?,
            // Fields that later versions may have (protobuf's encoding, "Message Structure").
            (_, 0) => drop(varint(&mut rest)?),
            (_, 1) => rest = rest.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            (_, 5) => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_service() {
        assert_eq!(framed(&message("")), [0; 5]);
        assert_eq!(framed(&message("a.B")), [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'.', b'B']);
        assert_eq!(message(&"x".repeat(300))[..3], [0x0a, 0xac, 0x02], "300 in two bytes");
    }

    #[test]
    fn a_response_holds_a_status_and_maybe_more() {
        for (message, expected) in [
            (&[][..], Some(0)),
            (&[0x08, 1], Some(1)),
            (&[0x12, 2, 9, 9, 0x08, 2, 0x18, 0x80, 1], Some(2)),
            (&[0x21, 0, 0, 0, 0, 0, 0, 0, 0, 0x2d, 0, 0, 0, 0, 0x08, 1], Some(1)),
            (&[0x08], None),
            (&[0x0b, 1], None),
            (&[0x12, 9, 1], None),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], None),
        ] {
            assert_eq!(status(&framed(message)), expected, "{message:?}");
        }
        assert_eq!(status(&[0, 0, 0, 0, 9, 8, 1]), None, "shorter than it says");
        assert_eq!(status(&[1, 0, 0, 0, 2, 8, 1]), None, "compressed, which nobody asked for");
    }
}
