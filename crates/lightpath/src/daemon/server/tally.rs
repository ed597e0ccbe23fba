//! How many requests the API has answered, and how.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

/// Requests by operation, such as `GET /v1/status`, and HTTP status.
pub(in crate::daemon) type Tally = BTreeMap<(String, u16), u64>;

/// What is no operation: a path or a method that is not known. There are as many as anybody thinks of.
const OTHER: &str = "other";

/// Counts requests.
#[derive(Clone, Debug, Default)]
pub(in crate::daemon) struct Requests(Arc<Mutex<Tally>>);

impl Requests {
    fn add(&self, operation: String, status: StatusCode) {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.entry((operation, status.as_u16())).or_default() += 1;
    }

    /// What was counted so far.
    pub(in crate::daemon) fn tally(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Counts a request when it is answered.
pub(super) async fn count(State(requests): State<Requests>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let operation = path.map(|path| format!("{} {}", request.method(), path.as_str()));
    let response = next.run(request).await;
    let known = operation.filter(|_| response.status() != StatusCode::METHOD_NOT_ALLOWED);
    requests.add(known.unwrap_or_else(|| OTHER.to_owned()), response.status());
    response
}
