//! The API: HTTP and JSON on a Unix socket that only root can open.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use crate::api;
use crate::cli::Flow;
use crate::explanation::{Explanation, Sample};
use crate::reloaded::Reloaded;
use crate::status::Status;

/// Bytes of a request's body, which the daemon holds in memory.
const LARGEST_QUESTION: usize = 8 << 20;

/// What the API asks of the daemon's one loop, which owns everything.
#[derive(Debug)]
pub(super) enum Question {
    /// GET /v1/status.
    Status(oneshot::Sender<Status>),
    /// POST /v1/reload.
    Reload(oneshot::Sender<Result<Reloaded, String>>),
    /// GET /v1/explain.
    ExplainFlow(Flow, oneshot::Sender<Result<Explanation, String>>),
    /// POST /v1/explain.
    ExplainPackets(Vec<Sample>, oneshot::Sender<Result<Vec<Explanation>, String>>),
}

/// Takes the instance's socket, and with it the right to be its one daemon.
pub(crate) fn listen(socket: &Path, instance: &str) -> Result<UnixListener> {
    if api::is_served(socket) {
        bail!(
            "a daemon of instance {instance} is running already ({}); use another --instance",
            socket.display()
        );
    }
    let directory = socket.parent().context("the socket has no directory")?;
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {}", socket.display()));
        }
        _ => {}
    }
    let listener =
        UnixListener::bind(socket).with_context(|| format!("cannot listen on {}", socket.display()))?;
    fs::set_permissions(socket, Permissions::from_mode(0o600))
        .with_context(|| format!("cannot restrict {}", socket.display()))?;
    Ok(listener)
}

/// Answers requests until the daemon ends.
pub(super) async fn serve(listener: UnixListener, questions: mpsc::Sender<Question>) -> io::Result<()> {
    let router = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/reload", post(reload))
        .route("/v1/explain", get(explain_flow).post(explain_packets))
        .layer(DefaultBodyLimit::max(LARGEST_QUESTION))
        .with_state(questions);
    axum::serve(listener, router).await
}

async fn status(State(questions): State<mpsc::Sender<Question>>) -> Result<Json<Status>, StatusCode> {
    let (answer, answered) = oneshot::channel();
    questions.send(Question::Status(answer)).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answered.await.map(Json).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

async fn reload(
    State(questions): State<mpsc::Sender<Question>>,
) -> Result<Json<Reloaded>, (StatusCode, String)> {
    ask(&questions, Question::Reload).await
}

async fn explain_flow(
    State(questions): State<mpsc::Sender<Question>>,
    Query(flow): Query<Flow>,
) -> Result<Json<Explanation>, (StatusCode, String)> {
    ask(&questions, |answer| Question::ExplainFlow(flow, answer)).await
}

async fn explain_packets(
    State(questions): State<mpsc::Sender<Question>>,
    Json(packets): Json<Vec<Sample>>,
) -> Result<Json<Vec<Explanation>>, (StatusCode, String)> {
    ask(&questions, |answer| Question::ExplainPackets(packets, answer)).await
}

/// Puts a question to the loop, which may find it wrong.
async fn ask<T>(
    questions: &mpsc::Sender<Question>,
    question: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Question,
) -> Result<Json<T>, (StatusCode, String)> {
    let gone = || (StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping".to_owned());
    let (answer, answered) = oneshot::channel();
    questions.send(question(answer)).await.map_err(|_| gone())?;
    let explained = answered.await.map_err(|_| gone())?;
    explained.map(Json).map_err(|problem| (StatusCode::BAD_REQUEST, problem))
}
