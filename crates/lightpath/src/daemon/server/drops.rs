//! What was dropped, with examples of it.

#![expect(unused_qualifications, reason = "utoipa names the types of parameters in full")]

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::problems::Query;
use super::routes::Questions;
use super::{Question, ask};
use crate::daemon::capture::{self, Looked};
use crate::drops::Drops;
use crate::problem::Problem;

/// How long somebody may look for examples.
const LONGEST: Duration = Duration::from_secs(10);

/// What was dropped, why, and what to do about it, with the examples that are known.
#[utoipa::path(get, path = "/v1/drops", responses((status = 200, body = Drops)))]
pub(super) async fn known(State(questions): Questions) -> Result<Json<Drops>, Problem> {
    ask(&questions, |to| Question::Drops(Looked::default(), to)).await.map(Json)
}

/// How long to look for examples.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct Looking {
    /// Seconds at most, up to 10. With an example of each reason that there was before, it ends.
    #[serde(default = "usual")]
    seconds: f64,
}

fn usual() -> f64 {
    1.5
}

/// The same after a look for an example of each reason. Meanwhile a program that copies packets runs in place of the one that does
/// not; no packet is lost at either change. A capture goes before it.
#[utoipa::path(post, path = "/v1/drops", params(Looking), responses(
    (status = 200, body = Drops),
    (status = 400, description = "Nobody can look for so long.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn look(
    State(questions): Questions,
    Query(Looking { seconds }): Query<Looking>,
) -> Result<Json<Drops>, Problem> {
    let patience = Duration::try_from_secs_f64(seconds).ok().filter(|patience| *patience <= LONGEST);
    let too_long =
        || Problem::new(StatusCode::BAD_REQUEST, format!("{seconds} s: write a number from 0 to 10"));
    let looked = capture::look(&questions, patience.ok_or_else(too_long)?).await?;
    ask(&questions, |to| Question::Drops(looked, to)).await.map(Json)
}
