//! What goes on: answers that do not end, as server-sent events (WHATWG HTML, section 9.2).

#![expect(unused_qualifications, reason = "utoipa names the types of parameters in full")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use super::problems::{Body, Query};
use super::routes::Questions;
use super::{Question, ask};
use crate::api::{CAPTURED, LOST};
use crate::cli::Wanted;
use crate::daemon::capture;
use crate::event::Event;
use crate::problem::Problem;

/// How often something is sent, if only that there is nothing: so that either side finds out that the other is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct After {
    /// The number of the last event that is known. A header `Last-Event-ID` says the same.
    after: Option<u64>,
}

/// What happened, as far as it is kept, and what happens from now on.
#[utoipa::path(get, path = "/v1/events", params(After), responses(
    (status = 200, description = "Server-sent events, each of them one of these.", body = Event, content_type = "text/event-stream"),
    (status = 400, description = "This is no number of an event.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn events(
    State(questions): Questions,
    headers: HeaderMap,
    Query(After { after }): Query<After>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    let last = last_event_id(&headers)?.or(after).unwrap_or(0);
    let events = ask(&questions, Question::Events).await?;
    // An event has nothing in it that JSON cannot say.
    let messages = events.follow(last).filter_map(async |event| message(&event).ok().map(Ok));
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// The status now, every two seconds and whenever something changes, as `status`, and what happens, as `event`: all that the
/// status page needs.
#[utoipa::path(get, path = "/v1/watch", params(After), responses(
    (status = 200, description = "Server-sent events: of the type `status`, with a Status, and of the type `event`, with an Event.",
        content_type = "text/event-stream"),
    (status = 400, description = "This is no number of an event.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn watch(
    State(questions): Questions,
    Query(After { after }): Query<After>,
) -> Result<Sse<impl Stream<Item = Result<Message, Infallible>>>, Problem> {
    let events = ask(&questions, Question::Events).await?.follow(after.unwrap_or(0));
    let events = events.filter_map(async |event| Some(Ok(message(&event).ok()?.event("event"))));
    let statuses = ask(&questions, Question::Watch).await?;
    let statuses = stream::unfold(statuses, |mut statuses| async move {
        // Of several that come while the last is being sent, only the latest counts.
        statuses.changed().await.ok()?;
        let status = Arc::clone(&statuses.borrow_and_update());
        Some((Ok(Message::default().event("status").data(&*status)), statuses))
    });
    Ok(Sse::new(stream::select(statuses, events)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Packets as they come and as they leave, in pcapng. Trailers tell how many there were, and how many were lost.
#[utoipa::path(post, path = "/v1/capture", request_body = Wanted, responses(
    (status = 200, description = "Packets, until there are enough of them.", content_type = "application/x-pcapng"),
    (status = 404, description = "There is no such service or backend.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Somebody else captures.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "This is no filter.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn capture(
    State(questions): Questions,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Problem> {
    let begun = ask(&questions, |answer| Question::Capture(wanted, answer)).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-pcapng".to_owned()),
        (header::TRAILER, format!("{CAPTURED}, {LOST}")),
    ];
    Ok((headers, capture::body(begun, questions)).into_response())
}

fn message(event: &Event) -> Result<Message, axum::Error> {
    Message::default().id(event.id.to_string()).json_data(event)
}

/// What a client says that comes back (WHATWG HTML, section 9.2.4).
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|value| value.parse().ok());
    let unknown =
        || Problem::new(StatusCode::BAD_REQUEST, format!("Last-Event-ID {value:?} is no number of an event"));
    number.map(Some).ok_or_else(unknown)
}
