//! A capture as the body of an answer, for as long as somebody reads it.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::sync::mpsc::{self, Sender};
use tokio::time;

use super::Begun;
use super::pcapng::Writer;
use crate::api::{CAPTURED, LOST};
use crate::daemon::server::Question;

/// How often it is looked for packets.
const PAUSE: Duration = Duration::from_millis(10);
/// Pieces that may wait for a reader. While it does not take them, copies wait in the ring buffer, and are lost when that is full.
const WAITING: usize = 16;

/// The packets, and then how many there were.
pub(in crate::daemon) fn body(begun: Begun, questions: Sender<Question>) -> Body {
    let (pieces, taken) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let goes_on = begun.send(&pieces).await;
        // It is handed back however it ended; if nobody is there to do so, a restart has.
        let _ = questions.send(Question::EndCapture).await;
        if let Some(trailers) = goes_on {
            let _ = pieces.send(Ok(Frame::trailers(trailers))).await;
        }
    });
    Body::new(StreamBody::new(futures_util::stream::unfold(taken, |mut taken| async {
        taken.recv().await.map(|piece| (piece, taken))
    })))
}

type Pieces = Sender<Result<Frame<Bytes>, Infallible>>;

impl Begun {
    /// Sends packets until there are enough; what there is to say in the end. Nothing, if the reader has gone.
    async fn send(self, pieces: &Pieces) -> Option<HeaderMap> {
        let Self { mut samples, filter, names, wanted, mut ended } = self;
        let mut writer = Writer::new(names, wanted.snaplen);
        let head = Writer::head();
        let (mut captured, mut size) = (0, head.len() as u64);
        pieces.send(Ok(Frame::data(head.into()))).await.ok()?;
        let end = Instant::now() + Duration::from_secs(wanted.seconds.into());
        let mut is_full = false;
        while !is_full && Instant::now() < end && ended.try_recv() == Err(EMPTY) {
            let mut piece = Vec::new();
            samples.take(|copied| {
                if is_full || !filter.wants(&copied.sample) {
                    return;
                }
                let blocks = writer.packet(&copied);
                is_full = size + blocks.len() as u64 > wanted.size;
                if !is_full {
                    size += blocks.len() as u64;
                    captured += 1;
                    piece.extend(blocks);
                    is_full = captured == wanted.count;
                }
            });
            if piece.is_empty() {
                if pieces.is_closed() {
                    return None;
                }
            } else {
                pieces.send(Ok(Frame::data(piece.into()))).await.ok()?;
            }
            if !is_full {
                time::sleep(PAUSE).await;
            }
        }
        let lost = samples.lost().unwrap_or_default();
        let header = |name, value: u64| (HeaderName::from_static(name), HeaderValue::from(value));
        Some([header(CAPTURED, captured), header(LOST, lost)].into_iter().collect())
    }
}

const EMPTY: tokio::sync::oneshot::error::TryRecvError = tokio::sync::oneshot::error::TryRecvError::Empty;
