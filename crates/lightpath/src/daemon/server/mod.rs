//! The API: HTTP and JSON on a Unix socket that only root can open, and where it is configured, over TLS.

mod credentials;
mod drops;
mod follow;
mod page;
mod problems;
mod remote;
mod routes;
mod tally;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::http::StatusCode;
use lightpath_control::overrides::Change;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot, watch};

use super::capture::{Begun, Look, Looked};
use super::events::Events;
use super::metrics::Figures;
use crate::api;
use crate::changed::{Changed, Exchanged};
use crate::cli::{Flow, Wanted};
use crate::drops::Drops;
use crate::explanation::{Explanation, Sample};
use crate::problem::Problem;
use crate::status::Status;
pub(super) use page::router as page;
pub(super) use problems::no_such_method;
pub(super) use remote::Remote;
pub(super) use tally::{Requests, Tally};

/// Where an answer goes. Whoever asked may have gone by the time there is one.
pub(super) type Answer<T> = oneshot::Sender<Result<T, Problem>>;

/// What the API asks of the daemon's one loop, which owns everything.
#[derive(Debug)]
pub(super) enum Question {
    /// GET /v1/status.
    Status(Answer<Status>),
    /// GET /metrics.
    Metrics(Answer<Figures>),
    /// GET /v1/watch: the status as it is, and when it changes.
    Watch(Answer<watch::Receiver<Arc<str>>>),
    /// GET /v1/events: where they are.
    Events(Answer<Arc<Events>>),
    /// POST /v1/reload; whether changes made at run time are discarded, and whether what leaves does so at once.
    Reload { discard: bool, now: bool, to: Answer<Changed> },
    /// POST /v1/rollback.
    RollBack(Answer<Exchanged>),
    /// POST /v1/upgrade.
    Upgrade(PathBuf, Answer<Exchanged>),
    /// A change on top of the file; whether a backend that it takes out leaves at once.
    Change(Change, bool, Answer<Changed>),
    /// POST /v1/capture.
    Capture(Wanted, Answer<Begun>),
    /// Nobody reads a capture any more.
    EndCapture,
    /// POST /v1/drops: a look for examples, unless nothing was dropped.
    Look(Answer<Option<Look>>),
    /// GET /v1/drops, and POST when what a look has found is there.
    Drops(Looked, Answer<Drops>),
    /// GET /v1/explain.
    ExplainFlow(Flow, Answer<Explanation>),
    /// POST /v1/explain.
    ExplainPackets(Vec<Sample>, Answer<Vec<Explanation>>),
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
pub(super) async fn serve(
    listener: UnixListener,
    questions: mpsc::Sender<Question>,
    requests: Requests,
) -> io::Result<()> {
    axum::serve(listener, routes::router(questions, requests)).await
}

/// Puts a question to the loop.
pub(super) async fn ask<T>(
    questions: &mpsc::Sender<Question>,
    question: impl FnOnce(Answer<T>) -> Question,
) -> Result<T, Problem> {
    let gone = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping");
    let (answer, answered) = oneshot::channel();
    questions.send(question(answer)).await.map_err(|_| gone())?;
    answered.await.map_err(|_| gone())?
}
