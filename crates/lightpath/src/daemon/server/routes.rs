//! What can be asked, each with its place in the OpenAPI document.

#![expect(unused_qualifications, reason = "utoipa names the types of parameters in full")]

use std::path::PathBuf;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::{Json, Router, middleware};
use lightpath_control::overrides::{Change, Definition, Endpoint};
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problems::{Body, Path, Query, no_such_method, nothing_here};
use super::{Answer, Question, Requests, drops, follow, page, tally};
use crate::changed::{Changed, Exchanged};
use crate::cli::Flow;
use crate::explanation::{Explanation, Sample};
use crate::problem::Problem;
use crate::status::Status;

/// Bytes of a request's body, which the daemon holds in memory.
const LARGEST_BODY: usize = 8 << 20;

pub(super) type Questions = State<mpsc::Sender<Question>>;

#[derive(OpenApi)]
#[openapi(info(
    title = "Lightpath",
    description = "Watches and changes a running load balancer. Changes are all or nothing, take effect before they are answered, and survive \
                   restarts. Every error is a problem document (RFC 9457). The Unix socket asks for nothing; elsewhere each request carries the token \
                   of the configuration (RFC 6750), or is answered with 401."
))]
struct Document;

/// Everything that can be asked.
pub(super) fn router(questions: mpsc::Sender<Question>, requests: Requests) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(status))
        .routes(routes!(drops::known, drops::look))
        .routes(routes!(follow::events))
        .routes(routes!(follow::watch))
        .routes(routes!(follow::capture))
        .routes(routes!(reload))
        .routes(routes!(roll_back))
        .routes(routes!(upgrade))
        .routes(routes!(explain_flow, explain_packets))
        .routes(routes!(add_service))
        .routes(routes!(remove_service))
        .routes(routes!(add_backend))
        .routes(routes!(remove_backend))
        .routes(routes!(drain))
        .routes(routes!(enable))
        .routes(routes!(weight))
        .split_for_parts();
    router
        .route("/v1/openapi.json", axum::routing::get(async || Json(document)))
        .merge(page::files())
        .fallback(nothing_here)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn(page::only_watches))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(requests, tally::count))
        .with_state(questions)
}

/// Services, backends, rates and drops.
#[utoipa::path(get, path = "/v1/status", responses(
    (status = 200, body = Status),
    (status = 503, description = "The daemon is stopping.", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn status(State(questions): Questions) -> Result<Json<Status>, Problem> {
    ask(&questions, Question::Status).await
}

/// What becomes of what the file does not have.
#[derive(Debug, Deserialize, IntoParams)]
struct Reloading {
    /// Forget what was changed at run time: the file is all that counts.
    #[serde(default)]
    discard: bool,
    /// Do not wait for flows of services and backends that are taken out.
    #[serde(default)]
    now: bool,
}

/// Applies the configuration file as it is now.
#[utoipa::path(post, path = "/v1/reload", params(Reloading), responses(
    (status = 200, body = Changed),
    (status = 422, description = "The file is wrong; nothing is changed.", body = Problem, content_type = "application/problem+json"),
))]
async fn reload(
    State(questions): Questions,
    Query(Reloading { discard, now }): Query<Reloading>,
) -> Result<Json<Changed>, Problem> {
    ask(&questions, |to| Question::Reload { discard, now, to }).await
}

/// Takes the program back that ran before this one.
#[utoipa::path(post, path = "/v1/rollback", responses(
    (status = 200, body = Exchanged),
    (status = 409, description = "There is none, or it cannot do what is configured.", body = Problem, content_type = "application/problem+json"),
))]
async fn roll_back(State(questions): Questions) -> Result<Json<Exchanged>, Problem> {
    ask(&questions, Question::RollBack).await
}

/// Which program the daemon goes on as.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Binary {
    /// Absolute path of the program.
    #[schema(value_type = String)]
    binary: PathBuf,
}

/// Goes on as another version: it is tried on the live tables first, and takes over when that went well.
#[utoipa::path(post, path = "/v1/upgrade", request_body = Binary, responses(
    (status = 200, body = Exchanged),
    (status = 409, description = "It was tried, and is no good.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "This is no program.", body = Problem, content_type = "application/problem+json"),
))]
async fn upgrade(
    State(questions): Questions,
    Body(Binary { binary }): Body<Binary>,
) -> Result<Json<Exchanged>, Problem> {
    ask(&questions, |to| Question::Upgrade(binary, to)).await
}

/// What becomes of a flow, and why. Nothing is sent and nothing changes.
#[utoipa::path(get, path = "/v1/explain", params(Flow), responses(
    (status = 200, body = Explanation),
    (status = 400, description = "No flow is named.", body = Problem, content_type = "application/problem+json"),
))]
async fn explain_flow(
    State(questions): Questions,
    Query(flow): Query<Flow>,
) -> Result<Json<Explanation>, Problem> {
    ask(&questions, |answer| Question::ExplainFlow(flow, answer)).await
}

/// What becomes of each of some packets, and why. Nothing is sent and nothing changes.
#[utoipa::path(post, path = "/v1/explain", request_body = Vec<Sample>, responses(
    (status = 200, body = Vec<Explanation>),
    (status = 422, description = "These are no packets.", body = Problem, content_type = "application/problem+json"),
))]
async fn explain_packets(
    State(questions): Questions,
    Body(packets): Body<Vec<Sample>>,
) -> Result<Json<Vec<Explanation>>, Problem> {
    ask(&questions, |answer| Question::ExplainPackets(packets, answer)).await
}

