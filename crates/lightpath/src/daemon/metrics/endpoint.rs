//! Where metrics are served.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{self, JoinHandle};
use tracing::{error, info};

use super::{MEDIA_TYPE, classic};
use crate::daemon::listening::listen;
use crate::daemon::server::{Question, ask, no_such_method, page};
use crate::problem::Problem;

/// The address that metrics are served at, if at any.
#[derive(Debug)]
pub(in crate::daemon) struct Endpoint {
    at: Option<SocketAddr>,
    /// The same that is accepted from.
    listener: Option<StdListener>,
    questions: mpsc::Sender<Question>,
    server: Option<JoinHandle<()>>,
}

/// An address that was taken, and is not yet served.
#[derive(Debug)]
pub(in crate::daemon) struct Prepared(Option<(SocketAddr, StdListener)>);

impl Endpoint {
    /// Serves nowhere yet; what is asked for goes to `questions`.
    pub(in crate::daemon) fn new(questions: mpsc::Sender<Question>) -> Self {
        Self { at: None, listener: None, questions, server: None }
    }

    /// Where questions are put to the daemon's loop.
    pub(in crate::daemon) fn questions(&self) -> mpsc::Sender<Question> {
        self.questions.clone()
    }

    /// Takes an address, so that serving there cannot fail any more. `None` when nothing is to change.
    pub(in crate::daemon) fn prepare(&self, at: Option<SocketAddr>) -> Result<Option<Prepared>> {
        if at == self.at {
            return Ok(None);
        }
        let listen = |at: SocketAddr| {
            let listener = listen(at, self.listener.as_ref()).with_context(|| {
                format!("cannot serve metrics at {at}; give `metrics` an address of this host with a port that is free")
            });
            listener.map(|listener| (at, listener))
        };
        Ok(Some(Prepared(at.map(listen).transpose()?)))
    }

    /// Serves at what was prepared, and nowhere else.
    pub(in crate::daemon) fn switch_to(&mut self, Prepared(listener): Prepared) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
        self.at = listener.as_ref().map(|(at, _)| *at);
        self.listener = None;
        if let Some((at, listener)) = listener {
            self.listener = listener.try_clone().ok();
            let questions = self.questions.clone();
            self.server = Some(task::spawn(async move {
                if let Err(error) = serve(listener, questions).await {
                    error!(%error, "metrics are served no more at {at}; restart the daemon");
                }
            }));
            info!("metrics are at http://{at}/metrics");
        }
    }
}

async fn serve(listener: StdListener, questions: mpsc::Sender<Question>) -> io::Result<()> {
    // Whoever is on this host may watch. Elsewhere, metrics are all that was asked for.
    let page = if listener.local_addr()?.ip().is_loopback() { page() } else { Router::new() };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .merge(page)
        .fallback(nothing_else)
        .method_not_allowed_fallback(no_such_method)
        .with_state(questions);
    axum::serve(TcpListener::from_std(listener)?, router).await
}

async fn metrics(
    State(questions): State<mpsc::Sender<Question>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
    let is_classic = accepted.is_some_and(classic::is_asked_for);
    let figures = ask(&questions, Question::Metrics).await?;
    // The loop goes on meanwhile: there may be 10,000 backends.
    let text = task::spawn_blocking(move || {
        let text = figures.text();
        if is_classic { text.map(|text| classic::from_open_metrics(&text)) } else { text }
    });
    let media_type = if is_classic { classic::MEDIA_TYPE } else { MEDIA_TYPE };
    match text.await {
        Ok(Ok(text)) => Ok(([(header::CONTENT_TYPE, media_type)], text).into_response()),
        _ => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written")),
    }
}

async fn nothing_else(uri: axum::http::Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!("there is nothing at {}; metrics are at /metrics", uri.path()),
    )
}
