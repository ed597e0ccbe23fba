//! The API on an address: over TLS, for who has the token. Nothing is served where the configuration does not say so.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lightpath_control::model::Api;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::{debug, error, info};

use super::credentials::Credentials;
use super::{Question, Requests, routes};
use crate::daemon::listening::listen;
use crate::problem::Problem;

/// Connections at a time; others wait to be accepted.
const CONNECTIONS: usize = 128;
/// How long a TLS handshake and a request's header may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing is accepted after the host had no room for a connection.
const BREATH: Duration = Duration::from_millis(100);

/// What connections are made and requests judged by, which a reload may exchange.
type Current = watch::Receiver<Arc<Credentials>>;

/// The API on an address, if it is served on any.
#[derive(Debug)]
pub(in crate::daemon) struct Remote {
    questions: mpsc::Sender<Question>,
    requests: Requests,
    served: Option<Served>,
}

#[derive(Debug)]
struct Served {
    at: SocketAddr,
    /// The same that the server accepts from.
    listener: StdListener,
    credentials: watch::Sender<Arc<Credentials>>,
    server: JoinHandle<()>,
}

/// What is to be served, with nothing left that could fail.
#[derive(Debug)]
pub(in crate::daemon) struct Prepared(Option<(SocketAddr, Arc<Credentials>, Option<StdListener>)>);

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Remote {
    /// Serves nowhere yet.
    pub(in crate::daemon) fn new(questions: mpsc::Sender<Question>, requests: Requests) -> Self {
        Self { questions, requests, served: None }
    }

    /// Reads the files that a configuration names, and takes its address unless it is the one that is served.
    pub(in crate::daemon) fn prepare(&self, wanted: Option<&Api>) -> Result<Prepared> {
        let Some(api) = wanted else { return Ok(Prepared(None)) };
        let credentials = Credentials::read(api).context("the API cannot be served")?;
        let is_served = self.served.as_ref().is_some_and(|served| served.at == api.listen);
        let listener = (!is_served)
            .then(|| listen(api.listen, self.served.as_ref().map(|served| &served.listener)))
            .transpose()
            .with_context(|| {
                format!(
                    "cannot serve the API at {}; give it an address of this host with a port that is free",
                    api.listen
                )
            })?;
        Ok(Prepared(Some((api.listen, Arc::new(credentials), listener))))
    }

    /// Serves what was prepared, and nothing else.
    pub(in crate::daemon) fn switch_to(&mut self, Prepared(wanted): Prepared) {
        match (wanted, &self.served) {
            (Some((_, credentials, None)), Some(served)) => {
                served.credentials.send_replace(credentials);
            }
            (wanted, _) => {
                if let Some(before) = self.served.take() {
                    before.server.abort();
                }
                self.served =
                    wanted.and_then(|(at, credentials, listener)| self.begin(at, credentials, listener?));
            }
        }
    }

    fn begin(&self, at: SocketAddr, credentials: Arc<Credentials>, listener: StdListener) -> Option<Served> {
        let (credentials, current) = watch::channel(credentials);
        let router = routes::router(self.questions.clone(), self.requests.clone())
            .layer(middleware::from_fn_with_state(current.clone(), authorise));
        let own = listener.try_clone().and_then(TcpListener::from_std);
        let own = own.inspect_err(|error| error!(%error, "the API is not served at {at}; reload")).ok()?;
        let server = tokio::spawn(serve(own, TowerToHyperService::new(router), current));
        info!("the API is at https://{at}/v1");
        Some(Served { at, listener, credentials, server })
    }
}

/// Accepts connections until it is dropped, and them with it.
async fn serve(listener: TcpListener, service: TowerToHyperService<axum::Router>, current: Current) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, from)) => {
                let (service, credentials) = (service.clone(), Arc::clone(&current.borrow()));
                connections.spawn(async move {
                    if let Err(error) = speak(stream, service, &credentials).await {
                        debug!(%from, "a connection to the API ended: {error:#}");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                debug!(%error, "a connection to the API is not accepted");
                sleep(BREATH).await;
            }
        }
    }
}

async fn speak(
    stream: TcpStream,
    service: TowerToHyperService<axum::Router>,
    credentials: &Credentials,
) -> Result<()> {
    let stream = timeout(PATIENCE, credentials.acceptor.accept(stream)).await??;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    Ok(http.serve_connection(TokioIo::new(stream), service).await?)
}

/// Lets requests through that have the token. By `upgrade` this host runs any program of its own as root, which is not for those who
/// are elsewhere to say.
async fn authorise(State(current): State<Current>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    let token = given.and_then(|given| given.split_at_checked("Bearer ".len()));
    let is_right = token.is_some_and(|(scheme, token)| {
        scheme.eq_ignore_ascii_case(b"Bearer ") && current.borrow().are(token)
    });
    if !is_right {
        let detail = "send the token of this API's token_file, as in Authorization: Bearer TOKEN (RFC 6750)";
        let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
        // What was tried is said only where something was (RFC 6750, section 3).
        let challenge = if given.is_some() {
            "Bearer realm=\"lightpath\", error=\"invalid_token\""
        } else {
            "Bearer realm=\"lightpath\""
        };
        return ([(header::WWW_AUTHENTICATE, challenge)], problem).into_response();
    }
    if request.uri().path() == "/v1/upgrade" {
        let detail = "an upgrade runs a program of the daemon's host; have it done there: lightpath upgrade --binary FILE";
        return Problem::new(StatusCode::FORBIDDEN, detail).into_response();
    }
    next.run(request).await
}