/// Adds a service: the body has the keys of `[[service]]`, with a list of backends under `backend`.
#[utoipa::path(post, path = "/v1/services", request_body = serde_json::Value, responses(
    (status = 200, body = Changed),
    (status = 409, description = "There is one of this name.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "It is not right.", body = Problem, content_type = "application/problem+json"),
))]
async fn add_service(
    State(questions): Questions,
    Body(keys): Body<Definition>,
) -> Result<Json<Changed>, Problem> {
    change(&questions, Change::AddService(keys), false).await
}

/// Whether to wait for flows to end.
#[derive(Debug, Deserialize, IntoParams)]
struct Now {
    /// Do not wait: flows that live on end.
    #[serde(default)]
    now: bool,
}

/// Takes a service out. Its flows may end first.
#[utoipa::path(delete, path = "/v1/services/{service}", params(("service" = String, Path), Now), responses(
    (status = 200, body = Changed),
    (status = 404, description = "There is no such service.", body = Problem, content_type = "application/problem+json"),
))]
async fn remove_service(
    State(questions): Questions,
    Path(service): Path<String>,
    Query(Now { now }): Query<Now>,
) -> Result<Json<Changed>, Problem> {
    change(&questions, Change::RemoveService { service }, now).await
}

/// Adds a backend: the body has the keys of `[[service.backend]]`.
#[utoipa::path(post, path = "/v1/services/{service}/backends", params(("service" = String, Path)), request_body = serde_json::Value, responses(
    (status = 200, body = Changed),
    (status = 404, description = "There is no such service.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The service has it already.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "It is not right.", body = Problem, content_type = "application/problem+json"),
))]
async fn add_backend(
    State(questions): Questions,
    Path(service): Path<String>,
    Body(keys): Body<Definition>,
) -> Result<Json<Changed>, Problem> {
    change(&questions, Change::AddBackend { service, definition: keys }, false).await
}

/// Takes a backend out. It gets no new flows; those that it has may end first.
#[utoipa::path(delete, path = "/v1/services/{service}/backends/{backend}",
    params(("service" = String, Path), ("backend" = String, Path, description = "`10.0.0.11`, `10.0.0.11:8080`, `[2001:db8::1]:8080`"), Now),
    responses(
    (status = 200, body = Changed),
    (status = 404, description = "There is no such backend.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is not clear which backend is meant.", body = Problem, content_type = "application/problem+json"),
))]
async fn remove_backend(
    State(questions): Questions,
    Path((service, backend)): Path<(String, String)>,
    Query(Now { now }): Query<Now>,
) -> Result<Json<Changed>, Problem> {
    change(&questions, Change::RemoveBackend { service, backend: endpoint(&backend)? }, now).await
}

/// Gives a backend no new flows. Those that it has stay.
#[utoipa::path(post, path = "/v1/services/{service}/backends/{backend}/drain",
    params(("service" = String, Path), ("backend" = String, Path)), responses(
    (status = 200, body = Changed),
    (status = 404, description = "There is no such backend.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is not clear which backend is meant.", body = Problem, content_type = "application/problem+json"),
))]
async fn drain(
    State(questions): Questions,
    Path((service, backend)): Path<(String, String)>,
) -> Result<Json<Changed>, Problem> {
    change(&questions, Change::Drain { service, backend: endpoint(&backend)? }, false).await
}

/// Ends a drain.
#[utoipa::path(post, path = "/v1/services/{service}/backends/{backend}/enable",
    params(("service" = String, Path), ("backend" = String, Path)), responses(
    (status = 200, body = Changed),
    (status = 404, description = "There is no such backend.", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is not drained, or not clear which is meant.", body = Problem, content_type = "application/problem+json"),
))]
async fn enable(
    State(questions): Questions,
    Path((service, backend)): Path<(String, String)>,
) -> Result<Json<Changed>, Problem> {
    change(&questions, Change::Enable { service, backend: endpoint(&backend)? }, false).await
}

/// The share of a backend.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Weight {
    /// Its share of new flows relative to the other backends; 0 takes none.
    weight: u16,
}

/// Gives a backend another weight.
#[utoipa::path(put, path = "/v1/services/{service}/backends/{backend}/weight",
    params(("service" = String, Path), ("backend" = String, Path)), request_body = Weight, responses(
    (status = 200, body = Changed),
    (status = 404, description = "There is no such backend.", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "This is no weight.", body = Problem, content_type = "application/problem+json"),
))]
async fn weight(
    State(questions): Questions,
    Path((service, backend)): Path<(String, String)>,
    Body(Weight { weight }): Body<Weight>,
) -> Result<Json<Changed>, Problem> {
    change(&questions, Change::Weight { service, backend: endpoint(&backend)?, weight }, false).await
}

fn endpoint(text: &str) -> Result<Endpoint, Problem> {
    text.parse().map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("{error}")))
}

async fn change(
    questions: &mpsc::Sender<Question>,
    change: Change,
    now: bool,
) -> Result<Json<Changed>, Problem> {
    ask(questions, |answer| Question::Change(change, now, answer)).await
}

/// Puts a question to the loop.
async fn ask<T>(
    questions: &mpsc::Sender<Question>,
    question: impl FnOnce(Answer<T>) -> Question,
) -> Result<Json<T>, Problem> {
    super::ask(questions, question).await.map(Json)
}
